// Accounts of codex and claudecode, from the login to the first request and to their usage, through the running
// gateway against the vendors' simulators.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ADMIN, KEY, startGproxy } from '../harness.mjs';
import { startVendors } from '../simulator/simulator.mjs';

let gproxy;
let sims;
before(async () => {
  sims = await startVendors(['codex', 'claudecode']);
  gproxy = await startGproxy({ config: {
    providers: ['codex', 'claudecode'].flatMap((kind) => [kind, `my-${kind}`].map((name) => sims[kind].row({ name, secrets: [] }))),
    users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }],
  } });
});
after(async () => { await gproxy?.stop(); await sims?.close(); });

const get = async (path) => {
  const r = await fetch(`${gproxy.url}${path}`, { headers: { 'x-admin-key': ADMIN } });
  const text = await r.text();
  return { status: r.status, text, json: JSON.parse(text) };
};
const say = async (name) => {
  const r = await fetch(`${gproxy.url}/${name}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'anthropic-version': '2023-06-01' }, body: JSON.stringify({ model: 'mock-1', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }) });
  return { status: r.status, text: await r.text() };
};
const quoted = encodeURIComponent;
// No token that the vendor has issued stands in what a person gets to see.
const silent = (sim, text) => { for (const t of [...sim.oauth.access.keys(), ...sim.oauth.refresh.keys()]) assert.ok(!text.includes(t), text); };

for (const name of ['codex', 'my-codex']) {
  describe(name, () => {
    test('a device code is polled until the person has agreed; then the account serves', async () => {
      const sim = sims.codex;
      assert.equal((await say(name)).status, 529); // nobody is there: overloaded, in the client's words
      const begun = await get(`/${name}/oauth`);
      assert.equal(begun.status, 200, begun.text);
      assert.equal(begun.json.mode, 'device_auth');
      assert.equal(begun.json.user_code, 'ABCD-1234');
      const waiting = await get(`/${name}/oauth/callback?state=${quoted(begun.json.state)}`);
      assert.equal(waiting.status, 409, waiting.text);
      assert.match(waiting.json.error, /^authorization_pending: retry after 5s/);
      Object.assign(sim.oauth.devices.get(sim.state.device), { approved: true, account: { account_id: `acct-${name}`, email: 'dev@example.test' } });
      const done = await get(`/${name}/oauth/callback?state=${quoted(begun.json.state)}`);
      assert.equal(done.status, 200, done.text);
      assert.equal(done.json.email, 'dev@example.test');
      silent(sim, done.text);
      const first = await say(name);
      assert.equal(first.status, 200, first.text);
      assert.equal(sim.last('stream').headers['chatgpt-account-id'], `acct-${name}`);
    });
    test('a login in the browser of the same account updates its row', async () => {
      const sim = sims.codex;
      const begun = await get(`/${name}/oauth?mode=browser`);
      assert.equal(begun.json.mode, 'authorization_code');
      const arrived = await sim.consent(begun.json.auth_url, { account_id: `acct-${name}`, email: 'new@example.test' });
      assert.ok(arrived.startsWith('http://localhost:1455/auth/callback?'));
      const done = await get(`/${name}/oauth/callback?callback_url=${quoted(arrived)}`);
      assert.equal(done.status, 200, done.text);
      silent(sim, done.text);
      const { id } = (await gproxy.admin('GET', '/providers')).body.providers.find((p) => p.name === name);
      const rows = (await gproxy.admin('GET', '/credentials')).body.credentials.filter((c) => c.provider_id === id);
      assert.deepEqual(rows.map((c) => c.id), [done.json.credential_id]);
      assert.equal((await say(name)).status, 200);
    });
    test('usage, as the vendor tells it and as windows', async () => {
      const raw = await get(`/${name}/usage`);
      assert.equal(raw.status, 200, raw.text);
      assert.equal(raw.json.rate_limit.primary_window.used_percent, 42);
      const windows = await get(`/${name}/usage?normalized=1`);
      assert.match(windows.text, /five_hour/);
      assert.match(windows.text, /42/);
    });
    test('a login without a code, or another\'s state, is a 400', async () => {
      const begun = await get(`/${name}/oauth?mode=pkce`);
      assert.equal((await get(`/${name}/oauth/callback?state=${quoted(begun.json.state)}`)).status, 400);
      assert.equal((await get(`/${name}/oauth/callback?code=c&state=of-nobody`)).status, 400);
    });
  });
}

for (const name of ['claudecode', 'my-claudecode']) {
  describe(name, () => {
    test('a login by hand: page, code, account, first request', async () => {
      const sim = sims.claudecode;
      const begun = await get(`/${name}/oauth`);
      assert.equal(begun.status, 200, begun.text);
      assert.equal(begun.json.mode, 'manual');
      const arrived = new URL(await sim.consent(begun.json.auth_url, { email: 'person@example.test' }));
      // The page shows code#state.
      const shown = `${arrived.searchParams.get('code')}#${arrived.searchParams.get('state')}`;
      const done = await get(`/${name}/oauth/callback?code=${quoted(shown)}&state=${quoted(begun.json.state)}`);
      assert.equal(done.status, 200, done.text);
      assert.equal(done.json.subscriptionType, 'claude_max');
      silent(sim, done.text);
      const first = await say(name);
      assert.equal(first.status, 200, first.text);
      assert.match(sim.last('generate').headers['anthropic-beta'], /oauth-2025-04-20/);
    });
    test('usage as windows', async () => {
      const windows = await get(`/${name}/usage?normalized=1`);
      assert.equal(windows.status, 200, windows.text);
      assert.match(windows.text, /seven_day/);
      assert.match(windows.text, /42\.5/);
    });
  });
}

test('a refused refresh ends the account\'s service, a broken one does not', async () => {
  const sim = sims.claudecode;
  sim.clear();
  sim.oauth.revokeAccess();
  sim.fault({ op: 'token', status: 503, times: 9 });
  assert.ok((await say('claudecode')).status >= 400);
  sim.clear();
  await gproxy.clearCooldowns();
  const again = await say('claudecode');
  assert.equal(again.status, 200, again.text);
  sim.oauth.revokeAll();
  assert.ok((await say('claudecode')).status >= 400);
  const tokens = sim.count('token');
  assert.ok((await say('claudecode')).status >= 400);
  assert.equal(sim.count('token'), tokens);
});
