// What a client does with a provider, in each protocol, without an SDK: every call answers
// {status, text, headers, json?, events?}.
import { KEY } from '../harness.mjs';

const headersOf = {
  gemini: { 'x-goog-api-key': KEY }, claude: { 'x-api-key': KEY, 'anthropic-version': '2023-06-01' },
  chat: { authorization: `Bearer ${KEY}` }, responses: { authorization: `Bearer ${KEY}` },
};
const user = (text) => [{ role: 'user', content: text }];

export async function call(gproxy, path, { protocol = 'gemini', method, body, headers = {} } = {}) {
  const r = await fetch(gproxy.url + path, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...headersOf[protocol], ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await r.text();
  const type = r.headers.get('content-type') ?? '';
  const out = { status: r.status, text, headers: r.headers, type };
  if (type.includes('json')) { try { out.json = JSON.parse(text); } catch { /* the test looks at text */ } }
  if (type.includes('event-stream')) out.events = text.split(/\r?\n\r?\n/).map((e) => /^data: (.*)$/m.exec(e)?.[1]).filter((d) => d && d !== '[DONE]').map((d) => JSON.parse(d));
  return out;
}

// Asks for text in a protocol; `said` is what came back, put together.
export async function ask(gproxy, provider, protocol, { model = 'mock-1', text = 'ping', stream = false, sse = true } = {}) {
  const to = `/${provider}`;
  let r;
  if (protocol === 'gemini') {
    r = await call(gproxy, `${to}/v1beta/models/${model}:${stream ? `streamGenerateContent${sse ? '?alt=sse' : ''}` : 'generateContent'}`, { body: { contents: [{ role: 'user', parts: [{ text }] }] } });
    const pieces = r.events ?? (Array.isArray(r.json) ? r.json : [r.json]);
    r.said = pieces.map((p) => p?.candidates?.[0]?.content?.parts?.map((x) => x.text ?? '').join('') ?? '').join('');
  } else if (protocol === 'claude') {
    r = await call(gproxy, `${to}/v1/messages`, { protocol, body: { model, max_tokens: 100, messages: user(text), stream } });
    r.said = stream ? (r.events ?? []).map((e) => e.delta?.text ?? '').join('') : r.json?.content?.map((b) => b.text ?? '').join('');
  } else if (protocol === 'chat') {
    r = await call(gproxy, `${to}/v1/chat/completions`, { protocol, body: { model, messages: user(text), stream } });
    r.said = stream ? (r.events ?? []).map((e) => e.choices?.[0]?.delta?.content ?? '').join('') : r.json?.choices?.[0]?.message?.content;
  } else {
    r = await call(gproxy, `${to}/v1/responses`, { protocol, body: { model, input: text, stream } });
    r.said = stream ? (r.events ?? []).map((e) => (e.type === 'response.output_text.delta' ? e.delta : '')).join('') : r.json?.output?.flatMap((o) => o.content ?? []).map((c) => c.text ?? '').join('');
  }
  return r;
}

export const count = {
  gemini: async (g, p, model = 'mock-1') => (await call(g, `/${p}/v1beta/models/${model}:countTokens`, { body: { contents: [{ role: 'user', parts: [{ text: 'count these words' }] }] } })),
  claude: async (g, p, model = 'mock-1') => (await call(g, `/${p}/v1/messages/count_tokens`, { protocol: 'claude', body: { model, messages: user('count these words') } })),
  openai: async (g, p, model = 'mock-1') => (await call(g, `/${p}/v1/responses/input_tokens`, { protocol: 'responses', body: { model, input: 'count these words' } })),
};
export const tokensIn = (r) => r.json?.totalTokens ?? r.json?.input_tokens;

// Ids of the models a protocol's list shows.
export async function models(gproxy, provider, protocol) {
  const r = await call(gproxy, `/${provider}/${protocol === 'gemini' ? 'v1beta' : 'v1'}/models`, { protocol });
  return { ...r, ids: (r.json?.models ?? r.json?.data ?? []).map((m) => (m.name ?? m.id).replace(/^models\//, '')) };
}
export const model = (gproxy, provider, protocol, id) => call(gproxy, `/${provider}/${protocol === 'gemini' ? 'v1beta' : 'v1'}/models/${id}`, { protocol });

export const users = [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }];
