// Sealed records that do not open (exchanged between two rows, or damaged) while the gateway serves the rest: each is
// named, none is used, and none takes anything else with it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startGproxy } from '../harness.mjs';
import { startPostgres } from '../postgres.mjs';

const MASTER = '5a'.repeat(32);
const have = spawnSync('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin || command -v initdb']).status === 0;

for (const backend of ['sqlite', 'postgres']) {
  describe(backend, { skip: backend === 'postgres' && !have && 'PostgreSQL is not installed' }, () => {
    let server, dsn, dataDir, g;
    const start = async () => {
      // The one before may still be letting go of the database.
      for (let i = 0; ; i++) {
        try {
          g = await startGproxy({ dataDir, args: dsn ? ['--dsn', dsn] : [], env: { GPROXY_MASTER_KEY: MASTER } });
          return;
        } catch (e) {
          if (!dsn || i > 20 || !/another gproxy/.test(e.message)) throw e;
        }
      }
    };
    const sql = (text) => {
      const done = dsn ? spawnSync('psql', ['-X', '-q', '-d', dsn, '-c', text]) : spawnSync('python3', ['-c', 'import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute(sys.argv[2])\nc.commit()', path.join(dataDir, 'gproxy.db'), text]);
      assert.equal(done.status, 0, String(done.stderr));
    };
    // Each of two rows gets the other's record.
    const exchange = (table, column, a, b) => sql(`UPDATE ${table} SET ${column} = o.given FROM (SELECT id, ${column} AS given FROM ${table}) o WHERE o.id = ${a} + ${b} - ${table}.id AND ${table}.id IN (${a}, ${b})`);
    const admin = async (...a) => g.admin(...a);
    let a, b, kept;

    before(async () => {
      if (backend === 'postgres') {
        server = await startPostgres();
        dsn = server.newDatabase();
      }
      dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-damage-'));
      await start();
      const credential = async (name) => (await admin('POST', '/providers/openai/credentials', { name, secret_json: { OpenAI: { api_key: `sk-secret-of-${name}` } } })).body.id;
      [a, b, kept] = [await credential('a'), await credential('b'), await credential('kept')];
      await admin('PUT', '/users/3', { name: 'three', enabled: true });
      for (const label of ['one', 'two']) await admin('POST', '/users/3/keys', { label, key: `key-text-${label}`, keep_copy: true });
      await g.stop();
    });
    after(async () => {
      await g?.stop();
      await server?.stop();
      fs.rmSync(dataDir, { recursive: true, force: true });
    });

    test('secrets of two credentials', async () => {
      exchange('credentials', 'secret_sealed', a, b);
      await start();
      const { credentials } = (await admin('GET', '/credentials')).body;
      for (const row of credentials) {
        const good = row.id === kept;
        assert.equal(row.readable, good);
        assert.equal(row.runtime_status.summary, good ? 'active' : 'fully_unavailable');
        assert.equal(row.fault === null, good, row.fault);
      }
      for (const id of [a, b]) {
        for (const action of ['reveal', 'test', 'refresh']) {
          const r = await admin('POST', `/credentials/${id}/${action}`);
          assert.equal(r.status, 409, action);
          assert.equal(r.body.error, 'unreadable');
        }
        assert.match(g.stderr(), new RegExp(`a sealed record does not open.* table=credentials id=${id} `));
      }
      const exported = (await admin('POST', '/export', { secrets: true })).body;
      assert.deepEqual(exported.config.providers.find((p) => p.name === 'openai').credentials.map((c) => c.name), ['kept']);
      assert.deepEqual(exported.unreadable, [`credential ${a} a`, `credential ${b} b`]);
      assert.equal((await admin('POST', '/import', exported)).status, 200);
      // A new secret mends it.
      assert.equal((await admin('PUT', `/credentials/${a}`, { name: 'a', secret_json: { OpenAI: { api_key: 'sk-a-new-secret' } } })).status, 200);
      assert.equal((await admin('POST', `/credentials/${a}/reveal`)).body.secret_json.OpenAI.api_key, 'sk-a-new-secret');
      await g.stop();
    });

    test('kept copies of two keys: the keys themselves go on', async () => {
      await start();
      const ids = (await admin('GET', '/users/3/keys')).body.keys.map((k) => k.id);
      await g.stop();
      exchange('user_keys', 'key_sealed', ids[0], ids[1]);
      await start();
      for (const id of ids) {
        const r = await admin('POST', `/user_keys/${id}/reveal`);
        assert.equal(r.status, 409);
        assert.equal(r.body.error, 'unreadable');
        assert.match(r.body.detail, new RegExp(`user_keys/${id}/key`));
      }
      const exported = await admin('POST', '/export', { secrets: true });
      assert.equal(exported.status, 200, JSON.stringify(exported.body));
      assert.deepEqual(exported.body.unreadable.slice(-2), ['key one of three', 'key two of three']);
      for (const label of ['one', 'two']) {
        assert.equal((await fetch(`${g.url}/nothing/v1/models`, { headers: { authorization: `Bearer key-text-${label}` } })).status, 404); // known, not 401
      }
      await g.stop();
    });

    test('settings of a provider', async () => {
      sql("UPDATE providers SET settings_sealed = (SELECT p.settings_sealed FROM providers p WHERE p.name = 'claude') WHERE name = 'openai'");
      await start();
      const { providers } = (await admin('GET', '/providers')).body;
      assert.deepEqual(providers.filter((p) => p.fault !== null).map((p) => p.name), ['openai']);
      assert.match(g.stderr(), /a sealed record does not open.* table=providers .*name=openai/);
      await g.stop();
    });

    test('the admin key: refused at the start, with its place', async () => {
      sql("UPDATE global_config SET admin_key_sealed = (SELECT sealed FROM sealed_keys WHERE name = 'user_key_lookup')");
      await assert.rejects(start(), /global_config\/1\/admin_key/);
      g = undefined;
    });
  });
}
