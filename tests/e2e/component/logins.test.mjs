// Accounts of codex and claudecode, from the login to the first request and to their usage, through the running
// gateway against the vendors' simulators.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ADMIN, KEY, startGproxy, until } from '../harness.mjs';
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

describe('a browser that comes back to gproxy itself', () => {
  // No key and no cookie: the state is all that it has.
  const arrive = async (address, accept = 'text/html') => {
    const r = await fetch(address, { headers: { accept } });
    return { status: r.status, text: await r.text(), type: r.headers.get('content-type'), headers: r.headers };
  };
  const begin = async (name, query, key = { 'x-admin-key': ADMIN }) => (await fetch(`${gproxy.url}/${name}/oauth?${query}`, { headers: key })).json();

  // Another account of codex is a row of its own; claudecode's is the one that is there already.
  for (const [name, query, account, rows] of [['codex', 'mode=browser&callback=gateway', { account_id: 'acct-browser', email: 'b@example.test' }, 1], ['my-claudecode', 'callback=gateway', { email: 'browser@example.test' }, 0]]) {
    test(`${name}: the page's redirect is the login's end`, async () => {
      const sim = sims[name.replace('my-', '')];
      const begun = await begin(name, query, { authorization: `Bearer ${ADMIN}` });
      assert.equal(begun.redirect_uri, `${gproxy.url}/${name}/oauth/callback`);
      const had = (await gproxy.admin('GET', '/credentials')).body.credentials.length;
      const arrived = await sim.consent(begun.auth_url, account);
      const page = await arrive(arrived);
      assert.equal(page.status, 200, page.text);
      assert.match(page.type, /text\/html/);
      assert.match(page.text, /logged in/);
      assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
      silent(sim, page.text);
      assert.ok(!page.text.includes(begun.state));
      assert.equal((await gproxy.admin('GET', '/credentials')).body.credentials.length, had + rows);
      assert.equal((await say(name)).status, 200);
      assert.ok(!gproxy.stderr().includes(begun.state));
      // The state is spent with it.
      const again = await arrive(arrived);
      assert.equal(again.status, 400, again.text);
    });
  }
  test('a state that is none, another provider\'s, or missing opens nothing', async () => {
    const begun = await begin('claudecode', 'callback=gateway');
    const at = (name, query) => arrive(`${gproxy.url}/${name}/oauth/callback?${query}`, 'application/json');
    assert.equal((await at('claudecode', 'code=c')).status, 401);
    assert.equal((await at('claudecode', 'code=c&state=short')).status, 401);
    assert.equal((await at('claudecode', `code=c&state=${'A'.repeat(43)}`)).status, 400);
    assert.equal((await at('my-claudecode', `code=c&state=${begun.state}`)).status, 400);
    assert.equal((await at('claudecode', `callback_url=${quoted(`http://x/?code=c&state=${begun.state}`)}`)).status, 401);
    // A wrong key is no key's absence.
    const wrong = await fetch(`${gproxy.url}/claudecode/oauth/callback?code=c&state=${begun.state}`, { headers: { authorization: 'Bearer sk-nobody' } });
    assert.equal(wrong.status, 401);
    // Neither the start of a login nor the usage goes without one.
    assert.equal((await arrive(`${gproxy.url}/claudecode/oauth?state=${begun.state}`)).status, 401);
    assert.equal((await arrive(`${gproxy.url}/claudecode/usage?state=${begun.state}`)).status, 401);
  });
  test('the key that began a login must still be good when the browser comes back', async () => {
    const { admin } = gproxy;
    const user = 77;
    assert.equal((await admin('PUT', `/users/${user}`, { name: 'opener', enabled: true })).status, 200);
    const key = (await admin('POST', `/users/${user}/keys`, { label: 'l', permissions: ['oauth'] })).body;
    const sim = sims.claudecode;
    const takenAway = [
      ['disabled', () => admin('PUT', `/user_keys/${key.id}/enabled`, { enabled: false }), () => admin('PUT', `/user_keys/${key.id}/enabled`, { enabled: true })],
      ['without the permission', () => admin('PUT', `/user_keys/${key.id}`, { permissions: [] }), () => admin('PUT', `/user_keys/${key.id}`, { permissions: ['oauth'] })],
      ['of a user who is disabled', () => admin('PUT', `/users/${user}`, { name: 'opener', enabled: false }), () => admin('PUT', `/users/${user}`, { name: 'opener', enabled: true })],
    ];
    for (const [what, take, giveBack] of takenAway) {
      const begun = await begin('claudecode', 'callback=gateway', { authorization: `Bearer ${key.key}` });
      const arrived = await sim.consent(begun.auth_url, { email: 'opener@example.test' });
      const exchanges = sim.count('token');
      assert.equal((await take()).status, 200, what);
      const refused = await arrive(arrived);
      assert.equal(refused.status, 403, `${what}: ${refused.text}`);
      assert.equal(sim.count('token'), exchanges, what); // the code is not spent
      assert.equal((await giveBack()).status, 200, what);
      const done = await arrive(arrived);
      assert.equal(done.status, 200, `${what}: ${done.text}`);
    }
    // Rotated, the key is the same one; deleted, it is none.
    const begun = await begin('claudecode', 'callback=gateway', { authorization: `Bearer ${key.key}` });
    const arrived = await sim.consent(begun.auth_url, { email: 'opener@example.test' });
    const other = (await admin('POST', `/user_keys/${key.id}/rotate`, { grace_secs: 0 })).body.key;
    const last = await begin('claudecode', 'callback=gateway', { authorization: `Bearer ${other}` });
    assert.equal((await arrive(arrived)).status, 200);
    const lastArrived = await sim.consent(last.auth_url, { email: 'opener@example.test' });
    assert.equal((await admin('DELETE', `/user_keys/${key.id}`)).status, 200);
    assert.equal((await arrive(lastArrived)).status, 403);
  });
  test('a refusal at the vendor\'s page is told in words, and nothing of it is markup', async () => {
    const begun = await begin('claudecode', 'callback=gateway');
    const page = await arrive(`${gproxy.url}/claudecode/oauth/callback?state=${begun.state}&error=access_denied&error_description=${quoted('<script>no</script>')}`);
    assert.equal(page.status, 400);
    assert.match(page.text, /&lt;script&gt;no/);
    assert.ok(!page.text.includes('<script>'));
  });
  test('behind a proxy the address is the one outside', async () => {
    const begun = await begin('claudecode', 'callback=gateway', { 'x-admin-key': ADMIN, 'x-forwarded-proto': 'https', 'x-forwarded-host': 'gw.example.test' });
    assert.equal(begun.redirect_uri, 'https://gw.example.test/claudecode/oauth/callback');
    assert.equal(begun.mode, 'redirect');
    // Without the wish the vendor's own page it stays.
    assert.notEqual((await begin('claudecode', '')).redirect_uri, begun.redirect_uri);
  });
});

test('what a login, a quota call and a refresh ask of the vendor stands in the log, under the trace id of the request', async () => {
  const logged = (trace, want) => until(async () => {
    const { rows } = (await gproxy.admin('GET', `/logs?trace_id=${trace}`)).body;
    return rows.length >= want && rows;
  }, `${want} rows of ${trace}`);
  const kinds = (rows) => rows.map((r) => `${r.kind} ${r.operation}${r.internal ? ' internal' : ''}`).sort();
  const ask = async (path) => (await fetch(gproxy.url + path, { headers: { 'x-admin-key': ADMIN } })).headers.get('x-request-id');
  assert.deepEqual(kinds(await logged(await ask('/codex/oauth'), 2)), ['downstream OAuthStart', 'upstream OAuthStart internal']);
  const quota = await logged(await ask('/codex/usage'), 2);
  assert.deepEqual(kinds(quota), ['downstream Usage', 'upstream Usage internal']);
  assert.equal(quota.find((r) => r.kind === 'upstream').user_id, 0);
  assert.deepEqual((await gproxy.admin('GET', '/usage/rows?limit=500')).body.rows.filter((r) => ['OAuthStart', 'Usage'].includes(r.operation)), []);
  // A token that is refused: refreshed, and asked again, all in one request.
  sims.codex.oauth.revokeAccess();
  const rows = await logged(await ask('/codex/usage'), 4);
  assert.deepEqual(kinds(rows), ['downstream Usage', 'upstream None internal', 'upstream Usage internal', 'upstream Usage internal']);
  assert.equal(rows.find((r) => r.operation === 'None').request_path, '/oauth/token');
});

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
