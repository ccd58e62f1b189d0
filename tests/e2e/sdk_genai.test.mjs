// The official Google Gen AI SDK through gproxy.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { GoogleGenAI } from '@google/genai';
import { KEY, startAll } from './harness.mjs';

let all;
before(async () => { all = await startAll(); });
afterEach(async () => { await all.gproxy.clearCooldowns(); });
after(async () => { await all?.stop(); });

const weather = { functionDeclarations: [{ name: 'weather', description: 'Weather of a city', parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } }] };

for (const route of ['prefixed', 'aggregate']) {
  // On the aggregate route the SDK puts the slash of provider/model into the path unescaped.
  const model = (name) => (route === 'prefixed' ? name : `models/aistudio/${name}`);
  const client = (key = KEY) => new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: `${all.gproxy.url}${route === 'prefixed' ? '/aistudio' : ''}` } });

  describe(`genai SDK, ${route} route`, () => {
    test('lists models with paging and gets one', async () => {
      const names = [];
      for await (const m of await client().models.list({ config: { pageSize: 1 } })) names.push(m.name);
      const want = route === 'prefixed' ? 'models/mock-1' : 'models/aistudio/mock-1';
      assert.ok(names.includes(want), names.join());
      assert.equal((await client().models.get({ model: model('mock-1') })).name, want);
    });

    test('generates', async () => {
      const r = await client().models.generateContent({ model: model('mock-1'), contents: 'ping' });
      assert.equal(r.text, 'Hello from gemini: ping');
      assert.equal(r.usageMetadata.totalTokenCount, 17);
      const up = all.upstream.last();
      assert.equal(up.headers['x-goog-api-key'], 'sk-up-gemini');
      assert.ok(!JSON.stringify([up.headers, up.query]).includes(KEY));
    });

    test('streams', async () => {
      let out = '';
      for await (const chunk of await client().models.generateContentStream({ model: model('mock-1'), contents: 'stream me' })) out += chunk.text ?? '';
      assert.equal(out, 'Hello from gemini: stream me');
    });

    test('calls tools and takes their results', async () => {
      const contents = [{ role: 'user', parts: [{ text: 'Weather in Paris and Berlin?' }] }];
      const first = await client().models.generateContent({ model: model('mock-1'), contents, config: { tools: [weather] } });
      assert.deepEqual(first.functionCalls.map((c) => c.args.city), ['Paris', 'Berlin']);
      contents.push(first.candidates[0].content, { role: 'user', parts: first.functionCalls.map((c) => ({ functionResponse: { name: c.name, response: { output: 'sunny' } } })) });
      const second = await client().models.generateContent({ model: model('mock-1'), contents, config: { tools: [weather] } });
      assert.match(second.text, /^Hello from gemini/);
    });

    test('counts tokens', async () => {
      assert.equal((await client().models.countTokens({ model: model('mock-1'), contents: 'x' })).totalTokens, 9);
    });

    test('sees errors with their status', async () => {
      await assert.rejects(client().models.generateContent({ model: model('err-429'), contents: 'x' }), (e) => e.status === 429);
      await assert.rejects(client('nope').models.generateContent({ model: model('mock-1'), contents: 'x' }), (e) => e.status === 401 || e.status === 400);
    });

    test('a stream that breaks off is an error', async () => {
      await assert.rejects(async () => { for await (const _ of await client().models.generateContentStream({ model: model('cut'), contents: 'break' })) ; });
    });
  });
}

test('without alt=sse a stream is a JSON array, and the models/ prefix may be missing', async () => {
  for (const p of ['/aistudio/v1beta/models/mock-1:streamGenerateContent', '/v1beta/aistudio/mock-1:streamGenerateContent']) {
    const r = await fetch(all.gproxy.url + p, { method: 'POST', headers: { 'x-goog-api-key': KEY, 'content-type': 'application/json' }, body: JSON.stringify({ contents: [{ parts: [{ text: 'array' }] }] }) });
    assert.equal(r.status, 200);
    const list = JSON.parse(await r.text());
    assert.equal(list.flatMap((c) => c.candidates[0].content.parts.map((x) => x.text)).join(''), 'Hello from gemini: array');
  }
});

test('the key may travel in the query and goes no further', async () => {
  const r = await fetch(`${all.gproxy.url}/aistudio/v1beta/models/mock-1:generateContent?key=${KEY}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ contents: [{ parts: [{ text: 'q' }] }] }) });
  assert.equal(r.status, 200);
  assert.ok(!all.upstream.last().query.includes(KEY));
});
