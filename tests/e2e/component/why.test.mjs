// Why a request went the way it went: through the admin API and the command, from memory and from the
// database. The scripted upstream does what the credential's key says: "ok-1", "limited-2", "refused-3",
// "broke-4", "slow-5".
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { ADMIN, KEY, PATIENCE, freePort, startGproxy } from '../harness.mjs';
import { chat, error, messages } from '../upstream.mjs';

let upstream; let gproxy; let config;
let asked = [];

async function startUpstream() {
  const server = http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      const body = chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : {};
      const key = (req.headers.authorization ?? '').replace('Bearer ', '') || req.headers['x-api-key'] || '';
      asked.push({ key, path: req.url, model: body.model });
      const kind = key.split('-')[0];
      if (kind === 'limited') return error(res, 'openai', 429, 'slow down');
      if (kind === 'refused') return error(res, 'openai', 401, 'bad key');
      if (kind === 'broke') return error(res, 'openai', 402, 'pay first');
      if (kind === 'slow') { res.writeHead(200, { 'content-type': 'text/event-stream' }); res.write(': hold on\n\n'); return undefined; }
      return req.url.startsWith('/v1/messages') ? messages(res, body) : chat(res, body);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { port: server.address().port, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

const custom = (name, keys, pool = {}) => ({
  name, kind: 'custom', pool,
  channel_settings: { base_url: `http://127.0.0.1:${upstream.port}`, proto: 'openai', dispatch: { ops: [] } },
  credentials: keys.map((api_key, i) => ({ name: `c${i}`, secret: { Custom: { api_key } } })),
});

before(async () => {
  upstream = await startUpstream();
  config = {
    settings: { retry: { backoff_ms: 5, max_backoff_ms: 20, auth_failures: 1, min_cool_down_ms: 60000 } },
    providers: [
      custom('fine', ['ok-1', 'ok-2']),
      custom('storm', ['limited-1', 'limited-2', 'ok-1']),
      custom('dead', ['refused-1', 'ok-1']),
      custom('broke', ['broke-1', 'ok-1']),
      custom('slow', ['slow-1'], { first_token_ms: 50 }),
      { ...custom('other', ['ok-other']), channel_settings: { base_url: `http://127.0.0.1:${upstream.port}`, proto: 'claude', dispatch: { ops: [] } } },
    ],
    routes: [{ name: 'fast', aliases: ['quick'], tiers: [[{ provider: 'slow', model: 'a' }], [{ provider: 'other', model: 'b' }]] }],
    users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }],
  };
  gproxy = await startGproxy({ config });
});
after(async () => { await gproxy?.stop(); await upstream?.close(); });
beforeEach(async () => { asked = []; await gproxy.clearCooldowns(); });

async function ask(path, { model = 'm', stream = false, headers = {}, url = gproxy.url } = {}) {
  const r = await fetch(`${url}${path}`, {
    method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'hi' }] }),
  });
  return { status: r.status, text: await r.text(), id: r.headers.get('x-request-id'), headers: r.headers };
}
// The decision is made when the answer has gone out: the question may be a moment early.
async function why(id, g = gproxy) {
  for (const end = Date.now() + PATIENCE; ;) {
    const r = await g.admin('GET', `/requests/${id}/why`);
    if (r.status !== 404 || Date.now() > end) return r;
    await new Promise((done) => setTimeout(done, 5));
  }
}
function command(args, env = {}) {
  return new Promise((done) => {
    execFile(process.env.GPROXY_BIN, ['why', ...args], { env: { ...process.env, ...env }, timeout: PATIENCE },
      (e, stdout, stderr) => done({ code: e?.code ?? 0, stdout, stderr }));
  });
}
const credentialOf = async (provider, name) => (await gproxy.admin('GET', `/providers/${provider}/credentials`)).body.credentials.find((c) => c.name === name);

describe('the admin API', () => {
  test('tells of a request that went straight through', async () => {
    const r = await ask('/fine/v1/chat/completions');
    const { status, body } = await why(r.id);
    assert.equal(status, 200);
    assert.equal(body.trace_id, r.id);
    assert.equal(body.outcome, 'ok');
    assert.equal(body.provider, 'fine');
    assert.equal(body.way, 'native');
    assert.equal(body.attempts.length, 1);
    assert.equal(body.attempts[0].status, 200);
    assert.deepEqual(body.skipped, []);
    assert.ok(body.phases.total_us > 0);
    assert.ok(body.phases.first_byte_us > 0);
    assert.ok(body.phases.connect_us >= 0);
    const parts = Object.entries(body.phases).filter(([name]) => name !== 'total_us').reduce((sum, [, us]) => sum + (us ?? 0), 0);
    assert.ok(parts <= body.phases.total_us, `${parts} of ${body.phases.total_us}`);
  });
  test("is asked by the client's own name for the request, too", async () => {
    const r = await ask('/fine/v1/chat/completions', { headers: { 'x-request-id': 'my-name-7' } });
    assert.equal(r.id, 'my-name-7');
    const { body } = await why('my-name-7');
    assert.equal(body.request_id, 'my-name-7');
    assert.notEqual(body.trace_id, 'my-name-7');
    assert.equal((await why(body.trace_id)).body.request_id, 'my-name-7');
  });
  test('says 404 where nothing is kept, and nothing without the key', async () => {
    const none = await gproxy.admin('GET', '/requests/019aaaaa-0000-7000-8000-000000000000/why');
    assert.equal(none.status, 404);
    assert.equal(none.body.error, 'decision_not_found');
    assert.equal((await fetch(`${gproxy.url}/admin/requests/x/why`)).status, 401);
    assert.equal((await fetch(`${gproxy.url}/admin/requests/x/why`, { headers: { authorization: `Bearer ${KEY}` } })).status, 401);
  });
  test('names every attempt of a storm, its verdict, and who rests in the next request', async () => {
    let r;
    for (let i = 0; i < 3; i++) { r = await ask('/storm/v1/chat/completions'); if (asked.length > 1) break; asked = []; }
    assert.equal(r.status, 200);
    const { body } = await why(r.id);
    assert.deepEqual(body.attempts.map((a) => a.status), asked.map((a) => (a.key.startsWith('ok') ? 200 : 429)));
    assert.equal(body.attempts[0].verdict, 'cool_down');
    assert.equal(body.attempts[0].reason, 'rate_limit');
    assert.equal(body.attempts[0].scope, 'm');
    assert.ok(body.attempts[0].rest_ms >= 1000);
    assert.equal(body.attempts[0].then, 'other');
    let later;
    for (let i = 0; i < 4; i++) later = await why((await ask('/storm/v1/chat/completions')).id);
    assert.equal(later.body.attempts.length, 1);
    assert.equal(later.body.pool.skipped, 2);
    assert.deepEqual(later.body.skipped.map((s) => [s.credential.name, s.why, s.reason, s.scope]), [['c0', 'rests', 'rate_limit', 'model'], ['c1', 'rests', 'rate_limit', 'model']]);
    assert.ok(Date.parse(later.body.skipped[0].until) > Date.now() - 1000);
  });
  test('follows a late first token to the next target, in another protocol', async () => {
    const r = await ask('/v1/chat/completions', { model: 'quick', stream: true });
    assert.equal(r.status, 200);
    assert.match(r.text, /\[DONE\]/);
    const { body } = await why(r.id);
    assert.equal(body.route.name, 'fast');
    assert.equal(body.route.asked, 'quick');
    assert.equal(body.route.tier, 2);
    assert.deepEqual(body.attempts.map((a) => [a.provider, a.tier, a.failure, a.then]), [['slow', 1, 'first_byte_timeout', 'target'], ['other', 2, null, null]]);
    assert.equal(body.way, 'translated');
    assert.equal(body.target_protocol, 'claude');
    assert.ok(body.phases.failed_us > 40000);
  });
  test('answers from the database after a restart: of requests with a problem', async () => {
    const first = await startGproxy({ config });
    const straight = await ask('/fine/v1/chat/completions', { url: first.url });
    let troubled;
    do { asked = []; troubled = await ask('/storm/v1/chat/completions', { url: first.url }); } while (asked.length < 2);
    const before = (await why(troubled.id, first)).body;
    first.child.kill('SIGTERM');
    await first.exited;
    const second = await startGproxy({ config, dataDir: first.dir });
    assert.deepEqual((await why(troubled.id, second)).body, before);
    assert.equal((await second.admin('GET', `/requests/${straight.id}/why`)).status, 404);
    await second.stop();
  });
});

describe('the command', () => {
  test('prints it for people and as JSON', async () => {
    const r = await ask('/v1/chat/completions', { model: 'fast', stream: true });
    await why(r.id);
    const where = ['--port', String(gproxy.port), '--admin-key', ADMIN];
    const text = await command([r.id, ...where]);
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, new RegExp(`^request ${r.id}\n`));
    assert.match(text.stdout, /route fast, tier 2, target 2 of 2/);
    assert.match(text.stdout, /1\. slow, c0 \(#\d+\), a, tier 1: failed 200 first_byte_timeout/);
    assert.match(text.stdout, /then target/);
    assert.match(text.stdout, /total +[\d.]+ m?s/);
    const json = await command([r.id, '--json', '--port', String(gproxy.port)], { GPROXY_ADMIN_KEY: ADMIN });
    assert.equal(JSON.parse(json.stdout).trace_id, r.id);
  });
  test('says by its exit code what is wrong', async () => {
    const port = ['--port', String(gproxy.port)];
    const env = { GPROXY_ADMIN_KEY: '' };
    assert.equal((await command(['nothing-of-that-name', ...port, '--admin-key', ADMIN])).code, 1);
    assert.equal((await command(['x', ...port, '--admin-key', 'wrong'])).code, 77);
    const keyless = await command(['x', ...port, '--dsn', 'sqlite:///nowhere/at-all.db'], env);
    assert.equal(keyless.code, 69);
    assert.match(keyless.stderr, /without --admin-key.*nowhere/);
    assert.equal((await command(['x', ...port, '--dsn', 'sqlite::memory:'], env)).code, 64);
    assert.equal((await command(['x', ...port, '--dsn', 'mysql://h/db'], env)).code, 78);
    assert.equal((await command([...port, '--admin-key', ADMIN])).code, 64);
    assert.equal((await command(['a/../b', ...port, '--admin-key', ADMIN])).code, 64);
    const closed = await freePort();
    assert.equal((await command(['x', '--port', String(closed), '--admin-key', ADMIN])).code, 69);
  });
  test('reads the database where no gproxy runs, and changes nothing there', async () => {
    const g = await startGproxy({ config });
    let troubled;
    do { asked = []; troubled = await ask('/storm/v1/chat/completions', { url: g.url }); } while (asked.length < 2);
    const told = (await why(troubled.id, g)).body;
    const straight = await ask('/fine/v1/chat/completions', { url: g.url });
    g.child.kill('SIGTERM');
    await g.exited;
    const dsn = `sqlite://${path.join(g.dir, 'gproxy.db')}`;
    const digest = () => createHash('sha256').update(fs.readFileSync(path.join(g.dir, 'gproxy.db'))).digest('hex');
    const before = digest();
    const where = ['--host', '127.0.0.1', '--port', String(g.port), '--admin-key', ADMIN];
    const json = await command([troubled.id, '--json', '--dsn', dsn, ...where]);
    assert.equal(json.code, 0, json.stderr);
    assert.deepEqual(JSON.parse(json.stdout), told);
    // As serve finds it: by the folder; and nobody needs the key to read one's own file.
    const text = await command([troubled.id], { GPROXY_DATA_DIR: g.dir, GPROXY_ADMIN_KEY: '' });
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, new RegExp(`^request ${troubled.id}\n`));
    assert.equal((await command([straight.id, '--dsn', dsn])).code, 1);
    assert.equal(digest(), before);
    const other = path.join(g.dir, 'other.db');
    fs.writeFileSync(other, '');
    assert.match((await command(['x', '--dsn', `sqlite://${other}`])).stderr, /is not gproxy's/);
    assert.equal((await command(['x', '--dsn', `sqlite://${other}`])).code, 69);
    assert.equal(fs.statSync(other).size, 0);
    // One that serves keeps serving.
    const again = await startGproxy({ config, dataDir: g.dir });
    assert.equal((await command([troubled.id, '--dsn', dsn], { GPROXY_ADMIN_KEY: '' })).code, 0);
    assert.equal((await ask('/fine/v1/chat/completions', { url: again.url })).status, 200);
    await again.stop();
    fs.rmSync(g.dir, { recursive: true, force: true });
  });
});

describe('credentials that cannot serve', () => {
  test('a key that stays refused is dead, with its reason, until it is cleared or changed', async () => {
    for (let i = 0; i < 2; i++) assert.equal((await ask('/dead/v1/chat/completions')).status, 200);
    let c = await credentialOf('dead', 'c0');
    assert.equal(c.runtime_status.summary, 'fully_unavailable');
    assert.equal(c.runtime_status.credential_unavailable.reason, 'auth_invalid');
    assert.equal(c.runtime_status.credential_unavailable.remaining_ms, null);
    const { body } = await why((await ask('/dead/v1/chat/completions')).id);
    assert.deepEqual(body.skipped.map((s) => [s.credential.name, s.why, s.reason, s.until]), [['c0', 'dead', 'auth_invalid', null]]);
    await gproxy.admin('POST', `/credentials/${c.id}/clear_cooldown`);
    assert.equal((await credentialOf('dead', 'c0')).runtime_status.summary, 'active');

    // The same with a credential of the operator's own, whose secret may change.
    const made = await gproxy.admin('POST', '/providers/fine/credentials', { name: 'late', secret_json: { Custom: { api_key: 'refused-9' } } });
    assert.equal(made.status, 200);
    for (let i = 0; i < 3; i++) await ask('/fine/v1/chat/completions');
    c = await credentialOf('fine', 'late');
    assert.equal(c.runtime_status.credential_unavailable.reason, 'auth_invalid');
    assert.equal((await gproxy.admin('PUT', `/credentials/${c.id}`, { name: 'late', secret_json: { Custom: { api_key: 'ok-9' } } })).status, 200);
    assert.equal((await credentialOf('fine', 'late')).runtime_status.summary, 'active');
    asked = [];
    for (let i = 0; i < 3; i++) assert.equal((await ask('/fine/v1/chat/completions')).status, 200);
    assert.ok(asked.some((a) => a.key === 'ok-9'));
    await gproxy.admin('DELETE', `/credentials/${c.id}`);
  });
  test('a 402 rests the credential for all models, and can be cleared', async () => {
    for (let i = 0; i < 2; i++) assert.equal((await ask('/broke/v1/chat/completions')).status, 200);
    const c = await credentialOf('broke', 'c0');
    assert.equal(c.runtime_status.summary, 'fully_unavailable');
    assert.equal(c.runtime_status.credential_unavailable.reason, 'billing');
    assert.ok(c.runtime_status.credential_unavailable.remaining_ms > 60_000);
    asked = [];
    for (let i = 0; i < 3; i++) await ask('/broke/v1/chat/completions', { model: 'another' });
    assert.equal(asked.filter((a) => a.key === 'broke-1').length, 0);
    await gproxy.admin('POST', `/credentials/${c.id}/clear_cooldown`);
    assert.equal((await credentialOf('broke', 'c0')).runtime_status.summary, 'active');
  });
});

test('metrics tell of circuits, cooldowns, attempts, fallbacks and the queue', async () => {
  for (let i = 0; i < 3; i++) await ask('/storm/v1/chat/completions');
  for (let i = 0; i < 2; i++) await ask('/dead/v1/chat/completions');
  await ask('/v1/chat/completions', { model: 'fast', stream: true });
  const text = await (await fetch(`${gproxy.url}/metrics`, { headers: { authorization: `Bearer ${ADMIN}` } })).text();
  const value = (series) => Number((text.split('\n').find((line) => line.startsWith(`${series} `)) ?? `${series} NaN`).slice(series.length + 1));
  assert.equal(value('gproxy_pool_credentials{provider="dead",state="dead"}'), 1);
  assert.equal(value('gproxy_pool_credentials{provider="dead",state="ready"}'), 1);
  assert.equal(value('gproxy_pool_credentials{provider="broke",state="resting"}'), 0);
  assert.equal(value('gproxy_pool_scope_rests{provider="storm"}'), 2);
  assert.equal(value('gproxy_pool_waiting{provider="storm"}'), 0);
  assert.ok(value('gproxy_attempts_total{provider="storm",outcome="failed"}') >= 2);
  assert.ok(value('gproxy_attempts_total{provider="storm",outcome="ok"}') >= 3);
  assert.ok(value('gproxy_fallbacks_total') >= 1);
  assert.ok(value('gproxy_retries_total') >= 2);
  assert.ok(value('gproxy_cooldowns_total{reason="rate_limit"}') >= 2);
});

test('answers say of their way what the operator turned on, and nothing by default', async () => {
  const words = ['attempts', 'provider', 'credential'];
  const plain = await ask('/fine/v1/chat/completions');
  for (const word of words) assert.equal(plain.headers.get(`x-gproxy-${word}`), null);
  for (const on of words) {
    assert.equal((await gproxy.admin('PUT', '/global_config', { settings: { [`headers.${on}`]: true } })).status, 200);
    await gproxy.clearCooldowns();
    let r;
    do { asked = []; r = await ask('/storm/v1/chat/completions'); } while (asked.length < 2);
    const good = asked.length;
    const expected = { attempts: String(good), provider: 'storm', credential: String((await credentialOf('storm', 'c2')).id) };
    for (const word of words) assert.equal(r.headers.get(`x-gproxy-${word}`), word === on ? expected[word] : null, `${word} with ${on}`);
    assert.equal((await gproxy.admin('PUT', '/global_config', { settings: { [`headers.${on}`]: null } })).status, 200);
  }
});
