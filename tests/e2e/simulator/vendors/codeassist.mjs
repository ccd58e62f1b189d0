// What the two products behind cloudcode-pa share: the envelope, project discovery and onboarding, Google's
// OAuth with a client secret. state: project (null: none yet), onboardingPolls, models.
import { capture, replay, wrapped } from '../answer.mjs';
import { bearerToken, geminiAnswer, geminiOp, googleError, json } from './common.mjs';

export const client = { client_id: 'sim-client.apps.googleusercontent.com', client_secret: 'sim-client-secret' };

const envelope = (ctx, out, serve) => {
  if (!ctx.body?.model || !ctx.body?.project || typeof ctx.body.request !== 'object') return json(out, 400, googleError(400, undefined, 'not an envelope').body);
  if (ctx.sim.state.project && ctx.body.project !== ctx.sim.state.project) return json(out, 404, googleError(404, undefined, 'no such project').body);
  return serve(ctx.body.model, ctx.body.request);
};
const wrap = (value) => (value.error ? value : { response: value, traceId: 'trace-1' });
const hand = async (out, answer, ctx) => {
  const shaped = wrapped(answer, (v) => wrap(ctx.sim.reshape ? ctx.sim.reshape(v) : v));
  replay(out, shaped);
};

export const routes = [
  { method: 'POST', path: '/v1internal:generateContent', op: 'generate', serve: (ctx, out) => envelope(ctx, out, async (m, r) => hand(out, await geminiAnswer(m, 'generateContent', r, false), ctx)) },
  { method: 'POST', path: '/v1internal:streamGenerateContent', op: 'stream', serve: (ctx, out) => (ctx.url.searchParams.get('alt') === 'sse' ? envelope(ctx, out, async (m, r) => hand(out, await geminiAnswer(m, 'streamGenerateContent', r, true), ctx)) : json(out, 400, googleError(400, undefined, 'alt=sse is expected').body)) },
  { method: 'POST', path: '/v1internal:countTokens', op: 'count', serve: (ctx, out) => (Array.isArray(ctx.body?.request?.contents) && ctx.body.request.model?.startsWith('models/') ? json(out, 200, { totalTokens: 9 }) : json(out, 400, googleError(400, undefined, 'request is missing').body)) },
  { method: 'POST', path: '/v1internal:loadCodeAssist', op: 'load', serve(ctx, out) {
    const { project } = ctx.sim.state;
    json(out, 200, { ...(project ? { currentTier: { id: 'free-tier' }, cloudaicompanionProject: project } : {}), allowedTiers: [{ id: 'legacy-tier' }, { id: 'free-tier', isDefault: true }] });
  } },
  { method: 'POST', path: '/v1internal:onboardUser', op: 'onboard', serve(ctx, out) {
    const s = ctx.sim.state;
    s.polls = (s.polls ?? 0) + 1;
    ctx.entry.tier = ctx.body?.tierId;
    if (s.polls <= (s.onboardingPolls ?? 0)) return json(out, 200, { name: 'operations/1', done: false });
    s.project = s.nextProject ?? 'onboarded-project';
    return json(out, 200, { name: 'operations/1', done: true, response: { cloudaicompanionProject: { id: s.project, name: s.project } } });
  } },
  { method: 'GET', path: '/oauth2/v1/userinfo', op: 'profile', serve: (ctx, out) => json(out, 200, { id: '1', email: ctx.account.email ?? 'person@example.test', verified_email: true }) },
];

export const settings = (sim) => ({ base_url: sim.url, authorize_url: `${sim.url}/authorize`, token_url: `${sim.url}/token`, userinfo_url: `${sim.url}/oauth2/v1/userinfo`, ...client });

export const codeAssist = (tag, more = [], over = {}) => ({
  auth: bearerToken,
  error: (status, reason, message) => googleError(status, reason, message, 'cloudcode-pa.googleapis.com'),
  settings,
  init(sim) { sim.state = { project: 'proj-1', ...sim.state }; },
  // `expired`: the access token is over and must be refreshed first.
  secret(sim, { expired = false, email = 'person@example.test', ...rest } = {}) {
    const tokens = sim.oauth.issue({ email }, { expires_in: expired ? -60 : 3600 });
    return { [tag]: { access_token: tokens.access_token, refresh_token: tokens.refresh_token, expires_at: Math.floor(Date.now() / 1000) + tokens.expires_in, project_id: sim.state.project ?? '', user_email: email, ...rest } };
  },
  oauth: { ...client },
  routes: [...routes, ...more],
  ...over,
});
export { capture, geminiOp, json };
