// A scripted upstream that speaks the four protocols as the vendors do. What it answers follows from the
// request alone, so that a test reads top to bottom:
//   tools given and no tool result yet  -> one call of the first tool per city named in the text
//   model "err-<status>"                -> that status, in the protocol's own error shape
//   model "cut"                         -> a stream that breaks off in the middle
//   otherwise                           -> "Hello from <protocol>: <last user text>"
// Every request is kept in `requests`. The four protocols' answers are exported for the vendor simulator.
import http from 'node:http';

const text = 'Hello from';

export async function startUpstream() {
  const requests = [];
  const server = http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      const raw = Buffer.concat(chunks).toString();
      let body;
      try { body = raw ? JSON.parse(raw) : undefined; } catch { body = undefined; }
      const url = new URL(req.url, 'http://upstream');
      const entry = { method: req.method, path: url.pathname, query: url.search, headers: req.headers, raw, body, closed: false };
      requests.push(entry);
      res.on('close', () => { entry.closed = !res.writableFinished; });
      route(req, res, url, body, entry);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: server.address().port,
    requests,
    last: () => requests[requests.length - 1],
    close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }),
  };
}

export function json(res, status, value, headers = {}) {
  const out = Buffer.from(JSON.stringify(value));
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': out.length, ...headers });
  res.end(out);
}

export function sse(res, frames, { cut = false } = {}) {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  let i = 0;
  const step = () => {
    if (i < frames.length) { res.write(frames[i++]); setImmediate(step); return; }
    if (cut) res.destroy(); else res.end();
  };
  step();
}

const cities = (t) => ['Paris', 'Berlin', 'Oslo'].filter((c) => t.includes(c));

function route(req, res, url, body, entry) {
  const p = url.pathname;
  if (p === '/v1/chat/completions' || p === '/v1beta/openai/chat/completions') return chat(res, body);
  if (p === '/v1/responses/input_tokens') return json(res, 200, { object: 'response.input_tokens', input_tokens: 7 });
  if (p === '/v1/responses') return responses(res, body);
  if (p.startsWith('/v1/responses/')) return json(res, 200, { id: p.split('/')[3], object: 'response', status: 'completed', output: [] });
  if (p === '/v1/messages/count_tokens') return json(res, 200, { input_tokens: 11 });
  if (p === '/v1/messages') return messages(res, body);
  const g = /^\/v1(?:beta)?\/(?:models|tunedModels)\/(.+):(\w+)$/.exec(p);
  if (g) return gemini(res, decodeURIComponent(g[1]), g[2], url, body);
  if (p === '/v1/models' && req.headers['anthropic-version']) {
    return json(res, 200, { data: [model('claude', 'mock-1'), model('claude', 'mock-2')], first_id: 'mock-1', last_id: 'mock-2', has_more: false });
  }
  if (p === '/v1/models') return json(res, 200, { object: 'list', data: [model('openai', 'mock-1'), model('openai', 'mock-2')] });
  if (p === '/v1beta/models') return json(res, 200, { models: [model('gemini', 'mock-1'), model('gemini', 'mock-2')] });
  const one = /^\/v1(beta)?\/models\/(.+)$/.exec(p);
  if (one) {
    const id = decodeURIComponent(one[2]);
    const kind = one[1] ? 'gemini' : req.headers['anthropic-version'] ? 'claude' : 'openai';
    if (id.startsWith('mock')) return json(res, 200, model(kind, id));
    return error(res, kind, 404, 'model not found');
  }
  return json(res, 404, { error: { message: `no route ${p}`, type: 'invalid_request_error', param: null, code: null } });
}

export function model(kind, id) {
  if (kind === 'claude') return { id, type: 'model', display_name: id, created_at: '2026-01-01T00:00:00Z' };
  if (kind === 'gemini') return { name: `models/${id}`, version: '001', displayName: id, inputTokenLimit: 1000, outputTokenLimit: 1000, supportedGenerationMethods: ['generateContent', 'countTokens'] };
  return { id, object: 'model', created: 1700000000, owned_by: 'mock' };
}

export function error(res, kind, status, message) {
  const headers = status === 429 ? { 'retry-after': '1' } : {};
  if (kind === 'claude') {
    const type = { 400: 'invalid_request_error', 401: 'authentication_error', 404: 'not_found_error', 429: 'rate_limit_error', 529: 'overloaded_error' }[status] ?? 'api_error';
    return json(res, status, { type: 'error', error: { type, message }, request_id: 'req_up' }, headers);
  }
  if (kind === 'gemini') {
    const name = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED', 503: 'UNAVAILABLE' }[status] ?? 'INTERNAL';
    return json(res, status, { error: { code: status, message, status: name } }, headers);
  }
  const [type, code] = { 400: ['invalid_request_error', null], 401: ['invalid_request_error', 'invalid_api_key'], 404: ['invalid_request_error', 'model_not_found'], 429: ['rate_limit_error', 'rate_limit_exceeded'] }[status] ?? ['server_error', 'server_error'];
  return json(res, status, { error: { message, type, param: null, code } }, headers);
}

const failure = (m) => /^err-(\d+)$/.exec(m ?? '')?.[1];

// ------------------------------------------------------------------------------ Chat Completions
export function chat(res, body) {
  const status = failure(body?.model);
  if (status) return error(res, 'openai', Number(status), `scripted ${status}`);
  const last = body.messages.filter((m) => m.role === 'user').at(-1);
  const said = typeof last?.content === 'string' ? last.content : (last?.content ?? []).map((c) => c.text ?? '').join('');
  const wantsTools = body.tools?.length && !body.messages.some((m) => m.role === 'tool');
  const calls = wantsTools ? cities(said).map((city, i) => ({ id: `call_${i}`, type: 'function', function: { name: body.tools[0].function.name, arguments: JSON.stringify({ city }) } })) : [];
  const answer = `${text} chat: ${said}`;
  const usage = { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17, prompt_tokens_details: { cached_tokens: 4 }, completion_tokens_details: { reasoning_tokens: 1 } };
  const base = { id: 'chatcmpl-up', created: 1700000000, model: body.model, vendor_extra: { kept: true } };
  if (!body.stream) {
    return json(res, 200, { ...base, object: 'chat.completion', choices: [{ index: 0, finish_reason: calls.length ? 'tool_calls' : 'stop', logprobs: null, message: { role: 'assistant', content: calls.length ? null : answer, refusal: null, ...(calls.length ? { tool_calls: calls } : {}) } }], usage });
  }
  const withUsage = body.stream_options?.include_usage === true;
  const chunk = (delta, finish = null) => `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], ...(withUsage ? { usage: null } : {}) })}\n\n`;
  const frames = [chunk({ role: 'assistant', content: '', refusal: null })];
  if (calls.length) {
    calls.forEach((c, index) => {
      frames.push(chunk({ tool_calls: [{ index, id: c.id, type: 'function', function: { name: c.function.name, arguments: '' } }] }));
      for (const piece of c.function.arguments.match(/.{1,6}/gs)) frames.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
    });
  } else {
    for (const piece of answer.match(/.{1,7}/gsu)) frames.push(chunk({ content: piece }));
  }
  if (body.model === 'cut') return sse(res, frames.slice(0, -1), { cut: true });
  frames.push(chunk({}, calls.length ? 'tool_calls' : 'stop'));
  if (withUsage) frames.push(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [], usage })}\n\n`);
  frames.push('data: [DONE]\n\n');
  return sse(res, frames);
}

// ------------------------------------------------------------------------------ Responses
export function responses(res, body) {
  const status = failure(body?.model);
  if (status) return error(res, 'openai', Number(status), `scripted ${status}`);
  const items = typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : body.input;
  const last = items.filter((i) => i.role === 'user').at(-1);
  const said = typeof last?.content === 'string' ? last.content : (last?.content ?? []).map((c) => c.text ?? '').join('');
  const wantsTools = body.tools?.length && !items.some((i) => i.type === 'function_call_output');
  const calls = wantsTools ? cities(said) : [];
  const answer = `${text} responses: ${said}`;
  const output = calls.length
    ? calls.map((city, i) => ({ type: 'function_call', id: `fc_${i}`, call_id: `call_${i}`, name: body.tools[0].name, arguments: JSON.stringify({ city }), status: 'completed' }))
    : [{ type: 'message', id: 'msg_up', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: answer, annotations: [], logprobs: [] }] }];
  const usage = { input_tokens: 12, input_tokens_details: { cached_tokens: 4 }, output_tokens: 5, output_tokens_details: { reasoning_tokens: 1 }, total_tokens: 17 };
  const response = (over) => ({ id: 'resp_up', object: 'response', created_at: 1700000000, status: 'completed', error: null, incomplete_details: null, instructions: null, metadata: {}, model: body.model, output, parallel_tool_calls: true, temperature: 1, tool_choice: 'auto', tools: body.tools ?? [], top_p: 1, usage, ...over });
  if (!body.stream) return json(res, 200, response({}));
  let n = 0;
  const ev = (type, fields) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields, sequence_number: n++ })}\n\n`;
  const frames = [ev('response.created', { response: response({ status: 'in_progress', output: [], usage: null }) }), ev('response.in_progress', { response: response({ status: 'in_progress', output: [], usage: null }) })];
  output.forEach((item, output_index) => {
    if (item.type === 'message') {
      frames.push(ev('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', content: [] } }));
      frames.push(ev('response.content_part.added', { item_id: item.id, output_index, content_index: 0, part: { type: 'output_text', text: '', annotations: [], logprobs: [] } }));
      for (const delta of answer.match(/.{1,7}/gsu)) frames.push(ev('response.output_text.delta', { item_id: item.id, output_index, content_index: 0, delta, logprobs: [] }));
      frames.push(ev('response.output_text.done', { item_id: item.id, output_index, content_index: 0, text: answer, logprobs: [] }));
      frames.push(ev('response.content_part.done', { item_id: item.id, output_index, content_index: 0, part: item.content[0] }));
    } else {
      frames.push(ev('response.output_item.added', { output_index, item: { ...item, arguments: '', status: 'in_progress' } }));
      for (const delta of item.arguments.match(/.{1,6}/gs)) frames.push(ev('response.function_call_arguments.delta', { item_id: item.id, output_index, delta }));
      frames.push(ev('response.function_call_arguments.done', { item_id: item.id, output_index, arguments: item.arguments, name: item.name }));
    }
    frames.push(ev('response.output_item.done', { output_index, item }));
  });
  if (body.model === 'cut') return sse(res, frames.slice(0, 6), { cut: true });
  frames.push(ev('response.completed', { response: response({}) }));
  return sse(res, frames);
}

// ------------------------------------------------------------------------------ Claude Messages
export function messages(res, body) {
  const status = failure(body?.model);
  if (status) return error(res, 'claude', Number(status), `scripted ${status}`);
  const blocks = (m) => (typeof m.content === 'string' ? [{ type: 'text', text: m.content }] : m.content);
  const last = body.messages.filter((m) => m.role === 'user').at(-1);
  const said = blocks(last).map((b) => b.text ?? '').join('');
  const wantsTools = body.tools?.length && !body.messages.some((m) => blocks(m).some((b) => b.type === 'tool_result'));
  const calls = wantsTools ? cities(said) : [];
  const answer = `${text} claude: ${said}`;
  const content = calls.length ? calls.map((city, i) => ({ type: 'tool_use', id: `toolu_${i}`, name: body.tools[0].name, input: { city } })) : [{ type: 'text', text: answer, citations: null }];
  const stop = calls.length ? 'tool_use' : 'end_turn';
  const usage = { input_tokens: 8, cache_read_input_tokens: 4, cache_creation_input_tokens: 2, output_tokens: 5 };
  const base = { id: 'msg_up', type: 'message', role: 'assistant', model: body.model };
  if (!body.stream) return json(res, 200, { ...base, content, stop_reason: stop, stop_sequence: null, usage });
  const ev = (type, fields) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
  const frames = [ev('message_start', { message: { ...base, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 } } }), ev('ping', {})];
  content.forEach((b, index) => {
    if (b.type === 'text') {
      frames.push(ev('content_block_start', { index, content_block: { type: 'text', text: '' } }));
      for (const piece of answer.match(/.{1,7}/gsu)) frames.push(ev('content_block_delta', { index, delta: { type: 'text_delta', text: piece } }));
    } else {
      frames.push(ev('content_block_start', { index, content_block: { ...b, input: {} } }));
      for (const piece of JSON.stringify(b.input).match(/.{1,6}/gs)) frames.push(ev('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: piece } }));
    }
    frames.push(ev('content_block_stop', { index }));
  });
  if (body.model === 'cut') return sse(res, frames.slice(0, 5), { cut: true });
  frames.push(ev('message_delta', { delta: { stop_reason: stop, stop_sequence: null }, usage: { output_tokens: 5 } }));
  frames.push(ev('message_stop', {}));
  return sse(res, frames);
}

// ------------------------------------------------------------------------------ Gemini
export function gemini(res, name, action, url, body) {
  const status = failure(name);
  if (status) return error(res, 'gemini', Number(status), `scripted ${status}`);
  if (action === 'countTokens') return json(res, 200, { totalTokens: 9 });
  const contents = body.contents ?? [];
  const said = (contents.filter((c) => (c.role ?? 'user') === 'user').at(-1)?.parts ?? []).map((p) => p.text ?? '').join('');
  const tool = body.tools?.[0]?.functionDeclarations?.[0];
  const wantsTools = tool && !contents.some((c) => c.parts?.some((p) => p.functionResponse));
  const calls = wantsTools ? cities(said) : [];
  const answer = `${text} gemini: ${said}`;
  const usageMetadata = { promptTokenCount: 12, cachedContentTokenCount: 4, candidatesTokenCount: 4, thoughtsTokenCount: 1, totalTokenCount: 17 };
  const base = { modelVersion: name, responseId: 'gm_up' };
  const parts = calls.length ? calls.map((city) => ({ functionCall: { name: tool.name, args: { city } } })) : [{ text: answer }];
  if (action === 'generateContent') return json(res, 200, { candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }], usageMetadata, ...base });
  const pieces = calls.length ? parts.map((p) => [p]) : answer.match(/.{1,7}/gsu).map((t) => [{ text: t }]);
  const chunks = pieces.map((p, i) => ({ candidates: [{ content: { role: 'model', parts: p }, index: 0, ...(i === pieces.length - 1 ? { finishReason: 'STOP' } : {}) }], ...(i === pieces.length - 1 ? { usageMetadata } : {}), ...base }));
  if (url.searchParams.get('alt') === 'sse') {
    const frames = chunks.map((c) => `data: ${JSON.stringify(c)}\r\n\r\n`);
    return name === 'cut' ? sse(res, frames.slice(0, -1), { cut: true }) : sse(res, frames);
  }
  res.writeHead(200, { 'content-type': 'application/json' });
  res.write('[');
  chunks.forEach((c, i) => res.write((i ? ',\r\n' : '') + JSON.stringify(c, null, 2)));
  res.end(']');
}
