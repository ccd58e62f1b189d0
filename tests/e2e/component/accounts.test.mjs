// Accounts from login to request, and tokens that rotate: with the real binary, a database that outlives it,
// several workers, and a vendor that takes each refresh token once.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ADMIN, KEY, startGproxy } from '../harness.mjs';

// One account. Each token names its generation; a refresh spends the token it is asked with.
function startVendor() {
  const vendor = { valid: 't1', generation: 1, refreshes: 0, burnt: 0, served: [], hold: null, expires: 0 };
  const credential = () => JSON.stringify({ Test: { api_key: vendor.valid, account: 'acc', expires_at_ms: vendor.expires } });
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://vendor');
    const answer = (status, body) => { response.writeHead(status, { 'content-type': 'application/json' }); response.end(body); };
    if (url.pathname === '/token') return answer(200, credential());
    if (url.pathname === '/quota') return answer(200, '{"left":1}');
    if (url.pathname === '/refresh') {
      vendor.refreshes++;
      if (url.searchParams.get('key') !== `t${vendor.generation}`) { vendor.burnt++; return answer(400, '{"error":"invalid_grant"}'); }
      vendor.generation++;
      vendor.valid = `t${vendor.generation}`;
      if (vendor.hold) await vendor.hold;
      return answer(200, credential());
    }
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    if (token !== vendor.valid) return answer(401, '{"error":{"message":"expired"}}');
    vendor.served.push(token);
    if (url.pathname.startsWith('/v1/responses'))
      return answer(200, JSON.stringify({ id: 'resp_kept', object: 'response', model: 'm', status: 'completed', output: [] }));
    return answer(200, '{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}');
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => {
    vendor.url = `http://127.0.0.1:${server.address().port}`;
    vendor.close = () => new Promise((closed) => { server.closeAllConnections(); server.close(closed); });
    done(vendor);
  }));
}

let vendor, dir;
const start = (secrets = []) => startGproxy({
  dataDir: dir, workers: 2, args: ['--modules-dir', path.join(process.env.GPROXY_LIB, 'testing')],
  config: {
    providers: [{ name: 'v', kind: 'account', channel_settings: { base_url: vendor.url }, credentials: secrets.map((secret, i) => ({ name: `c${i}`, secret })) }],
    users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }],
  },
});
const account = (key) => ({ Test: { api_key: key, account: 'acc', expires_at_ms: 0 } });
const admin = { 'x-admin-key': ADMIN };
const ask = (g, agent) => new Promise((done, fail) => {
  const request = http.request(`${g.url}/v/v1/chat/completions`, { method: 'POST', agent, headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' } }, (response) => {
    response.resume();
    response.on('end', () => done(response.statusCode));
  });
  request.on('error', fail);
  request.end('{"model":"m","messages":[{"role":"user","content":"x"}]}');
});

before(async () => { vendor = await startVendor(); });
after(async () => { await vendor?.close(); });
const fresh = () => { dir = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-accounts-')); Object.assign(vendor, { valid: 't1', generation: 1, refreshes: 0, burnt: 0, served: [], hold: null, expires: 0 }); };
const gone = () => fs.rmSync(dir, { recursive: true, force: true });

describe('accounts', () => {
  test('a login survives a restart, gives a credential, serves, and a second one updates it', async () => {
    fresh();
    let g = await start();
    const begun = await (await fetch(`${g.url}/v/oauth`, { headers: admin })).json();
    assert.ok(begun.auth_url.includes(begun.state));
    assert.equal((await fetch(`${g.url}/v/oauth`, { headers: { authorization: `Bearer ${KEY}` } })).status, 403);
    await g.stop('SIGKILL');
    g = await start();
    const done = await fetch(`${g.url}/v/oauth/callback?code=c&state=${begun.state}`, { headers: admin });
    const saved = await done.text();
    assert.equal(done.status, 200, saved);
    assert.ok(!saved.includes('t1'), saved);
    const { credential_id: id, created } = JSON.parse(saved);
    assert.equal(created, true);
    assert.equal(await ask(g), 200);
    assert.deepEqual(vendor.served, ['t1']);
    // The same account again.
    vendor.generation = 7;
    vendor.valid = 't7';
    await fetch(`${g.url}/v/oauth`, { headers: admin });
    const again = await (await fetch(`${g.url}/v/oauth/callback?code=c`, { headers: admin })).json();
    assert.deepEqual([again.credential_id, again.created], [id, false]);
    assert.equal(await ask(g), 200);
    assert.equal(vendor.served.at(-1), 't7');
    assert.equal(await (await fetch(`${g.url}/v/usage`, { headers: admin })).text(), '{"left":1}');
    await g.stop();
    gone();
  });

  test('workers and clients race for one refresh of a rotating token', async () => {
    fresh();
    const g = await start([account('t1')]);
    vendor.valid = 'another';  // the vendor takes t1 no longer; its refresh still does
    let release;
    vendor.hold = new Promise((done) => { release = done; });
    const agents = Array.from({ length: 12 }, () => new http.Agent());
    const leaver = http.request(`${g.url}/v/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' } });
    leaver.on('error', () => {});
    leaver.end('{"model":"m","messages":[{"role":"user","content":"x"}]}');
    while (vendor.refreshes === 0) await new Promise((done) => setImmediate(done));
    leaver.destroy();  // who began it goes
    const all = agents.map((agent) => ask(g, agent));
    release();
    assert.deepEqual(await Promise.all(all), Array(12).fill(200));
    assert.equal(vendor.refreshes, 1);
    assert.equal(vendor.burnt, 0);
    assert.deepEqual([...new Set(vendor.served)], ['t2']);
    await g.stop();
    gone();
  });

  test('a new token is in the store before it is used: killed right after, nothing is burnt', async () => {
    fresh();
    let g = await start([account('t1')]);
    vendor.valid = 'another';
    assert.equal(await ask(g), 200);  // the answer came with t2
    await g.stop('SIGKILL');
    g = await start([account('t1')]);  // the file's old secret does not set it back
    assert.equal(await ask(g), 200);
    assert.deepEqual([vendor.refreshes, vendor.burnt], [1, 0]);
    assert.deepEqual(vendor.served, ['t2', 't2']);
    await g.stop();
    gone();
  });

  test('a kept response belongs to its user, also after a kill', async () => {
    fresh();
    let g = await start([account('t1')]);
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const made = await fetch(`${g.url}/v/v1/responses`, { method: 'POST', headers, body: '{"model":"m","input":"x"}' });
    assert.equal((await made.json()).id, 'resp_kept');
    await g.stop('SIGKILL');
    g = await start([account('t1')]);
    for (const url of [`${g.url}/v/v1/responses/resp_kept`, `${g.url}/v1/responses/resp_kept`])
      assert.equal((await fetch(url, { headers })).status, 200, url);
    assert.equal((await fetch(`${g.url}/v1/responses/resp_kept`, { headers: { authorization: `Bearer ${ADMIN}` } })).status, 404);
    assert.equal((await fetch(`${g.url}/v/v1/responses/resp_other`, { headers })).status, 404);
    await g.stop();
    gone();
  });
});
