// The official OpenAI SDK through gproxy: lists, completes, streams, calls tools and sees errors, on the
// provider-prefixed and on the aggregate routes.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { KEY, startAll } from './harness.mjs';

let all;
before(async () => { all = await startAll(); });
afterEach(async () => { await all.gproxy.clearCooldowns(); });
after(async () => { await all?.stop(); });

const weather = { type: 'function', function: { name: 'weather', description: 'Weather of a city', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } } };

for (const route of ['prefixed', 'aggregate']) {
  const model = (name) => (route === 'prefixed' ? name : `openai/${name}`);
  const client = (key = KEY) => new OpenAI({ apiKey: key, baseURL: `${all.gproxy.url}${route === 'prefixed' ? '/openai' : ''}/v1`, maxRetries: 0 });

  describe(`openai SDK, ${route} route`, () => {
    test('lists models and gets one', async () => {
      const ids = [];
      for await (const m of client().models.list()) ids.push(m.id);
      assert.ok(ids.includes(model('mock-1')), ids.join());
      const one = await client().models.retrieve(model('mock-1'));
      assert.equal(one.id, model('mock-1'));
    });

    test('completes, and every field of the upstream survives', async () => {
      const r = await client().chat.completions.create({ model: model('mock-1'), messages: [{ role: 'user', content: 'äöü 你好 🎉' }] });
      assert.equal(r.choices[0].message.content, 'Hello from chat: äöü 你好 🎉');
      assert.equal(r.model, model('mock-1'));
      assert.deepEqual(r.vendor_extra, { kept: true });
      const up = all.upstream.last();
      assert.equal(up.headers.authorization, 'Bearer sk-up-openai');
      assert.equal(up.headers['x-api-key'], undefined);
      assert.equal(up.body.model, 'mock-1');
    });

    test('streams, with usage only when it was asked for', async () => {
      const text = async (extra) => {
        const stream = await client().chat.completions.create({ model: model('mock-1'), stream: true, messages: [{ role: 'user', content: 'stream me' }], ...extra });
        let out = '';
        let usage;
        for await (const chunk of stream) {
          assert.equal(chunk.model, model('mock-1'));
          if (chunk.usage) usage = chunk.usage;
          out += chunk.choices[0]?.delta.content ?? '';
        }
        return { out, usage };
      };
      const plain = await text({});
      assert.equal(plain.out, 'Hello from chat: stream me');
      assert.equal(plain.usage, undefined);
      assert.equal(all.upstream.last().body.stream_options.include_usage, true);
      const asked = await text({ stream_options: { include_usage: true } });
      assert.equal(asked.usage.total_tokens, 17);
    });

    test('calls tools in parallel and takes their results', async () => {
      const messages = [{ role: 'user', content: 'Weather in Paris and Berlin?' }];
      const runner = client().chat.completions.stream({ model: model('mock-1'), messages, tools: [weather] });
      const first = await runner.finalChatCompletion();
      const calls = first.choices[0].message.tool_calls;
      assert.deepEqual(calls.map((c) => JSON.parse(c.function.arguments).city), ['Paris', 'Berlin']);
      assert.equal(first.choices[0].finish_reason, 'tool_calls');
      messages.push(first.choices[0].message, ...calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: 'sunny' })));
      const second = await client().chat.completions.create({ model: model('mock-1'), messages, tools: [weather] });
      assert.match(second.choices[0].message.content, /^Hello from chat/);
    });

    test('responses: completes, streams and counts', async () => {
      const r = await client().responses.create({ model: model('mock-1'), input: 'one' });
      assert.equal(r.output_text, 'Hello from responses: one');
      const stream = client().responses.stream({ model: model('mock-1'), input: 'two' });
      const final = await stream.finalResponse();
      assert.equal(final.output[0].content[0].text, 'Hello from responses: two');
      assert.equal(final.model, model('mock-1'));
      const n = await client().responses.inputTokens.count({ model: model('mock-1'), input: 'x' });
      assert.equal(n.input_tokens, 7);
    });

    test('sees upstream errors as the SDK classes, and a bad upstream key never as 401', async () => {
      await assert.rejects(client().chat.completions.create({ model: model('err-429'), messages: [{ role: 'user', content: 'x' }] }), (e) => e instanceof OpenAI.RateLimitError && e.status === 429);
      await assert.rejects(client().chat.completions.create({ model: model('err-400'), messages: [{ role: 'user', content: 'x' }] }), (e) => e instanceof OpenAI.BadRequestError && /scripted 400/.test(e.message));
    });

    test('a stream that breaks off is an error, not an end', async () => {
      const stream = await client().chat.completions.create({ model: model('cut'), stream: true, messages: [{ role: 'user', content: 'break' }] });
      await assert.rejects(async () => { for await (const _ of stream) ; }, /./);
    });

    test('a wrong key is an AuthenticationError in the OpenAI shape', async () => {
      await assert.rejects(client('nope').models.list(), (e) => e instanceof OpenAI.AuthenticationError && e.code === 'invalid_api_key');
    });

    test('a wrong upstream key arrives as 502', async () => {
      await assert.rejects(client().chat.completions.create({ model: model('err-401'), messages: [{ role: 'user', content: 'x' }] }), (e) => e.status === 502 || e.status === 503);
    });
  });
}

test('operations gproxy does not have are a clear 404 in the OpenAI shape', async () => {
  const c = new OpenAI({ apiKey: KEY, baseURL: `${all.gproxy.url}/v1`, maxRetries: 0 });
  await assert.rejects(c.embeddings.create({ model: 'openai/e', input: 'x' }), (e) => e instanceof OpenAI.NotFoundError && /embeddings/.test(e.message));
});
