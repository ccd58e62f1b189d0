// Another master key: by the sub-command, while the gateway serves, with the process killed in the
// middle, on SQLite and on PostgreSQL.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ADMIN, KEY, startGproxy, standardConfig } from '../harness.mjs';
import { startPostgres } from '../postgres.mjs';
import { startUpstream } from '../upstream.mjs';

const [OLD, NEW, THIRD] = ['a', 'b', 'c'].map((digit) => digit.repeat(64));
const names = new Map([[OLD, 'old'], [NEW, 'new'], [THIRD, 'third']]);
const MANY = 1500; // credentials: enough steps to be caught in between

let upstream, postgres, dir;
before(async () => {
  [upstream, postgres] = await Promise.all([startUpstream(), startPostgres()]);
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-rekey-'));
  for (const [key, name] of names) fs.writeFileSync(keyFile(name), `${key}\n`, { mode: 0o600 });
});
after(async () => { await upstream?.close(); await postgres?.stop(); fs.rmSync(dir, { recursive: true, force: true }); });

const keyFile = (name) => path.join(dir, `${name}.key`);
const folder = () => fs.mkdtempSync(path.join(dir, 'data-'));
async function start(dataDir, key, dsn) {
  for (let tries = 0; ; tries++) {
    try {
      return await startGproxy({
        dataDir, workers: 2, config: standardConfig(upstream.port), args: dsn ? ['--dsn', dsn] : [],
        env: key ? { GPROXY_MASTER_KEY: key } : {},
      });
    } catch (e) {
      // A server gives a killed process's lock back a moment later.
      if (!dsn || tries > 20 || !/another gproxy/.test(e.message)) throw e;
    }
  }
}
const ask = (g) => fetch(`${g.url}/openai/v1/chat/completions`, {
  method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
  body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] }),
});
// The sub-command in a process of its own. It is asynchronous: the upstream answers from this one.
function rekey(dataDir, { key, file, port, dsn, adminKey = ADMIN }) {
  const args = ['rekey', ...(file ? [file] : []), '--host', '127.0.0.1', ...(port ? ['--port', String(port)] : []), ...(dsn ? ['--dsn', dsn] : [])];
  const child = spawn(process.env.GPROXY_BIN, args, { env: { ...process.env, GPROXY_DATA_DIR: dataDir, GPROXY_ADMIN_KEY: adminKey, ...(key ? { GPROXY_MASTER_KEY: key } : {}) } });
  let output = '';
  child.stdout.on('data', (d) => { output += d; });
  child.stderr.on('data', (d) => { output += d; });
  return new Promise((done) => child.on('exit', (code) => done({ code, output })));
}
// What a start with this key ends with, when it does not serve.
function refused(dataDir, key, dsn) {
  for (let tries = 0; ; tries++) {
    const { status, stderr } = spawnSync(process.env.GPROXY_BIN, ['--host', '127.0.0.1', '--port', '0', ...(dsn ? ['--dsn', dsn] : [])], { env: { ...process.env, GPROXY_DATA_DIR: dataDir, ...(key ? { GPROXY_MASTER_KEY: key } : {}) }, timeout: 60_000 });
    if (dsn && tries < 20 && /another gproxy/.test(String(stderr))) continue;
    assert.match(String(stderr), /master key/);
    return status;
  }
}
async function fill(g) {
  const keys = Array.from({ length: MANY }, (_, i) => `sk-of-many-${String(i).padStart(6, '0')}-${'x'.repeat(20)}`);
  const base = `http://127.0.0.1:${upstream.port}`;
  assert.equal((await g.admin('PUT', '/providers/many', { enabled: true, config_json: { kind: 'openai', channel_settings: { base_url: base } } })).status, 200);
  for (let i = 0; i < keys.length; i += 500) {
    const made = await g.admin('POST', '/providers/many/credentials/import', { items: keys.slice(i, i + 500) });
    assert.equal(made.body.created, 500, JSON.stringify(made.body).slice(0, 300));
  }
  await g.admin('PUT', '/users/77', { name: 'copied', enabled: true });
  const made = await g.admin('POST', '/users/77/keys', { label: 'l', keep_copy: true });
  return { keys, copy: made.body };
}
async function check(g, { keys, copy }) {
  assert.equal((await ask(g)).status, 200);
  const { body } = await g.admin('GET', '/providers/many/credentials');
  assert.equal(body.credentials.length, MANY);
  for (const at of [0, MANY / 2, MANY - 1]) {
    assert.equal((await g.admin('POST', `/credentials/${body.credentials[at].id}/reveal`)).body.secret_json.OpenAI.api_key, keys[at]);
  }
  assert.equal((await g.admin('POST', `/user_keys/${copy.id}/reveal`)).body.key, copy.key);
}

const databases = [['SQLite', () => undefined], ['PostgreSQL', () => postgres.newDatabase()]];

for (const [database, newDsn] of databases) {
  describe(`rekey on ${database}`, () => {
    test('while requests run: none fails, then the old key is refused and the new one opens all', { timeout: 300_000 }, async () => {
      const [data, dsn] = [folder(), newDsn()];
      let g = await start(data, OLD, dsn);
      const filled = await fill(g);
      let running = true;
      const statuses = [];
      const clients = Array.from({ length: 4 }, async () => {
        while (running) {
          const answer = await ask(g);
          await answer.text();
          statuses.push(answer.status);
        }
      });
      while (statuses.length < 4) await new Promise((done) => setImmediate(done));
      const done = await rekey(data, { key: OLD, file: keyFile('new'), port: g.port, dsn });
      const during = statuses.length;
      running = false;
      await Promise.all(clients);
      assert.equal(done.code, 0, done.output);
      assert.match(done.output, /sealed with the master key [0-9a-f]{16}: \d{4} records/);
      assert.ok(during > 4, 'requests went on');
      assert.deepEqual([...new Set(statuses)], [200]);
      await check(g, filled);
      const { rows } = (await g.admin('GET', '/audit?target_contains=rekey')).body;
      assert.deepEqual(rows.map((r) => [r.action, r.status]), [['POST /system/rekey', 200]]);
      await g.stop();
      assert.equal(refused(data, OLD, dsn), 78);
      g = await start(data, NEW, dsn);
      await check(g, filled);
      assert.deepEqual((await g.admin('GET', '/system/rekey')).body.done, true);
      await g.stop();
    });

    test('killed in the middle: the gateway starts with either key, and a repetition ends it', { timeout: 300_000 }, async () => {
      const [data, dsn] = [folder(), newDsn()];
      let g = await start(data, OLD, dsn);
      const filled = await fill(g);
      // On a busy machine it may end before anybody looks: then it goes back to the first key, and so on.
      let [before, after] = [OLD, NEW];
      for (let tries = 0; ; tries++) {
        let ended = false;
        const whole = g.admin('POST', '/system/rekey', { key_file: keyFile(names.get(after)) }).catch(() => {}).finally(() => { ended = true; });
        let caught = false;
        while (!caught && !ended) {
          const { body } = await g.admin('GET', '/system/rekey');
          caught = body.records > 0 && !body.done;
        }
        if (caught) {
          g.child.kill('SIGKILL');
          await g.exited;
          const opened = await start(data, before, dsn).catch((e) => { assert.match(e.message, /master key/); });
          if (opened) { g = opened; break; }
          g = await start(data, after, dsn); // it had come to its end all the same
        }
        assert.ok(tries < 20, 'it ended each time before it could be killed: more credentials are needed');
        await whole;
        [before, after] = [after, before];
      }
      await g.stop('SIGKILL');
      assert.equal(refused(data, THIRD, dsn), 78);
      for (const key of [before, after, before]) {
        g = await start(data, key, dsn);
        await check(g, filled);
        assert.equal((await g.admin('GET', '/system/rekey')).body.done, false);
        const other = await g.admin('POST', '/system/rekey', { key_file: keyFile('third') });
        assert.deepEqual([other.status, other.body.error], [409, 'rekey_unfinished']);
        if (key === after) await g.stop('SIGKILL'); else await g.stop();
      }
      // Nothing runs: the sub-command opens the database itself.
      let done;
      do done = await rekey(data, { key: before, file: keyFile(names.get(after)), port: 1, dsn }); while (dsn && /has the database open/.test(done.output));
      assert.equal(done.code, 0, done.output);
      assert.equal(refused(data, before, dsn), 78);
      g = await start(data, after, dsn);
      await check(g, filled);
      await g.stop();
    });
  });
}

describe('the key file that gproxy made', () => {
  test('is replaced, by a running gproxy and by none, and the next start finds it', { timeout: 120_000 }, async () => {
    const data = folder();
    const file = path.join(data, 'master.key');
    let g = await start(data);
    const first = fs.readFileSync(file, 'utf8');
    const running = await rekey(data, { port: g.port });
    assert.equal(running.code, 0, running.output);
    const second = fs.readFileSync(file, 'utf8');
    assert.notEqual(second, first);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    await g.stop();
    const stopped = await rekey(data, {});
    assert.equal(stopped.code, 0, stopped.output);
    assert.notEqual(fs.readFileSync(file, 'utf8'), second);
    g = await start(data);
    assert.equal((await ask(g)).status, 200);
    await g.stop();
    assert.equal(refused(data, first.trim()), 78);
  });

  test('a running gproxy is not told to by anybody, nor to use any file', async () => {
    const data = folder();
    const g = await start(data, OLD);
    assert.equal((await rekey(data, { key: OLD, file: keyFile('new'), port: g.port, adminKey: 'wrong' })).code, 1);
    const none = await g.admin('POST', '/system/rekey', {});
    assert.deepEqual([none.status, none.body.detail.split(':')[0]], [400, 'key_file']);
    const missing = await g.admin('POST', '/system/rekey', { key_file: '/nowhere' });
    assert.deepEqual([missing.status, missing.body.error], [400, 'master_key_unreadable']);
    const same = await g.admin('POST', '/system/rekey', { key_file: keyFile('old') });
    assert.deepEqual([same.status, same.body.error], [409, 'same_master_key']);
    assert.equal((await ask(g)).status, 200);
    await g.stop();
  });
});
