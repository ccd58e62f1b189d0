// The admin API through the running gateway: shapes and codes of the reference, validated when written.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ADMIN, KEY, startAll } from '../harness.mjs';

let all;
before(async () => { all = await startAll(); });
after(async () => { await all?.stop(); });
const admin = (...a) => all.gproxy.admin(...a);

describe('admin key', () => {
  test('is taken from x-admin-key, Bearer and the query; without it 401 with an empty body', async () => {
    const url = `${all.gproxy.url}/admin/health`;
    for (const init of [{ headers: { 'x-admin-key': ADMIN } }, { headers: { authorization: `Bearer ${ADMIN}` } }]) {
      assert.deepEqual(await (await fetch(url, init)).json(), { ok: true });
    }
    assert.equal((await fetch(`${url}?admin_key=${ADMIN}`)).status, 200);
    for (const init of [{}, { headers: { 'x-admin-key': 'wrong' } }, { headers: { 'x-admin-key': KEY } }]) {
      const r = await fetch(url, init);
      assert.equal(r.status, 401);
      assert.equal(await r.text(), '');
    }
  });
  test('is a key of the gateway too, for user 0', async () => {
    const r = await fetch(`${all.gproxy.url}/openai/v1/models`, { headers: { authorization: `Bearer ${ADMIN}` } });
    assert.equal(r.status, 200);
  });
});

describe('providers', () => {
  test('seeded kinds have rows, the configured ones say where they come from', async () => {
    const { body } = await admin('GET', '/providers');
    const byName = Object.fromEntries(body.providers.map((p) => [p.name, p]));
    assert.equal(byName.openai.origin, 'file');
    assert.ok(byName.openai.updated_at.endsWith('Z'));
    assert.equal(typeof byName.openai.id, 'number');
  });

  test('are created, used at once, changed and deleted', async () => {
    const config_json = { kind: 'custom', channel_settings: { id: 'mine', enabled: true, proto: 'openai_chat', base_url: `http://127.0.0.1:${all.upstream.port}`, dispatch: { ops: [] } } };
    const put = await admin('PUT', '/providers/mine', { enabled: true, config_json });
    assert.equal(put.status, 200, JSON.stringify(put.body));
    assert.equal(put.body.name, 'mine');
    const cred = await admin('POST', '/providers/mine/credentials', { name: 'c', secret_json: { Custom: { api_key: 'sk-custom' } } });
    assert.equal(cred.status, 200, JSON.stringify(cred.body));
    const r = await fetch(`${all.gproxy.url}/mine/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] }) });
    assert.equal(r.status, 200);
    assert.equal(all.upstream.last().headers.authorization, 'Bearer sk-custom');
    assert.equal((await admin('PUT', '/providers/mine', { enabled: false, config_json })).status, 200);
    const off = await fetch(`${all.gproxy.url}/mine/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: '{"model":"m","messages":[]}' });
    assert.equal(off.status, 404);
    assert.equal(off.headers.get('x-gproxy-error'), 'provider_disabled');
    assert.equal((await admin('DELETE', '/providers/mine')).status, 200);
    assert.equal((await admin('GET', '/providers/mine')).status, 404);
  });

  test('refuse what does not fit, with the path of the fault, and store nothing', async () => {
    const bad = [
      ['/providers/v1', { enabled: true, config_json: { kind: 'openai' } }, 400],
      ['/providers/has%20space', { enabled: true, config_json: { kind: 'openai' } }, 400],
      ['/providers/x', { config_json: { kind: 'openai' } }, 400],
      ['/providers/x', { enabled: true, config_json: { kind: 'nope' } }, 400],
      ['/providers/x', { enabled: true, config_json: { kind: 'openai', channel_settings: { base_ulr: 'http://x' } } }, 400],
      ['/providers/x', { enabled: true, config_json: { kind: 'openai', channel_settings: { base_url: 7 } } }, 400],
    ];
    for (const [path, body, status] of bad) {
      const r = await admin('PUT', path, body);
      assert.equal(r.status, status, `${path} ${JSON.stringify(body)}: ${JSON.stringify(r.body)}`);
      assert.ok(r.body.error, JSON.stringify(r.body));
    }
    const typo = await admin('PUT', '/providers/x', bad[4][1]);
    assert.match(typo.body.detail, /base_ulr/);
    assert.match(typo.body.detail, /base_url/);
    assert.equal((await admin('GET', '/providers/x')).status, 404);
  });

  test('declared in the file answer 409 instead of losing the edit', async () => {
    const r = await admin('PUT', '/providers/openai', { enabled: false, config_json: { kind: 'openai', channel_settings: {} } });
    assert.equal(r.status, 409);
    assert.equal(r.body.error, 'managed_by_file');
  });

  test('of a seeded kind cannot be deleted; unknown ones are 404', async () => {
    const { body } = await admin('GET', '/providers');
    const seeded = body.providers.find((p) => p.origin === 'db');
    if (seeded) assert.equal((await admin('DELETE', `/providers/${seeded.name}`)).body.error, 'only_custom_provider_can_be_deleted');
    assert.equal((await admin('DELETE', '/providers/nope')).body.error, 'provider_not_found');
  });
});

describe('credentials', () => {
  test('are checked against their kind, masked when shown, kept when the mask comes back', async () => {
    await admin('PUT', '/providers/creds', { enabled: true, config_json: { kind: 'openai', channel_settings: { base_url: `http://127.0.0.1:${all.upstream.port}` } } });
    const wrongTag = await admin('POST', '/providers/creds/credentials', { secret_json: { Claude: { api_key: 'x' } } });
    assert.equal(wrongTag.status, 400);
    assert.equal(wrongTag.body.error, 'credential_kind_mismatch');
    const missing = await admin('POST', '/providers/creds/credentials', { secret_json: { OpenAI: {} } });
    assert.equal(missing.status, 400);
    assert.equal(missing.body.error, 'invalid_credential_json');
    assert.match(missing.body.detail, /api_key/);

    const made = await admin('POST', '/providers/creds/credentials', { name: 'one', secret_json: { OpenAI: { api_key: 'sk-secret-text-1234', note: 'kept' } } });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const list = await admin('GET', '/providers/creds/credentials');
    const row = list.body.credentials.find((c) => c.id === made.body.id);
    assert.ok(!JSON.stringify(list.body).includes('sk-secret-text'));
    assert.equal(row.runtime_status.summary, 'active');
    assert.deepEqual(row.runtime_status.model_unavailable, []);
    const put = await admin('PUT', `/credentials/${made.body.id}`, { name: 'renamed', secret_json: row.secret_json });
    assert.equal(put.status, 200, JSON.stringify(put.body));
    await fetch(`${all.gproxy.url}/creds/v1/models`, { headers: { authorization: `Bearer ${KEY}` } });
    assert.equal(all.upstream.last().headers.authorization, 'Bearer sk-secret-text-1234');

    assert.equal((await admin('PUT', `/credentials/${made.body.id}/enabled`, { enabled: false })).status, 200);
    const r = await fetch(`${all.gproxy.url}/creds/v1/models`, { headers: { authorization: `Bearer ${KEY}` } });
    assert.equal(r.status, 503);
    assert.equal(r.headers.get('x-gproxy-error'), 'no_active_credentials');
    assert.equal((await admin('GET', '/credentials')).body.credentials.find((c) => c.id === made.body.id).runtime_status.summary, 'disabled');
    assert.equal((await admin('DELETE', `/credentials/${made.body.id}`)).status, 200);
    assert.equal((await admin('DELETE', `/credentials/${made.body.id}`)).body.error, 'credential_not_found');
    assert.equal((await admin('PUT', '/credentials/abc/enabled', { enabled: true })).status, 400);
    await admin('DELETE', '/providers/creds');
  });
});

describe('names and texts of credentials', () => {
  test('have the bounds of other names, and no NUL', async () => {
    const secret_json = { OpenAI: { api_key: 'sk-for-a-bad-name' } };
    for (const name of ['x'.repeat(129), 'a\u0000b', 'a\nb']) {
      const r = await admin('POST', '/providers/claudecode/credentials', { name, secret_json });
      assert.equal(r.status, 400, JSON.stringify(name.slice(0, 9)));
      assert.match(r.body.detail, /^name: /);
    }
    const nul = await admin('POST', '/providers/openai/credentials', { secret_json: { OpenAI: { api_key: 'sk-a\u0000b' } } });
    assert.equal(nul.body.error, 'invalid_credential_json');
    const rows = await admin('POST', '/providers/openai/credentials/import', { items: [{ api_key: 'sk-a\u0000b-imported' }] });
    assert.deepEqual([rows.body.created, rows.body.errors], [0, 1]);
  });
});

describe('a mask', () => {
  test('that stands for nothing stored is refused instead of being taken for the secret', async () => {
    await admin('PUT', '/providers/masks', { enabled: true, config_json: { kind: 'openai', channel_settings: {} } });
    const { id } = (await admin('POST', '/providers/masks/credentials', { secret_json: { OpenAI: { api_key: 'sk-the-real-secret' } } })).body;
    const masked = { secret_json: { OpenAI: { api_key: '****else' } } };
    for (const r of [await admin('POST', '/providers/masks/credentials', masked), await admin('PUT', `/credentials/${id}`, masked)]) {
      assert.equal(r.status, 400);
      assert.equal(r.body.error, 'invalid_credential_json');
    }
    assert.equal((await admin('POST', `/credentials/${id}/reveal`)).body.secret_json.OpenAI.api_key, 'sk-the-real-secret');
    const settings = { kind: 'nvidia', channel_settings: { hf_token: '****oken' } };
    assert.equal((await admin('PUT', '/providers/masked', { enabled: true, config_json: settings })).body.error, 'provider_config_invalid');
    assert.equal((await admin('GET', '/providers/masked')).status, 404);
    assert.equal((await admin('PUT', '/global_config', { settings: { metrics_token: '****oken' } })).status, 400);
    await admin('PUT', '/global_config', { proxy: 'http://user:secret@127.0.0.1:1' });
    assert.equal((await admin('PUT', '/global_config', { proxy: 'http://user:***@127.0.0.1:2' })).status, 400);
    assert.equal((await admin('POST', '/global_config/reveal')).body.proxy, 'http://user:secret@127.0.0.1:1');
    await admin('PUT', '/global_config', { proxy: null });
    await admin('DELETE', '/providers/masks');
  });
});

describe('the audit log', () => {
  test('tells what was set to what, and no text', async () => {
    await admin('PUT', '/users/61', { name: 'a name that is private', enabled: false, requests_per_minute: 7, expires_at: null });
    const row = (await admin('GET', '/audit?target_contains=/users/61')).body.rows[0];
    assert.deepEqual(row.detail, { members: ['name', 'enabled', 'requests_per_minute', 'expires_at'], values: { enabled: false, requests_per_minute: 7, expires_at: null } });
    await admin('DELETE', '/users/61');
  });
});

describe('users and keys', () => {
  test('a key works at once and stops working at once', async () => {
    assert.equal((await admin('PUT', '/users/7', { name: 'seven', enabled: true })).status, 200);
    const made = await admin('POST', '/users/7/keys', { label: 'l' });
    assert.equal(made.status, 200);
    assert.match(made.body.key, /^[0-9a-f-]{36}$/);
    const ask = () => fetch(`${all.gproxy.url}/openai/v1/models`, { headers: { 'x-api-key': made.body.key } });
    assert.equal((await ask()).status, 200);
    const keys = await admin('GET', '/users/7/keys');
    assert.ok(!JSON.stringify(keys.body).includes(made.body.key));
    await admin('PUT', `/user_keys/${made.body.id}/enabled`, { enabled: false });
    assert.equal((await ask()).status, 401);
    await admin('PUT', `/user_keys/${made.body.id}/enabled`, { enabled: true });
    await admin('PUT', '/users/7/enabled', { enabled: false });
    assert.equal((await ask()).status, 401);
    assert.equal((await admin('DELETE', '/users/7')).status, 200);
    assert.equal((await ask()).status, 401);
  });

  test('provisioning the same key twice for one user answers the same row; for another it is a conflict', async () => {
    await admin('PUT', '/users/8', { name: 'eight', enabled: true });
    const a = await admin('POST', '/users/8/keys', { key: 'fixed-key-for-eight', label: 'x' });
    const b = await admin('POST', '/users/8/keys', { key: 'fixed-key-for-eight', label: 'x' });
    assert.equal(a.body.id, b.body.id);
    await admin('PUT', '/users/9', { name: 'nine', enabled: true });
    assert.equal((await admin('POST', '/users/9/keys', { key: 'fixed-key-for-eight' })).status, 409);
    assert.equal((await admin('PUT', '/users/9', { name: 'eight', enabled: true })).status, 409);
    assert.equal((await admin('POST', '/users/999/keys', {})).status, 404);
    assert.equal((await admin('GET', '/users/999/keys')).body.error, 'user_not_found');
    for (const id of ['9223372036854775807', '9007199254740992', '-1']) {
      const r = await admin('PUT', `/users/${id}`, { name: `of ${id}`, enabled: true });
      assert.equal(r.status, 400, id);
      assert.match(r.body.detail, /^id: /);
    }
    assert.equal((await admin('PUT', '/users/9007199254740991', { name: 'the last', enabled: true })).status, 200);
    assert.equal((await admin('DELETE', '/users/9007199254740991')).status, 200);
  });
});

describe('global_config', () => {
  test('shows settings with their origins and hides the key', async () => {
    const { body } = await admin('GET', '/global_config');
    assert.equal(body.origins.admin_key, 'cli');
    assert.equal(body.event_redact_sensitive, true);
    assert.ok(!JSON.stringify(body).includes(ADMIN));
  });
  test('what the command line sets is 409, other settings change and null clears them', async () => {
    assert.equal((await admin('PUT', '/global_config', { admin_key: 'another-key-here' })).body.error, 'managed_by_cli');
    assert.equal((await admin('PUT', '/global_config', { proxy: 'http://127.0.0.1:1' })).status, 200);
    assert.equal((await admin('GET', '/global_config')).body.proxy, 'http://127.0.0.1:1');
    assert.equal((await admin('PUT', '/global_config', { proxy: null })).status, 200);
    assert.equal((await admin('GET', '/global_config')).body.proxy, null);
    const bad = await admin('PUT', '/global_config', { prxy: 'x' });
    assert.equal(bad.status, 400);
    assert.match(bad.body.detail, /prxy/);
    assert.equal((await admin('PUT', '/global_config', { port: 70000 })).status, 400);
    // Dotted as they are shown, nested as in the file, below `settings` or not.
    for (const body of [{ 'limits.max_json_depth': 30 }, { limits: { max_json_depth: 31 } }, { settings: { 'limits.max_json_depth': 32 } }, { settings: { limits: { max_json_depth: 33 } } }]) {
      assert.equal((await admin('PUT', '/global_config', body)).status, 200, JSON.stringify(body));
      assert.equal((await admin('GET', '/global_config')).body.settings['limits.max_json_depth'], Number(/\d+/.exec(JSON.stringify(body))[0]));
    }
    assert.match((await admin('PUT', '/global_config', { limits: { max_json_dept: 30 } })).body.detail, /limits\.max_json_dept: unknown setting, did you mean limits\.max_json_depth\?/);
    assert.equal((await admin('PUT', '/global_config', { limits: { max_json_depth: null } })).status, 200);
    for (const settings of [5, [], 'x', true]) {
      const r = await admin('PUT', '/global_config', { settings });
      assert.equal(r.status, 400);
      assert.match(r.body.detail, /^settings: /);
    }
  });
});

describe('form', () => {
  test('bad JSON, wrong media type, unknown routes and wrong methods are told apart', async () => {
    const send = (path, method, headers, body) => fetch(`${all.gproxy.url}/admin${path}`, { method, headers: { 'x-admin-key': ADMIN, ...headers }, body });
    assert.equal((await send('/users/5', 'PUT', { 'content-type': 'application/json' }, '{"name":')).status, 400);
    assert.equal((await send('/users/5', 'PUT', { 'content-type': 'text/plain' }, '{}')).status, 415);
    assert.equal((await send('/nope', 'GET', {})).status, 404);
    const wrong = await send('/users', 'DELETE', {});
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get('allow'), 'GET');
    assert.equal((await send('/users/5', 'POST', {})).headers.get('allow'), 'PUT, DELETE');
  });
  test('a path that is no route is 404 without a key, too; one that is stays closed', async () => {
    for (const path of ['/admin/nope', '/admin', '/admin/users/5/nope']) assert.equal((await fetch(all.gproxy.url + path)).status, 404);
    for (const path of ['/admin/users', '/admin/users/5', '/admin/logs/tail']) assert.equal((await fetch(all.gproxy.url + path)).status, 401);
  });
  test('modules are listed with their kinds, and reload says what it did', async () => {
    const { body } = await admin('GET', '/modules');
    assert.ok(body.modules.some((m) => JSON.stringify(m).includes('"openai"')));
    assert.deepEqual(body.faults, []);
    assert.equal((await admin('POST', '/modules/reload')).status, 200);
  });
});
