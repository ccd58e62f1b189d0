// Users and keys through the running gateway: bounds, limits, permissions, rotation, audit, imports,
// export, rebinding.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ADMIN, KEY, PATIENCE, freePort, startAll, startGproxy, until } from '../harness.mjs';

let all;
before(async () => { all = await startAll(); });
after(async () => { await all?.stop(); });
const admin = (...a) => all.gproxy.admin(...a);
const chat = (key, model = 'm', provider = 'openai') => fetch(`${all.gproxy.url}/${provider}/v1/chat/completions`, {
  method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] }),
});
let nextUser = 100;
async function newKey(key = {}, user = {}) {
  const id = nextUser++;
  const put = await admin('PUT', `/users/${id}`, { name: `user-${id}`, enabled: true, ...user });
  assert.equal(put.status, 200, JSON.stringify(put.body));
  const made = await admin('POST', `/users/${id}/keys`, { label: 'l', ...key });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  return { user: id, id: made.body.id, key: made.body.key };
}
const listed = async (k) => (await admin('GET', `/users/${k.user}/keys`)).body.keys.find((row) => row.id === k.id);

describe('bounds', () => {
  test('are shown as they were set, kept when absent, taken away by null', async () => {
    const k = await newKey({ expires_at: '2099-01-01T00:00:00Z', allowed_models: ['m*'], requests_per_minute: 50, permissions: ['quota'] }, { tokens_per_minute: 100000 });
    let row = await listed(k);
    assert.equal(row.expires_at, '2099-01-01T00:00:00.000000Z');
    assert.deepEqual(row.allowed_models, ['m*']);
    assert.equal(row.allowed_providers, null);
    assert.deepEqual(row.permissions, ['quota']);
    assert.deepEqual(row.in_use, { concurrent_requests: 0, requests_left: 50, tokens_left: null });
    assert.equal((await admin('PUT', `/user_keys/${k.id}`, { label: 'x', requests_per_minute: 9 })).status, 200);
    row = await listed(k);
    assert.deepEqual([row.label, row.requests_per_minute, row.allowed_models], ['x', 9, ['m*']]);
    assert.equal((await admin('PUT', `/user_keys/${k.id}`, { ...row, requests_per_minute: null, permissions: [] })).status, 200);
    row = await listed(k);
    assert.deepEqual([row.requests_per_minute, row.permissions], [null, []]);
    const users = (await admin('GET', '/users')).body.users;
    const user = users.find((u) => u.id === k.user);
    assert.deepEqual([user.tokens_per_minute, user.key_count], [100000, 1]);
    assert.equal((await admin('PUT', `/users/${k.user}`, { ...user, name: 'renamed', tokens_per_minute: null })).status, 200);
  });

  test('bad ones are refused by name', async () => {
    const k = await newKey();
    for (const [body, name] of [
      [{ expires_at: 'soon' }, 'expires_at'], [{ allowed_models: [] }, 'allowed_models'], [{ requests_per_minute: 0 }, 'requests_per_minute'],
      [{ tokens_per_minute: 'many' }, 'tokens_per_minute'], [{ permissions: ['all'] }, 'permissions[0]'], [{ alowed_models: ['m'] }, 'did you mean'],
    ]) {
      const r = await admin('PUT', `/user_keys/${k.id}`, body);
      assert.equal(r.status, 400, JSON.stringify(body));
      assert.ok(r.body.detail.includes(name), r.body.detail);
      assert.equal((await admin('POST', `/users/${k.user}/keys`, body)).status, 400);
    }
    assert.equal((await admin('PUT', `/users/${k.user}`, { name: 'n', enabled: true, concurrent_requests: -1 })).status, 400);
    assert.equal((await admin('PUT', '/user_keys/99999', { label: 'x' })).body.error, 'user_key_not_found');
  });

  test('an expired key is 401, another model or provider 403 in the client protocol', async () => {
    const k = await newKey({ allowed_models: ['good'], allowed_providers: ['openai'] });
    assert.equal((await chat(k.key, 'good')).status, 200);
    const model = await chat(k.key, 'bad');
    assert.equal(model.status, 403);
    assert.equal(model.headers.get('x-gproxy-error'), 'model_not_allowed');
    const claude = await fetch(`${all.gproxy.url}/claude/v1/messages`, { method: 'POST', headers: { 'x-api-key': k.key, 'content-type': 'application/json' }, body: '{"model":"good","max_tokens":5,"messages":[]}' });
    assert.equal(claude.status, 403);
    assert.equal((await claude.json()).error.type, 'permission_error');
    await admin('PUT', `/user_keys/${k.id}`, { expires_at: '2020-01-01T00:00:00Z' });
    assert.equal((await chat(k.key, 'good')).status, 401);
  });

  test('a key sees in the list of all models what it may use', async () => {
    const k = await newKey({ allowed_providers: ['claude'] });
    const { data } = await (await fetch(`${all.gproxy.url}/v1/models`, { headers: { authorization: `Bearer ${k.key}` } })).json();
    assert.ok(data.length > 0);
    assert.ok(data.every((m) => m.id.startsWith('claude/')), JSON.stringify(data));
  });
});

describe('limits', () => {
  test('requests a minute: headers while there is room, then 429 with retry-after', async () => {
    const k = await newKey({ requests_per_minute: 2 });
    const first = await chat(k.key);
    assert.equal(first.headers.get('x-ratelimit-limit-requests'), '2');
    assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '1');
    assert.equal((await chat(k.key)).status, 200);
    const third = await chat(k.key);
    assert.equal(third.status, 429);
    assert.ok(Number(third.headers.get('retry-after')) >= 1);
    assert.equal((await third.json()).error.code, 'rate_limit_exceeded');
    await admin('PUT', `/user_keys/${k.id}`, { requests_per_minute: 1000 });
    assert.equal((await chat(k.key)).status, 200);
  });
  test('a limit of the user counts all of its keys', async () => {
    const k = await newKey({}, { requests_per_minute: 1 });
    const other = (await admin('POST', `/users/${k.user}/keys`, { label: 'second' })).body.key;
    assert.equal((await chat(k.key)).status, 200);
    assert.equal((await chat(other)).status, 429);
  });
  test('tokens are settled with what the upstream counted', async () => {
    // Ten come back in a second: those of the answer are still missing when we look.
    const k = await newKey({ tokens_per_minute: 600 });
    await (await chat(k.key)).text();
    const left = (await listed(k)).in_use.tokens_left;
    assert.ok(left < 600 && left > 500, String(left));
  });
});

describe('rotation', () => {
  test('both texts work within the grace, only the new one without', async () => {
    const k = await newKey();
    const rotated = await admin('POST', `/user_keys/${k.id}/rotate`, { grace_secs: 3600 });
    assert.equal(rotated.status, 200, JSON.stringify(rotated.body));
    assert.notEqual(rotated.body.key, k.key);
    assert.ok(rotated.body.previous_valid_until.endsWith('Z'));
    assert.equal((await chat(k.key)).status, 200);
    assert.equal((await chat(rotated.body.key)).status, 200);
    const again = await admin('POST', `/user_keys/${k.id}/rotate`, { key: 'chosen-by-the-operator' });
    assert.equal(again.body.previous_valid_until, null);
    assert.equal((await chat(rotated.body.key)).status, 401);
    assert.equal((await chat(k.key)).status, 401);
    assert.equal((await chat('chosen-by-the-operator')).status, 200);
    assert.equal((await admin('POST', `/user_keys/${k.id}/rotate`, { key: 'chosen-by-the-operator' })).status, 409);
    assert.equal((await admin('POST', `/user_keys/${k.id}/rotate`, { grace_secs: -1 })).status, 400);
    assert.equal((await admin('POST', '/user_keys/99999/rotate', {})).status, 404);
  });
});

describe('secrets', () => {
  test('are revealed by an audited call only', async () => {
    const k = await newKey({ keep_copy: true });
    assert.equal((await admin('POST', `/user_keys/${k.id}/reveal`)).body.key, k.key);
    const plain = await newKey();
    assert.equal((await admin('POST', `/user_keys/${plain.id}/reveal`)).status, 409);
    const credential = (await admin('GET', '/providers/openai/credentials')).body.credentials[0];
    assert.ok(!JSON.stringify(credential).includes('sk-up-openai'));
    assert.equal((await admin('POST', `/credentials/${credential.id}/reveal`)).body.secret_json.OpenAI.api_key, 'sk-up-openai');
    assert.equal((await admin('POST', '/global_config/reveal')).body.admin_key, ADMIN);
    const { rows } = (await admin('GET', '/audit?target_contains=reveal')).body;
    assert.deepEqual(rows.map((r) => [r.action, r.status]).reverse(), [
      ['POST /user_keys/{id}/reveal', 200], ['POST /user_keys/{id}/reveal', 409], ['POST /credentials/{id}/reveal', 200], ['POST /global_config/reveal', 200]]);
    assert.ok(!JSON.stringify(rows).includes(k.key));
  });
  test('a proxy is shown without its password, and keeps it when it comes back so', async () => {
    const proxy = 'http://user:proxy-password@127.0.0.1:9';
    assert.equal((await admin('PUT', '/global_config', { proxy })).status, 200);
    try {
      const { body } = await admin('GET', '/global_config');
      assert.equal(body.proxy, 'http://user:***@127.0.0.1:9');
      assert.ok(!JSON.stringify(body).includes('proxy-password'));
      const exported = (await admin('POST', '/export', {})).body.config;
      assert.equal(exported.settings.proxy, body.proxy);
      assert.equal((await admin('PUT', '/global_config', { proxy: body.proxy })).status, 200);
      const imported = await admin('POST', '/import', { config: { settings: { proxy: body.proxy } } });
      assert.deepEqual([imported.status, imported.body.left_alone], [200, []]);
      assert.equal((await admin('POST', '/global_config/reveal')).body.proxy, proxy);
    } finally { assert.equal((await admin('PUT', '/global_config', { proxy: null })).status, 200); }
    const other = await admin('POST', '/import', { config: { settings: { proxy: 'http://user:***@127.0.0.1:9' } } });
    assert.deepEqual([other.status, other.body.left_alone], [200, ['settings.proxy: its password is masked']]);
    assert.equal((await admin('GET', '/global_config')).body.proxy, null);
  });
  test('metrics_token is set, masked and cleared here', async () => {
    assert.equal((await admin('PUT', '/global_config', { settings: { metrics_token: 'scrape-token-123' } })).status, 200);
    const { settings } = (await admin('GET', '/global_config')).body;
    assert.equal(settings.metrics_token, '****-123');
    assert.equal((await admin('PUT', '/global_config', { settings: { metrics_token: settings.metrics_token } })).status, 200);
    assert.equal((await admin('POST', '/global_config/reveal')).body.metrics_token, 'scrape-token-123');
    assert.equal((await admin('PUT', '/global_config', { settings: { metrics_token: null } })).status, 200);
    assert.equal((await admin('GET', '/global_config')).body.settings.metrics_token, null);
  });
});

describe('audit log', () => {
  test('holds changes with their outcome, newest first, in pages, without texts', async () => {
    await admin('PUT', '/users/500', { name: 'audited-name', enabled: true });
    await admin('DELETE', '/users/77777');
    const { body } = await admin('GET', '/audit?limit=1');
    assert.deepEqual([body.rows[0].action, body.rows[0].target, body.rows[0].status, body.rows[0].error], ['DELETE /users/{id}', '/users/77777', 404, 'user_not_found']);
    assert.equal(body.has_more, true);
    const next = (await admin('GET', `/audit?limit=1&cursor_at=${encodeURIComponent(body.next_cursor_at)}&cursor_id=${body.next_cursor_id}`)).body;
    assert.deepEqual([next.rows[0].action, next.rows[0].detail], ['PUT /users/{id}', { members: ['name', 'enabled'], values: { enabled: true } }]);
    assert.ok(next.rows[0].client);
    for (const [query, error] of [['from=x', 'invalid_from'], ['to=x', 'invalid_to'], ['cursor_at=2026-01-01T00:00:00Z', 'invalid_cursor'], ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'invalid_range']]) {
      assert.equal((await admin('GET', `/audit?${query}`)).body.error, error);
    }
  });
});

describe('the audit row and the change', () => {
  test('are there together or not at all', async () => {
    const g = await startGproxy({});
    try {
      const put = (id) => g.admin('PUT', `/users/${id}`, { name: `u${id}`, enabled: true });
      assert.equal((await put(5)).status, 200);
      const { rows } = (await g.admin('GET', '/audit')).body;
      assert.deepEqual(rows.map((r) => [r.action, r.status]), [['PUT /users/{id}', 200]]);  // once
      const sql = (text) => assert.equal(spawnSync('python3', ['-c', 'import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],timeout=30)\nc.execute(sys.argv[2])\nc.commit()', path.join(g.dir, 'gproxy.db'), text]).status, 0);
      sql('ALTER TABLE audit_log RENAME TO elsewhere');
      assert.equal((await put(6)).status, 500);
      assert.equal((await g.admin('POST', '/global_config/reveal')).status, 500);  // no secret unseen
      sql('ALTER TABLE elsewhere RENAME TO audit_log');
      assert.deepEqual((await g.admin('GET', '/users')).body.users.map((u) => u.id), [0, 5]);
      assert.equal((await put(6)).status, 200);
    } finally { await g.stop(); }
  });
});

describe('import of credentials', () => {
  const into = async (name, kind) => admin('PUT', `/providers/${name}`, { enabled: true, config_json: { kind, channel_settings: { base_url: `http://127.0.0.1:${all.upstream.port}` } } });
  test('one key per line, without doubles, a result for each', async () => {
    await into('lines', 'openai');
    const key = (n) => `sk-imported-key-number-${n}-of-many-others`;
    const r = await admin('POST', '/providers/lines/credentials/import', { text: `${key(1)}\n\n ${key(2)} \n${key(1)}\n` });
    assert.equal(r.status, 200, JSON.stringify(r.body));
    assert.deepEqual([r.body.created, r.body.duplicates, r.body.errors], [2, 1, 0]);
    assert.equal(r.body.rows[2].id, r.body.rows[0].id);
    assert.ok(!JSON.stringify(r.body).includes(key(1)));
    const again = await admin('POST', '/providers/lines/credentials/import', { items: [key(2), key(3), {}, 7] });
    assert.deepEqual(again.body.rows.map((x) => x.status), ['duplicate', 'created', 'error', 'error']);
    assert.equal((await admin('GET', '/providers/lines/credentials')).body.credentials.length, 3);
  });
  test('JSON documents, tagged or not, placeholders left out', async () => {
    await into('docs', 'openai');
    const text = '{"OpenAI":{"api_key":"sk-document-one-1234567890"}} [{"api_key":"sk-document-two-1234567890","organization":"<optional>"},{"Claude":{"api_key":"x"}}]';
    const r = await admin('POST', '/providers/docs/credentials/import', { text });
    assert.deepEqual(r.body.rows.map((x) => x.status), ['created', 'created', 'error'], JSON.stringify(r.body));
    for (const [body, status] of [[{ text: '{"a":' }, 400], [{}, 400], [{ items: 'x' }, 400], [{ txt: '' }, 400]]) {
      assert.equal((await admin('POST', '/providers/docs/credentials/import', body)).status, status, JSON.stringify(body));
    }
    assert.equal((await admin('POST', '/providers/nope/credentials/import', { text: 'k' })).status, 404);
  });
});

describe('credential actions', () => {
  test('test asks the upstream and tells what it said; refresh is refused where there is nothing to renew', async () => {
    const id = (await admin('GET', '/providers/openai/credentials')).body.credentials[0].id;
    const r = await admin('POST', `/credentials/${id}/test`);
    assert.deepEqual([r.status, r.body.ok, r.body.status, r.body.error], [200, true, 200, null], JSON.stringify(r.body));
    assert.equal(all.upstream.last().headers.authorization, 'Bearer sk-up-openai');
    assert.equal((await admin('POST', `/credentials/${id}/refresh`)).body.error, 'not_refreshable');
    assert.equal((await admin('POST', '/credentials/99999/test')).status, 404);
    assert.equal((await admin('POST', '/credentials/99999/refresh')).status, 404);
  });
});

describe('export and import', () => {
  test('what one gproxy exports another takes, and what a file declares is left alone', async () => {
    const k = await newKey({ keep_copy: true, label: 'moves', requests_per_minute: 7 });
    await newKey({ label: 'stays' });
    await admin('PUT', '/global_config', { settings: { 'timeouts.list_ms': 4321 } });
    const masked = (await admin('POST', '/export', {})).body;
    assert.ok(!JSON.stringify(masked).includes(k.key) && !JSON.stringify(masked).includes('sk-up-openai'));
    const { body } = await admin('POST', '/export', { secrets: true });
    assert.equal(body.config.settings.timeouts.list_ms, 4321);
    assert.ok(body.keys_left_out.some((x) => x.label === 'stays'));
    const other = await startGproxy({});
    try {
      const config = { ...body.config };
      delete config.settings.admin_key;
      delete config.settings.host;
      delete config.settings.port;
      const r = await other.admin('POST', '/import', { config });
      assert.equal(r.status, 200, JSON.stringify(r.body));
      const row = (await other.admin('GET', '/providers/openai')).body;
      assert.equal(row.origin, 'db');
      const asked = await fetch(`${other.url}/openai/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${k.key}`, 'content-type': 'application/json' }, body: '{"model":"m","messages":[]}' });
      assert.equal(asked.status, 200);
      assert.equal(asked.headers.get('x-ratelimit-limit-requests'), '7');
      assert.equal((await other.admin('GET', '/global_config')).body.settings['timeouts.list_ms'], 4321);
      const twice = await other.admin('POST', '/import', { config });
      assert.equal(twice.status, 200, JSON.stringify(twice.body));
    } finally { await other.stop(); }
    const own = await admin('POST', '/import', { config: { providers: [{ name: 'openai', kind: 'openai', enabled: false }] } });
    assert.equal(own.status, 200, JSON.stringify(own.body));
    assert.match(own.body.left_alone.join(), /provider openai/);
    assert.equal((await admin('GET', '/providers/openai')).body.enabled, true);
    for (const config of [{ providers: [{ name: 'x', kind: 'nope' }] }, { provders: [] }, { users: [{ name: 'u', keys: [{ label: 'l', key_file: '/etc/hostname' }] }] }, 5]) {
      assert.equal((await admin('POST', '/import', { config })).status, 400, JSON.stringify(config));
    }
  });
});

// A configuration of everything the admin API can write, another one for each seed.
async function fillAtRandom(g, seed) {
  let state = seed;
  const random = (n) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return (state >>> 8) % n; };
  const some = (list) => list.filter(() => random(2));
  const one = (list) => list[random(list.length)];
  const put = async (method, path, body) => {
    const r = await g.admin(method, path, body);
    assert.equal(r.status, 200, `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(r.body)}`);
    return r.body;
  };
  const bounds = () => Object.fromEntries(some([
    ['expires_at', '2099-01-01T00:00:00.000000Z'], ['allowed_providers', ['p0', 'openai']], ['allowed_models', ['m*', 'p1/x']],
    ['requests_per_minute', 1 + random(500)], ['tokens_per_minute', 1 + random(9000)], ['concurrent_requests', 1 + random(9)]]));
  const providers = Array.from({ length: 1 + random(3) }, (_, i) => `p${i}`);
  for (const name of providers) {
    await put('PUT', `/providers/${name}`, { enabled: random(4) > 0, config_json: {
      kind: 'openai', channel_settings: { base_url: `http://127.0.0.1:${1 + random(9000)}` } },
      pool: Object.fromEntries(some([['strategy', one(['round_robin', 'least_in_flight', 'weighted'])], ['max_concurrent', 1 + random(20)], ['first_token_ms', 1000 + random(9000)]])) });
    for (let i = random(3); i > 0; i--) {
      await put('POST', `/providers/${name}/credentials`, { name: random(2) ? `c${i}` : undefined, enabled: random(3) > 0,
        settings_json: random(2) ? { weight: 1 + random(5) } : {}, secret_json: { OpenAI: { api_key: `sk-${seed}-${name}-${i}-${'k'.repeat(30)}` } } });
    }
  }
  for (let i = random(3); i > 0; i--) {
    await put('PUT', `/routes/route-${i}`, { enabled: random(3) > 0, body: { aliases: some([`alias-${i}a`, `alias-${i}b`]), listed: random(2) === 0, keys: some([one(['user-10/key-1', 'user-11/key-9'])]),
      tiers: Array.from({ length: 1 + random(2) }, () => [{ provider: one(providers), model: one(['m1', 'm2']), weight: 1 + random(4) }]) } });
  }
  for (let i = 10; i < 10 + random(4); i++) {
    await put('PUT', `/users/${i}`, { name: `user-${i}`, enabled: random(4) > 0, ...bounds() });
    for (let k = random(3); k > 0; k--) {
      const { id } = await put('POST', `/users/${i}/keys`, { label: `key-${k}`, keep_copy: true, ...bounds(), permissions: some(['oauth', 'quota']) });
      if (random(3) === 0) await put('PUT', `/user_keys/${id}/enabled`, { enabled: false });
    }
  }
  if (random(2)) await put('POST', '/users/0/keys', { label: 'of the operator', keep_copy: true });
  await put('PUT', '/global_config', { proxy: random(2) ? 'http://user:password@127.0.0.1:9' : null,
    settings: Object.fromEntries(some([['timeouts.list_ms', 100 + random(5000)], ['retention.log_days', random(90)], ['metrics_token', `token-${seed}-of-metrics`], ['log_bodies', false], ['pings', false]])) });
}

describe('a whole configuration', () => {
  const exported = async (g) => {
    const { status, body } = await g.admin('POST', '/export', { secrets: true });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body.keys_left_out, []);
    // What a gproxy is started with is its own.
    for (const own of ['admin_key', 'host', 'port']) delete body.config.settings[own];
    return body.config;
  };
  for (const seed of [1, 2, 3, 4]) {
    test(`is the same after an export, an import and an export, seed ${seed}`, async () => {
      const from = await startGproxy({});
      const to = await startGproxy({});
      try {
        await fillAtRandom(from, seed);
        const config = await exported(from);
        const taken = await to.admin('POST', '/import', { config });
        assert.deepEqual([taken.status, taken.body.left_alone], [200, []], JSON.stringify(taken.body));
        assert.deepEqual(await exported(to), config);
      } finally { await from.stop(); await to.stop(); }
    });
  }
});

describe('openapi.json', () => {
  test('says every route that answers, and each it says answers', async () => {
    const { body } = await admin('GET', '/openapi.json');
    assert.equal(body.openapi, '3.1.0');
    const ids = new Set();
    let operations = 0;
    for (const [pattern, methods] of Object.entries(body.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        operations++;
        assert.ok(!ids.has(operation.operationId), operation.operationId);
        ids.add(operation.operationId);
        // An id that nobody has: 404 of the resource, never "no such admin route".
        const p = pattern.replace(/\{id\}/g, '987654').replace(/\{\w+\}/g, 'nobody');
        if (pattern.includes('tail') || pattern.includes('reload') || pattern.includes('rekey')) continue;
        const r = await admin(method.toUpperCase(), p, method === 'get' || method === 'delete' ? undefined : {});
        assert.notEqual(r.body?.error, 'not_found', `${method} ${p}`);
        assert.notEqual(r.body?.error, 'method_not_allowed', `${method} ${p}`);
      }
    }
    assert.ok(operations > 30);
    assert.equal((await admin('POST', '/system/self_update')).body.error, 'self_update_disabled');
  });
});

describe('an export of what has no name of its own', () => {
  test('opens elsewhere, and changes nothing where it comes from', async () => {
    const [a, b] = [await startGproxy(), await startGproxy()];
    try {
      await a.admin('PUT', '/users/5', { name: 'five', enabled: true });
      const texts = ['key-one', 'key-two', 'key-three', 'key-four'];
      for (const [i, label] of ['same', 'same', '', null].entries()) {
        assert.equal((await a.admin('POST', '/users/5/keys', { label, key: texts[i], keep_copy: true })).status, 200);
      }
      const names = ['twice', 'twice', null, ''];
      for (const [i, name] of names.entries()) {
        assert.equal((await a.admin('POST', '/providers/openai/credentials', { name, secret_json: { OpenAI: { api_key: `sk-of-number-${i}` } } })).status, 200);
      }
      // A route that only the third and the last key see: the file calls them by their labels, ids are others elsewhere.
      const ids = (await a.admin('GET', '/users/5/keys')).body.keys.map((k) => k.id);
      const tiers = [[{ provider: 'openai', model: 'm' }]];
      assert.equal((await a.admin('PUT', '/routes/for-two', { body: { tiers, keys: ids.slice(2) } })).status, 200);
      assert.equal((await a.admin('PUT', '/routes/for-nobody', { body: { tiers, keys: [987654] } })).status, 200);
      const seen = async (g, key) => (await (await fetch(`${g.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).json()).data.map((m) => m.id).filter((id) => id.startsWith('for-'));
      // So that the ids differ.
      await b.admin('PUT', '/users/77', { name: 'of b', enabled: true });
      assert.equal((await b.admin('POST', '/users/77/keys', { label: 'l', key: 'key-of-b' })).status, 200);
      const state = async (g) => [(await g.admin('GET', '/routes/for-two')).body.body.keys, (await g.admin('GET', '/users/5/keys')).body.keys.map((k) => [k.id, k.label]), (await g.admin('GET', '/credentials')).body.credentials.map((c) => [c.id, c.name, c.secret_json])];
      const before = await state(a);
      const { body } = await a.admin('POST', '/export', { secrets: true });
      for (const g of [a, b, b]) {
        const r = await g.admin('POST', '/import', body);
        assert.equal(r.status, 200, JSON.stringify(r.body));
      }
      assert.deepEqual(await state(a), before);
      assert.deepEqual(await seen(b, 'key-of-b'), []);
      for (const g of [a, b]) {
        for (const [i, key] of texts.entries()) assert.deepEqual(await seen(g, key), i < 2 ? [] : ['for-two']);
        for (const key of texts) assert.equal((await fetch(`${g.url}/none/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status, 404, key); // known, not 401
        const { credentials } = (await g.admin('GET', '/providers/openai/credentials')).body;
        const secrets = await Promise.all(credentials.map(async (c) => (await g.admin('POST', `/credentials/${c.id}/reveal`)).body.secret_json.OpenAI.api_key));
        assert.deepEqual(secrets.sort(), names.map((_, i) => `sk-of-number-${i}`));
      }
    } finally { await a.stop(); await b.stop(); }
  });
});

describe('address', () => {
  test('a changed port is bound at once, the old one is let go, a taken one is refused', async () => {
    // The first start stores an address of its own; the second finds it as an ordinary setting.
    const [first, port] = [await freePort(), await freePort()];
    const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-e2e-'));
    await (await startGproxy({ dataDir, plainAddress: true, args: ['--host', '127.0.0.1', '--port', String(first)] })).stop();
    const g = await startGproxy({ dataDir, plainAddress: true, config: { users: [{ name: 't', keys: [{ label: 'l', key: KEY }] }] } });
    try {
      const put = (body) => fetch(`${g.url}/admin/global_config`, { method: 'PUT', headers: { 'x-admin-key': ADMIN, 'content-type': 'application/json' }, body: JSON.stringify(body) });
      const taken = net.createServer();
      await new Promise((done) => taken.listen(0, '127.0.0.1', done));
      const refused = await put({ port: taken.address().port });
      assert.equal(refused.status, 409);
      assert.equal((await refused.json()).error, 'cannot_bind');
      taken.close();
      const moved = await put({ port });
      assert.equal(moved.status, 200, await moved.text());
      assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
      await assert.rejects(new Promise((done, fail) => { const s = net.connect(g.port, '127.0.0.1', done); s.on('error', fail); }));
      // Any free one: what was found is told, or nobody would know.
      const told = g.stdout().length;
      const anywhere = await fetch(`http://127.0.0.1:${port}/admin/global_config`, { method: 'PUT', headers: { 'x-admin-key': ADMIN, 'content-type': 'application/json' }, body: '{"port":0}' });
      assert.equal(anywhere.status, 200, await anywhere.text());
      const found = await until(() => /listening on 127\.0\.0\.1:(\d+)/.exec(g.stdout().slice(told))?.[1]);
      assert.ok(Number(found) > 0 && Number(found) !== port, g.stdout());
      assert.equal((await fetch(`http://127.0.0.1:${found}/healthz`)).status, 200);
    } finally { await g.stop(); fs.rmSync(dataDir, { recursive: true, force: true }); }
  });
  test('one that cannot be bound at start is refused before it is stored', async () => {
    const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-e2e-'));
    const start = (dir, ...args) => spawnSync(process.env.GPROXY_BIN, args, { encoding: 'utf8', timeout: PATIENCE, env: { ...process.env, GPROXY_DATA_DIR: dir } });
    const port = await freePort();
    try {
      await (await startGproxy({ dataDir, plainAddress: true, args: ['--host', '127.0.0.1', '--port', String(port)] })).stop();
      const wrong = start(dataDir, '--host', '203.0.113.1');
      assert.equal(wrong.status, 69);
      assert.match(wrong.stderr, /cannot listen on 203\.0\.113\.1/);
      const g = await startGproxy({ dataDir, plainAddress: true });
      try {
        assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
        // Workers share their port; with a second gproxy it is not shared by mistake.
        const second = start(path.join(dataDir, 'second'), '--host', '127.0.0.1', '--port', String(port));
        assert.equal(second.status, 69);
        assert.match(second.stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1 port ${port}`));
      } finally { await g.stop(); }
    } finally { fs.rmSync(dataDir, { recursive: true, force: true }); }
  });
});
