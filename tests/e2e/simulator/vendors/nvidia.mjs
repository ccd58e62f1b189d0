// integrate.api.nvidia.com, and the hub that its tokenizers are fetched from.
import { bearerKey, errorBody, json, open } from './common.mjs';
import { chatRoute, modelRoutes } from './openai.mjs';

export default {
  auth: bearerKey,
  error: (status, reason, message) => ({ body: status === 429 ? { status: 429, title: 'Too Many Requests' } : errorBody('openai', status, message) }),
  settings: (sim) => ({ base_url: sim.url, hf_url: `${sim.url}/hub` }),
  secret: (sim) => ({ Nvidia: { api_key: [...sim.keys][0] } }),
  routes: [
    chatRoute('/v1/chat/completions'), ...modelRoutes('/v1'),
    // state.tokenizer: the text of tokenizer.json; state.hubToken: what it asks for.
    { method: 'GET', path: /^\/hub\/(.+)\/resolve\/main\/tokenizer\.json$/, op: 'tokenizer', auth: open, serve(ctx, out) {
      const { tokenizer, hubToken } = ctx.sim.state;
      if (hubToken && ctx.req.headers.authorization !== `Bearer ${hubToken}`) return json(out, 401, { error: 'Unauthorized' });
      if (!tokenizer) return json(out, 404, { error: 'Entry not found' });
      out.writeHead(200, { 'content-type': 'application/json' });
      return out.end(tokenizer);
    } },
  ],
};
