// api.deepseek.com: Chat Completions, and Messages below /anthropic.
import { bearerKey, errorBody, keyIn } from './common.mjs';
import { messages } from '../../upstream.mjs';
import { chatRoute, modelRoutes } from './openai.mjs';

export default {
  auth: bearerKey,
  error: (status, reason, message, sim) => ({ body: errorBody(sim.last()?.path.startsWith('/anthropic') ? 'claude' : 'openai', status, message) }),
  settings: (sim) => ({ base_url: sim.url }),
  secret: (sim) => ({ DeepSeek: { api_key: [...sim.keys][0] } }),
  routes: [
    chatRoute('/v1/chat/completions'), ...modelRoutes('/v1'),
    { method: 'POST', path: '/anthropic/v1/messages', op: (ctx) => (ctx.body?.stream ? 'stream' : 'generate'), auth: keyIn('x-api-key'), serve: (ctx, out) => messages(out, ctx.body) },
  ],
};
