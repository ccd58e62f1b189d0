// Starts a scripted upstream and a real gproxy for one test file. GPROXY_BIN and GPROXY_LIB name what was
// built; everything else is temporary and on port 0.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { startUpstream } from './upstream.mjs';

// A test that fails half-way must not leave its processes behind.
const children = new Set();
process.on('exit', () => { for (const c of children) c.kill('SIGKILL'); });
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(1)); // the runner's time is up

export const ADMIN = 'admin-key-for-tests';
export const KEY = 'sk-user-key-for-tests';

// How long a test waits for what must come: only against hanging, on the slowest machine.
export const PATIENCE = 60_000;

// Asks until the answer is truthy, and gives that back.
export async function until(look, what = look) {
  for (const end = Date.now() + PATIENCE; ;) {
    const got = await look();
    if (got) return got;
    if (Date.now() > end) throw new Error(`it did not come: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

// A free port that nobody is given by chance: below those that the system hands out itself.
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = net.createServer();
    const free = await new Promise((done) => { server.on('error', () => done(false)); server.listen(port, '127.0.0.1', () => done(true)); });
    if (!free) continue;
    await new Promise((done) => server.close(done));
    return port;
  }
}

export async function startGproxy({ config = {}, args = [], env = {}, dataDir, plainAddress = false, workers = Number(process.env.GPROXY_TEST_WORKERS ?? 1) } = {}) {
  const dir = dataDir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-e2e-'));
  const file = path.join(dir, 'gproxy.jsonc');
  fs.writeFileSync(file, JSON.stringify(config));
  const lib = process.env.GPROXY_LIB;
  // Port 0 by the command line cannot be changed by the admin API; a stored one can.
  const address = plainAddress ? [] : ['--host', '127.0.0.1', '--port', '0'];
  const child = spawn(process.env.GPROXY_BIN, [
    ...address, '--admin-key', ADMIN, '--config', file, '--workers', String(workers),
    '--modules-dir', path.join(lib, 'modules'), '--modules-dir', path.join(lib, 'examples'), ...args,
  ], { env: { ...process.env, GPROXY_DATA_DIR: dir, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stderr.on('data', (d) => { err += d; });
  children.add(child);
  const exited = new Promise((done) => child.on('exit', (code, signal) => {
    children.delete(child);
    // Nobody asked it to end: a sanitizer's report, say, which no test would show.
    if (!child.killed && code !== 0) console.error(`gproxy exited by itself: ${code} ${signal}\n${err}`);
    done({ code, signal });
  }));
  const port = await new Promise((done, fail) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(new Error(`gproxy does not listen\n${out}\n${err}`));
    }, PATIENCE);
    child.stdout.on('data', (d) => {
      out += d;
      const m = /listening on \S*:(\d+)/.exec(out);
      if (m) { clearTimeout(timer); done(Number(m[1])); }
    });
    exited.then((e) => { clearTimeout(timer); fail(new Error(`gproxy exited: ${JSON.stringify(e)}\n${out}\n${err}`)); });
  });
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    child,
    dir,
    stdout: () => out,
    stderr: () => err,
    exited,
    async admin(method, p, body) {
      const r = await fetch(`http://127.0.0.1:${port}/admin${p}`, { method, headers: { 'x-admin-key': ADMIN, 'content-type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) });
      const t = await r.text();
      return { status: r.status, body: t ? JSON.parse(t) : undefined };
    },
    // Errors that a test provoked must not rest the credentials of the next one.
    async clearCooldowns() {
      const { body } = await this.admin('GET', '/credentials');
      for (const c of body.credentials) await this.admin('POST', `/credentials/${c.id}/clear_cooldown`);
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const e = await exited;
      if (!dataDir) fs.rmSync(dir, { recursive: true, force: true });
      return e;
    },
  };
}

// One provider per kind that speaks its own protocol, all on the same upstream.
export function standardConfig(port) {
  const base = `http://127.0.0.1:${port}`;
  return {
    providers: [
      { name: 'openai', kind: 'openai', channel_settings: { base_url: base }, credentials: [{ name: 'k', secret: { OpenAI: { api_key: 'sk-up-openai' } } }] },
      { name: 'claude', kind: 'claude', channel_settings: { base_url: base }, credentials: [{ name: 'k', secret: { Claude: { api_key: 'sk-up-claude' } } }] },
      { name: 'aistudio', kind: 'aistudio', channel_settings: { base_url: base }, credentials: [{ name: 'k', secret: { AIStudio: { api_key: 'sk-up-gemini' } } }] },
    ],
    users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }],
  };
}

export async function startAll(options = {}) {
  const upstream = await startUpstream();
  const gproxy = await startGproxy({ ...options, config: options.config ? options.config(upstream.port) : standardConfig(upstream.port) });
  return { upstream, gproxy, async stop() { const e = await gproxy.stop(); await upstream.close(); return e; } };
}
