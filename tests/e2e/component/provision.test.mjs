// What the reference project's curl script does with its configuration format: provision by the admin
// API, then ask every operation it has a flag for and the admin lists. Only statuses count there, and
// here. Provisioned twice: the second time must find everything and break nothing.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ADMIN, startGproxy } from '../harness.mjs';
import { startUpstream } from '../upstream.mjs';

const OPS = ['claude_generate', 'claude_generate_stream', 'claude_count_tokens', 'claude_models_list', 'claude_models_get',
  'gemini_generate', 'gemini_generate_stream', 'gemini_count_tokens', 'gemini_models_list', 'gemini_models_get',
  'openai_chat_generate', 'openai_chat_generate_stream', 'openai_response_generate', 'openai_response_generate_stream',
  'openai_input_tokens', 'openai_models_list', 'openai_models_get', 'oauth_start', 'oauth_callback', 'usage'];
const PROTOCOL_OF_ROW = (i) => (i < 5 ? 'claude' : i < 10 ? 'gemini' : i < 12 ? 'openai_chat' : i < 14 ? 'openai_response' : 'openai');
const ABILITIES = new Set(['oauth_start', 'oauth_callback', 'usage']);

// The 20 rules for a provider that speaks `proto`: its own rows native, the others translated where
// that is possible, abilities unsupported.
function rules(proto) {
  return OPS.map((name, i) => {
    if (ABILITIES.has(name)) return 'unsupported';
    const row = PROTOCOL_OF_ROW(i);
    if (row === proto) return 'native';
    const generates = name.includes('generate');
    if (!generates && proto.startsWith('openai')) return row === 'openai' ? 'native' : { transform: { target: 'openai' } };
    return { transform: { target: proto } };
  });
}

// The script's request for a flag: [method, path, body, headers].
function request(flag, name, model, provider) {
  const ping = (extra) => ({ model, ...extra });
  const user = [{ role: 'user', content: 'ping' }];
  const contents = { contents: [{ role: 'user', parts: [{ text: 'ping' }] }] };
  const version = { 'anthropic-version': provider.anthropic_version ?? '2023-06-01' };
  const v = provider.gemini_version ?? 'v1beta';
  switch (flag) {
    case 'claude_generate': return ['POST', `/${name}/v1/messages`, ping({ max_tokens: 16, messages: user, stream: false }), version];
    case 'claude_generate_stream': return ['POST', `/${name}/v1/messages`, ping({ max_tokens: 16, messages: user, stream: true }), version];
    case 'claude_count_tokens': return ['POST', `/${name}/v1/messages/count_tokens`, ping({ messages: user }), version];
    case 'gemini_generate': return ['POST', `/${name}/${v}/models/${model}:generateContent`, contents];
    case 'gemini_generate_stream': return ['POST', `/${name}/${v}/models/${model}:streamGenerateContent`, contents];
    case 'gemini_count_tokens': return ['POST', `/${name}/${v}/models/${model}:countTokens`, contents];
    case 'gemini_models_list': return ['GET', `/${name}/${v}/models`];
    case 'gemini_models_get': return ['GET', `/${name}/${v}/models/${model}`];
    case 'openai_chat_generate': return ['POST', `/${name}/v1/chat/completions`, ping({ messages: user, stream: false })];
    case 'openai_chat_generate_stream': return ['POST', `/${name}/v1/chat/completions`, ping({ messages: user, stream: true })];
    case 'openai_response_generate': return ['POST', `/${name}/v1/responses`, ping({ input: 'ping', stream: false })];
    case 'openai_response_generate_stream': return ['POST', `/${name}/v1/responses`, ping({ input: 'ping', stream: true })];
    case 'openai_input_tokens': return ['POST', `/${name}/v1/responses/input_tokens`, ping({ input: 'ping' })];
    // The script asks these without anthropic-version.
    case 'claude_models_list': case 'openai_models_list': return ['GET', `/${name}/v1/models`];
    case 'oauth_start': return ['GET', `/${name}/oauth`];
    case 'oauth_callback': return ['GET', `/${name}/oauth/callback${provider.callback_query ?? ''}`];
    case 'usage': return ['GET', `/${name}/usage`];  // without credential_id
    case 'claude_models_get': case 'openai_models_get': return ['GET', `/${name}/v1/models/${model}`];
    default: throw new Error(flag);
  }
}

async function send(base, key, source, [method, path, body, headers = {}]) {
  const url = new URL(base + path);
  const all = { ...headers };
  if (source === 'x_api_key') all['x-api-key'] = key;
  else if (source === 'x_goog_api_key') all['x-goog-api-key'] = key;
  else if (source === 'query_key') url.searchParams.set('key', key);
  else all.authorization = `Bearer ${key}`;
  if (body) all['content-type'] = 'application/json';
  const r = await fetch(url, { method, headers: all, body: body && JSON.stringify(body) });
  const text = await r.text();
  assert.ok(r.status < 400, `${method} ${path}: ${r.status} ${text}`);
  return text;
}

async function run(config) {
  const call = async (method, path, body) => {
    const r = await fetch(`${config.admin_base_url}/admin${path}`, { method, headers: { 'x-admin-key': config.admin_key, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
    const text = await r.text();
    assert.ok(r.status < 400, `${method} /admin${path}: ${r.status} ${text}`);
    return JSON.parse(text);
  };
  const { admin_provision: make } = config;
  if (make.enabled) {
    if (make.global_config) await call('PUT', '/global_config', make.global_config);
    for (const p of make.providers) {
      await call('PUT', `/providers/${p.name}`, { enabled: p.enabled ?? true, config_json: p.config_json });
      for (const c of p.credentials) await call('POST', `/providers/${p.name}/credentials`, c);
    }
    const { user } = make;
    await call('PUT', `/users/${user.id}`, { name: user.name, enabled: user.enabled ?? true });
    if (user.key || user.label) await call('POST', `/users/${user.id}/keys`, { key: user.key ?? '', label: user.label ?? '', enabled: user.key_enabled ?? true });
  }
  for (const path of ['/health', '/global_config', '/providers', '/credentials']) await call('GET', path);
  for (const p of config.providers) {
    await call('GET', `/providers/${p.name}`);
    await call('GET', `/providers/${p.name}/credentials`);
  }
  for (const { id } of (await call('GET', '/users')).users) await call('GET', `/users/${id}/keys`);
  await Promise.all(config.providers.map(async (p) => {
    for (const flag of OPS) {
      if (!p.methods[flag]) continue;
      await send(config.base_url, config.user_key, p.downstream_key_source, request(flag, p.name, p.model, p));
    }
  }));
}

// A vendor with one account: what a login's code and a quota call get.
function startVendor() {
  const server = http.createServer((request, response) => {
    const token = request.url.startsWith('/token');
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(token ? JSON.stringify({ Test: { api_key: 'k', account: 'acc', expires_at_ms: 0 } }) : '{"left":1}');
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

const everything = (except = []) => Object.fromEntries(OPS.filter((op) => !ABILITIES.has(op) && !except.includes(op)).map((op) => [op, true]));

let upstream, vendor, gproxy, config;
before(async () => {
  upstream = await startUpstream();
  vendor = await startVendor();
  gproxy = await startGproxy({ args: ['--modules-dir', path.join(process.env.GPROXY_LIB, 'testing')] });
  const base = `http://127.0.0.1:${upstream.port}`;
  const custom = (name, proto) => ({ name, config_json: { kind: 'custom', channel_settings: { id: name, enabled: true, proto, base_url: base, dispatch: { ops: rules(proto) } } }, credentials: [{ name: 'c1', secret_json: { Custom: { api_key: `sk-${name}` } } }] });
  config = {
    base_url: gproxy.url, admin_base_url: gproxy.url, user_key: 'k', admin_key: ADMIN, delay_secs: 0, run_admin: true, run_proxy: true,
    admin_provision: {
      enabled: true, global_config: { event_redact_sensitive: true },
      providers: [custom('mock', 'openai_chat'), custom('mock-claude', 'claude')],
      user: { id: 1, name: 'tester', key: 'k', label: 'script' },
    },
    providers: [
      { name: 'mock', model: 'm1', downstream_key_source: 'x_api_key', methods: Object.fromEntries(OPS.filter((op) => op.includes('generate')).map((op) => [op, true])) },
      { name: 'mock-claude', model: 'm1', downstream_key_source: 'query_key', methods: { ...everything(OPS.filter((op) => op.includes('models') || op.includes('tokens'))), claude_count_tokens: true } },
    ],
  };
});
after(async () => { await gproxy?.stop(); vendor?.close(); await upstream?.close(); });

describe('the reference script', () => {
  test('runs green, and again after provisioning a second time', async () => {
    await run(config);
    const before = await gproxy.admin('GET', '/users/1/keys');
    await run(config);
    const now = await gproxy.admin('GET', '/users/1/keys');
    assert.equal(now.body.keys.length, before.body.keys.length);
    assert.equal(now.body.keys[0].id, before.body.keys[0].id);
  });
  test('takes a label without a key: the key is made here', async () => {
    const made = await gproxy.admin('POST', '/users/1/keys', { key: '', label: 'only a label', enabled: true });
    assert.match(made.body.key, /^[0-9a-f-]{36}$/);
  });
  test('takes the admin key as user key: for chat, for usage and for logins, wherever the key stands', async () => {
    const { port } = vendor.address();
    const base = (source) => ({
      ...config, user_key: ADMIN,
      admin_provision: {
        ...config.admin_provision,
        providers: [...config.admin_provision.providers, {
          name: 'accounts', config_json: { kind: 'account', channel_settings: { base_url: `http://127.0.0.1:${port}` } },
          credentials: [{ name: 'c1', secret_json: { Test: { api_key: 'k', account: 'acc', expires_at_ms: 0 } } }],
        }],
      },
      providers: [
        { name: 'mock', model: 'm1', downstream_key_source: source, methods: { openai_chat_generate: true } },
        { name: 'accounts', model: 'm1', downstream_key_source: source, methods: { openai_chat_generate: true, oauth_start: true, usage: true } },
      ],
    });
    for (const source of ['authorization_bearer', 'x_api_key', 'x_goog_api_key', 'query_key']) {
      await run(base(source));
      await run(base(source));
    }
    const credentials = async () => (await gproxy.admin('GET', '/providers/accounts/credentials')).body.credentials;
    assert.equal((await credentials()).length, 1);
    // A login from its beginning to its end, as the script's operator makes it by hand.
    const begun = JSON.parse(await send(config.base_url, ADMIN, 'authorization_bearer', request('oauth_start', 'accounts', 'm1', {})));
    const ended = JSON.parse(await send(config.base_url, ADMIN, 'authorization_bearer', request('oauth_callback', 'accounts', 'm1', { callback_query: `?code=c&state=${begun.state}` })));
    assert.deepEqual([ended.created, ended.credential_id], [false, (await credentials())[0].id]);
    // The same calls are not any user's.
    for (const flag of ['oauth_start', 'usage']) {
      const r = await fetch(`${config.base_url}${request(flag, 'accounts', 'm1', {})[1]}`, { headers: { authorization: 'Bearer k' } });
      assert.equal(r.status, 403, flag);
    }
  });
});
