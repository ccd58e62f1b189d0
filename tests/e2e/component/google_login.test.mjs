// From the login page to the first request and the account's quota, with the simulated vendor.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ADMIN, startGproxy } from '../harness.mjs';
import { startVendors } from '../simulator/simulator.mjs';
import { ask, users } from './provider_calls.mjs';

const admin = { 'x-admin-key': ADMIN };
let sims;
let gproxy;
const get = async (path, headers = admin) => {
  const r = await fetch(gproxy.url + path, { headers });
  const text = await r.text();
  return { status: r.status, text, json: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : undefined };
};

before(async () => {
  sims = await startVendors(['geminicli', 'antigravity']);
  gproxy = await startGproxy({ config: { users, providers: Object.entries(sims).filter(([, s]) => s.row).flatMap(([kind, sim]) => [
    sim.row({ secrets: [] }), sim.row({ name: `${kind}-two`, secrets: [] }), sim.row({ name: `${kind}-bare`, settings: { client_id: '', client_secret: '' }, secrets: [] })]) } });
});
after(async () => { await gproxy.stop(); await sims.close(); });

for (const kind of ['geminicli', 'antigravity']) {
  for (const provider of [kind, `${kind}-two`]) {
    describe(provider, () => {
      const login = async (account, query = '', bring = (url) => `callback_url=${encodeURIComponent(url)}`) => {
        const begun = await get(`/${provider}/oauth${query}`);
        assert.equal(begun.status, 200, begun.text);
        assert.equal(begun.json.mode, 'manual');
        const arrived = await sims[kind].consent(begun.json.auth_url, account);
        return get(`/${provider}/oauth/callback?${bring(arrived, begun.json)}`);
      };

      test('a login gives a credential that serves at once; no token is shown', async () => {
        const sim = sims[kind];
        sim.clear();
        const done = await login({ email: 'one@example.test' });
        assert.equal(done.status, 200, done.text);
        assert.ok(!/at-|rt-/.test(done.text), done.text);
        assert.equal(done.json.project_id, 'proj-1');
        const r = await ask(gproxy, provider, 'claude', { stream: true });
        assert.equal(r.said, 'Hello from gemini: ping', r.text);
        assert.equal(sim.last('stream').account.email, 'one@example.test');
      });

      test('the same account again updates its row; code and state may come apart', async () => {
        const count = async () => (await gproxy.admin('GET', '/credentials')).body.credentials.length;
        const had = await count();
        const done = await login({ email: 'one@example.test' }, '?project_id=proj-1', (url, begun) => `code=${new URL(url).searchParams.get('code')}&state=${begun.state}`);
        assert.equal(done.status, 200, done.text);
        assert.equal(await count(), had);
      });

      test('a callback without a code, or with a bad one, is a 400 and stores nothing', async () => {
        const had = (await gproxy.admin('GET', '/credentials')).body.credentials.length;
        const none = await login({}, '', (url, begun) => `state=${begun.state}`);
        assert.equal(none.status, 400, none.text);
        const bad = await login({}, '', (url, begun) => `state=${begun.state}&code=other`);
        assert.equal(bad.status, 400, bad.text);
        assert.equal((await gproxy.admin('GET', '/credentials')).body.credentials.length, had);
      });

      test('what is left: raw as the vendor says it, and as windows', async () => {
        const raw = await get(`/${provider}/usage`);
        assert.equal(raw.status, 200, raw.text);
        assert.ok(raw.json.buckets ?? raw.json.models, raw.text);
        const normal = await get(`/${provider}/usage?normalized=1`);
        assert.equal(normal.status, 200, normal.text);
        const windows = normal.json.windows ?? normal.json;
        const one = windows.find((w) => w.scope === 'model:mock-1');
        assert.equal(one.used_percent, kind === 'geminicli' ? 75 : 100);
        assert.ok(one.reset_at ?? one.resets_at_ms, normal.text);
      });

      test('the quota of an account whose token was refused is asked with a new one', async () => {
        sims[kind].oauth.revokeAccess();
        assert.equal((await get(`/${provider}/usage`)).status, 200);
      });
    });
  }

  test(`${kind}: a login without the operator's OAuth client is a 400 that names the setting`, async () => {
    const r = await get(`/${kind}-bare/oauth`);
    assert.equal(r.status, 400, r.text);
    assert.match(r.text, /client_id/);
  });
}
