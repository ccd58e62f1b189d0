// The Claude subscription: Messages with an OAuth token, its token endpoint, profile and usage.
import { json } from './common.mjs';
import { claudeError, claudeRoutes } from './claude.mjs';

const beta = 'oauth-2025-04-20';
const auth = (ctx) => {
  if (!ctx.sim.oauth.bearer(ctx)) return ctx.error(401, 'authentication_error');
  if (!(ctx.req.headers['anthropic-beta'] ?? '').split(',').map((s) => s.trim()).includes(beta)) return ctx.error(401, 'authentication_error', 'OAuth authentication is currently not supported.');
  return ctx.url.pathname.startsWith('/v1/') && !ctx.req.headers['anthropic-version'] ? ctx.error(400) : undefined;
};

export default {
  error: claudeError,
  settings: (sim) => ({ base_url: sim.url, claude_ai_base_url: sim.url, platform_base_url: sim.url }),
  init(sim) { sim.state = { profile: { account: { email: 'person@example.test', has_claude_max: true }, organization: { rate_limit_tier: 'default_claude_max_5x' } }, ...sim.state }; },
  secret(sim, { expired = false, email = 'person@example.test', ...rest } = {}) {
    const t = sim.oauth.issue({ email }, { expires_in: expired ? -60 : 3600 });
    return { ClaudeCode: { access_token: t.access_token, refresh_token: t.refresh_token, expires_at: Math.floor(Date.now() / 1000) + t.expires_in, subscription_type: 'claude_max', rate_limit_tier: 't', user_email: email, ...rest } };
  },
  oauth: { authorize: '/oauth/authorize', token: '/v1/oauth/token', client_id: '9d1c250a-e61b-44d9-88ed-5944d1962f5e', rotate: true, tokenNeedsState: true, extra: (account, sim) => sim.state.tokenExtra ?? {} },
  routes: [
    ...claudeRoutes(auth),
    { method: 'GET', path: '/api/oauth/profile', op: 'profile', auth, serve: (ctx, out) => json(out, 200, ctx.sim.state.profile) },
    { method: 'GET', path: '/api/oauth/usage', op: 'usage', auth, serve: (ctx, out) => json(out, 200, { five_hour: { utilization: 42.5, resets_at: '2026-01-02T03:04:05Z' }, seven_day: { utilization: 7, resets_at: '2026-01-05T00:00:00Z' }, seven_day_opus: null }) },
  ],
};
