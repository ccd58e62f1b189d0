// The books against the vendors' invoices: what an upstream tells (or does not) of its tokens, what is booked for
// it, what the client reads, and what it costs. One table of answers, asked for in each client protocol.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { KEY, startGproxy } from '../harness.mjs';

const TEXT = 'An answer of some length, so that it can be measured.';
let upstream;
let gproxy;
let folder;
const scripts = new Map(); // model -> answers, one per attempt; the last one repeats

const say = (value, event) => `${event ? `event: ${event}\n` : ''}data: ${JSON.stringify(value)}\n\n`;

// The four protocols' answers around a usage object. `usages`: what successive events tell; the last is the bill.
const answers = {
  chat(model, usages, { stream, asked, finish = 'stop' }) {
    const base = { id: 'c1', created: 1, model };
    const usage = usages.at(-1);
    if (!stream) return [JSON.stringify({ ...base, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: TEXT }, finish_reason: finish }], ...(usage ? { usage } : {}) })];
    const chunk = (delta, reason = null) => say({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: reason }], ...(asked ? { usage: null } : {}) });
    return [chunk({ role: 'assistant', content: '' }), chunk({ content: TEXT }), chunk({}, finish),
      ...(asked && usage ? [say({ ...base, object: 'chat.completion.chunk', choices: [], usage })] : []), 'data: [DONE]\n\n'];
  },
  responses(model, usages, { stream, end = 'completed' }) {
    const item = { type: 'message', id: 'm1', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: TEXT, annotations: [] }] };
    const response = (status, output, usage) => ({ id: 'r1', object: 'response', created_at: 1, status, error: status === 'failed' ? { code: 'server_error', message: 'broken' } : null, incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null, model, output, tools: [], usage: usage ?? null });
    if (!stream) return [JSON.stringify(response(end, [item], usages.at(-1)))];
    let n = 0;
    const ev = (type, fields) => say({ type, ...fields, sequence_number: n++ }, type);
    return [ev('response.created', { response: response('in_progress', []) }),
      ev('response.output_item.added', { output_index: 0, item: { ...item, status: 'in_progress', content: [] } }),
      ev('response.content_part.added', { item_id: 'm1', output_index: 0, content_index: 0, part: { type: 'output_text', text: '', annotations: [] } }),
      ev('response.output_text.delta', { item_id: 'm1', output_index: 0, content_index: 0, delta: TEXT }),
      ev('response.output_text.done', { item_id: 'm1', output_index: 0, content_index: 0, text: TEXT }),
      ev('response.content_part.done', { item_id: 'm1', output_index: 0, content_index: 0, part: item.content[0] }),
      ev('response.output_item.done', { output_index: 0, item }),
      ev(`response.${end}`, { response: response(end, [item], usages.at(-1)) })];
  },
  claude(model, usages, { stream, finish = 'end_turn' }) {
    const base = { id: 'msg1', type: 'message', role: 'assistant', model };
    if (!stream) return [JSON.stringify({ ...base, content: [{ type: 'text', text: TEXT }], stop_reason: finish, stop_sequence: null, usage: Object.assign({}, ...usages) })];
    const ev = (type, fields) => say({ type, ...fields }, type);
    return [ev('message_start', { message: { ...base, content: [], stop_reason: null, stop_sequence: null, usage: usages[0] } }),
      ev('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }), ev('ping', {}),
      ev('content_block_delta', { index: 0, delta: { type: 'text_delta', text: TEXT } }),
      ev('content_block_stop', { index: 0 }),
      ...usages.slice(1).map((usage, i, all) => ev('message_delta', { delta: { stop_reason: i === all.length - 1 ? finish : null, stop_sequence: null }, usage })),
      ev('message_stop', {})];
  },
  gemini(model, usages, { stream, finish = 'STOP' }) {
    const part = (text, usageMetadata, finishReason) => ({ candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, ...(finishReason ? { finishReason } : {}) }], ...(usageMetadata ? { usageMetadata } : {}), modelVersion: model, responseId: 'g1' });
    if (!stream) return [JSON.stringify(part(TEXT, usages.at(-1), finish))];
    return [say(part(TEXT.slice(0, 20), usages[0])), say(part(TEXT.slice(20), usages.at(-1), finish))];
  },
};

const asked = (req) => (req.url.includes('/chat/completions') ? 'chat' : req.url.includes('/responses') ? 'responses' : req.url.includes('/messages') ? 'claude' : 'gemini');

before(async () => {
  const server = http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      const raw = Buffer.concat(chunks);
      const protocol = asked(req);
      const body = raw.length ? JSON.parse(raw) : {};
      const model = body.model ?? /models\/([^:/]+)/.exec(req.url)?.[1];
      if (/\/responses\/r1/.test(req.url)) { // a kept response, told again with its bill
        res.writeHead(200, { 'content-type': 'application/json' });
        res.end(req.method === 'DELETE' ? '{"id":"r1","object":"response","deleted":true}' : answers.responses('kept', bills[0].responses, { stream: false })[0]);
        return;
      }
      const list = scripts.get(model);
      if (!list) { res.writeHead(404, { 'content-type': 'application/json' }); res.end('{"error":{"message":"no such model","type":"invalid_request_error"}}'); return; }
      const script = list.length > 1 ? list.shift() : list[0];
      upstream.seen.push({ model, protocol, bytes: raw.length, body });
      if (script.mute) { res.on('close', () => script.closed?.()); script.heard?.(); return; }
      if (script.reset) { req.socket.destroy(); return; }
      if (script.status) {
        const text = JSON.stringify({ error: { message: 'scripted', type: 'x', code: null } });
        res.writeHead(script.status, { 'content-type': 'application/json', 'content-length': text.length });
        res.end(text);
        return;
      }
      const stream = body.stream === true || req.url.includes('streamGenerateContent');
      const frames = script.frames?.[protocol] ?? answers[protocol](model, script[protocol] ?? [undefined], { stream, asked: body.stream_options?.include_usage === true, ...script });
      const sent = script.cut === undefined ? frames : frames.slice(0, script.cut);
      res.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
      res.on('close', () => script.closed?.());
      for (const frame of sent) res.write(frame);
      if (script.hang) return;
      if (script.cut !== undefined) setImmediate(() => res.destroy()); else res.end();
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  upstream = { seen: [], close: () => { server.closeAllConnections(); server.close(); } };
  const base_url = `http://127.0.0.1:${server.address().port}`;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-invoices-'));
  const provider = (name, kind, type) => ({ name, kind, channel_settings: { base_url }, credentials: [1, 2, 3].map((i) => ({ name: `k${i}`, secret: { [type]: { api_key: `sk-${name}-${i}` } } })) });
  gproxy = await startGproxy({ config: {
    providers: [provider('openai', 'openai', 'OpenAI'), provider('claude', 'claude', 'Claude'), provider('aistudio', 'aistudio', 'AIStudio'), provider('deepseek', 'deepseek', 'DeepSeek')],
    users: [{ name: 'controller', keys: [{ label: 'books', key: KEY }] }],
  } });
});
after(async () => {
  await gproxy?.stop();
  upstream?.close();
  if (folder) fs.rmSync(folder, { recursive: true, force: true });
});

// Rows are written within a tenth of a second: asked for until they are there.
async function until(look, what) {
  for (let i = 0; i < 300; i++) {
    const got = await look();
    if (got) return got;
    await new Promise((f) => setTimeout(f, 20));
  }
  assert.fail(`it did not come: ${what}`);
}
const rowsOf = (trace, n = 1) => until(async () => {
  const { body } = await gproxy.admin('GET', `/usage/rows?trace_id=${trace}`);
  return body.rows.length >= n && body.rows.sort((a, b) => a.attempt_no - b.attempt_no);
}, `${n} usage rows`);
const logsOf = (trace, n) => until(async () => {
  const { body } = await gproxy.admin('GET', `/logs?trace_id=${trace}`);
  return body.rows.length >= n && body.rows;
}, `${n} log rows`);

const request = {
  chat: (p, model, stream) => [`/${p}/v1/chat/completions`, { model, stream, messages: [{ role: 'user', content: 'how much?' }] }],
  responses: (p, model, stream) => [`/${p}/v1/responses`, { model, stream, input: 'how much?' }],
  claude: (p, model, stream) => [`/${p}/v1/messages`, { model, stream, max_tokens: 100, messages: [{ role: 'user', content: 'how much?' }] }],
  gemini: (p, model, stream) => [`/${p}/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`, { contents: [{ role: 'user', parts: [{ text: 'how much?' }] }] }],
};
function ask(client, provider, model, { stream = false, more = {}, signal, key = KEY } = {}) {
  const [where, body] = request[client](provider, model, stream);
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...(client === 'claude' ? { 'anthropic-version': '2023-06-01' } : {}) };
  return fetch(gproxy.url + where, { method: 'POST', headers, body: JSON.stringify({ ...body, ...more }), signal });
}

// The usage a client reads: the last of each member told, as the SDKs add it up.
function readUsage(client, text, stream) {
  const member = (o) => (client === 'gemini' ? o.usageMetadata : o.usage ?? o.response?.usage ?? o.message?.usage);
  const values = stream ? [...text.matchAll(/^data: ?(\{.*\})\r?$/gm)].map((m) => JSON.parse(m[1])) : [JSON.parse(text)];
  const told = values.map(member).filter(Boolean);
  return told.length === 0 ? undefined : client === 'claude' ? Object.assign({}, ...told.map((u) => Object.fromEntries(Object.entries(u).filter(([, v]) => v !== null)))) : told.at(-1);
}
// That usage in our own reading: [input without cache, output, cache read, cache write].
const reading = {
  chat: (u) => { const r = u.prompt_tokens_details?.cached_tokens ?? 0; const w = u.prompt_tokens_details?.cache_write_tokens ?? 0; return [u.prompt_tokens - r - w, u.completion_tokens, r, w]; },
  responses: (u) => { const r = u.input_tokens_details?.cached_tokens ?? 0; const w = u.input_tokens_details?.cache_write_tokens ?? 0; return [u.input_tokens - r - w, u.output_tokens, r, w]; },
  claude: (u) => [u.input_tokens, u.output_tokens, u.cache_read_input_tokens ?? 0, u.cache_creation_input_tokens ?? 0],
  gemini: (u) => { const r = u.cachedContentTokenCount ?? 0; return [u.promptTokenCount + (u.toolUsePromptTokenCount ?? 0) - r, (u.candidatesTokenCount ?? 0) + (u.thoughtsTokenCount ?? 0), r, 0]; },
};
const booked = (r) => [r.input_tokens, r.output_tokens, r.cache_read_input_tokens, r.cache_creation_input_tokens, r.reasoning_tokens];

// What vendors bill for: [input without cache, output with reasoning, cache read, cache write, reasoning].
const bills = [
  { name: 'plain', provider: 'openai', bill: [12, 5, 0, 0, 0],
    chat: [{ prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 }],
    responses: [{ input_tokens: 12, output_tokens: 5, total_tokens: 17 }] },
  { name: 'cached, reasoned, with sound', provider: 'openai', bill: [1076, 900, 1024, 0, 640],
    chat: [{ prompt_tokens: 2100, completion_tokens: 900, total_tokens: 3000, prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 30 }, completion_tokens_details: { reasoning_tokens: 640, audio_tokens: 20, accepted_prediction_tokens: 0, rejected_prediction_tokens: 3 } }],
    responses: [{ input_tokens: 2100, input_tokens_details: { cached_tokens: 1024 }, output_tokens: 900, output_tokens_details: { reasoning_tokens: 640 }, total_tokens: 3000 }] },
  { name: 'written to the cache', provider: 'openai', bill: [100, 7, 200, 300, 0],
    chat: [{ prompt_tokens: 600, completion_tokens: 7, total_tokens: 607, prompt_tokens_details: { cached_tokens: 200, cache_write_tokens: 300 } }],
    responses: [{ input_tokens: 600, input_tokens_details: { cached_tokens: 200, cache_write_tokens: 300 }, output_tokens: 7, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 607 }] },
  // xAI, and Google below its OpenAI-compatible path: completion_tokens is without the reasoning, the total with it.
  { name: 'reasoning beside the completion', provider: 'openai', bill: [7, 1221, 0, 0, 1097],
    chat: [{ prompt_tokens: 7, completion_tokens: 124, total_tokens: 1228, completion_tokens_details: { reasoning_tokens: 1097 } }],
    responses: [{ input_tokens: 7, output_tokens: 1221, output_tokens_details: { reasoning_tokens: 1097 }, total_tokens: 1228 }] },
  { name: 'the same below a compatible path', provider: 'aistudio', bill: [7, 1221, 0, 0, 1097],
    chat: [{ prompt_tokens: 7, completion_tokens: 124, total_tokens: 1228, completion_tokens_details: { reasoning_tokens: 1097 } }] },
  { name: 'nothing at all', provider: 'openai', bill: [0, 0, 0, 0, 0],
    chat: [{ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }],
    responses: [{ input_tokens: 0, output_tokens: 0, total_tokens: 0 }] },
  { name: 'hits and misses', provider: 'deepseek', bill: [36, 40, 64, 0, 11],
    chat: [{ prompt_tokens: 100, completion_tokens: 40, total_tokens: 140, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36, prompt_tokens_details: { cached_tokens: 64 }, completion_tokens_details: { reasoning_tokens: 11 } }] },
  { name: 'both lifetimes of a cache, and server tools', provider: 'claude', bill: [8, 55, 400, 300, 0],
    claude: [{ input_tokens: 8, cache_read_input_tokens: 400, cache_creation_input_tokens: 300, cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 }, output_tokens: 1, service_tier: 'standard' }, { output_tokens: 30 }, { output_tokens: 55, server_tool_use: { web_search_requests: 2 } }] },
  { name: 'a last delta that tells all, with thinking', provider: 'claude', bill: [900, 70, 10, 0, 44],
    claude: [{ input_tokens: 20, cache_read_input_tokens: 10, cache_creation_input_tokens: 0, output_tokens: 3 }, { input_tokens: 900, cache_read_input_tokens: 10, cache_creation_input_tokens: 0, output_tokens: 70, output_tokens_details: { thinking_tokens: 44 } }] },
  { name: 'thoughts, cache and tool prompts in each chunk', provider: 'aistudio', bill: [90 + 25, 40 + 60, 110, 0, 60],
    gemini: [{ promptTokenCount: 200, cachedContentTokenCount: 110, toolUsePromptTokenCount: 25, thoughtsTokenCount: 60, totalTokenCount: 285 }, { promptTokenCount: 200, cachedContentTokenCount: 110, toolUsePromptTokenCount: 25, candidatesTokenCount: 40, thoughtsTokenCount: 60, totalTokenCount: 325, promptTokensDetails: [{ modality: 'IMAGE', tokenCount: 120 }] }] },
];

for (const [index, row] of bills.entries()) {
  test(`${row.provider}: ${row.name}`, async () => {
    const model = `invoice-${index}`;
    scripts.set(model, [row]);
    let asked = 0;
    for (const client of ['chat', 'responses', 'claude', 'gemini']) {
      for (const stream of [false, true]) {
        const where = `${client} ${stream ? 'stream' : 'whole'}`;
        const more = client === 'chat' && stream ? { stream_options: { include_usage: true } } : {};
        const answer = await ask(client, row.provider, model, { stream, more });
        const text = await answer.text();
        assert.equal(answer.status, 200, `${where}: ${text}`);
        const spoken = upstream.seen.at(-1).protocol;
        if (!row[spoken]) continue; // the vendor has a path in that protocol, too; its bill is another row's
        asked++;
        const [entry] = await rowsOf(answer.headers.get('x-request-id'));
        assert.deepEqual(booked(entry), row.bill, where);
        assert.equal(entry.total_tokens, row.bill.slice(0, 4).reduce((a, b) => a + b), where);
        assert.deepEqual([entry.final, entry.has_usage, entry.estimated, entry.outcome, entry.status], [true, true, false, 'ok', 200], where);
        assert.ok(entry.cost_nanousd === null, where); // nobody has a price for it, and that is no zero
        const told = readUsage(client, text, stream);
        const native = spoken === client;
        if (native) {
          const own = client === 'claude' ? Object.assign({}, ...row[client]) : row[client].at(-1);
          assert.deepEqual(told, own, `${where}: the vendor's own words`);
        } else {
          const [input, output, read, write] = row.bill;
          assert.deepEqual(reading[client](told), client === 'gemini' ? [input + write, output, read, 0] : [input, output, read, write], where);
        }
      }
    }
    assert.ok(asked >= 2);
  });
}

test('a chat stream is asked for its usage, and the client who did not ask does not see it', async () => {
  scripts.set('quiet', [bills[0]]);
  const answer = await ask('chat', 'openai', 'quiet', { stream: true });
  const text = await answer.text();
  assert.equal(upstream.seen.at(-1).body.stream_options.include_usage, true);
  assert.equal(readUsage('chat', text, true), undefined);
  assert.match(text, /\[DONE\]/);
  assert.deepEqual(booked((await rowsOf(answer.headers.get('x-request-id')))[0]), bills[0].bill);
});

test('an upstream that tells nothing is estimated, and the row says so', async () => {
  for (const [client, provider] of [['chat', 'openai'], ['gemini', 'aistudio']]) {
    for (const stream of [false, true]) {
      scripts.set('silent', [{}]);
      const answer = await ask(client, provider, 'silent', { stream });
      assert.equal(answer.status, 200, await answer.text());
      const [row] = await rowsOf(answer.headers.get('x-request-id'));
      assert.deepEqual([row.has_usage, row.estimated, row.outcome], [true, true, 'ok'], `${client} ${stream}`);
      assert.equal(row.output_tokens, Math.ceil(TEXT.length / 4), `${client} ${stream}`);
      assert.ok(row.input_tokens > 0);
    }
  }
});

test('a count that cannot be one is not believed, and no sum runs over', async () => {
  for (const wrong of [Number.MAX_SAFE_INTEGER, 2 ** 62, 1e12, -5, 1.5, '7', null]) {
    // Written by hand: 2^63-1 is no number of JavaScript's.
    const usage = `{"prompt_tokens":${wrong === 2 ** 62 ? '9223372036854775807' : JSON.stringify(wrong)},"completion_tokens":${wrong === 2 ** 62 ? '9223372036854775807' : 3},"total_tokens":1}`;
    scripts.set('absurd', [{ frames: { chat: [`{"id":"c","object":"chat.completion","created":1,"model":"absurd","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":${usage}}`] } }]);
    const answer = await ask('chat', 'openai', 'absurd');
    await answer.text();
    const [row] = await rowsOf(answer.headers.get('x-request-id'));
    assert.equal(row.estimated, true, `${wrong}`);
    assert.ok(row.input_tokens > 0 && row.input_tokens < 1000, `${wrong}: ${row.input_tokens}`);
  }
});

// --------------------------------------------------------------------------------------------- fates
const agree = async (trace, upstreams, status, outcome) => {
  const rows = await logsOf(trace, upstreams.length + 1);
  const down = rows.find((r) => r.kind === 'downstream');
  const up = rows.filter((r) => r.kind === 'upstream').sort((a, b) => a.attempt_no - b.attempt_no);
  assert.equal(down.response_status, status);
  assert.equal(down.outcome, outcome);
  assert.deepEqual(up.map((r) => r.response_status), upstreams);
  const used = await rowsOf(trace, upstreams.length);
  assert.deepEqual(used.map((r) => [r.attempt_no, r.status, r.outcome, r.credential_id]), up.map((r) => [r.attempt_no, r.response_status, r.outcome, r.credential_id]));
  assert.deepEqual(used.map((r) => r.final), used.map((_, i) => i === used.length - 1));
  return { down, up, used };
};
const good = bills[0];

for (const [name, first, told] of [['429', { status: 429 }, 429], ['500', { status: 500 }, 500]]) {
  test(`${name}, then an answer: two rows, one with usage, and it is the final one`, async () => {
    scripts.set('second', [first, good]);
    const answer = await ask('chat', 'openai', 'second');
    assert.equal(answer.status, 200, await answer.text());
    const { used } = await agree(answer.headers.get('x-request-id'), [told, 200], 200, 'ok');
    assert.deepEqual(used.map((r) => [r.has_usage, r.total_tokens, r.outcome]), [[false, 0, 'failed'], [true, 17, 'ok']]);
    await gproxy.clearCooldowns();
  });
}

test('broken connections, then an answer: each attempt has its row', async () => {
  // The first may be a kept connection's end, which is no attempt: HTTP lets a client ask again there.
  scripts.set('resets', [{ reset: true }, { reset: true }, good]);
  const answer = await ask('chat', 'openai', 'resets');
  assert.equal(answer.status, 200, await answer.text());
  const trace = answer.headers.get('x-request-id');
  const failed = (await rowsOf(trace, 2)).length - 1;
  const { used } = await agree(trace, [...Array(failed).fill(null), 200], 200, 'ok');
  assert.ok(used.slice(0, -1).every((r) => !r.has_usage && r.outcome === 'failed' && r.ttft_us === null));
  assert.equal(used.at(-1).total_tokens, 17);
  await gproxy.clearCooldowns();
});

test('when all attempts fail the last row is final, and nobody pays', async () => {
  scripts.set('never', [{ status: 500 }]);
  const answer = await ask('chat', 'openai', 'never');
  await answer.text();
  assert.ok(answer.status >= 500);
  const trace = answer.headers.get('x-request-id');
  const n = upstream.seen.filter((r) => r.model === 'never').length;
  assert.ok(n > 1);
  const { used } = await agree(trace, Array(n).fill(500), answer.status, 'failed');
  assert.ok(used.every((r) => !r.has_usage && r.total_tokens === 0 && r.cost_nanousd === null));
  await gproxy.clearCooldowns();
});

test('bytes in the log are those on the wire', async () => {
  scripts.set('weighed', [good]);
  for (const stream of [false, true]) {
    const answer = await ask('chat', 'openai', 'weighed', { stream });
    const text = await answer.text();
    const { down, up } = await agree(answer.headers.get('x-request-id'), [200], 200, 'ok');
    assert.equal(down.response_bytes, Buffer.byteLength(text));
    assert.equal(down.request_bytes, Buffer.byteLength(JSON.stringify(request.chat('openai', 'weighed', stream)[1])));
    assert.equal(up[0].request_bytes, upstream.seen.at(-1).bytes);
    assert.equal(up[0].response_bytes, Buffer.byteLength(answers.chat('weighed', good.chat, { stream, asked: true }).join('')));
  }
});

const fate = async (provider, client, model, script, more = {}) => {
  scripts.set(model, [script]);
  const answer = await ask(client, provider, model, { stream: true, ...more });
  await answer.text().catch(() => {});
  const [row] = await rowsOf(answer.headers.get('x-request-id'));
  return row;
};
const claudeBill = bills.find((b) => b.claude);

test('a stream that is cut: what the beginning told stands, the rest is an estimate', async () => {
  const row = await fate('claude', 'claude', 'cut-claude', { ...claudeBill, cut: 4 });
  assert.deepEqual([row.outcome, row.final, row.has_usage, row.estimated], ['truncated', true, true, true]);
  assert.deepEqual(booked(row), [8, Math.ceil(TEXT.length / 4), 400, 300, 0]);
  await gproxy.clearCooldowns();
});

test('a bill that was told before the cut is no estimate', async () => {
  // The last message_delta has come, message_stop has not; the final usage chunk has come, [DONE] has not.
  const claude = await fate('claude', 'claude', 'late-claude', { ...claudeBill, cut: 7, closed() {} });
  assert.deepEqual(booked(claude), claudeBill.bill);
  const chat = await fate('openai', 'chat', 'late-chat', { ...bills[1], cut: 4 });
  assert.deepEqual([chat.estimated, ...booked(chat)], [false, ...bills[1].bill]);
  await gproxy.clearCooldowns();
});

test('an error event within a 200 is a failure that may have cost something', async () => {
  const frames = answers.claude('broken', claudeBill.claude, { stream: true }).slice(0, 4);
  const row = await fate('claude', 'claude', 'broken', { frames: { claude: [...frames, say({ type: 'error', error: { type: 'overloaded_error', message: 'busy' } }, 'error')] } });
  assert.deepEqual([row.outcome, row.status, row.has_usage, row.estimated], ['failed', 200, true, true]);
  assert.deepEqual(booked(row).slice(0, 4), [8, Math.ceil(TEXT.length / 4), 400, 300]);
  await gproxy.clearCooldowns();
});

test('an answer that reached its bound is an answer', async () => {
  for (const [client, provider, script] of [
    ['chat', 'openai', { ...good, finish: 'length' }], ['responses', 'openai', { ...good, end: 'incomplete' }],
    ['claude', 'claude', { ...claudeBill, finish: 'max_tokens' }], ['gemini', 'aistudio', { ...bills.find((b) => b.gemini), finish: 'MAX_TOKENS' }]]) {
    const row = await fate(provider, client, `bound-${client}`, script);
    assert.deepEqual([client, row.outcome, row.estimated, ...booked(row)], [client, 'ok', false, ...script.bill]);
  }
});

test('a response that failed has the usage it told', async () => {
  const row = await fate('openai', 'responses', 'failed-late', { ...good, end: 'failed' });
  assert.deepEqual([row.outcome, row.final, row.has_usage, row.estimated], ['failed', true, true, false]);
  assert.deepEqual(booked(row), good.bill);
  await gproxy.clearCooldowns();
});

test('a client that leaves in the middle is booked once, as an estimate', async () => {
  for (const [client, provider, script] of [['chat', 'openai', { ...good, cut: 2 }], ['claude', 'claude', { ...claudeBill, cut: 4 }]]) {
    const model = `left-${client}`;
    const gone = new Promise((done) => scripts.set(model, [{ ...script, hang: true, closed: done }]));
    const abort = new AbortController();
    const answer = await ask(client, provider, model, { stream: true, signal: abort.signal });
    const trace = answer.headers.get('x-request-id');
    let text = '';
    for await (const bytes of answer.body) {
      text += Buffer.from(bytes).toString();
      if (text.includes(TEXT)) break;
    }
    abort.abort();
    await gone; // the upstream is let go at once: what it goes on to write is not billed
    const { used } = await agree(trace, [200], 200, 'cancelled');
    assert.deepEqual([used.length, used[0].has_usage, used[0].estimated], [1, true, true]);
    assert.equal(used[0].output_tokens, Math.ceil(TEXT.length / 4));
  }
});

test('a model that the upstream does not know leaves a row without tokens', async () => {
  const answer = await ask('chat', 'openai', 'no-such-model');
  await answer.text();
  assert.equal(answer.status, 404);
  const [row] = await rowsOf(answer.headers.get('x-request-id'));
  assert.deepEqual([row.status, row.outcome, row.final, row.has_usage], [404, 'failed', true, false]);
  await gproxy.clearCooldowns();
});

test('a client that leaves before the answer began: a row, no tokens, 499 for itself', async () => {
  let heard;
  const began = new Promise((done) => { heard = done; });
  const gone = new Promise((done) => scripts.set('left-early', [{ mute: true, heard, closed: done }]));
  const abort = new AbortController();
  const answer = ask('chat', 'openai', 'left-early', { stream: true, signal: abort.signal }).catch((e) => e);
  await began;
  abort.abort();
  await answer;
  await gone;
  const [row] = await until(async () => {
    const { body } = await gproxy.admin('GET', '/usage/rows?model=left-early');
    return body.rows.length > 0 && body.rows;
  }, 'its row');
  assert.deepEqual([row.outcome, row.final, row.has_usage, row.status, row.ttft_us, row.total_tokens], ['cancelled', true, false, null, null, 0]);
  await agree(row.trace_id, [null], 499, 'cancelled');
});

test('a response that is asked for again is not billed again', async () => {
  scripts.set('kept', [good]);
  const made = await ask('responses', 'openai', 'kept');
  await made.text();
  await rowsOf(made.headers.get('x-request-id'));
  for (const [method, where] of [['GET', ''], ['POST', '/cancel'], ['DELETE', '']]) {
    const answer = await fetch(`${gproxy.url}/openai/v1/responses/r1${where}`, { method, headers: { authorization: `Bearer ${KEY}` } });
    const text = await answer.text();
    assert.equal(answer.status, 200, `${method} ${where}: ${text}`);
    const trace = answer.headers.get('x-request-id');
    const logs = await logsOf(trace, 2); // written after the usage row, had there been one
    assert.deepEqual(logs.map((r) => r.response_status), [200, 200]);
    assert.deepEqual((await gproxy.admin('GET', `/usage/rows?trace_id=${trace}`)).body.rows, []);
  }
});

test('what a limit refused was no attempt: a row in the log, none of usage', async () => {
  assert.equal((await gproxy.admin('PUT', '/users/501', { name: 'bounded', enabled: true, requests_per_minute: 1 })).status, 200);
  const { key } = (await gproxy.admin('POST', '/users/501/keys', { label: 'l' })).body;
  scripts.set('bounded', [good]);
  const first = await ask('chat', 'openai', 'bounded', { key });
  assert.equal(first.status, 200, await first.text());
  const sent = upstream.seen.length;
  const second = await ask('chat', 'openai', 'bounded', { key });
  assert.equal(second.status, 429, await second.text());
  const trace = second.headers.get('x-request-id');
  const [log, ...more] = await logsOf(trace, 1);
  assert.deepEqual([log.kind, log.response_status, log.outcome, more.length], ['downstream', 429, 'refused', 0]);
  assert.deepEqual((await gproxy.admin('GET', `/usage/rows?trace_id=${trace}`)).body.rows, []);
  assert.equal(upstream.seen.length, sent);
});

// ---------------------------------------------------------------------------------------------- cost
const dollars = (tokens, prices) => tokens.reduce((sum, n, i) => sum + n * Math.round(prices[i] * 1000), 0); // nano

test('cost is tokens times price: lifetimes of the cache, tiers, names with dates and prefixes', async () => {
  const bill = (input, output, read, w5, w1) => ({ claude: [{ input_tokens: input, cache_read_input_tokens: read, cache_creation_input_tokens: w5 + w1, cache_creation: { ephemeral_5m_input_tokens: w5, ephemeral_1h_input_tokens: w1 }, output_tokens: 1 }, { output_tokens: output }] });
  const low = [0.1, 0.5, 0.01, 0.125, 0.2];
  const high = [0.5, 2.5, 0.05, 0.625, 1];
  for (const [model, tokens, prices] of [
    ['claude-opus-4-5-20251101', [10, 20, 400, 100, 200], [5, 25, 0.5, 6.25, 10]],
    ['anthropic.claude-opus-4-5-20251101-v1:0', [10, 20, 400, 100, 200], [5, 25, 0.5, 6.25, 10]],
    ['claude-haiku-5-5', [100000 - 700, 20, 400, 100, 200], low], // the mark itself is below it
    ['claude-haiku-5-5', [100001 - 700, 20, 400, 100, 200], high]]) {
    for (const stream of [false, true]) {
      scripts.set(model, [bill(...tokens)]);
      const answer = await ask('claude', 'claude', model, { stream });
      assert.equal(answer.status, 200, await answer.text());
      const [row] = await rowsOf(answer.headers.get('x-request-id'));
      assert.equal(row.cost_nanousd, dollars(tokens, prices), `${model} ${stream}`);
      assert.ok(row.price_revision > 0);
    }
  }
});

test('a new price counts from then on, below one provider; what was booked stays', async () => {
  scripts.set('house', [good]);
  const file = path.join(folder, 'prices.json');
  const price = async (revision, input) => {
    fs.writeFileSync(file, JSON.stringify({ revision, prices: [{ provider: 'openai', model: 'house', input, output: 10 }] }));
    assert.equal((await gproxy.admin('PUT', '/global_config', { prices_file: '' })).status, 200);
    const set = await gproxy.admin('PUT', '/global_config', { prices_file: file });
    assert.equal(set.status, 200, JSON.stringify(set.body));
  };
  const one = async (provider) => {
    const answer = await ask('chat', provider, 'house');
    await answer.text();
    return (await rowsOf(answer.headers.get('x-request-id')))[0];
  };
  await price(7, 2);
  const before = await one('openai');
  assert.equal(before.cost_nanousd, dollars([12, 5], [2, 10]));
  await price(8, 3);
  const now = await one('openai');
  assert.equal(now.cost_nanousd, dollars([12, 5], [3, 10]));
  assert.equal(now.price_revision, before.price_revision + 1);
  assert.equal((await one('deepseek')).cost_nanousd, null);
  assert.equal((await rowsOf(before.trace_id))[0].cost_nanousd, before.cost_nanousd);
});

test('the sums are those of the rows, however they are cut and grouped', async () => {
  const rows = [];
  for (let page = { next: '' }; page; ) {
    const { body } = await gproxy.admin('GET', `/usage/rows?limit=50${page.next}`);
    rows.push(...body.rows);
    page = body.has_more ? { next: `&cursor_at=${encodeURIComponent(body.next_cursor_at)}&cursor_id=${body.next_cursor_id}` } : null;
  }
  assert.ok(rows.length > 60);
  rows.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const name = { provider: (r) => r.provider, model: (r) => r.model, credential: (r) => r.credential_id };
  const count = (list, f) => list.reduce((sum, r) => sum + f(r), 0);
  let seed = 11;
  const random = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };
  for (let i = 0; i < 24; i++) {
    const [a, b] = [random(rows.length), random(rows.length)].sort((x, y) => x - y);
    if (rows[a].at === rows[b].at) continue;
    const [from, to] = [rows[a].at, rows[b].at];
    const group_by = ['none', 'provider', 'model', 'credential'][i % 4];
    const filter = i % 3 === 0 ? { provider: 'openai' } : {};
    const kept = (r) => r.at >= from && r.at <= to && (!filter.provider || r.provider === filter.provider); // both ends count
    const inside = rows.filter(kept);
    const { status, body } = await gproxy.admin('GET', `/usage/aggregate?${new URLSearchParams({ from, to, group_by, bucket: 'none', ...filter })}`);
    assert.equal(status, 200, JSON.stringify(body));
    const groups = body.groups;
    const sum = (key) => groups.reduce((s, g) => s + g[key], 0);
    const where = `${from} ${to} ${group_by} ${JSON.stringify(filter)}`;
    assert.equal(sum('attempts'), inside.length, where);
    assert.equal(sum('requests'), inside.filter((r) => r.final).length, where);
    assert.equal(sum('total_tokens'), count(inside, (r) => r.total_tokens), where);
    assert.equal(sum('output_tokens'), count(inside, (r) => r.output_tokens), where);
    assert.equal(sum('cost_nanousd'), count(inside, (r) => r.cost_nanousd ?? 0), where);
    assert.equal(sum('estimated'), inside.filter((r) => r.estimated).length, where);
    if (group_by !== 'none') assert.equal(groups.length, new Set(inside.map(name[group_by])).size, where);
  }
});

test('the metrics count what the rows do', async () => {
  const text = await (await fetch(`${gproxy.url}/metrics`)).text();
  const metric = (type) => [...text.matchAll(/^gproxy_tokens_total\{(.*)\} (\S+)$/gm)].filter((m) => m[1].includes(`type="${type}"`)).reduce((sum, m) => sum + Number(m[2]), 0);
  const { body } = await gproxy.admin('GET', '/usage/aggregate');
  const [sums] = body.groups;
  for (const [type, key] of [['input', 'input_tokens'], ['output', 'output_tokens'], ['cache_read', 'cache_read_input_tokens'], ['cache_write', 'cache_creation_input_tokens'], ['reasoning', 'reasoning_tokens']]) {
    assert.ok(sums[key] > 0, key);
    assert.equal(metric(type), sums[key], type);
  }
});

test('a limit in tokens counts what the row says, also of a stream that was left', async () => {
  const limit = 60_000; // one token comes back each millisecond
  const id = 500;
  assert.equal((await gproxy.admin('PUT', `/users/${id}`, { name: 'metered', enabled: true, tokens_per_minute: limit })).status, 200);
  const { key } = (await gproxy.admin('POST', `/users/${id}/keys`, { label: 'l' })).body;
  const began = performance.now();
  const long = 'x'.repeat(40_000);
  const frames = answers.claude('metered', claudeBill.claude, { stream: true }).slice(0, 4).map((f) => f.replace(TEXT, long));
  const gone = new Promise((done) => scripts.set('metered', [{ frames: { claude: frames }, hang: true, closed: done }]));
  const abort = new AbortController();
  const answer = await ask('claude', 'claude', 'metered', { stream: true, signal: abort.signal, key });
  let bytes = 0;
  for await (const piece of answer.body) if ((bytes += piece.length) > long.length) break;
  abort.abort();
  await gone;
  const [row] = await rowsOf(answer.headers.get('x-request-id'));
  assert.equal(row.total_tokens, 8 + 400 + 300 + 10_000);
  const { body } = await gproxy.admin('GET', '/users');
  const left = body.users.find((u) => u.id === id).in_use.tokens_left;
  const back = performance.now() - began;
  assert.ok(left >= limit - row.total_tokens - 1 && left <= limit - row.total_tokens + back + 1, `${left} left after ${back} ms`);
});
