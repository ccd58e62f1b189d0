// What three coding agents put on the wire, in shape and size: the members, headers and paths are theirs,
// the prose is not. Each has a first turn (which makes the scripted upstream call a tool when the text
// names a city) and a second one that brings the tool's result.
const long = (words, bytes) => `${words} `.repeat(Math.ceil(bytes / (words.length + 1)));
const cities = { type: 'object', properties: { city: { type: 'string', description: 'One city' } }, required: ['city'], additionalProperties: false };
const many = (n, make) => Array.from({ length: n }, (_, i) => make(`tool_${i}`, long('what it does', 800)));

export const agents = {
  'claude-code': {
    protocol: 'claude',
    path: (base) => `${base}/v1/messages?beta=true`,
    headers: (key) => ({
      accept: 'application/json', 'x-api-key': key, 'anthropic-version': '2023-06-01', 'anthropic-dangerous-direct-browser-access': 'true',
      'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,prompt-caching-scope-2026-01-05',
      'x-app': 'cli', 'x-stainless-lang': 'js', 'x-stainless-retry-count': '0', 'x-stainless-timeout': '600', 'x-claude-code-session-id': '7f1b1c1e-0000-4000-8000-000000000001',
    }),
    body: (model, turn) => ({
      model,
      messages: [
        { role: 'user', content: [{ type: 'text', text: `<system-reminder>\n${long('context', 300)}</system-reminder>` }, { type: 'text', text: 'Weather in Paris?', cache_control: { type: 'ephemeral' } }] },
        { role: 'system', content: long('agents there are', 6000) },
        ...(turn === 1 ? [] : [
          { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_0', name: 'weather', input: { city: 'Paris' } }] },
          { role: 'user', content: [{ tool_use_id: 'toolu_0', type: 'tool_result', content: 'sunny', is_error: false, cache_control: { type: 'ephemeral' } }] },
        ]),
      ],
      system: [
        { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1; cc_entrypoint=cli;' },
        { type: 'text', text: 'You are an agent.', cache_control: { type: 'ephemeral' } },
        { type: 'text', text: long('how to behave', 6000), cache_control: { type: 'ephemeral' } },
      ],
      tools: [{ name: 'weather', description: 'Weather of a city', input_schema: { $schema: 'https://json-schema.org/draft/2020-12/schema', ...cities } },
        ...many(23, (name, description) => ({ name, description, input_schema: { type: 'object', properties: { x: { type: 'string' } } } }))],
      metadata: { user_id: JSON.stringify({ device_id: 'a'.repeat(64), account_uuid: '', session_id: '7f1b1c1e-0000-4000-8000-000000000001' }) },
      max_tokens: 32000,
      thinking: { type: 'adaptive' },
      context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
      output_config: { effort: 'high' },
      stream: true,
    }),
    read(events) {
      const names = events.map((e) => e.event);
      const blocks = [];
      for (const { data } of events) {
        if (data.type === 'content_block_start') blocks[data.index] = { ...data.content_block, json: '' };
        if (data.type === 'content_block_delta') {
          const b = blocks[data.index];
          if (data.delta.type === 'text_delta') b.text += data.delta.text;
          if (data.delta.type === 'input_json_delta') b.json += data.delta.partial_json;
        }
      }
      return {
        complete: names[0] === 'message_start' && names.at(-1) === 'message_stop',
        text: blocks.filter((b) => b.type === 'text').map((b) => b.text).join(''),
        calls: blocks.filter((b) => b.type === 'tool_use').map((b) => ({ name: b.name, args: JSON.parse(b.json) })),
      };
    },
  },

  codex: {
    protocol: 'openai_response',
    path: (base) => `${base}/v1/responses`,
    headers: (key) => ({
      accept: 'text/event-stream', authorization: `Bearer ${key}`, 'session-id': '01a20308-0000-7000-8000-000000000001', 'thread-id': '01a20308-0000-7000-8000-000000000001',
      'x-codex-beta-features': 'remote_compaction_v2', 'x-codex-window-id': '01a20308-0000-7000-8000-000000000001:0', 'x-codex-turn-metadata': JSON.stringify({ turn: 1 }), 'x-client-request-id': '01a20308-0000-7000-8000-000000000001', originator: 'codex_exec',
    }),
    body: (model, turn) => ({
      model,
      instructions: long('You are a coding agent.', 16000),
      input: [
        { type: 'message', role: 'developer', content: [{ type: 'input_text', text: long('permissions', 400) }, { type: 'input_text', text: long('skills', 2000) }] },
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: `<environment_context>${long('here', 300)}</environment_context>` }, { type: 'input_text', text: 'Weather in Paris?' }] },
        ...(turn === 1 ? [] : [
          { type: 'reasoning', summary: [], encrypted_content: 'b3BhcXVl' },
          { type: 'function_call', name: 'weather', arguments: '{"city":"Paris"}', call_id: 'call_0' },
          { type: 'function_call_output', call_id: 'call_0', output: 'sunny' },
        ]),
      ],
      tools: [
        { type: 'function', name: 'weather', description: 'Weather of a city', strict: false, parameters: cities },
        ...many(5, (name, description) => ({ type: 'function', name, description, strict: false, parameters: { type: 'object', properties: { x: { type: 'number' } }, additionalProperties: false } })),
        { type: 'namespace', name: 'agents', description: 'Other agents', tools: [{ type: 'function', name: 'spawn', description: 'Start one', strict: false, parameters: { type: 'object', properties: { task: { type: 'string' } }, required: ['task'] } }] },
        { type: 'web_search', external_web_access: true },
      ],
      tool_choice: 'auto',
      parallel_tool_calls: true,
      reasoning: { effort: 'medium', summary: 'auto' },
      store: false,
      stream: true,
      include: ['reasoning.encrypted_content'],
      prompt_cache_key: '01a20308-0000-7000-8000-000000000001',
      client_metadata: { 'x-codex-installation-id': 'ffc2aa5c-0000-4000-8000-000000000001' },
    }),
    read(events) {
      const end = events.at(-1).data;
      return {
        complete: events[0].data.type === 'response.created' && end.type === 'response.completed',
        text: (end.response?.output ?? []).filter((i) => i.type === 'message').flatMap((i) => i.content).map((c) => c.text).join(''),
        calls: (end.response?.output ?? []).filter((i) => i.type === 'function_call').map((i) => ({ name: i.name, args: JSON.parse(i.arguments) })),
      };
    },
  },

  'gemini-cli': {
    protocol: 'gemini',
    path: (base, model) => `${base}/v1beta/models/${model}:streamGenerateContent?alt=sse`,
    headers: (key) => ({ accept: '*/*', 'x-goog-api-key': key, 'x-goog-api-client': 'google-genai-sdk/1.30.0 gl-node/v20.20.2', 'sec-fetch-mode': 'cors', 'accept-language': '*', 'accept-encoding': 'gzip, deflate' }),
    body: (_model, turn) => ({
      contents: [
        { role: 'user', parts: [{ text: `<session_context>${long('today', 500)}</session_context>` }, { text: 'Weather in Paris?' }] },
        ...(turn === 1 ? [] : [
          { role: 'model', parts: [{ functionCall: { id: 'call_0', name: 'weather', args: { city: 'Paris' } }, thoughtSignature: 'skip_thought_signature_validator' }] },
          { role: 'user', parts: [{ functionResponse: { id: 'call_0', name: 'weather', response: { output: 'sunny' } } }] },
        ]),
      ],
      systemInstruction: { role: 'user', parts: [{ text: long('You are a command line agent.', 31000) }] },
      tools: [{ functionDeclarations: [{ name: 'weather', description: 'Weather of a city', parametersJsonSchema: cities }, ...many(14, (name, description) => ({ name, description, parametersJsonSchema: { type: 'object', properties: { x: { type: 'string' } } } }))] }],
      generationConfig: { temperature: 1, topP: 0.95, topK: 64, thinkingConfig: { includeThoughts: true } },
    }),
    read(events) {
      const parts = events.flatMap((e) => e.data.candidates?.[0]?.content?.parts ?? []);
      return {
        complete: events.at(-1).data.candidates?.[0]?.finishReason === 'STOP',
        text: parts.filter((p) => p.text && !p.thought).map((p) => p.text).join(''),
        calls: parts.filter((p) => p.functionCall).map((p) => ({ name: p.functionCall.name, args: p.functionCall.args })),
      };
    },
  },
};

// The events of an SSE text: {event, data}; "[DONE]" stays a string.
export function events(text) {
  return text.replaceAll('\r\n', '\n').split('\n\n').filter((f) => /^data:/m.test(f)).map((f) => {
    const data = f.split('\n').filter((l) => l.startsWith('data:')).map((l) => l.slice(5).trim()).join('\n');
    return { event: /^event: ?(.*)$/m.exec(f)?.[1], data: data === '[DONE]' ? data : JSON.parse(data) };
  });
}
