// One answer, as each of the four protocols would send it: whole, and as the data of a stream's events.
// An answer is { parts, end, usage }: parts of kind text, reasoning (with signature), refusal, call and custom;
// end is stop, length or filtered. Pieces of a stream are cut by a seeded generator, at code points.

export function seeded(seed) {
  let s = seed >>> 0;
  return (n) => {  // xorshift32, below n
    s ^= s << 13; s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5; s >>>= 0;
    return s % n;
  };
}

function cut(text, random) {
  const out = [];
  let now = '';
  for (const c of text) {
    if (now && random(4) === 0) { out.push(now); now = ''; }
    now += c;
  }
  return now ? [...out, now] : out;
}

const isCall = (p) => p.kind === 'call' || p.kind === 'custom';
// What a tool that knows JSON only is told of a free text.
const wrapped = (p) => (p.kind === 'custom' ? JSON.stringify({ input: p.args }) : p.args);
const joined = (answer, kind) => answer.parts.filter((p) => p.kind === kind).map((p) => p.text).join('');

// ---- Chat Completions
function chat(answer, random) {
  const { input, output, cached, reasoning } = answer.usage;
  const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output, prompt_tokens_details: { cached_tokens: cached }, completion_tokens_details: { reasoning_tokens: reasoning } };
  const calls = answer.parts.filter(isCall);
  const finish = { length: 'length', filtered: 'content_filter', stop: calls.length ? 'tool_calls' : 'stop' }[answer.end];
  const full = (p) => (p.kind === 'custom' ? { id: p.id, type: 'custom', custom: { name: p.name, input: p.args } } : { id: p.id, type: 'function', function: { name: p.name, arguments: p.args } });
  const base = { id: 'chatcmpl-abc', created: 5, model: 'up' };
  const message = { role: 'assistant', content: joined(answer, 'text') || (calls.length ? null : ''), refusal: joined(answer, 'refusal') || null };
  if (joined(answer, 'reasoning')) message.reasoning_content = joined(answer, 'reasoning');
  if (calls.length) message.tool_calls = calls.map(full);
  const whole = { ...base, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: finish, logprobs: null }], usage };

  const events = [];
  const chunk = (delta, finish_reason = null) => events.push({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] });
  chunk({ role: 'assistant', content: '' });
  let index = 0;
  for (const p of answer.parts) {
    if (isCall(p)) {
      const started = full({ ...p, args: '' });
      chunk({ tool_calls: [{ index, ...started }] });
      for (const piece of cut(p.args, random)) chunk({ tool_calls: [p.kind === 'custom' ? { index, custom: { input: piece } } : { index, function: { arguments: piece } }] });
      index += 1;
      continue;
    }
    const name = { text: 'content', refusal: 'refusal', reasoning: 'reasoning_content' }[p.kind];
    for (const piece of cut(p.text, random)) chunk({ [name]: piece });
  }
  chunk({}, finish);
  events.push({ ...base, object: 'chat.completion.chunk', choices: [], usage }, '[DONE]');
  return { whole, events };
}

// ---- Claude Messages
function claude(answer, random) {
  const { input, output, cached, reasoning } = answer.usage;
  const usage = (out) => ({ input_tokens: input - cached, cache_read_input_tokens: cached, cache_creation_input_tokens: 0, output_tokens: out, output_tokens_details: { thinking_tokens: reasoning } });
  const block = (p) => {
    if (p.kind === 'reasoning') return { type: 'thinking', thinking: p.text, signature: p.signature ?? '' };
    if (isCall(p)) return { type: 'tool_use', id: p.id, name: p.name, input: JSON.parse(wrapped(p)) };
    return { type: 'text', text: p.text };
  };
  const stop_reason = { length: 'max_tokens', filtered: 'refusal', stop: answer.parts.some(isCall) ? 'tool_use' : 'end_turn' }[answer.end];
  const base = { id: 'msg_abc', type: 'message', role: 'assistant', model: 'up' };
  const whole = { ...base, content: answer.parts.map(block), stop_reason, stop_sequence: null, usage: usage(output) };

  const events = [{ type: 'message_start', message: { ...base, content: [], stop_reason: null, stop_sequence: null, usage: usage(1) } }, { type: 'ping' }];
  answer.parts.forEach((p, index) => {
    const empty = block({ ...p, text: '', signature: '', kind: isCall(p) ? 'call' : p.kind, args: '{}' });
    events.push({ type: 'content_block_start', index, content_block: empty });
    const delta = (type, name, piece) => events.push({ type: 'content_block_delta', index, delta: { type, [name]: piece } });
    if (isCall(p)) { if (wrapped(p) !== '{}') for (const piece of cut(wrapped(p), random)) delta('input_json_delta', 'partial_json', piece); } else {
      const thinking = p.kind === 'reasoning';
      for (const piece of cut(p.text, random)) delta(thinking ? 'thinking_delta' : 'text_delta', thinking ? 'thinking' : 'text', piece);
      if (p.signature) delta('signature_delta', 'signature', p.signature);
    }
    events.push({ type: 'content_block_stop', index });
  });
  events.push({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: output } }, { type: 'message_stop' });
  return { whole, events };
}

// ---- Responses
function responses(answer, random) {
  const { input, output, cached, reasoning } = answer.usage;
  const usage = { input_tokens: input, input_tokens_details: { cached_tokens: cached }, output_tokens: output, output_tokens_details: { reasoning_tokens: reasoning }, total_tokens: input + output };
  const item = (p, i, empty) => {
    if (p.kind === 'reasoning') return { type: 'reasoning', id: `rs_${i}`, summary: empty || !p.text ? [] : [{ type: 'summary_text', text: p.text }], ...(p.signature && !empty ? { encrypted_content: p.signature } : {}) };
    if (p.kind === 'custom') return { type: 'custom_tool_call', id: `ctc_${i}`, call_id: p.id, name: p.name, input: empty ? '' : p.args };
    if (p.kind === 'call') return { type: 'function_call', id: `fc_${i}`, call_id: p.id, name: p.name, arguments: empty ? '' : p.args, status: empty ? 'in_progress' : 'completed' };
    return { type: 'message', id: `msg_${i}`, role: 'assistant', status: empty ? 'in_progress' : 'completed', content: empty ? [] : [part(p, p.text)] };
  };
  const part = (p, text) => (p.kind === 'refusal' ? { type: 'refusal', refusal: text } : { type: 'output_text', text, annotations: [] });
  const status = answer.end === 'stop' ? 'completed' : 'incomplete';
  const response = (now) => ({
    id: 'resp_abc', object: 'response', created_at: 5, model: 'up', status: now, error: null,
    incomplete_details: now === 'incomplete' ? { reason: answer.end === 'length' ? 'max_output_tokens' : 'content_filter' } : null,
    output: now === 'in_progress' ? [] : answer.parts.map((p, i) => item(p, i, false)), usage: now === 'in_progress' ? null : usage,
  });
  const events = [];
  const event = (type, fields) => events.push({ type: `response.${type}`, ...fields, sequence_number: events.length });
  event('created', { response: response('in_progress') });
  event('in_progress', { response: response('in_progress') });
  answer.parts.forEach((p, output_index) => {
    const { id: item_id } = item(p, output_index, true);
    const at = { output_index, item_id };
    event('output_item.added', { output_index, item: item(p, output_index, true) });
    if (isCall(p)) {
      const what = p.kind === 'custom' ? 'custom_tool_call_input' : 'function_call_arguments';
      for (const delta of cut(p.args, random)) event(`${what}.delta`, { ...at, delta });
      event(`${what}.done`, { ...at, ...(p.kind === 'custom' ? { input: p.args } : { arguments: p.args, name: p.name }) });
    } else if (p.kind === 'reasoning') {
      if (p.text) {
        event('reasoning_summary_part.added', { ...at, summary_index: 0, part: { type: 'summary_text', text: '' } });
        for (const delta of cut(p.text, random)) event('reasoning_summary_text.delta', { ...at, summary_index: 0, delta });
        event('reasoning_summary_text.done', { ...at, summary_index: 0, text: p.text });
        event('reasoning_summary_part.done', { ...at, summary_index: 0, part: { type: 'summary_text', text: p.text } });
      }
    } else {
      const word = p.kind === 'refusal' ? 'refusal' : 'output_text';
      event('content_part.added', { ...at, content_index: 0, part: part(p, '') });
      for (const delta of cut(p.text, random)) event(`${word}.delta`, { ...at, content_index: 0, delta });
      event(`${word}.done`, { ...at, content_index: 0, [p.kind === 'refusal' ? 'refusal' : 'text']: p.text });
      event('content_part.done', { ...at, content_index: 0, part: part(p, p.text) });
    }
    event('output_item.done', { output_index, item: item(p, output_index, false) });
  });
  event(status, { response: response(status) });
  return { whole: response(status), events };
}

// ---- Gemini
function gemini(answer, random) {
  const { input, output, cached, reasoning } = answer.usage;
  const usageMetadata = { promptTokenCount: input, cachedContentTokenCount: cached, candidatesTokenCount: output - reasoning, thoughtsTokenCount: reasoning, totalTokenCount: input + output };
  const part = (p, text, signed) => ({
    ...(isCall(p) ? { functionCall: { id: p.id, name: p.name, args: JSON.parse(wrapped(p)) } } : { text }),
    ...(p.kind === 'reasoning' ? { thought: true } : {}),
    ...(p.signature && signed ? { thoughtSignature: p.signature } : {}),
  });
  const finishReason = { length: 'MAX_TOKENS', filtered: 'SAFETY', stop: 'STOP' }[answer.end];
  const chunk = (parts, finish) => ({ candidates: [{ content: { role: 'model', parts }, ...(finish ? { finishReason } : {}), index: 0 }], usageMetadata, modelVersion: 'up', responseId: 'r' });
  const events = [];
  for (const p of answer.parts) {
    if (isCall(p)) { events.push(chunk([part(p, '', true)])); continue; }
    cut(p.text, random).forEach((piece, i) => events.push(chunk([part(p, piece, i === 0)])));
  }
  events.push(chunk([], true));
  return { whole: chunk(answer.parts.map((p) => part(p, p.text, true)), true), events };
}

const wires = { openai_chat: chat, openai_response: responses, claude, gemini };

export function wire(protocol, answer, random) {
  const { whole, events } = wires[protocol](answer, random);
  const named = protocol === 'claude' || protocol === 'openai_response';
  const frames = events.map((e) => (e === '[DONE]' ? 'data: [DONE]\n\n' : `${named ? `event: ${e.type}\n` : ''}data: ${JSON.stringify(e)}\n\n`));
  return { whole: JSON.stringify(whole), stream: frames.join('') };
}
