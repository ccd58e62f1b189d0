// Vertex AI with a service account: the JWT grant is verified with the account's public key.
import crypto from 'node:crypto';
import { replay } from '../answer.mjs';
import { bearerToken, geminiAnswer, geminiOp, googleError, json } from './common.mjs';
import { chatRoute } from './openai.mjs';

const pair = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const models = ['mock-1', 'mock-2'];
const publisherModel = (id) => ({ name: `publishers/google/models/${id}`, versionId: '001', displayName: id, launchStage: 'GA', supportedActions: {} });

export default {
  auth: bearerToken,
  error: (status, reason, message) => googleError(status, reason, message),
  settings: (sim) => ({ base_url: sim.url, oauth_token_url: `${sim.url}/token` }),
  // The key file as the console hands it out.
  secret: (sim, over) => ({ Vertex: {
    type: 'service_account', project_id: 'proj-1', private_key_id: 'kid-1',
    private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), client_email: 'robot@proj-1.iam.gserviceaccount.com', client_id: '1234',
    auth_uri: 'https://accounts.google.com/o/oauth2/auth', token_uri: `${sim.url}/token`, auth_provider_x509_cert_url: 'https://x', client_x509_cert_url: 'https://y', universe_domain: 'googleapis.com', ...over } }),
  oauth: {
    grants: {
      'urn:ietf:params:oauth:grant-type:jwt-bearer': (ctx, { refuse, grant }) => {
        const [head, claims, signature] = (ctx.body.assertion ?? '').split('.');
        const good = signature && crypto.verify('sha256', Buffer.from(`${head}.${claims}`), pair.publicKey, Buffer.from(signature, 'base64url'));
        if (!good) return refuse('invalid_grant');
        const h = JSON.parse(Buffer.from(head, 'base64url'));
        const c = JSON.parse(Buffer.from(claims, 'base64url'));
        ctx.entry.jwt = { head: h, claims: c };
        const now = Date.now() / 1000;
        if (h.alg !== 'RS256' || c.aud !== `${ctx.sim.url}/token` || c.exp - c.iat > 3600 || c.exp < now || c.iat > now + 30 || !c.scope) return refuse('invalid_grant');
        ctx.sim.oauth.refreshes += 1;
        return grant({ email: c.iss });
      },
    },
  },
  routes: [
    { method: 'POST', path: /^\/v1beta1\/projects\/([^/]+)\/locations\/([^/]+)\/publishers\/google\/models\/([^/]+):(\w+)$/, op: (ctx) => geminiOp(ctx.params[3]), async serve(ctx, out) { replay(out, await geminiAnswer(ctx.params[2], ctx.params[3], ctx.body, ctx.url.searchParams.get('alt') === 'sse')); } },
    chatRoute(/^\/v1beta1\/projects\/([^/]+)\/locations\/([^/]+)\/endpoints\/openapi\/chat\/completions$/),
    { method: 'GET', path: '/v1beta1/publishers/google/models', op: 'models', serve: (ctx, out) => json(out, 200, { publisherModels: models.map(publisherModel) }) },
    { method: 'GET', path: /^\/v1beta1\/publishers\/google\/models\/([^/]+)$/, op: 'model', serve: (ctx, out) => (models.includes(ctx.params[0]) ? json(out, 200, publisherModel(ctx.params[0])) : json(out, 404, googleError(404, undefined, 'not found').body)) },
  ],
};
