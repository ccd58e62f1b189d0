// A vendor on a port of its own, for tests: every endpoint a provider calls (API, authorize, token, device,
// profile, usage), with its authentication checked and faults by script. One file per vendor in vendors/;
// what the models say comes from ../upstream.mjs. README.md shows the whole of it.
import http from 'node:http';
import { capture, emit } from './answer.mjs';
import { OauthServer } from './oauth.mjs';

const vendors = {
  openai: () => import('./vendors/openai.mjs'), claude: () => import('./vendors/claude.mjs'),
  aistudio: () => import('./vendors/aistudio.mjs'), vertexexpress: () => import('./vendors/vertexexpress.mjs'),
  vertex: () => import('./vendors/vertex.mjs'), geminicli: () => import('./vendors/geminicli.mjs'),
  antigravity: () => import('./vendors/antigravity.mjs'), claudecode: () => import('./vendors/claudecode.mjs'),
  codex: () => import('./vendors/codex.mjs'), nvidia: () => import('./vendors/nvidia.mjs'),
  deepseek: () => import('./vendors/deepseek.mjs'),
};
export const vendorNames = Object.keys(vendors);

export async function startVendor(name, options = {}) {
  const sim = new Vendor(name, (await vendors[name]()).default, options);
  await sim.listen();
  return sim;
}

// Several at once: {claude, codex, close()}.
export async function startVendors(names) {
  const all = Object.fromEntries(await Promise.all(names.map(async (n) => [n, await startVendor(n)])));
  return { ...all, close: () => Promise.all(names.map((n) => all[n].close())) };
}

class Vendor {
  constructor(name, definition, options) {
    this.name = name;
    this.definition = definition;
    this.requests = []; // {op, method, path, query, headers, raw, body, account, status, closed}
    this.faults = [];
    this.split = 0; // bytes per write of every streamed answer, 0 = as the frames come
    this.keys = new Set([`key-of-${name}`]); // API keys that are good
    this.state = {}; // the vendor file's own
    this.oauth = new OauthServer(this, definition.oauth ?? {});
    Object.assign(this, options);
    definition.init?.(this);
  }

  async listen() {
    this.server = http.createServer((req, res) => {
      const chunks = [];
      req.on('data', (c) => chunks.push(c));
      req.on('end', () => this.#serve(req, res, Buffer.concat(chunks).toString()));
    });
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }
  close() { return new Promise((done) => { this.server.closeAllConnections(); this.server.close(done); }); }

  last(op) { return this.requests.findLast((r) => op === undefined || r.op === op); }
  count(op) { return this.requests.filter((r) => r.op === op).length; }
  clear() { this.requests.length = 0; this.faults.length = 0; this.split = 0; }

  // The next `times` requests of `op` (any, if not given), after `after` good ones, meet with:
  //   {status, reason?, headers?, body?}   that status, in the vendor's words unless body is given
  //   {kind: 'reset'}                      the connection breaks before the answer
  //   {kind: 'cut', bytes?}                it breaks in the middle of the answer's body
  //   {kind: 'garbage', body?, headers?}   200, but what comes is not what the vendor speaks
  //   {kind: 'headers', headers}           the good answer with more headers
  //   {kind: 'hold', until}                the answer waits for the promise
  //   {kind: 'split', bytes}               the body comes in pieces of so many bytes
  fault(script) { this.faults.push({ times: 1, after: 0, ...script }); return this; }

  // A provider row for the configuration, every endpoint pointing here. `over` replaces members of it.
  row({ name = this.name, settings = {}, secrets, ...over } = {}) {
    return {
      name, kind: this.name,
      channel_settings: { ...this.definition.settings(this), ...settings },
      credentials: (secrets ?? [this.secret()]).map((secret, i) => ({ name: `${name}-${i}`, secret })),
      ...over,
    };
  }
  // A credential that the vendor takes. OAuth vendors open an account for it.
  secret(over = {}) { return this.definition.secret(this, over); }

  // The person: opens the authorisation address, agrees, and is sent back. Answers the address of arrival.
  async consent(authUrl, account = {}) {
    this.oauth.person = account;
    const r = await fetch(authUrl, { redirect: 'manual' });
    if (r.status !== 302) throw new Error(`authorize: ${r.status} ${await r.text()}`);
    return r.headers.get('location');
  }

  #take(op) {
    for (const fault of this.faults) {
      if (fault.times <= 0 || (fault.op !== undefined && fault.op !== op)) continue;
      if (fault.after > 0) { --fault.after; continue; }
      --fault.times;
      return fault;
    }
    return undefined;
  }

  async #serve(req, res, raw) {
    const url = new URL(req.url, this.url);
    let body;
    try { body = raw ? JSON.parse(raw) : undefined; } catch { body = undefined; }
    if (req.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) body = Object.fromEntries(new URLSearchParams(raw));
    const entry = { op: undefined, method: req.method, path: url.pathname, query: url.search, headers: req.headers, raw, body, closed: false };
    this.requests.push(entry);
    res.on('close', () => { entry.closed = !res.writableFinished; });
    const ctx = { sim: this, req, url, body, raw, entry, error: (status, reason, message) => this.#error(status, reason, message) };
    const route = this.#route(req.method, url, ctx);
    if (!route) return emit(res, this.#error(404, undefined, `no route ${req.method} ${url.pathname}`));
    entry.op = typeof route.op === 'function' ? route.op(ctx) : route.op;
    const fault = this.#take(entry.op);
    if (fault?.kind === 'reset') return req.socket.destroy();
    if (fault?.kind === 'hold') await fault.until;
    if (fault?.status) {
      const said = this.#error(fault.status, fault.reason);
      entry.status = fault.status;
      return emit(res, { ...said, headers: { ...said.headers, ...fault.headers }, ...(fault.body === undefined ? {} : { frames: [typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body)] }) });
    }
    const refused = (route.auth ?? this.definition.auth)?.(ctx);
    const answer = refused ?? await capture((out) => route.serve(ctx, out));
    entry.status = answer.status;
    if (fault?.kind === 'garbage') return emit(res, { ...answer, status: 200, headers: { ...answer.headers, ...fault.headers }, frames: [fault.body ?? '<html>not what you think</html>'] });
    if (fault?.kind === 'headers') Object.assign(answer.headers, fault.headers);
    const split = fault?.kind === 'split' ? fault.bytes : this.split;
    emit(res, answer, { split, cut: fault?.kind === 'cut' ? fault.bytes ?? -1 : undefined });
  }

  // {status, headers, frames} of a refusal in the vendor's words.
  #error(status, reason, message = `scripted ${status}`) {
    const { headers = {}, body } = this.definition.error(status, reason, message, this);
    return { status, headers: { 'content-type': 'application/json', ...headers }, frames: [JSON.stringify(body)] };
  }

  #route(method, url, ctx) {
    for (const route of [...this.definition.routes, ...(this.definition.oauth ? this.oauth.routes() : [])]) {
      if (route.method !== method) continue;
      const match = typeof route.path === 'string' ? url.pathname === route.path && [] : route.path.exec(url.pathname);
      if (!match) continue;
      ctx.params = match.slice(1).map(decodeURIComponent);
      return route;
    }
    return undefined;
  }
}
