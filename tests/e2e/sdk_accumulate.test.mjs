// A stream we write, put together by the official SDK's own accumulator, is what we write for the same answer
// whole. `gproxy translate` does both; the SDKs read the bytes as they would from the network.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { seeded, wire } from './wire_answers.mjs';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-accumulate-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));

function translate(args, input) {
  return new Promise((done, fail) => {
    const child = spawn(process.env.GPROXY_BIN, ['translate', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (d) => { out += d; });
    child.stderr.setEncoding('utf8').on('data', (d) => { err += d; });
    child.on('close', (code) => (code === 0 ? done(out) : fail(new Error(`exit ${code}: ${out}${err}`))));
    child.stdin.end(input);
  });
}

const events = (bytes) => new Response(bytes, { status: 200, headers: { 'content-type': 'text/event-stream' } });
const openai = (bytes) => new OpenAI({ apiKey: 'k', maxRetries: 0, fetch: async () => events(bytes) });

// Members that only the SDK's snapshots have: what it parsed (nothing, here) and its sum of all texts.
function without(value, keys) {
  if (Array.isArray(value)) return value.map((v) => without(v, keys));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([k]) => !keys.includes(k)).map(([k, v]) => [k, without(v, keys)]));
}
const only = (object, keys) => Object.fromEntries(keys.filter((k) => object?.[k] !== undefined && object[k] !== null).map((k) => [k, object[k]]));

// Per client: the stream's bytes and the whole answer's text, each as one comparable value.
const readers = {
  openai_chat: {
    async stream(bytes, custom) {
      const messages = [{ role: 'user', content: 'x' }];
      const done = custom ? await customChat(bytes) : without(await openai(bytes).chat.completions.stream({ model: 'm', messages, stream_options: { include_usage: true } }).finalChatCompletion(), ['parsed', 'parsed_arguments']);
      // What stands beside the official fields grows piece by piece; the SDK keeps the last piece only.
      let thought = '';
      const blocks = [];
      for await (const chunk of await openai(bytes).chat.completions.create({ model: 'm', messages, stream: true })) {
        const delta = chunk.choices[0]?.delta ?? {};
        thought += delta.reasoning_content ?? '';
        blocks.push(...(delta.thinking_blocks ?? []));
      }
      const { message } = done.choices[0];
      if (thought) message.reasoning_content = thought;
      if (blocks.length) message.thinking_blocks = blocks;
      return done;
    },
    mask(a) {
      a.id = a.id.slice(0, 9);
      a.created = 0;
      // No piece of a stream says that there are no logprobs, or that a text is empty.
      for (const c of a.choices) {
        c.logprobs ??= null;
        c.message.content ||= null;
      }
    },
  },
  openai_response: {
    stream: async (bytes) => without(await openai(bytes).responses.stream({ model: 'm', input: 'x' }).finalResponse(), ['output_parsed', 'parsed', 'parsed_arguments', 'output_text']),
    mask(a) {
      a.id = a.id.slice(0, 5);
      a.created_at = 0;
      if (a.completed_at) a.completed_at = 0;
      for (const item of a.output) item.id = item.id.replace(/_.*/, '_');
    },
  },
  claude: {
    async stream(bytes) {
      const c = new Anthropic({ apiKey: 'k', maxRetries: 0, fetch: async () => events(bytes) });
      return c.messages.stream({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] }).finalMessage().then((m) => without(m, ['parsed_output']));
    },
    mask(a) { a.id = a.id.slice(0, 4); },
  },
  gemini: {
    async stream(bytes) {
      const realFetch = globalThis.fetch;
      const c = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: 'http://127.0.0.1:1' } });
      globalThis.fetch = async () => events(bytes);
      try {
        return await joinGemini(await c.models.generateContentStream({ model: 'm', contents: 'x' }));
      } finally {
        globalThis.fetch = realFetch;
      }
    },
    mask(a) { delete a.responseId; delete a.createTime; },
  },
};

// The openai SDK's accumulator knows function calls only: custom ones grow by `custom.input` (its types).
async function customChat(bytes) {
  let answer;
  for await (const { choices, object, usage, ...rest } of await openai(bytes).chat.completions.create({ model: 'm', messages: [], stream: true })) {
    answer ??= { ...rest, object: 'chat.completion', choices: [{ index: 0, finish_reason: null, logprobs: null, message: { role: 'assistant', content: null, refusal: null } }] };
    assert.equal(object, 'chat.completion.chunk');
    if (usage) answer.usage = usage;
    for (const { delta, finish_reason } of choices) {
      const [choice] = answer.choices;
      choice.finish_reason = finish_reason ?? choice.finish_reason;
      if (delta.content) choice.message.content = (choice.message.content ?? '') + delta.content;
      for (const { index, ...call } of delta.tool_calls ?? []) {
        const calls = choice.message.tool_calls ??= [];
        if (!calls[index]) calls[index] = structuredClone(call);
        else if (call.custom) calls[index].custom.input += call.custom.input;
        else calls[index].function.arguments += call.function.arguments;
      }
    }
  }
  return answer;
}

// The genai SDK leaves this to its users (wire-formats 4.5): texts of one kind are one part, a call stays alone,
// the last usage and finish count.
async function joinGemini(stream) {
  let answer;
  for await (const r of stream) {
    const chunk = JSON.parse(JSON.stringify(r));
    delete chunk.sdkHttpResponse;
    const [candidate] = chunk.candidates ?? [{}];
    answer ??= { ...chunk, candidates: [{ ...candidate, content: { role: 'model', parts: [] } }] };
    Object.assign(answer, only(chunk, ['usageMetadata', 'modelVersion', 'promptFeedback']));
    const [into] = answer.candidates;
    Object.assign(into, only(candidate, ['finishReason', 'finishMessage', 'groundingMetadata', 'citationMetadata', 'index']));
    for (const part of candidate.content?.parts ?? []) {
      const last = into.content.parts.at(-1);
      const texts = last && 'text' in last && 'text' in part && Boolean(last.thought) === Boolean(part.thought) && !(last.thoughtSignature && part.thoughtSignature);
      if (texts) { last.text += part.text; Object.assign(last, only(part, ['thoughtSignature'])); } else into.content.parts.push({ ...part });
    }
  }
  return answer;
}

const text = (t) => ({ kind: 'text', text: t });
const thought = (t, signature) => ({ kind: 'reasoning', text: t, signature });
const call = (id, name, args) => ({ kind: 'call', id, name, args });
const usage = { input: 30, output: 12, cached: 4, reasoning: 0 };
const thinking = { ...usage, reasoning: 5 };

const answers = {
  text: { parts: [text('Hello é日😀\n "quoted" \\ and more')], end: 'stop', usage },
  'reasoning, text and parallel calls': { parts: [thought('Let me think.\nTwice.', 'c2ln'), text('Looking it up.'), call('call_1', 'weather', '{"city":"Zürich","n":12345678901234}'), call('call_2', 'weather', '{"city":"Roma"}')], end: 'stop', usage: thinking },
  'a call without arguments': { parts: [call('call_1', 'now', '{}')], end: 'stop', usage },
  'an answer cut off': { parts: [thought('hm', 'c2ln'), text('This is the beg')], end: 'length', usage: thinking },
  'a filtered answer': { parts: [text('I will not go on')], end: 'filtered', usage },
};
const custom = {
  'a custom tool and a function': { parts: [{ kind: 'custom', id: 'call_1', name: 'patch', args: '*** Begin\n+ "é"\\n\n' }, call('call_2', 'weather', '{"city":"Roma"}')], end: 'stop', usage },
};
const fn = { name: 'weather', description: 'd', parameters: { type: 'object', properties: {} } };
const customRequest = {
  openai_chat: { model: 'm', messages: [{ role: 'user', content: 'x' }], stream_options: { include_usage: true }, stream: true, tools: [{ type: 'custom', custom: { name: 'patch', description: 'd' } }, { type: 'function', function: fn }] },
  openai_response: { model: 'm', input: 'x', tools: [{ type: 'custom', name: 'patch', description: 'd' }, { type: 'function', ...fn, strict: false }] },
};
// A refusal is the model's own words; protocols without a field for them carry them as text.
const refusal = { 'a refusal': { parts: [{ kind: 'refusal', text: 'I cannot do that — sorry.' }], end: 'stop', usage } };

function random_answer(random) {
  const words = ['a', ' ', 'é', '日', '😀', '\n', '"', '\\', '{', 'tail ', '<b>', '\t'];
  const some = (n) => { let t = 'x'; for (let i = random(n); i > 0; --i) t += words[random(words.length)]; return `${t}.`; };
  const parts = [];
  if (random(2)) parts.push(thought(some(30), random(2) ? 'c2ln' : undefined));
  if (random(3)) parts.push(text(some(60)));
  for (let i = random(3); i > 0; --i) parts.push(call(`call_${parts.length}`, ['f', 'g_2'][random(2)], JSON.stringify({ [some(4)]: some(9), n: [random(100), null, true] })));
  if (parts.every((p) => p.kind === 'reasoning')) parts.push(text(some(9)));
  const end = ['stop', 'stop', 'length'][parts.some((p) => p.kind === 'call') ? 0 : random(3)];
  return { parts, end, usage: { input: 10 + random(90), cached: random(10), output: 10 + random(50), reasoning: random(9) } };
}

async function same(upstream, client, answer, random, request) {
  const { whole, stream } = wire(upstream, answer, random);
  const args = ['--from', upstream, '--to', client];
  if (request) {
    const file = path.join(dir, `${client}.json`);
    fs.writeFileSync(file, JSON.stringify(request));
    args.push('--request', file);
  }
  const [expected, bytes] = await Promise.all([translate([...args, '--kind', 'response'], whole), translate([...args, '--kind', 'stream'], stream)]);
  const { mask, stream: read } = readers[client];
  const want = JSON.parse(expected);
  const got = JSON.parse(JSON.stringify(await read(bytes, Boolean(request))));
  mask(want);
  mask(got);
  assert.deepEqual(got, want, `${bytes}\n${expected}`);
}

for (const client of Object.keys(readers)) {
  for (const upstream of Object.keys(readers).filter((u) => u !== client)) {
    describe(`${upstream} answers, read by the ${client} SDK`, () => {
      const random = seeded(7);
      for (const [name, answer] of Object.entries(answers)) test(name, () => same(upstream, client, answer, random));
      if (customRequest[client]) for (const [name, answer] of Object.entries(custom)) test(name, () => same(upstream, client, answer, random, customRequest[client]));
      if (upstream.startsWith('openai')) for (const [name, answer] of Object.entries(refusal)) test(name, () => same(upstream, client, answer, random));
      test('answers by chance', async () => { for (let i = 0; i < 6; ++i) await same(upstream, client, random_answer(random), random); });
    });
  }
}
