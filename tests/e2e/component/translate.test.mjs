// Every client against providers of the three other protocols: the official SDKs through the running
// gateway, which translates.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { KEY, startAll } from '../harness.mjs';

const PROTOS = { chat: 'openai_chat', responses: 'openai_response', claude: 'claude', gemini: 'gemini' };
const custom = (port, proto, name = proto, settings = {}) => ({
  name, kind: 'custom', channel_settings: { base_url: `http://127.0.0.1:${port}`, proto: PROTOS[proto], dispatch: { ops: [] }, ...settings },
  credentials: [{ name: 'k', secret: { Custom: { api_key: `sk-up-${proto}` } } }],
});

const pairs = Object.keys(PROTOS).flatMap((client) => Object.keys(PROTOS).filter((p) => p !== client).map((upstream) => [client, upstream]));
const noModels = Array(17).fill(null).map((_, i) => ([3, 4, 8, 9, 15, 16].includes(i) ? 'unsupported' : null));
// The places of generation in the dispatch table, and a table with only one of the two forms.
const places = { claude: 0, gemini: 5, chat: 10, responses: 12 };
const only = (proto, has) => noModels.map((op, i) => (i === places[proto] + (has === 'whole' ? 1 : 0) ? 'unsupported' : op));

let all;
before(async () => {
  // Refusals put credentials to rest: what provokes them has providers of its own, out of the lists.
  const tried = (port) => pairs.flatMap(([client, proto]) => ['whole', 'streamed'].map((how) => custom(port, proto, `fails-${client}-${proto}-${how}`, { dispatch: { ops: noModels } })));
  const halves = (port) => Object.keys(PROTOS).flatMap((proto) => ['whole', 'stream'].map((has) => custom(port, proto, `only-${has}-${proto}`, { dispatch: { ops: only(proto, has) } })));
  const uncounted = (port) => custom(port, 'gemini', 'uncounted', { base_url: `http://127.0.0.1:${port}/none`, dispatch: { ops: noModels } });
  all = await startAll({ config: (port) => ({ providers: [...Object.keys(PROTOS).map((name) => custom(port, name)), ...tried(port), ...halves(port), uncounted(port)], users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }] }) });
});
after(async () => { await all?.stop(); });

const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

// What each SDK does, in the words of all of them.
const clients = {
  chat: (base) => {
    const c = new OpenAI({ apiKey: KEY, baseURL: `${base}/v1`, maxRetries: 0 });
    const tools = [{ type: 'function', function: { name: 'weather', description: 'Weather of a city', parameters: city } }];
    const ask = (model, text, stream, more = {}) => {
      const body = { model, messages: [{ role: 'user', content: text }], ...more };
      return stream ? c.chat.completions.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion() : c.chat.completions.create(body);
    };
    return {
      RateLimit: OpenAI.RateLimitError, status: (e) => e.status,
      async say(model, text, stream) { const r = await ask(model, text, stream); return { text: r.choices[0].message.content, stop: r.choices[0].finish_reason === 'stop', out: r.usage.completion_tokens, model: r.model }; },
      async weather(model, stream) {
        const messages = [{ role: 'user', content: 'Weather in Paris and Berlin?' }];
        const first = await ask(model, '', stream, { messages, tools });
        const calls = first.choices[0].message.tool_calls;
        messages.push({ role: 'assistant', content: null, tool_calls: calls.map(({ id, type, function: f }) => ({ id, type, function: { name: f.name, arguments: f.arguments } })) }, ...calls.map((t) => ({ role: 'tool', tool_call_id: t.id, content: 'sunny' })));
        const second = await ask(model, '', stream, { messages, tools });
        return { finish: first.choices[0].finish_reason === 'tool_calls', cities: calls.map((t) => JSON.parse(t.function.arguments).city), text: second.choices[0].message.content };
      },
      models: async () => { const ids = []; for await (const m of c.models.list()) ids.push(m.id); return ids; },
      model: async (id) => (await c.models.retrieve(id)).id,
    };
  },
  responses: (base) => {
    const c = new OpenAI({ apiKey: KEY, baseURL: `${base}/v1`, maxRetries: 0 });
    const tools = [{ type: 'function', name: 'weather', description: 'Weather of a city', parameters: city, strict: false }];
    const ask = (model, input, stream, more = {}) => (stream ? c.responses.stream({ model, input, ...more }).finalResponse() : c.responses.create({ model, input, ...more }));
    return {
      RateLimit: OpenAI.RateLimitError, status: (e) => e.status,
      async say(model, text, stream) { const r = await ask(model, text, stream); return { text: r.output_text, stop: r.status === 'completed', out: r.usage.output_tokens, model: r.model }; },
      async weather(model, stream) {
        const input = [{ role: 'user', content: 'Weather in Paris and Berlin?' }];
        const first = await ask(model, input, stream, { tools });
        const calls = first.output.filter((i) => i.type === 'function_call');
        input.push(...calls.map(({ type, call_id, name, arguments: a }) => ({ type, call_id, name, arguments: a })), ...calls.map((t) => ({ type: 'function_call_output', call_id: t.call_id, output: 'sunny' })));
        const second = await ask(model, input, stream, { tools });
        return { finish: first.status === 'completed', cities: calls.map((t) => JSON.parse(t.arguments).city), text: second.output_text };
      },
      count: async (model) => (await c.responses.inputTokens.count({ model, input: 'x' })).input_tokens,
    };
  },
  claude: (base) => {
    const c = new Anthropic({ apiKey: KEY, baseURL: base, maxRetries: 0 });
    const tools = [{ name: 'weather', description: 'Weather of a city', input_schema: city }];
    const ask = (model, messages, stream, more = {}) => {
      const body = { model, max_tokens: 64, messages, ...more };
      return stream ? c.messages.stream(body).finalMessage() : c.messages.create(body);
    };
    return {
      RateLimit: Anthropic.RateLimitError, status: (e) => e.status,
      async say(model, text, stream) { const r = await ask(model, [{ role: 'user', content: text }], stream); return { text: r.content.find((b) => b.type === 'text').text, stop: r.stop_reason === 'end_turn', out: r.usage.output_tokens, model: r.model }; },
      async weather(model, stream) {
        const messages = [{ role: 'user', content: 'Weather in Paris and Berlin?' }];
        const first = await ask(model, messages, stream, { tools });
        const calls = first.content.filter((b) => b.type === 'tool_use');
        messages.push({ role: 'assistant', content: first.content }, { role: 'user', content: calls.map((t) => ({ type: 'tool_result', tool_use_id: t.id, content: 'sunny' })) });
        const second = await ask(model, messages, stream, { tools });
        return { finish: first.stop_reason === 'tool_use', cities: calls.map((t) => t.input.city), text: second.content.find((b) => b.type === 'text').text };
      },
      count: async (model) => (await c.messages.countTokens({ model, messages: [{ role: 'user', content: 'x' }] })).input_tokens,
      models: async () => { const ids = []; for await (const m of c.models.list({ limit: 1 })) ids.push(m.id); return ids; },
      model: async (id) => (await c.models.retrieve(id)).id,
    };
  },
  gemini: (base) => {
    const c = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: base } });
    const config = { tools: [{ functionDeclarations: [{ name: 'weather', description: 'Weather of a city', parametersJsonSchema: city }] }] };
    // The SDK has no accumulator of its own: parts are put together here.
    const ask = async (model, contents, stream, more) => {
      if (!stream) {
        const r = await c.models.generateContent({ model, contents, config: more });
        return { parts: r.candidates[0].content.parts, finish: r.candidates[0].finishReason, usage: r.usageMetadata, model: r.modelVersion };
      }
      const out = { parts: [] };
      for await (const r of await c.models.generateContentStream({ model, contents, config: more })) {
        const candidate = r.candidates?.[0];
        out.parts.push(...(candidate?.content?.parts ?? []));
        out.finish = candidate?.finishReason ?? out.finish;
        out.usage = r.usageMetadata ?? out.usage;
        out.model = r.modelVersion ?? out.model;
      }
      if (!out.finish) throw new Error('the stream ended without a finish reason');
      return out;
    };
    const text = (r) => r.parts.filter((p) => !p.thought).map((p) => p.text ?? '').join('');
    return {
      RateLimit: ApiError, status: (e) => e.status,
      async say(model, said, stream) { const r = await ask(model, said, stream); return { text: text(r), stop: r.finish === 'STOP', out: r.usage.candidatesTokenCount + (r.usage.thoughtsTokenCount ?? 0), model: r.model }; },
      async weather(model, stream) {
        const contents = [{ role: 'user', parts: [{ text: 'Weather in Paris and Berlin?' }] }];
        const first = await ask(model, contents, stream, config);
        const calls = first.parts.filter((p) => p.functionCall);
        contents.push({ role: 'model', parts: calls }, { role: 'user', parts: calls.map((p) => ({ functionResponse: { id: p.functionCall.id, name: p.functionCall.name, response: { output: 'sunny' } } })) });
        const second = await ask(model, contents, stream, config);
        return { finish: first.finish === 'STOP', cities: calls.map((p) => p.functionCall.args.city), text: text(second) };
      },
      count: async (model) => (await c.models.countTokens({ model, contents: 'x' })).totalTokens,
      models: async () => { const ids = []; for await (const m of await c.models.list({ config: { pageSize: 1 } })) ids.push(m.name.replace('models/', '')); return ids; },
      model: async (id) => (await c.models.get({ model: id })).name.replace('models/', ''),
    };
  },
};

const counts = { responses: 7, claude: 11, gemini: 9, chat: 7 };

for (const [client, upstream] of pairs) {
    const make = clients[client];
    describe(`${client} client, ${upstream} provider`, () => {
      const sdk = () => make(`${all.gproxy.url}/${upstream}`);

      for (const stream of [false, true]) {
        const how = stream ? 'streamed' : 'whole';
        test(`text, ${how}`, async () => {
          const r = await sdk().say('mock-1', 'ping pong', stream);
          assert.equal(r.text, `Hello from ${upstream}: ping pong`);
          assert.ok(r.stop);
          assert.equal(r.out, 5);
          assert.equal(r.model, 'mock-1');
          const up = all.upstream.last();
          assert.ok(JSON.stringify(up.headers).includes(`sk-up-${upstream}`));
          assert.ok(!JSON.stringify(up.headers).includes(KEY));
        });
        test(`parallel tools and their results, ${how}`, async () => {
          const r = await sdk().weather('mock-1', stream);
          assert.ok(r.finish);
          assert.deepEqual(r.cities, ['Paris', 'Berlin']);
          assert.ok(r.text.startsWith(`Hello from ${upstream}:`), r.text);
        });
        test(`errors are the SDK's classes, ${how}`, async () => {
          const c = make(`${all.gproxy.url}/fails-${client}-${upstream}-${how}`);
          await assert.rejects(c.say('err-429', 'x', stream), (e) => e instanceof c.RateLimit && c.status(e) === 429);
          await assert.rejects(c.say('err-400', 'x', stream), (e) => c.status(e) === 400 && /scripted 400/.test(e.message));
          await assert.rejects(c.say('err-401', 'x', stream), (e) => c.status(e) === 502);
        });
      }
      test('a stream that breaks off is an error', async () => {
        await assert.rejects(sdk().say('cut', 'break off in the middle please', true));
      });
      test('the aggregate route names provider and model', async () => {
        const r = await make(all.gproxy.url).say(`${upstream}/mock-1`, 'all', true);
        assert.equal(r.text, `Hello from ${upstream}: all`);
        assert.equal(r.model, client === 'gemini' ? 'mock-1' : `${upstream}/mock-1`);
      });
      if (make('http://x').count) {
        test('counts tokens', async () => { assert.equal(await sdk().count('mock-1'), counts[upstream]); });
      }
      if (make('http://x').models && !(client === 'chat' && upstream === 'responses')) {
        test('lists models and gets one', async () => {
          assert.deepEqual(await sdk().models(), ['mock-1', 'mock-2']);
          assert.equal(await sdk().model('mock-2'), 'mock-2');
        });
      }
    });
}

const post = (path, body, headers = {}) => fetch(all.gproxy.url + path, { method: 'POST', headers: { 'x-api-key': KEY, 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) });
const user = [{ role: 'user', content: 'x' }];

describe('what a translation loses', () => {
  const lossy = { model: 'mock-1', messages: user, logit_bias: { 50256: -100 } };
  test('is named in a header and counted', async () => {
    const r = await post('/claude/v1/chat/completions', lossy);
    assert.equal(r.status, 200);
    assert.match(r.headers.get('x-gproxy-dropped'), /logit_bias/);
    const metrics = await (await fetch(`${all.gproxy.url}/metrics`)).text();
    assert.match(metrics, /gproxy_dropped_params_total\{path="logit_bias[^"]*"\} [1-9]/);
  });
  test('is refused where nothing may be lost', async () => {
    const r = await post('/claude/v1/chat/completions', lossy, { 'x-gproxy-lossless': '1' });
    assert.equal(r.status, 400);
    assert.match((await r.json()).error.message, /logit_bias/);
    const native = await post('/chat/v1/chat/completions', lossy, { 'x-gproxy-lossless': '1' });
    assert.equal(native.status, 200);
    assert.equal(native.headers.get('x-gproxy-dropped'), null);
    assert.equal(all.upstream.last().headers['x-gproxy-lossless'], undefined);
  });
});

describe('bodies', () => {
  test('a wrong one is a 400 in the client protocol that names the place', async () => {
    const wrong = { model: 'mock-1', max_tokens: 5, messages: [{ role: 'user', content: 7 }] };
    const claude = await post('/gemini/v1/messages', wrong);
    assert.equal(claude.status, 400);
    assert.equal((await claude.json()).error.type, 'invalid_request_error');
    const chat = await post('/gemini/v1/chat/completions', wrong);
    assert.equal(chat.status, 400);
    assert.equal((await chat.json()).error.param, 'messages[0].content');
  });
  test('of more than 4 MiB are translated too', async () => {
    const text = 'é'.repeat(3 << 20);
    const r = await post('/gemini/v1/messages', { model: 'mock-1', max_tokens: 5, messages: [{ role: 'user', content: text }] });
    assert.equal(r.status, 200);
    assert.equal((await r.json()).content[0].text, `Hello from gemini: ${text}`);
    const bad = await post('/gemini/v1/messages', { model: 'mock-1', max_tokens: 5, messages: [{ role: 'user', content: 7 }], metadata: { user_id: text } });
    assert.equal(bad.status, 400);
  });
});

// One protocol on both sides, but the provider has only one of the two forms.
describe('streams and whole answers from each other', () => {
  for (const client of Object.keys(PROTOS)) {
    for (const has of ['whole', 'stream']) {
      test(`${client}, the provider has only ${has} answers`, async () => {
        const c = clients[client](`${all.gproxy.url}/only-${has}-${client}`);
        for (const stream of [false, true]) {
          const r = await c.say('mock-1', 'bridge this', stream);
          assert.equal(r.text, `Hello from ${client}: bridge this`);
          assert.ok(r.stop);
          assert.equal(r.out, 5);
          const up = all.upstream.last();
          const asked = client === 'gemini' ? up.path.endsWith(':streamGenerateContent') : up.body.stream === true;
          assert.equal(asked, has === 'stream');
          const t = await c.weather('mock-1', stream);
          assert.deepEqual(t.cities, ['Paris', 'Berlin']);
        }
      });
      test(`another client, the ${client} provider has only ${has} answers`, async () => {
        const other = client === 'claude' ? 'chat' : 'claude';
        const c = clients[other](`${all.gproxy.url}/only-${has}-${client}`);
        for (const stream of [false, true]) {
          const r = await c.say('mock-1', 'bridge this', stream);
          assert.equal(r.text, `Hello from ${client}: bridge this`);
          assert.deepEqual((await c.weather('mock-1', stream)).cities, ['Paris', 'Berlin']);
        }
      });
    }
    test(`${client}: a whole answer from a stream that breaks off is an error`, async () => {
      const c = clients[client](`${all.gproxy.url}/only-stream-${client}`);
      await assert.rejects(c.say('cut', 'break off in the middle please', false), (e) => c.status(e) === 502);
    });
  }
});

test('what an upstream does not count is estimated', async () => {
  for (const path of ['/uncounted/v1/messages/count_tokens', '/uncounted/v1/responses/input_tokens']) {
    const r = await post(path, { model: 'mock-1', messages: user, input: 'x' });
    assert.equal(r.status, 200);
    assert.equal(r.headers.get('x-gproxy-estimated'), '1');
    assert.ok((await r.json()).input_tokens > 0);
  }
});

test('a Gemini client without alt=sse gets an array', async () => {
  const r = await fetch(`${all.gproxy.url}/claude/v1beta/models/mock-1:streamGenerateContent`, { method: 'POST', headers: { 'x-goog-api-key': KEY, 'content-type': 'application/json' }, body: JSON.stringify({ contents: [{ parts: [{ text: 'x' }] }] }) });
  assert.match(r.headers.get('content-type'), /application\/json/);
  const items = await r.json();
  assert.equal(items.map((i) => i.candidates?.[0]?.content?.parts?.map((p) => p.text).join('') ?? '').join(''), 'Hello from claude: x');
});

test('the lists of all providers become one, in the dialect of the client', async () => {
  const want = Object.keys(PROTOS).flatMap((p) => [`${p}/mock-1`, `${p}/mock-2`]).sort();
  assert.deepEqual((await clients.chat(all.gproxy.url).models()).sort(), want);
  assert.deepEqual(await clients.claude(all.gproxy.url).models(), want);
  assert.deepEqual(await clients.gemini(all.gproxy.url).models(), want);
  assert.equal(await clients.claude(all.gproxy.url).model('gemini/mock-1'), 'gemini/mock-1');
});
