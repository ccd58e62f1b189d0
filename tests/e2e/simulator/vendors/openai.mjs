// api.openai.com: Chat Completions, Responses and its sub-resources, models.
import { chat, model, responses } from '../../upstream.mjs';
import { bearerKey, errorBody, json, list } from './common.mjs';

const needModel = (serve) => (ctx, out) => (ctx.body?.model ? serve(ctx, out) : json(out, 400, errorBody('openai', 400, 'model is missing')));
const stored = (ctx) => ({ id: ctx.params[0], object: 'response', status: 'completed', output: [] });
// `refuse(ctx)`: what is wrong with a generation's body, for products that take less than the API.
export const responseRoutes = (prefix, refuse = () => undefined) => [
  { method: 'POST', path: `${prefix}/responses/input_tokens`, op: 'count', serve: (ctx, out) => json(out, 200, { object: 'response.input_tokens', input_tokens: 7 }) },
  { method: 'POST', path: `${prefix}/responses/compact`, op: 'compact', serve: (ctx, out) => json(out, 200, { id: 'resp_compact', object: 'response.compaction', output: [] }) },
  { method: 'POST', path: `${prefix}/responses`, op: (ctx) => (ctx.body?.stream ? 'stream' : 'generate'), serve: needModel((ctx, out) => (refuse(ctx) ? json(out, 400, { detail: refuse(ctx) }) : responses(out, ctx.body))) },
  { method: 'POST', path: new RegExp(`^${prefix}/responses/([^/]+)/cancel$`), op: 'response_cancel', serve: (ctx, out) => json(out, 200, { ...stored(ctx), status: 'cancelled' }) },
  { method: 'GET', path: new RegExp(`^${prefix}/responses/([^/]+)/input_items$`), op: 'response_items', serve: (ctx, out) => json(out, 200, { object: 'list', data: [{ id: 'item_1' }], has_more: false }) },
  { method: 'GET', path: new RegExp(`^${prefix}/responses/([^/]+)$`), op: 'response_get', serve: (ctx, out) => json(out, 200, stored(ctx)) },
  { method: 'DELETE', path: new RegExp(`^${prefix}/responses/([^/]+)$`), op: 'response_delete', serve: (ctx, out) => json(out, 200, { id: ctx.params[0], object: 'response', deleted: true }) },
];

export const chatRoute = (path) => ({ method: 'POST', path, op: (ctx) => (ctx.body?.stream ? 'chat_stream' : 'chat'), serve: needModel((ctx, out) => chat(out, ctx.body)) });
export const modelRoutes = (prefix) => [
  { method: 'GET', path: `${prefix}/models`, op: 'models', serve: (ctx, out) => json(out, 200, list('openai', ['mock-1', 'mock-2'])) },
  { method: 'GET', path: new RegExp(`^${prefix}/models/(.+)$`), op: 'model', serve: (ctx, out) => (ctx.params[0].startsWith('mock') ? json(out, 200, model('openai', ctx.params[0])) : json(out, 404, errorBody('openai', 404, 'model not found'))) },
];

// 429: x-ratelimit-reset-* tells which budget ran out; insufficient_quota is not a matter of waiting.
export function openaiError(status, reason, message) {
  const body = errorBody('openai', status, message);
  if (reason) { body.error.code = reason; body.error.type = reason === 'insufficient_quota' ? reason : body.error.type; }
  const headers = status === 429 && !reason ? { 'x-ratelimit-limit-requests': '60', 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0s', 'x-ratelimit-remaining-tokens': '9000', 'x-ratelimit-reset-tokens': '1s' } : {};
  return { body, headers };
}

export default {
  auth: bearerKey,
  error: openaiError,
  settings: (sim) => ({ base_url: sim.url }),
  secret: (sim) => ({ OpenAI: { api_key: [...sim.keys][0] } }),
  routes: [chatRoute('/v1/chat/completions'), ...responseRoutes('/v1'), ...modelRoutes('/v1')],
};
