// The kinds that speak OpenAI's and Anthropic's protocols, each operation native, translated and streamed,
// through the running gateway against their vendors' simulators; two rows of each kind.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { KEY, startGproxy } from '../harness.mjs';
import { startVendors } from '../simulator/simulator.mjs';

const kinds = ['openai', 'claude', 'deepseek', 'nvidia', 'codex', 'claudecode'];
let gproxy;
let sims;
before(async () => {
  sims = await startVendors(kinds);
  gproxy = await startGproxy({ config: {
    providers: kinds.flatMap((kind) => [sims[kind].row(), sims[kind].row({ name: `my-${kind}` })]),
    users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }],
  } });
});
after(async () => { await gproxy?.stop(); await sims?.close(); });

const call = async (provider, method, path, body, headers = {}) => {
  const r = await fetch(`${gproxy.url}/${provider}${path}`, { method, headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers }, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await r.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { status: r.status, headers: r.headers, text, json };
};
const events = (text) => text.split(/\r?\n\r?\n/).flatMap((e) => /^data: (.*)$/m.exec(e)?.[1] ?? []).filter((d) => d !== '[DONE]').map((d) => JSON.parse(d));
const said = (content) => content.map((b) => b.text ?? '').join('');

// A question in each client's protocol, and the text of its answer.
const ask = {
  chat: async (p, stream) => {
    const r = await call(p, 'POST', '/v1/chat/completions', { model: 'mock-1', messages: [{ role: 'user', content: 'hi' }], temperature: 1, stream });
    return [r, stream ? events(r.text).map((e) => e.choices[0]?.delta?.content ?? '').join('') : r.json?.choices?.[0].message.content];
  },
  responses: async (p, stream) => {
    const r = await call(p, 'POST', '/v1/responses', { model: 'mock-1', input: 'hi', max_output_tokens: 50, stream });
    return [r, stream ? events(r.text).filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join('') : r.json?.output && said(r.json.output.flatMap((i) => i.content ?? []))];
  },
  claude: async (p, stream) => {
    const r = await call(p, 'POST', '/v1/messages', { model: 'mock-1', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }], stream }, { 'anthropic-version': '2023-06-01' });
    return [r, stream ? events(r.text).filter((e) => e.type === 'content_block_delta').map((e) => e.delta.text ?? '').join('') : r.json?.content && said(r.json.content)];
  },
  gemini: async (p, stream) => {
    const r = await call(p, 'POST', `/v1beta/models/mock-1:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`, { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] });
    return [r, stream ? events(r.text).map((e) => said(e.candidates?.[0]?.content?.parts ?? [])).join('') : r.json?.candidates && said(r.json.candidates[0].content.parts)];
  },
};
// What the vendor is asked, by [kind][client]: the simulator's operations of a whole and of a streamed answer.
const messages = ['generate', 'stream'];
const chat = ['chat', 'chat_stream'];
const asked = {
  openai: { chat, responses: messages, claude: messages, gemini: messages },
  claude: { chat, responses: messages, claude: messages, gemini: messages },
  deepseek: { chat, responses: chat, claude: messages, gemini: chat },
  nvidia: { chat, responses: chat, claude: chat, gemini: chat },
  codex: Object.fromEntries(Object.keys(ask).map((c) => [c, ['stream', 'stream']])),
  claudecode: Object.fromEntries(Object.keys(ask).map((c) => [c, messages])),
};

for (const kind of kinds) {
  for (const name of [kind, `my-${kind}`]) {
    describe(name, () => {
      for (const client of Object.keys(ask)) {
        for (const stream of [false, true]) {
          test(`${client}, ${stream ? 'streamed' : 'whole'}`, async () => {
            sims[kind].clear();
            const [r, text] = await ask[client](name, stream);
            assert.equal(r.status, 200, r.text);
            assert.match(text, /^Hello from \w+: hi$/);
            assert.deepEqual(sims[kind].requests.map((q) => q.op), [asked[kind][client][stream ? 1 : 0]]);
            assert.match(sims[kind].last().headers['user-agent'], /^gproxy\//);
          });
        }
      }
      test('a stream that comes a byte at a time says the same', async () => {
        sims[kind].clear();
        sims[kind].split = 1;
        const [r, text] = await ask.claude(name, true);
        sims[kind].split = 0;
        assert.equal(r.status, 200);
        assert.match(text, /^Hello from \w+: hi$/);
      });
      test('tokens are counted in every protocol', async () => {
        sims[kind].clear();
        const claude = await call(name, 'POST', '/v1/messages/count_tokens', { model: 'mock-1', messages: [{ role: 'user', content: 'hi there' }] }, { 'anthropic-version': '2023-06-01' });
        assert.ok(claude.json.input_tokens > 0, claude.text);
        const gemini = await call(name, 'POST', '/v1beta/models/mock-1:countTokens', { contents: [{ role: 'user', parts: [{ text: 'hi there' }] }] });
        assert.ok(gemini.json.totalTokens > 0, gemini.text);
        const openai = await call(name, 'POST', '/v1/responses/input_tokens', { model: 'mock-1', input: 'hi there' });
        assert.ok(openai.json.input_tokens > 0, openai.text);
        const upstream = ['openai', 'claude', 'claudecode'].includes(kind);
        assert.equal(sims[kind].count('count'), upstream ? 3 : 0);
      });
      test('models are listed and got in every protocol', async () => {
        const first = kind === 'deepseek' ? 'deepseek-chat' : 'mock-1';
        const version = { 'anthropic-version': '2023-06-01' };
        assert.equal((await call(name, 'GET', '/v1/models')).json.data[0].id, first);
        assert.equal((await call(name, 'GET', '/v1/models', undefined, version)).json.data[0].id, first);
        assert.equal((await call(name, 'GET', '/v1beta/models')).json.models[0].name, `models/${first}`);
        assert.equal((await call(name, 'GET', `/v1/models/${first}`)).json.id, first);
        assert.equal((await call(name, 'GET', `/v1/models/${first}`, undefined, version)).json.type, 'model');
        assert.equal((await call(name, 'GET', `/v1beta/models/${first}`)).json.name, `models/${first}`);
        const none = await call(name, 'GET', '/v1/models/none');
        assert.equal(none.status, 404, none.text);
        assert.ok(none.json.error.message);
      });
    });
  }
}

for (const kind of ['openai', 'codex']) {
  test(`${kind}: a response's own resources, and compaction`, async () => {
    const made = await call(kind, 'POST', '/v1/responses', { model: 'mock-1', input: 'hi' });
    const at = `/v1/responses/${made.json.id}`;
    const ops = async (method, path, body) => {
      const r = await call(kind, method, path, body);
      assert.equal(r.status, 200, `${method} ${path}: ${r.text}`);
      return sims[kind].last().op;
    };
    assert.equal(await ops('GET', at), 'response_get');
    assert.equal(await ops('GET', `${at}/input_items?limit=2`), 'response_items');
    assert.equal(await ops('POST', `${at}/cancel`), 'response_cancel');
    assert.equal(await ops('POST', '/v1/responses/compact', { model: 'mock-1', input: [] }), 'compact');
    if (kind === 'codex') assert.equal(await ops('POST', '/v1/memories/trace_summarize', { model: 'mock-1', traces: [] }), 'trace');
    assert.equal(await ops('DELETE', at), 'response_delete');
  });
}

test('what a kind does not offer is a 501 in the client\'s protocol', async () => {
  for (const kind of ['claude', 'deepseek', 'nvidia', 'claudecode']) {
    const r = await call(kind, 'POST', '/v1/responses/compact', { model: 'mock-1', input: [] });
    assert.equal(r.status, 501, kind);
    assert.ok(r.json.error.message, r.text);
  }
});

describe('failures', () => {
  test('an answer that is not the vendor\'s is a 502 in the client\'s protocol', async () => {
    for (const [kind, op] of [['openai', 'chat'], ['nvidia', 'chat'], ['deepseek', 'chat']]) {
      sims[kind].fault({ op, kind: 'garbage', times: 9 });
      const [r] = await ask.claude(kind === 'openai' ? 'my-openai' : kind, false);
      sims[kind].clear();
      if (kind === 'nvidia') assert.equal(r.status, 502, r.text); // translated: nothing of it can be passed on
    }
    const models = sims.codex.fault({ op: 'models', kind: 'garbage' });
    const r = await call('codex', 'GET', '/v1/models');
    models.clear();
    assert.equal(r.status, 502, r.text);
    assert.ok(r.json.error.message);
    assert.match(gproxy.stderr(), /dev\.gproxy\.codex/);
  });
  test('a key that the vendor calls wrong is not used again', async () => {
    sims.nvidia.fault({ op: 'chat', status: 401, times: 1 });
    const [refused] = await ask.chat('my-nvidia', false);
    assert.equal(refused.status, 502, refused.text);
    const before = sims.nvidia.requests.length;
    const [rests] = await ask.chat('my-nvidia', false);
    assert.equal(rests.status, 503);
    assert.equal(sims.nvidia.requests.length, before);
  });
  test('an account at its limit rests until the window opens', async () => {
    sims.codex.fault({ op: 'stream', status: 429 });
    const [limited] = await ask.responses('my-codex', false);
    assert.equal(limited.status, 429);
    const [rests] = await ask.responses('my-codex', false);
    assert.equal(rests.status, 503);
    const wait = Number(rests.headers.get('retry-after'));
    assert.ok(wait > 1700 && wait <= 1801, `retry-after ${wait}`);
  });
  test('an expired token is renewed once and the request goes out', async () => {
    for (const kind of ['codex', 'claudecode']) {
      sims[kind].clear();
      sims[kind].oauth.revokeAccess();
      const [r, text] = await ask.claude(kind, false);
      assert.equal(r.status, 200, r.text);
      assert.match(text, /^Hello/);
      assert.equal(sims[kind].count('token'), 1);
    }
  });
});

test('settings and credentials that do not fit are 400 with their path, and nothing is stored', async () => {
  const put = (kind, channel_settings) => gproxy.admin('PUT', `/providers/bad-${kind}`, { enabled: true, config_json: { kind, channel_settings } });
  for (const [kind, settings, at] of [
    ['deepseek', { model_source: 7 }, 'model_source'], ['nvidia', { hf_url: 'x' }, 'hf_url'],
    ['codex', { drop_params: ['store'] }, 'drop_params'], ['codex', { issuer: 'ftp://h' }, 'issuer'],
    ['claudecode', { prelude_text: 'claude_cod' }, 'prelude_text'], ['claudecode', { client_identity: 'x' }, 'client_identity'],
  ]) {
    const r = await put(kind, settings);
    assert.equal(r.status, 400, `${kind} ${JSON.stringify(r.body)}`);
    assert.match(JSON.stringify(r.body), new RegExp(at));
  }
  assert.ok(!(await gproxy.admin('GET', '/providers')).body.providers.some((p) => p.name.startsWith('bad-')));
  const secret = await gproxy.admin('POST', '/providers/codex/credentials', { name: 'x', secret_json: { Codex: { access_token: 'a\r\nb' } } });
  assert.equal(secret.status, 400);
  assert.match(JSON.stringify(secret.body), /access_token/);
});

test('secret settings are masked when shown, and their mask keeps them', async () => {
  const config_json = { kind: 'nvidia', channel_settings: { hf_token: 'hf_0123456789abcd' } };
  assert.equal((await gproxy.admin('PUT', '/providers/hub', { enabled: true, config_json })).status, 200);
  const shown = (await gproxy.admin('GET', '/providers/hub')).body.config_json;
  assert.equal(shown.channel_settings.hf_token, '****abcd');
  assert.equal((await gproxy.admin('PUT', '/providers/hub', { enabled: true, config_json: shown })).status, 200);
  assert.equal((await gproxy.admin('GET', '/providers/hub')).body.config_json.channel_settings.hf_token, '****abcd');
});
