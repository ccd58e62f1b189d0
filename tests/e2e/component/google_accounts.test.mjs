// Tokens of Google's accounts through the running gateway: when they are got, renewed and given up.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { startGproxy } from '../harness.mjs';
import { startVendors } from '../simulator/simulator.mjs';
import { ask, users } from './provider_calls.mjs';

const kinds = ['vertex', 'geminicli', 'antigravity'];
let sims;
let gproxy;
before(async () => { sims = await startVendors(kinds); });
after(async () => { await sims.close(); });

// A gateway with these rows alone; the vendors' accounts are new.
async function withRows(rows, then) {
  for (const k of kinds) { sims[k].clear(); sims[k].oauth.refreshes = 0; }
  gproxy = await startGproxy({ config: { providers: rows, users } });
  try { await then(); } finally { await gproxy.stop(); }
}

describe('vertex', () => {
  test('a key file as downloaded gets one token, signed as the vendor checks it, for many requests', async () => {
    const sim = sims.vertex;
    await withRows([sim.row()], async () => {
      const all = await Promise.all([1, 2, 3, 4].map(() => ask(gproxy, 'vertex', 'gemini')));
      for (const r of all) assert.equal(r.status, 200, r.text);
      assert.equal(sim.count('token'), 1);
      const { head, claims } = sim.last('token').jwt;
      assert.deepEqual([head.alg, head.kid, claims.iss, claims.exp - claims.iat], ['RS256', 'kid-1', 'robot@proj-1.iam.gserviceaccount.com', 3600]);
      assert.match(sim.last('generate').path, /^\/v1beta1\/projects\/proj-1\/locations\/us-central1\//);
    });
  });

  test('the file itself, without a tag, is a credential too, and keeps its fields when a token is stored', async () => {
    const sim = sims.vertex;
    await withRows([sim.row({ secrets: [] })], async () => {
      const made = await gproxy.admin('POST', '/providers/vertex/credentials', { secret_json: sim.secret().Vertex });
      assert.equal(made.status, 200, JSON.stringify(made.body));
      assert.equal((await ask(gproxy, 'vertex', 'gemini')).status, 200);
      sim.oauth.revokeAccess();
      assert.equal((await ask(gproxy, 'vertex', 'gemini')).status, 200, 'the key is still there to sign with');
      assert.equal(sim.oauth.refreshes, 2);
    });
  });

  test('a token that is refused is got anew and the request goes through', async () => {
    const sim = sims.vertex;
    await withRows([sim.row()], async () => {
      assert.equal((await ask(gproxy, 'vertex', 'gemini')).status, 200);
      sim.oauth.revokeAccess();
      assert.equal((await ask(gproxy, 'vertex', 'claude', { stream: true })).said, 'Hello from gemini: ping');
      assert.equal(sim.oauth.refreshes, 2);
    });
  });

  test('a key that the token endpoint refuses serves no more; the next credential does', async () => {
    const sim = sims.vertex;
    await withRows([sim.row({ secrets: [sim.secret({ client_email: 'gone@x' }), sim.secret()] })], async () => {
      sim.fault({ op: 'token', status: 400, body: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } });
      const first = await ask(gproxy, 'vertex', 'gemini');
      assert.equal(first.status, 200, first.text);
      const asked = sim.count('token');
      assert.equal((await ask(gproxy, 'vertex', 'gemini')).status, 200);
      assert.equal(sim.count('token'), asked, 'the dead key is not tried again');
    });
  });
});

for (const kind of ['geminicli', 'antigravity']) {
  for (const name of [kind, 'under-another-name']) {
    describe(`${kind} as ${name}`, () => {
      let sim;
      beforeEach(() => { sim = sims[kind]; sim.state.project = 'proj-1'; sim.state.polls = 0; sim.state.onboardingPolls = 0; });

      test('a token that has run out is renewed before it is used', async () => {
        await withRows([sim.row({ name, secrets: [sim.secret({ expired: true })] })], async () => {
          const r = await ask(gproxy, name, 'gemini', { stream: true });
          assert.equal(r.said, 'Hello from gemini: ping', r.text);
          assert.equal(sim.oauth.refreshes, 1);
          assert.equal(sim.count('stream'), 1, 'the old token was not tried');
        });
      });

      test('a token that is refused is renewed once for requests that meet it together', async () => {
        await withRows([sim.row({ name })], async () => {
          assert.equal((await ask(gproxy, name, 'gemini')).status, 200);
          sim.oauth.revokeAccess();
          const all = await Promise.all([1, 2, 3].map(() => ask(gproxy, name, 'chat')));
          for (const r of all) assert.equal(r.said, 'Hello from gemini: ping', r.text);
          assert.ok(sim.oauth.refreshes >= 1 && sim.oauth.refreshes <= 3);
        });
      });

      test('a refresh token that is refused for good is told from a bad moment', async () => {
        await withRows([sim.row({ name, secrets: [sim.secret({ expired: true })] })], async () => {
          sim.fault({ op: 'token', status: 503, body: 'busy' });
          assert.ok((await ask(gproxy, name, 'gemini')).status >= 500);
          await gproxy.clearCooldowns();
          assert.equal((await ask(gproxy, name, 'gemini')).status, 200, 'it lives on');
        });
        await withRows([sim.row({ name, secrets: [sim.secret({ expired: true })] })], async () => {
          sim.fault({ op: 'token', status: 400, body: { error: 'invalid_grant' } });
          assert.ok((await ask(gproxy, name, 'gemini')).status >= 400);
          const asked = sim.count('token');
          assert.ok((await ask(gproxy, name, 'gemini')).status >= 400);
          assert.equal(sim.count('token'), asked, 'a dead account is not tried again');
        });
      });

      test('an account without a project finds it, or is enrolled', async () => {
        await withRows([sim.row({ name, secrets: [sim.secret({ project_id: '' })] })], async () => {
          assert.equal((await ask(gproxy, name, 'gemini')).status, 200);
          assert.equal(sim.last('generate').body.project, 'proj-1');
        });
        sim.state.project = null;
        sim.state.nextProject = 'new-project';
        await withRows([sim.row({ name, secrets: [sim.secret({ project_id: '' })] })], async () => {
          assert.equal((await ask(gproxy, name, 'gemini')).status, 200);
          assert.equal(sim.last('onboard').tier, 'free-tier');
          assert.equal(sim.last('generate').body.project, 'new-project');
        });
      });

      test('a project that moved is found again after a 404', async () => {
        await withRows([sim.row({ name })], async () => {
          sim.state.project = 'moved-project';
          assert.equal((await ask(gproxy, name, 'gemini')).status, 200);
          assert.equal(sim.last('generate').body.project, 'moved-project');
        });
      });

      test('a refresh without an OAuth client names the setting in the log', async () => {
        await withRows([sim.row({ name, settings: { client_id: '' }, secrets: [sim.secret({ expired: true })] })], async () => {
          assert.ok((await ask(gproxy, name, 'gemini')).status >= 500);
        });
        assert.match(gproxy.stderr(), /client_id/); // the log is complete when the process has ended
      });
    });
  }
}
