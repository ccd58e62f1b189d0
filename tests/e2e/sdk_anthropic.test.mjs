// The official Anthropic SDK through gproxy.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { KEY, startAll } from './harness.mjs';

let all;
before(async () => { all = await startAll(); });
afterEach(async () => { await all.gproxy.clearCooldowns(); });
after(async () => { await all?.stop(); });

const weather = { name: 'weather', description: 'Weather of a city', input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } };

for (const route of ['prefixed', 'aggregate']) {
  const model = (name) => (route === 'prefixed' ? name : `claude/${name}`);
  const client = (key = KEY) => new Anthropic({ apiKey: key, baseURL: `${all.gproxy.url}${route === 'prefixed' ? '/claude' : ''}`, maxRetries: 0 });
  const user = (content) => [{ role: 'user', content }];

  describe(`anthropic SDK, ${route} route`, () => {
    test('lists models with paging and gets one', async () => {
      const ids = [];
      for await (const m of client().models.list({ limit: 1 })) ids.push(m.id);
      assert.ok(ids.includes(model('mock-1')) && ids.includes(model('mock-2')), ids.join());
      assert.equal((await client().models.retrieve(model('mock-1'))).id, model('mock-1'));
    });

    test('completes; betas and version reach the vendor, the client key does not', async () => {
      const r = await client().messages.create({ model: model('mock-1'), max_tokens: 64, messages: user('ping') }, { headers: { 'anthropic-beta': 'one-2025-01-01,two-2025-01-01' } });
      assert.equal(r.content[0].text, 'Hello from claude: ping');
      assert.equal(r.model, model('mock-1'));
      const up = all.upstream.last();
      assert.equal(up.headers['x-api-key'], 'sk-up-claude');
      assert.equal(up.headers['anthropic-beta'], 'one-2025-01-01,two-2025-01-01');
      assert.ok(up.headers['anthropic-version']);
      assert.ok(!JSON.stringify(up.headers).includes(KEY));
    });

    test('streams', async () => {
      const final = await client().messages.stream({ model: model('mock-1'), max_tokens: 64, messages: user('stream me') }).finalMessage();
      assert.equal(final.content[0].text, 'Hello from claude: stream me');
      assert.equal(final.usage.output_tokens, 5);
      assert.equal(final.model, model('mock-1'));
    });

    test('calls tools and takes their results', async () => {
      const messages = user('Weather in Paris and Berlin?');
      const first = await client().messages.stream({ model: model('mock-1'), max_tokens: 64, messages, tools: [weather] }).finalMessage();
      assert.equal(first.stop_reason, 'tool_use');
      assert.deepEqual(first.content.map((b) => b.input.city), ['Paris', 'Berlin']);
      messages.push({ role: 'assistant', content: first.content }, { role: 'user', content: first.content.map((b) => ({ type: 'tool_result', tool_use_id: b.id, content: 'sunny' })) });
      const second = await client().messages.create({ model: model('mock-1'), max_tokens: 64, messages, tools: [weather] });
      assert.match(second.content[0].text, /^Hello from claude/);
    });

    test('counts tokens', async () => {
      assert.equal((await client().messages.countTokens({ model: model('mock-1'), messages: user('x') })).input_tokens, 11);
    });

    test('sees errors as the SDK classes', async () => {
      await assert.rejects(client().messages.create({ model: model('err-429'), max_tokens: 8, messages: user('x') }), (e) => e instanceof Anthropic.RateLimitError);
      await assert.rejects(client().messages.create({ model: model('err-400'), max_tokens: 8, messages: user('x') }), (e) => e instanceof Anthropic.BadRequestError && /scripted 400/.test(e.message));
      await assert.rejects(client('nope').messages.create({ model: model('mock-1'), max_tokens: 8, messages: user('x') }), (e) => e instanceof Anthropic.AuthenticationError);
    });

    test('a stream that breaks off is an error event, not an end', async () => {
      await assert.rejects(client().messages.stream({ model: model('cut'), max_tokens: 64, messages: user('break') }).finalMessage());
    });

    test('a body that is not JSON is a 400 in the Claude shape', async () => {
      const r = await fetch(`${all.gproxy.url}/claude/v1/messages`, { method: 'POST', headers: { 'x-api-key': KEY, 'content-type': 'application/json' }, body: '{"model": ' });
      assert.equal(r.status, 400);
      const body = await r.json();
      assert.equal(body.type, 'error');
      assert.equal(body.error.type, 'invalid_request_error');
    });
  });
}

test('what coding agents send first: HEAD / and HEAD /provider', async () => {
  for (const p of ['/', '/claude']) {
    const r = await fetch(all.gproxy.url + p, { method: 'HEAD' });
    assert.ok(r.status < 500 && r.status !== 405, `${p}: ${r.status}`);
  }
  const r = await fetch(`${all.gproxy.url}/claude/v1/messages?beta=true`, { method: 'POST', headers: { 'x-api-key': KEY, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'mock-1', max_tokens: 5, messages: [{ role: 'user', content: 'x' }] }) });
  assert.equal(r.status, 200);
});
