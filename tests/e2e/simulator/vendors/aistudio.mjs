// generativelanguage.googleapis.com: the Gemini API with a key, and its OpenAI-compatible chat.
import { model } from '../../upstream.mjs';
import { geminiAnswer, geminiOp, googleError, json, keyIn, list } from './common.mjs';
import { replay } from '../answer.mjs';
import { chatRoute } from './openai.mjs';

// A bad key is a 400 here.
const key = (header, prefix) => (ctx) => (keyIn(header, prefix)(ctx) ? ctx.error(400, 'API_KEY_INVALID', 'API key not valid') : undefined);

export default {
  auth: key('x-goog-api-key', ''),
  error: (status, reason, message) => googleError(status, reason, message),
  settings: (sim) => ({ base_url: sim.url }),
  secret: (sim) => ({ AIStudio: { api_key: [...sim.keys][0] } }),
  routes: [
    { ...chatRoute('/v1beta/openai/chat/completions'), auth: key('authorization', 'Bearer ') },
    { method: 'POST', path: /^\/v1beta\/(?:models|tunedModels)\/(.+):(\w+)$/, op: (ctx) => geminiOp(ctx.params[1]), async serve(ctx, out) { replay(out, await geminiAnswer(ctx.params[0], ctx.params[1], ctx.body, ctx.url.searchParams.get('alt') === 'sse')); } },
    { method: 'GET', path: '/v1beta/models', op: 'models', serve: (ctx, out) => json(out, 200, list('gemini', ['mock-1', 'mock-2'])) },
    { method: 'GET', path: /^\/v1beta\/models\/(.+)$/, op: 'model', serve: (ctx, out) => (ctx.params[0].startsWith('mock') ? json(out, 200, model('gemini', ctx.params[0])) : json(out, 404, googleError(404, undefined, 'model not found').body)) },
  ],
};
