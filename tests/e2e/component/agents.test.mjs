// Coding agents through the gateway, against a provider of their own protocol and of each other one: a turn
// that calls a tool, and the turn that brings its result.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { agents, events } from '../agent_requests.mjs';
import { KEY, startAll } from '../harness.mjs';

const PROTOS = ['openai_chat', 'openai_response', 'claude', 'gemini'];
let all;
before(async () => {
  all = await startAll({
    config: (port) => ({
      providers: PROTOS.map((proto) => ({
        name: proto, kind: 'custom', channel_settings: { base_url: `http://127.0.0.1:${port}`, proto, dispatch: { ops: [] } },
        credentials: [{ name: 'k', secret: { Custom: { api_key: 'sk-of-the-upstream' } } }],
      })),
      users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }],
    }),
  });
});
after(async () => { await all?.stop(); });

async function turn(agent, base, model, n) {
  const r = await fetch(all.gproxy.url + agent.path(base, model), { method: 'POST', headers: { 'content-type': 'application/json', ...agent.headers(KEY) }, body: JSON.stringify(agent.body(model, n)) });
  const text = await r.text();
  assert.equal(r.status, 200, text);
  assert.match(r.headers.get('content-type'), /^text\/event-stream/);
  return { ...agent.read(events(text)), dropped: r.headers.get('x-gproxy-dropped') };
}

const messageOf = { openai_chat: 'chat', openai_response: 'responses', claude: 'claude', gemini: 'gemini' };

for (const [name, agent] of Object.entries(agents)) {
  describe(name, () => {
    for (const proto of PROTOS) {
      test(`a tool call and its result, served by ${proto}`, async () => {
        const first = await turn(agent, '', `${proto}/mock-1`, 1);
        assert.ok(first.complete);
        assert.deepEqual(first.calls, [{ name: 'weather', args: { city: 'Paris' } }]);
        const second = await turn(agent, '', `${proto}/mock-1`, 2);
        assert.ok(second.complete);
        assert.match(second.text, new RegExp(`^Hello from ${messageOf[proto]}: `));
        assert.deepEqual(second.calls, []);
      });
    }

    test('with the provider in the base path', async () => {
      const { complete, calls } = await turn(agent, '/openai_chat', 'mock-1', 1);
      assert.ok(complete);
      assert.equal(calls.length, 1);
    });

    test('a provider of its own protocol gets its bytes, but for the model and the key', async () => {
      await turn(agent, '', `${agent.protocol}/mock-1`, 2);
      const seen = all.upstream.last();
      assert.equal(seen.raw, JSON.stringify(agent.body('mock-1', 2)));
      assert.ok(!JSON.stringify(seen.headers).includes(KEY), 'the key of the client stays here');
      assert.ok(JSON.stringify(seen.headers).includes('sk-of-the-upstream'));
      const url = new URL(agent.path('', 'mock-1'), 'http://x');
      assert.equal(seen.path, url.pathname);
      if (name === 'claude-code') {
        assert.equal(seen.query, '?beta=true');
        assert.equal(seen.headers['anthropic-beta'], agent.headers(KEY)['anthropic-beta']);
        assert.equal(seen.headers['anthropic-version'], '2023-06-01');
      }
    });
  });
}

test('claude-code asks HEAD / and HEAD /provider first', async () => {
  for (const path of ['/', '/claude']) {
    const r = await fetch(all.gproxy.url + path, { method: 'HEAD' });
    assert.equal(r.status, 200, path);
    assert.equal(await r.text(), '');
  }
});
