// chatgpt.com/backend-api/codex with auth.openai.com: Responses, device and browser login, usage.
import crypto from 'node:crypto';
import { errorBody, json } from './common.mjs';
import { openaiError, responseRoutes } from './openai.mjs';
import { s256 } from '../oauth.mjs';

const base = '/backend-api/codex';
const auth = (ctx) => {
  if (!ctx.sim.oauth.bearer(ctx)) return ctx.error(401, 'token_expired');
  return ctx.req.headers['chatgpt-account-id'] ? undefined : ctx.error(400, undefined, 'chatgpt-account-id is missing');
};
const idToken = (account) => ['{"alg":"none"}', JSON.stringify({ email: account.email ?? 'person@example.test', 'https://api.openai.com/auth': { chatgpt_plan_type: 'plus', chatgpt_account_id: account.account_id ?? 'acct-1' } })]
  .map((t) => Buffer.from(t).toString('base64url')).join('.') + '.sig';

// The product always streams, stores nothing and takes few parameters.
function refuse({ body: b }) {
  const bad = ['max_output_tokens', 'stream_options', 'temperature', 'top_p', 'top_logprobs'].find((n) => n in b);
  if (bad) return `Unsupported parameter: ${bad}`;
  if (!b.stream) return 'Stream must be set to true';
  if (b.store !== false) return 'Store must be set to false';
  if (typeof b.instructions !== 'string') return 'Instructions are required';
  return Array.isArray(b.input) ? undefined : 'Input must be a list';
}

export default {
  auth,
  // The product's limits come in headers of its own.
  error(status, reason, message) {
    if (status !== 429) return openaiError(status, reason, message);
    return { body: { error: { type: reason ?? 'usage_limit_reached', message, plan_type: 'plus', resets_in_seconds: 1800 } }, headers: { 'x-codex-primary-used-percent': '100', 'x-codex-primary-window-minutes': '300', 'x-codex-primary-reset-after-seconds': '1800' } };
  },
  settings: (sim) => ({ base_url: `${sim.url}${base}`, issuer: sim.url }),
  secret(sim, { expired = false, account_id = 'acct-1', email = 'person@example.test', ...rest } = {}) {
    const t = sim.oauth.issue({ email, account_id }, { expires_in: expired ? -60 : 3600 });
    return { Codex: { access_token: t.access_token, refresh_token: t.refresh_token, id_token: idToken({ email, account_id }), account_id, user_email: email, expires_at: Math.floor(Date.now() / 1000) + t.expires_in, ...rest } };
  },
  oauth: { authorize: '/oauth/authorize', token: '/oauth/token', client_id: 'app_EMoamEEZ73f0CkXaXp7hrann', rotate: true, extra: (account) => ({ id_token: idToken(account) }) },
  routes: [
    ...responseRoutes(base, refuse),
    { method: 'GET', path: `${base}/models`, op: 'models', serve: (ctx, out) => json(out, 200, { models: [{ slug: 'mock-1', display_name: 'Mock One' }, { slug: 'mock-2', display_name: 'Mock Two' }] }) },
    { method: 'POST', path: `${base}/memories/trace_summarize`, op: 'trace', serve: (ctx, out) => (Array.isArray(ctx.body?.traces) ? json(out, 200, { output: ctx.body.traces.map(() => ({ trace_summary: 't', memory_summary: 'm' })) }) : json(out, 400, errorBody('openai', 400, 'traces'))) },
    { method: 'GET', path: '/backend-api/wham/usage', op: 'usage', serve: (ctx, out) => json(out, 200, { plan_type: 'plus', rate_limit: { allowed: true, primary_window: { used_percent: 42, limit_window_seconds: 18000, reset_after_seconds: 60, reset_at: 1767323045 }, secondary_window: { used_percent: 7, limit_window_seconds: 604800, reset_at: 1767571200 } }, code_review_rate_limit: null }) },
    { method: 'POST', path: '/api/accounts/deviceauth/usercode', op: 'device_code', auth: () => undefined, serve(ctx, out) {
      const id = crypto.randomUUID();
      ctx.sim.oauth.devices.set(id, { user_code: 'ABCD-1234', approved: false });
      ctx.sim.state.device = id;
      json(out, 200, { device_auth_id: id, user_code: 'ABCD-1234', interval: '5' });
    } },
    { method: 'POST', path: '/api/accounts/deviceauth/token', op: 'device_poll', auth: () => undefined, serve(ctx, out) {
      const device = ctx.sim.oauth.devices.get(ctx.body?.device_auth_id);
      if (!device || device.user_code !== ctx.body.user_code || !device.approved) return json(out, 403, { error: 'authorization_pending' });
      const verifier = crypto.randomBytes(32).toString('base64url');
      const code = `code-${crypto.randomUUID()}`;
      ctx.sim.oauth.codes.set(code, { challenge: s256(verifier), redirect_uri: `${ctx.sim.url}/deviceauth/callback`, client_id: ctx.sim.oauth.definition.client_id, account: device.account ?? {} });
      return json(out, 200, { authorization_code: code, code_verifier: verifier, code_challenge: s256(verifier) });
    } },
  ],
};
