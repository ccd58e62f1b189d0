// Responses that a vendor keeps: going on from them, compacting them, their own resources, and memories. Three
// accounts each, two users: what one account keeps only that account can serve, and only to its user.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { KEY, startGproxy } from '../harness.mjs';
import { startVendors } from '../simulator/simulator.mjs';

const OTHER = 'sk-another-user-for-tests';
let sims;
let gproxy;
before(async () => {
  sims = await startVendors(['openai', 'codex', 'claude']);
  const keys = ['a', 'b', 'c'].map((n) => `key-${n}`);
  for (const key of keys) sims.openai.keys.add(key);
  gproxy = await startGproxy({ config: {
    providers: [
      sims.openai.row({ secrets: [] }), sims.codex.row({ secrets: [] }),
      sims.claude.row(),
    ],
    users: [{ name: 'one', keys: [{ label: 'k', key: KEY }] }, { name: 'two', keys: [{ label: 'k', key: OTHER }] }],
  } });
  // Not by the file: one of them is switched off below.
  const secrets = { openai: keys.map((api_key) => ({ OpenAI: { api_key } })), codex: ['1', '2', '3'].map((n) => sims.codex.secret({ account_id: `acct-${n}`, email: `${n}@example.test` })) };
  for (const [kind, list] of Object.entries(secrets)) {
    for (const [i, secret_json] of list.entries()) assert.equal((await gproxy.admin('POST', `/providers/${kind}/credentials`, { name: `${kind}-${i}`, secret_json })).status, 200);
  }
});
after(async () => { await gproxy?.stop(); await sims?.close(); });

const call = async (method, path, body, key = KEY) => {
  const r = await fetch(`${gproxy.url}${path}`, { method, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await r.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { status: r.status, text, json, code: r.headers.get('x-gproxy-error') };
};
// Who was asked last: the key, or the account.
const asked = (kind, op) => { const h = sims[kind].last(op).headers; return h['chatgpt-account-id'] ?? h.authorization; };

// Makes a response, and lets the other accounts have their turns.
async function make(kind) {
  const stream = kind === 'codex';
  const body = { model: 'mock-1', input: stream ? [{ role: 'user', content: 'hi' }] : 'hi', stream };
  for (let i = 0; i < 3; ++i) await call('POST', `/${kind}/v1/responses`, body);
  const made = await call('POST', `/${kind}/v1/responses`, body);
  assert.equal(made.status, 200, made.text);
  const id = made.json?.id ?? /"id":"(resp_[^"]+)"/.exec(made.text)[1];
  return { id, by: asked(kind, stream ? 'stream' : 'generate') };
}

for (const kind of ['openai', 'codex']) {
  describe(kind, () => {
    test('what goes on from a response goes to the account that keeps it, also compaction', async () => {
      const { id, by } = await make(kind);
      for (let i = 0; i < 4; ++i) {
        const next = await call('POST', `/${kind}/v1/responses/compact`, { model: 'mock-1', previous_response_id: id, input: [] });
        assert.equal(next.status, 200, next.text);
        assert.equal(next.json.object, 'response.compaction');
        assert.equal(asked(kind, 'compact'), by);
        assert.equal(sims[kind].last('compact').body.previous_response_id, id);
        // Requests without a past take their turns in between.
        await call('POST', `/${kind}/v1/responses/compact`, { model: 'mock-1', input: [] });
      }
      const turns = new Set(sims[kind].requests.filter((r) => r.op === 'compact' && !r.body.previous_response_id).map((r) => r.headers['chatgpt-account-id'] ?? r.headers.authorization));
      assert.ok(turns.size > 1, [...turns].join());
    });

    test('without provider prefix the model\'s name leads there', async () => {
      const { id, by } = await make(kind);
      const next = await call('POST', '/v1/responses/compact', { model: `${kind}/mock-1`, previous_response_id: id, input: [] });
      assert.equal(next.status, 200, next.text);
      assert.equal(asked(kind, 'compact'), by);
      assert.equal(sims[kind].last('compact').body.model, 'mock-1');
    });

    test('to another user there is no such response, and nobody is asked', async () => {
      const { id } = await make(kind);
      sims[kind].requests.length = 0;
      for (const body of [{ model: 'mock-1', previous_response_id: id, input: [] }, { model: 'mock-1', previous_response_id: 'resp_of_nobody', input: [] }]) {
        const key = body.previous_response_id === id ? OTHER : KEY;
        const r = await call('POST', `/${kind}/v1/responses/compact`, body, key);
        assert.equal(r.status, 404, r.text);
        assert.equal(r.json.error.param, 'previous_response_id');
      }
      for (const [method, path] of [['GET', ''], ['DELETE', ''], ['POST', '/cancel'], ['GET', '/input_items']]) {
        for (const prefix of [`/${kind}`, '']) {
          const r = await call(method, `${prefix}/v1/responses/${id}${path}`, undefined, OTHER);
          assert.equal(r.status, 404, `${method} ${path}: ${r.text}`);
        }
      }
      assert.equal(sims[kind].requests.length, 0);
    });

    test('its own resources are served by the account that made it', async () => {
      const { id, by } = await make(kind);
      for (const [method, path, op] of [['GET', '', 'response_get'], ['GET', '/input_items', 'response_items'], ['POST', '/cancel', 'response_cancel'], ['DELETE', '', 'response_delete']]) {
        const r = await call(method, `/${kind}/v1/responses/${id}${path}`);
        assert.equal(r.status, 200, r.text);
        assert.equal(asked(kind, op), by, op);
      }
    });

    test('an account that is switched off serves nothing that it kept', async () => {
      const { id, by } = await make(kind);
      const rows = (await gproxy.admin('GET', `/providers/${kind}/credentials`)).body;
      const list = rows.credentials ?? rows;
      const mine = list[kind === 'codex' ? ['acct-1', 'acct-2', 'acct-3'].indexOf(by) : ['Bearer key-a', 'Bearer key-b', 'Bearer key-c'].indexOf(by)];
      const off = await gproxy.admin('PUT', `/credentials/${mine.id}/enabled`, { enabled: false });
      assert.equal(off.status, 200, JSON.stringify(off.body));
      const r = await call('POST', `/${kind}/v1/responses/compact`, { model: 'mock-1', previous_response_id: id, input: [] });
      assert.equal(r.status, 404, r.text);
      assert.equal((await gproxy.admin('PUT', `/credentials/${mine.id}/enabled`, { enabled: true })).status, 200);
      assert.equal((await call('POST', `/${kind}/v1/responses/compact`, { model: 'mock-1', previous_response_id: id, input: [] })).status, 200);
    });
  });
}

describe('memories', () => {
  const traces = [{ id: 't1', metadata: { source_path: 'a' }, items: [{ type: 'message', role: 'user', content: 'x' }] }, { id: 't2', items: [] }];
  test('traces are summarised as the client wrote them, by any account, for every user', async () => {
    sims.codex.requests.length = 0;
    for (const key of [KEY, OTHER, KEY]) {
      const r = await call('POST', '/codex/v1/memories/trace_summarize', { model: 'mock-1', traces, reasoning: { effort: 'low' } }, key);
      assert.equal(r.status, 200, r.text);
      assert.equal(r.json.output.length, 2);
      assert.deepEqual(sims.codex.last('trace').body, { model: 'mock-1', traces, reasoning: { effort: 'low' } });
    }
    assert.ok(new Set(sims.codex.requests.filter((r) => r.op === 'trace').map((r) => r.headers['chatgpt-account-id'])).size > 1);
  });
  test('without prefix, by the model\'s name', async () => {
    const r = await call('POST', '/v1/memories/trace_summarize', { model: 'codex/mock-1', traces });
    assert.equal(r.status, 200, r.text);
    assert.equal(sims.codex.last('trace').body.model, 'mock-1');
  });
  test('what the vendor refuses is told, what is no request never gets there', async () => {
    const refused = await call('POST', '/codex/v1/memories/trace_summarize', { model: 'mock-1', traces: 'none' });
    assert.equal(refused.status, 400, refused.text);
    sims.codex.requests.length = 0;
    assert.equal((await call('POST', '/codex/v1/memories/trace_summarize', [])).status, 400);
    assert.equal((await call('POST', '/claude/v1/memories/trace_summarize', { model: 'mock-1', traces })).status, 501);
    assert.equal(sims.codex.requests.length, 0);
  });
});
