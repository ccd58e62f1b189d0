// aiplatform.googleapis.com with a key in the query.
import { replay } from '../answer.mjs';
import { geminiAnswer, geminiOp, googleError } from './common.mjs';

export default {
  auth: (ctx) => (ctx.sim.keys.has(ctx.url.searchParams.get('key')) ? undefined : ctx.error(401, 'API_KEY_INVALID')),
  error: (status, reason, message) => googleError(status, reason, message),
  settings: (sim) => ({ base_url: sim.url }),
  secret: (sim) => ({ VertexExpress: { api_key: [...sim.keys][0] } }),
  routes: [
    { method: 'POST', path: /^\/v1beta1\/publishers\/google\/models\/([^/]+):(\w+)$/, op: (ctx) => geminiOp(ctx.params[1]), async serve(ctx, out) { replay(out, await geminiAnswer(ctx.params[0], ctx.params[1], ctx.body, ctx.url.searchParams.get('alt') === 'sse')); } },
  ],
};
