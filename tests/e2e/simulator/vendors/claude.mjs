// api.anthropic.com: Messages, counts, models, and the OpenAI-compatible chat.
import { messages, model } from '../../upstream.mjs';
import { bearerKey, errorBody, json, keyIn, list } from './common.mjs';
import { chatRoute } from './openai.mjs';

// anthropic-version is required.
const versioned = (auth) => (ctx) => (ctx.req.headers['anthropic-version'] ? auth(ctx) : ctx.error(400, undefined, 'anthropic-version: header is required'));

export function claudeError(status, reason, message) {
  const body = errorBody('claude', status, message);
  if (status === 403) body.error.type = 'permission_error';
  if (reason) body.error.type = reason;
  const headers = status === 429 ? { 'retry-after': '17', 'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': new Date(Date.now() + 17000).toISOString().replace(/\.\d+/, '') } : {};
  return { body, headers };
}
export const claudeRoutes = (auth) => [
  { method: 'POST', path: '/v1/messages/count_tokens', op: 'count', auth, serve: (ctx, out) => json(out, 200, { input_tokens: 11 }) },
  { method: 'POST', path: '/v1/messages', op: (ctx) => (ctx.body?.stream ? 'stream' : 'generate'), auth, serve: (ctx, out) => messages(out, ctx.body) },
  { method: 'GET', path: '/v1/models', op: 'models', auth, serve: (ctx, out) => json(out, 200, list('claude', ['mock-1', 'mock-2'])) },
  { method: 'GET', path: /^\/v1\/models\/(.+)$/, op: 'model', auth, serve: (ctx, out) => (ctx.params[0].startsWith('mock') ? json(out, 200, model('claude', ctx.params[0])) : json(out, 404, errorBody('claude', 404, 'model not found'))) },
];

export { versioned };
export default {
  error: claudeError,
  settings: (sim) => ({ base_url: sim.url }),
  secret: (sim) => ({ Claude: { api_key: [...sim.keys][0] } }),
  routes: [...claudeRoutes(versioned(keyIn('x-api-key'))), { ...chatRoute('/v1/chat/completions'), auth: bearerKey }],
};
