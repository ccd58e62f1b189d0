// The OAuth side of a vendor: authorize page, token endpoint (authorization_code with PKCE, refresh_token,
// JWT bearer by the vendor file), device codes. What it accepts is what was issued; nothing else.
import crypto from 'node:crypto';

const random = () => crypto.randomBytes(12).toString('base64url');
export const s256 = (verifier) => crypto.createHash('sha256').update(verifier).digest('base64url');

export class OauthServer {
  constructor(sim, definition) {
    this.sim = sim;
    this.definition = { authorize: '/authorize', token: '/token', expires_in: 3600, rotate: false, form: true, ...definition };
    this.access = new Map(); // token -> {account, expires}
    this.refresh = new Map(); // token -> account; a used one of a rotating vendor -> null
    this.codes = new Map(); // code -> {challenge, redirect_uri, client_id, state, account}
    this.devices = new Map(); // device id -> {user_code, account, approved}
    this.person = {};
    this.refreshes = 0; // good ones
    this.burnt = 0; // a rotated refresh token was used again
  }

  routes() {
    return [
      { method: 'GET', path: this.definition.authorize, op: 'authorize', auth: () => undefined, serve: (ctx, out) => this.#authorize(ctx, out) },
      { method: 'POST', path: this.definition.token, op: 'token', auth: () => undefined, serve: (ctx, out) => this.#token(ctx, out) },
    ];
  }

  // Tokens for an account, as the token endpoint would give them.
  issue(account = {}, { expires_in = this.definition.expires_in, refresh } = {}) {
    const access = `at-${random()}`;
    const kept = refresh ?? `rt-${random()}`;
    this.access.set(access, { account, expires: Date.now() + expires_in * 1000 });
    this.refresh.set(kept, account);
    return { access_token: access, refresh_token: kept, expires_in };
  }
  // What stands behind `Authorization: Bearer`, or undefined.
  bearer(ctx) {
    const token = /^Bearer (.+)$/.exec(ctx.req.headers.authorization ?? '')?.[1];
    const known = this.access.get(token);
    if (!known || known.expires <= Date.now()) return undefined;
    ctx.account = known.account;
    ctx.entry.account = known.account;
    return known;
  }
  revokeAccess() { this.access.clear(); }
  revokeAll() { this.access.clear(); this.refresh.clear(); }

  #authorize(ctx, out) {
    const q = Object.fromEntries(ctx.url.searchParams);
    const need = ['client_id', 'redirect_uri', 'state', 'code_challenge', 'scope', ...(this.definition.authorizeNeeds ?? [])];
    const missing = need.filter((n) => !q[n]);
    if (missing.length || q.response_type !== 'code' || q.code_challenge_method !== 'S256' || !this.#client(q.client_id)) {
      out.writeHead(400, { 'content-type': 'text/plain' });
      return out.end(`bad authorisation request: ${missing.join()}`);
    }
    const code = `code-${random()}`;
    this.codes.set(code, { challenge: q.code_challenge, redirect_uri: q.redirect_uri, client_id: q.client_id, state: q.state, account: this.person });
    const to = new URL(q.redirect_uri);
    to.searchParams.set('code', code);
    to.searchParams.set('state', q.state);
    out.writeHead(302, { location: to.href });
    return out.end();
  }
  #client(id, secret) {
    const d = this.definition;
    return id === d.client_id && (secret === undefined || d.client_secret === undefined || secret === d.client_secret);
  }

  async #token(ctx, out) {
    const b = ctx.body ?? {};
    const refuse = (error, status = 400) => {
      ctx.entry.refused = error;
      out.writeHead(status, { 'content-type': 'application/json' });
      out.end(JSON.stringify({ error, error_description: `scripted ${error}` }));
    };
    const grant = (account, refresh) => {
      out.writeHead(200, { 'content-type': 'application/json' });
      out.end(JSON.stringify({ ...this.issue(account, { refresh }), token_type: 'Bearer', ...(this.definition.extra?.(account, this.sim) ?? {}) }));
    };
    const custom = this.definition.grants?.[b.grant_type];
    if (custom) return custom(ctx, { refuse, grant, out });
    if (!this.#client(b.client_id, this.definition.client_secret === undefined ? undefined : b.client_secret ?? '')) return refuse('invalid_client', 401);
    if (b.grant_type === 'authorization_code') {
      const issued = this.codes.get(b.code);
      this.codes.delete(b.code);
      if (!issued || issued.redirect_uri !== b.redirect_uri || s256(b.code_verifier ?? '') !== issued.challenge) return refuse('invalid_grant');
      if (this.definition.tokenNeedsState && b.state !== issued.state) return refuse('invalid_request');
      return grant(issued.account);
    }
    if (b.grant_type === 'refresh_token') {
      const account = this.refresh.get(b.refresh_token);
      if (account === null) this.burnt += 1;
      if (!account) return refuse('invalid_grant');
      this.refreshes += 1;
      if (!this.definition.rotate) return grant(account, b.refresh_token);
      this.refresh.set(b.refresh_token, null);
      return grant(account);
    }
    return refuse('unsupported_grant_type');
  }
}
