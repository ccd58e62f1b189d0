// What travels besides text, for every client against providers of the three other protocols: images, structured
// output, thinking and its state, pings; and what the operator sets about translation. Official SDKs where they
// have a word for it, the running gateway between them and a scripted upstream.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { KEY, startGproxy } from '../harness.mjs';
import { seeded, wire } from '../wire_answers.mjs';

const PROTOS = { chat: 'openai_chat', responses: 'openai_response', claude: 'claude', gemini: 'gemini' };
const pairs = Object.keys(PROTOS).flatMap((client) => Object.keys(PROTOS).filter((p) => p !== client).map((upstream) => [client, upstream]));
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
const usage = { input: 12, output: 9, cached: 4, reasoning: 3 };
const SIGNATURE = 'c2lnbmF0dXJl';

// By the model's name: what the upstream says, in its protocol.
const answers = {
  plain: { parts: [{ kind: 'text', text: 'I see a pixel' }], end: 'stop', usage },
  json: { parts: [{ kind: 'text', text: '{"city":"Paris"}' }], end: 'stop', usage },
  think: { parts: [{ kind: 'reasoning', text: 'Let me see.', signature: SIGNATURE }, { kind: 'text', text: 'Done.' }], end: 'stop', usage },
  'think-call': { parts: [{ kind: 'reasoning', text: 'A tool would help.', signature: SIGNATURE }, { kind: 'call', id: 'call_1', name: 'weather', args: '{"city":"Paris"}' }], end: 'stop', usage },
  'signed-call': { parts: [{ kind: 'call', id: 'call_7', name: 'weather', args: '{"city":"Paris"}', signature: SIGNATURE }], end: 'stop', usage },
};

let upstream;
let gproxy;
let strict;

function startScripted() {
  const requests = [];
  const up = { requests, silent: undefined };
  const server = http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      const raw = Buffer.concat(chunks).toString();
      const body = raw ? JSON.parse(raw) : undefined;
      const url = new URL(req.url, 'http://upstream');
      requests.push({ path: url.pathname, query: url.search, headers: req.headers, body });
      const reply = (status, value, type = 'application/json') => { res.writeHead(status, { 'content-type': type }); res.end(typeof value === 'string' ? value : JSON.stringify(value)); };
      if (url.pathname === '/v1/models') {  // three pages
        const at = ['a', 'b', 'c'].indexOf(url.searchParams.get('after_id')) + 1;
        const id = ['a', 'b', 'c'][at];
        return reply(200, { data: [{ id, type: 'model', display_name: id, created_at: '2026-01-01T00:00:00Z' }], first_id: id, last_id: id, has_more: id !== 'c' });
      }
      const named = /\/models\/([^:]+):(\w+)$/.exec(url.pathname);
      const proto = named ? 'gemini' : { '/v1/chat/completions': 'openai_chat', '/v1/responses': 'openai_response', '/v1/messages': 'claude' }[url.pathname];
      const model = named ? named[1] : body.model;
      const wants = named ? named[2] === 'streamGenerateContent' : body.stream === true;
      const { whole, stream } = wire(proto, answers[model] ?? answers.plain, seeded(3));
      if (!wants) return reply(200, whole);
      if (model !== 'slow') return reply(200, stream, 'text/event-stream');
      // The head comes at once, the answer when the test has heard enough silence.
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.flushHeaders();
      up.silent(() => res.end(stream));
    });
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(Object.assign(up, { port: server.address().port, last: () => requests.at(-1), close: () => { server.closeAllConnections(); server.close(); } }))));
}

const config = (port, settings = {}) => ({
  settings: { timeouts: { ping_after_ms: 150 }, ...settings },
  providers: Object.entries(PROTOS).map(([name, proto]) => ({
    name, kind: 'custom', channel_settings: { base_url: `http://127.0.0.1:${port}`, proto, dispatch: { ops: [] } },
    credentials: [{ name: 'k', secret: { Custom: { api_key: `sk-up-${name}` } } }],
  })),
  users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }],
});
const profiles = [
  { match: ['think*', 'plain', 'signed-call'], set: { 'gm.signatures': true, 'gm.thinking': 'level', 'cl.thinking': ['adaptive', 'enabled', 'disabled'] } },
  { match: ['plain'], set: { 'cl.default_max_tokens': 123 } },
];

before(async () => {
  upstream = await startScripted();
  gproxy = await startGproxy({ config: config(upstream.port, { translation: { model_profiles: profiles } }) });
  strict = await startGproxy({ config: config(upstream.port, { translation: { lossless: true } }) });
});
after(async () => { await gproxy?.stop(); await strict?.stop(); upstream?.close(); });

// What each SDK sends and reads, in the words of all of them. ask() gives { text, thought, call, turn }: turn is what
// the client would put into its next request for this answer.
const clients = {
  chat: (base) => {
    const c = new OpenAI({ apiKey: KEY, baseURL: `${base}/v1`, maxRetries: 0 });
    const tools = [{ type: 'function', function: { name: 'weather', parameters: schema } }];
    return {
      image: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } }] }],
      text: (t) => [{ role: 'user', content: t }],
      result: (call) => [{ role: 'tool', tool_call_id: call.id, content: 'sunny' }],
      structured: { response_format: { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } } },
      thinking: { reasoning_effort: 'high' },
      tools: { tools },
      async ask(model, messages, stream, more) {
        let message;
        let thought = '';
        if (stream) {
          const s = c.chat.completions.stream({ model, messages, ...more });
          s.on('chunk', (chunk) => { thought += chunk.choices[0]?.delta?.reasoning_content ?? ''; });
          message = (await s.finalChatCompletion()).choices[0].message;
        } else {
          message = (await c.chat.completions.create({ model, messages, ...more })).choices[0].message;
          thought = message.reasoning_content ?? '';
        }
        const call = message.tool_calls?.[0];
        return { text: message.content, thought, call, turn: [message] };
      },
    };
  },
  responses: (base) => {
    const c = new OpenAI({ apiKey: KEY, baseURL: `${base}/v1`, maxRetries: 0 });
    return {
      image: [{ role: 'user', content: [{ type: 'input_text', text: 'What is it?' }, { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${PIXEL}` }] }],
      text: (t) => [{ role: 'user', content: t }],
      result: (call) => [{ type: 'function_call_output', call_id: call.id, output: 'sunny' }],
      structured: { text: { format: { type: 'json_schema', name: 'place', schema, strict: true } } },
      thinking: { reasoning: { effort: 'high', summary: 'auto' }, include: ['reasoning.encrypted_content'], store: false },
      tools: { tools: [{ type: 'function', name: 'weather', parameters: schema, strict: false }] },
      async ask(model, input, stream, more) {
        const r = stream ? await c.responses.stream({ model, input, ...more }).finalResponse() : await c.responses.create({ model, input, ...more });
        const call = r.output.find((i) => i.type === 'function_call');
        return { text: r.output_text, thought: r.output.flatMap((i) => i.summary ?? []).map((s) => s.text).join(''), call: call && { ...call, id: call.call_id }, turn: r.output };
      },
    };
  },
  claude: (base) => {
    const c = new Anthropic({ apiKey: KEY, baseURL: base, maxRetries: 0 });
    return {
      image: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } }] }],
      text: (t) => [{ role: 'user', content: t }],
      result: (call) => [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'sunny' }] }],
      structured: { output_config: { format: { type: 'json_schema', schema } } },
      thinking: { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } },
      tools: { tools: [{ name: 'weather', input_schema: schema }] },
      async ask(model, messages, stream, more) {
        const body = { model, max_tokens: 4096, messages, ...more };
        const r = stream ? await c.messages.stream(body).finalMessage() : await c.messages.create(body);
        const of = (type) => r.content.find((b) => b.type === type);
        return { text: of('text')?.text, thought: of('thinking')?.thinking ?? '', call: of('tool_use'), turn: [{ role: 'assistant', content: r.content }] };
      },
    };
  },
  gemini: (base) => {
    const c = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: base } });
    return {
      image: [{ role: 'user', parts: [{ text: 'What is it?' }, { inlineData: { mimeType: 'image/png', data: PIXEL } }] }],
      text: (t) => [{ role: 'user', parts: [{ text: t }] }],
      result: (call) => [{ role: 'user', parts: [{ functionResponse: { id: call.id, name: 'weather', response: { output: 'sunny' } } }] }],
      structured: { responseMimeType: 'application/json', responseJsonSchema: schema },
      thinking: { thinkingConfig: { includeThoughts: true, thinkingLevel: 'HIGH' } },
      tools: { tools: [{ functionDeclarations: [{ name: 'weather', parametersJsonSchema: schema }] }] },
      async ask(model, contents, stream, more) {
        const parts = [];
        const take = (r) => parts.push(...(r.candidates?.[0]?.content?.parts ?? []));
        if (stream) for await (const r of await c.models.generateContentStream({ model, contents, config: more })) take(r);
        else take(await c.models.generateContent({ model, contents, config: more }));
        const join = (thought) => parts.filter((p) => p.text !== undefined && Boolean(p.thought) === thought).map((p) => p.text).join('');
        return { text: join(false), thought: join(true), call: parts.find((p) => p.functionCall)?.functionCall, turn: [{ role: 'model', parts }] };
      },
    };
  },
};

// Where each protocol has these things in a request.
const seen = {
  chat: {
    image: (b) => b.messages[0].content.find((p) => p.type === 'image_url').image_url.url === `data:image/png;base64,${PIXEL}`,
    schema: (b) => b.response_format.json_schema.schema,
    thinks: (b) => b.reasoning_effort === 'high',
  },
  responses: {
    image: (b) => b.input[0].content.find((p) => p.type === 'input_image').image_url === `data:image/png;base64,${PIXEL}`,
    schema: (b) => b.text.format.schema,
    thinks: (b) => b.reasoning.effort === 'high' && b.store === false && b.include.includes('reasoning.encrypted_content'),
    state: (b) => b.input.find((i) => i.type === 'reasoning')?.encrypted_content,
  },
  claude: {
    image: (b) => { const { source } = b.messages[0].content.find((p) => p.type === 'image'); return source.media_type === 'image/png' && source.data === PIXEL; },
    schema: (b) => b.output_config.format.schema,
    thinks: (b) => b.thinking.type === 'adaptive' && b.output_config.effort === 'high',
    state: (b) => b.messages.flatMap((m) => m.content).find((p) => p.type === 'thinking')?.signature,
  },
  gemini: {
    image: (b) => { const { inlineData } = b.contents[0].parts.find((p) => p.inlineData); return inlineData.mimeType === 'image/png' && inlineData.data === PIXEL; },
    schema: (b) => b.generationConfig.responseMimeType === 'application/json' && b.generationConfig.responseJsonSchema,
    thinks: (b) => b.generationConfig.thinkingConfig.thinkingLevel === 'HIGH',
    state: (b) => b.contents.flatMap((c) => c.parts).find((p) => p.functionCall)?.thoughtSignature,
  },
};

for (const [client, up] of pairs) {
  describe(`${client} client, ${up} provider`, () => {
    const sdk = () => clients[client](`${gproxy.url}/${up}`);
    for (const stream of [false, true]) {
      const how = stream ? 'streamed' : 'whole';
      test(`an image, ${how}`, async () => {
        const c = sdk();
        assert.equal((await c.ask('plain', c.image, stream)).text, 'I see a pixel');
        assert.ok(seen[up].image(upstream.last().body));
      });
      test(`structured output, ${how}`, async () => {
        const c = sdk();
        const r = await c.ask('json', c.text('Where?'), stream, c.structured);
        assert.deepEqual(JSON.parse(r.text), { city: 'Paris' });
        assert.deepEqual(seen[up].schema(upstream.last().body), schema);
      });
      test(`thinking, ${how}`, async () => {
        const c = sdk();
        const r = await c.ask('think', c.text('Think.'), stream, c.thinking);
        assert.equal(r.text, 'Done.');
        // Gemini tells thoughts to those who ask for them, and an effort alone does not reach Chat's own answers.
        assert.equal(r.thought, 'Let me see.');
        assert.ok(seen[up].thinks(upstream.last().body));
      });
      if (seen[up].state && client !== 'chat') {
        test(`the state of thinking comes back as the provider gave it, ${how}`, async () => {
          const c = sdk();
          const question = c.text('Weather in Paris?');
          const first = await c.ask('think-call', question, stream, { ...c.thinking, ...c.tools });
          await c.ask('think-call', [...question, ...first.turn, ...c.result(first.call)], stream, { ...c.thinking, ...c.tools });
          assert.equal(seen[up].state(upstream.last().body), SIGNATURE);
        });
      }
    }
    test('silence is filled with what the client ignores', async () => {
      const body = { model: 'slow', stream: true, max_tokens: 9, messages: [{ role: 'user', content: 'x' }], input: 'x', contents: [{ parts: [{ text: 'x' }] }] };
      const fields = { chat: ['model', 'stream', 'messages'], responses: ['model', 'stream', 'input'], claude: ['model', 'stream', 'max_tokens', 'messages'], gemini: ['contents'] }[client];
      const route = { chat: '/v1/chat/completions', responses: '/v1/responses', claude: '/v1/messages', gemini: '/v1beta/models/slow:streamGenerateContent?alt=sse' }[client];
      const silent = new Promise((done) => { upstream.silent = done; });
      const answer = fetch(`${gproxy.url}/${up}${route}`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify(Object.fromEntries(fields.map((f) => [f, body[f]]))) });
      const pings = { chat: /^: /gm, responses: /^: /gm, claude: /^event: ping$/gm, gemini: /^:/gm }[client];
      const end = await silent;
      if (client === 'gemini') setTimeout(end, 700); // what never comes has no other end
      let said = '';
      const decoder = new TextDecoder();
      for await (const piece of (await answer).body) {
        said += decoder.decode(piece, { stream: true });
        if ((said.match(pings) ?? []).length >= 2) end();
      }
      const count = (said.match(pings) ?? []).length;
      if (client === 'gemini') assert.equal(count, 0); else assert.ok(count >= 2, said.slice(0, 300));
      assert.ok(said.includes('pixel'));
    });
  });
}

test('a Chat client that strips what it does not know gives Gemini its signature back all the same', async () => {
  const c = clients.chat(`${gproxy.url}/gemini`);
  const question = c.text('Weather in Paris?');
  for (const stream of [false, true]) {
    const first = await c.ask('signed-call', question, stream, c.tools);
    const { id, type, function: { name, arguments: args } } = first.call;
    const turn = { role: 'assistant', content: null, tool_calls: [{ id, type, function: { name, arguments: args } }] };
    await c.ask('signed-call', [...question, turn, ...c.result(first.call)], stream, c.tools);
    assert.equal(seen.gemini.state(upstream.last().body), SIGNATURE);
  }
  // A body so large that the pool translates it finds it as well.
  const large = c.text(`Weather in Paris? ${'x'.repeat(5 << 20)}`);
  const { call: { id, type, function: { name, arguments: args } } } = await c.ask('signed-call', question, false, c.tools);
  const turn = { role: 'assistant', content: null, tool_calls: [{ id, type, function: { name, arguments: args } }] };
  await c.ask('signed-call', [...large, turn, ...c.result({ id })], false, c.tools);
  assert.equal(seen.gemini.state(upstream.last().body), SIGNATURE);
});

test('a Claude client that did not ask for thinking does so too', async () => {
  const c = clients.claude(`${gproxy.url}/gemini`);
  const question = c.text('Weather in Paris?');
  const first = await c.ask('signed-call', question, true, c.tools);
  await c.ask('signed-call', [...question, ...first.turn, ...c.result(first.call)], true, c.tools);
  assert.equal(seen.gemini.state(upstream.last().body), SIGNATURE);
});

const post = (at, route, body, headers = {}) => fetch(at.url + route, { method: 'POST', headers: { 'x-api-key': KEY, 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) });
const lossy = { model: 'plain', messages: [{ role: 'user', content: 'x' }], logit_bias: { 50256: -100 } };

test('the setting translation.lossless refuses what would be lost', async () => {
  const r = await post(strict, '/claude/v1/chat/completions', lossy);
  assert.equal(r.status, 400);
  assert.match((await r.json()).error.message, /logit_bias/);
  assert.equal((await post(strict, '/chat/v1/chat/completions', lossy)).status, 200);
  assert.equal((await post(gproxy, '/claude/v1/chat/completions', lossy)).status, 200);
});

test('the operator\'s model profiles are in force, also after a change and in gproxy translate', async () => {
  assert.equal((await post(gproxy, '/claude/v1/chat/completions', lossy)).status, 200);
  assert.equal(upstream.last().body.max_tokens, 123);
  const file = path.join(gproxy.dir, 'gproxy.jsonc');
  const out = execFileSync(process.env.GPROXY_BIN, ['translate', '--from', 'openai_chat', '--to', 'claude', '--kind', 'request', '--config', file], { input: JSON.stringify(lossy) });
  assert.equal(JSON.parse(out).max_tokens, 123);
  const put = await strict.admin('PUT', '/global_config', { settings: { 'translation.model_profiles': [{ match: ['plain'], set: { 'cl.default_max_tokens': 77 } }] } });
  assert.equal(put.status, 200, JSON.stringify(put));
  assert.equal((await post(strict, '/claude/v1/chat/completions', { model: 'plain', messages: lossy.messages })).status, 200);
  assert.equal(upstream.last().body.max_tokens, 77);
  const wrong = await strict.admin('PUT', '/global_config', { settings: { 'translation.model_profiles': [{ match: ['plain'], set: { 'cl.nothing': 1 } }] } });
  assert.equal(wrong.status, 400);
  assert.match(JSON.stringify(wrong.body), /cl\.nothing/);
});

test('a list of models is translated from all of its pages', async () => {
  const c = new OpenAI({ apiKey: KEY, baseURL: `${gproxy.url}/claude/v1`, maxRetries: 0 });
  const ids = [];
  for await (const m of c.models.list()) ids.push(m.id);
  assert.deepEqual(ids, ['a', 'b', 'c']);
  const genai = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: `${gproxy.url}/claude` } });
  const names = [];
  for await (const m of await genai.models.list({ config: { pageSize: 2 } })) names.push(m.name);
  assert.deepEqual(names, ['models/a', 'models/b', 'models/c']);
});

test('a broken body is refused with the place where it breaks', async () => {
  for (const route of ['/claude/v1/chat/completions', '/chat/v1/chat/completions']) {
    const r = await post(gproxy, route, '{"model":"plain","messages":[{"role":"user","content":"x"},{"role":}]}');
    assert.equal(r.status, 400);
    assert.equal((await r.json()).error.param, 'messages[1].role');
  }
});

test('a stored thread is refused in the words the SDK understands', async () => {
  const r = await post(gproxy, '/chat/v1/messages', { model: 'plain', max_tokens: 9, messages: [{ role: 'user', content: 'x' }], thread: { type: 'create' } });
  assert.equal(r.status, 400);
  assert.deepEqual((await r.json()).error.details, { error_code: 'thread_unsupported_request', unsupported: ['inference_hooks'] });
});

test('a Gemini client that reads its stream as an array gets errors in one', async () => {
  const body = { contents: [{ parts: [{ text: 'x' }] }], generationConfig: { temperature: 'hot' } };
  for (const [route, status] of [['/nobody', 404], ['/claude', 400]]) {
    const ask = (query) => post(gproxy, `${route}/v1beta/models/plain:streamGenerateContent${query}`, body);
    const array = await ask('');
    assert.equal(array.status, status);
    assert.match(array.headers.get('content-type'), /application\/json/);
    const [{ error }] = await array.json();
    assert.equal(error.code, status);
    assert.equal((await (await ask('?alt=sse')).json()).error.code, status);
  }
  const whole = await post(gproxy, '/nobody/v1beta/models/plain:generateContent', body);
  assert.equal((await whole.json()).error.code, 404);
});
