// Start, exit codes, reload, drain, kill: what an operator sees of the process.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { ADMIN, KEY, PATIENCE, standardConfig, startAll, startGproxy, until } from '../harness.mjs';
import { startUpstream } from '../upstream.mjs';

const bin = process.env.GPROXY_BIN;
const run = (args, env = {}) => spawnSync(bin, args, { encoding: 'utf8', timeout: PATIENCE, env: { ...process.env, ...env } });
const temp = () => fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-life-'));
const leftovers = [];
after(() => { for (const d of leftovers) fs.rmSync(d, { recursive: true, force: true }); });

export function query(db, sql) {
  const r = spawnSync('python3', ['-c', 'import sqlite3,sys,json\nc=sqlite3.connect("file:"+sys.argv[1]+"?mode=ro",uri=True)\nprint(json.dumps(c.execute(sys.argv[2]).fetchall()))', db, sql], { encoding: 'utf8' });
  if (r.status !== 0) throw new Error(r.stderr);
  return JSON.parse(r.stdout);
}

describe('prices_file', () => {
  test('with a fault is refused where it is configured, with the place of the fault', async () => {
    const d = temp();
    leftovers.push(d);
    const file = (name, text) => { const p = path.join(d, name); fs.writeFileSync(p, text); return p; };
    const good = file('good.json', '{"revision": 1, "prices": [{"model": "m", "input": 1, "output": 2}]}');
    const bad = file('bad.json', '{"revision": 1, "prices": [{"model": "m", "input": 1, "output": 2}, {"model": "n", "input": -1}]}');
    const config = (prices_file) => file('c.jsonc', JSON.stringify({ settings: { prices_file } }));
    const start = (prices) => run(['--config', config(prices), '--port', '0', '--host', '127.0.0.1'], { GPROXY_DATA_DIR: path.join(d, 'data') });
    for (const [prices, why] of [[bad, /bad\.json: prices\[1\]\.input/], [path.join(d, 'none.json'), /none\.json: cannot be opened/]]) {
      const checked = run(['check', '--config', config(prices)]);
      assert.equal(checked.status, 78);
      assert.match(checked.stderr, why);
      const refused = start(prices);
      assert.equal(refused.status, 78);
      assert.match(refused.stderr, why);
    }
    const g = await startGproxy({});
    try {
      const put = (prices_file) => g.admin('PUT', '/global_config', { settings: { prices_file } });
      assert.equal((await put(good)).status, 200);
      const refused = await put(bad);
      assert.deepEqual([refused.status, refused.body.error], [409, 'bad_prices']);
      assert.match(refused.body.detail, /prices\[1\]\.input/);
      assert.equal((await g.admin('GET', '/global_config')).body.settings.prices_file, good);
    } finally { await g.stop(); }
  });
});

describe('command line', () => {
  test('versions of gproxy, its ABI and its libraries', () => {
    const r = run(['--version']);
    assert.equal(r.status, 0);
    for (const word of ['gproxy', 'abi', 'libuv', 'libcurl', 'llhttp', 'sqlite', 'openssl', 'fmt', 'rapidjson']) assert.match(r.stdout.toLowerCase(), new RegExp(word));
  });
  test('usage errors exit 64, configuration errors 78', () => {
    assert.equal(run(['--prot', '1']).status, 64);
    assert.equal(run(['--port', 'x']).status, 64);
    const mysql = run(['--dsn', 'mysql://u:secret@h/db']);
    assert.equal(mysql.status, 78);
    assert.match(mysql.stderr, /mysql/);
    assert.ok(!mysql.stderr.includes('secret'));
    const d = temp();
    leftovers.push(d);
    fs.writeFileSync(path.join(d, 'c.jsonc'), '{\n  // a typo\n  "provders": []\n}');
    const typo = run(['check', '--config', path.join(d, 'c.jsonc')]);
    assert.equal(typo.status, 78);
    assert.match(typo.stderr, /c\.jsonc:3:\d+.*provders/);
    assert.match(typo.stderr, /providers/);
  });
  test('check says ok for a good configuration and names what a module refuses', () => {
    const d = temp();
    leftovers.push(d);
    const file = path.join(d, 'c.jsonc');
    const dirs = ['--modules-dir', path.join(process.env.GPROXY_LIB, 'modules')];
    fs.writeFileSync(file, JSON.stringify(standardConfig(1)));
    assert.equal(run(['check', '--config', file, ...dirs]).status, 0);
    const c = standardConfig(1);
    c.providers[0].channel_settings.base_url = 5;
    fs.writeFileSync(file, JSON.stringify(c));
    const r = run(['check', '--config', file, ...dirs]);
    assert.equal(r.status, 78);
    assert.match(r.stderr, /openai.*base_url/s);
    fs.writeFileSync(file, '{"providers": [{"name": "openai",\n  "channel_settings": {"base_ul": ""}},\n {"name": "x", "kind": "opnai"}]}');
    const typo = run(['check', '--config', file, ...dirs]).stderr;
    assert.match(typo, /c\.jsonc:2:24: provider openai: .*base_ul.*did you mean `base_url`/);
    assert.match(typo, /c\.jsonc:3:16: provider x: no loaded module offers kind opnai, did you mean openai\?/);
  });
  test('module inspect prints kinds, routes and versions', () => {
    const file = path.join(process.env.GPROXY_LIB, 'modules', fs.readdirSync(path.join(process.env.GPROXY_LIB, 'modules')).find((f) => /openai/.test(f)));
    const r = run(['module', 'inspect', file, '--json']);
    assert.equal(r.status, 0, r.stderr);
    assert.match(JSON.stringify(JSON.parse(r.stdout)), /openai/);
    const foreign = run(['module', 'inspect', '/etc/passwd']);
    assert.equal(foreign.status, 78);
    assert.equal(foreign.stderr.match(/\/etc\/passwd/g).length, 1);
    assert.match(JSON.parse(run(['module', 'inspect', '/etc/passwd', '--json']).stdout).error, /passwd/);
  });
});

describe('start', () => {
  test('prints the admin key and where it listens; a second process on the same database is refused', async () => {
    const g = await startGproxy();
    assert.match(g.stdout(), new RegExp(`admin key: ${ADMIN}`));
    const second = run(['--port', '0', '--dsn', `sqlite://${path.join(g.dir, 'gproxy.db')}?mode=rwc`.replace('sqlite:///', 'sqlite:////').replace('sqlite:////', 'sqlite:///')], { GPROXY_DATA_DIR: g.dir });
    assert.equal(second.status, 69, second.stderr);
    await g.stop();
  });
  test('a provider that cannot serve is named by /readyz until it is mended', async () => {
    const g = await startGproxy({ config: { providers: [{ name: 'ghost', kind: 'nowhere' }] } });
    const degraded = async () => (await (await fetch(`${g.url}/readyz`)).json()).degraded;
    const shows = (what) => until(async () => { const d = await degraded(); return what(d) && d; }, what);
    assert.deepEqual(await shows((d) => d['provider ghost']), { 'provider ghost': 'not usable as configured' });
    fs.writeFileSync(path.join(g.dir, 'gproxy.jsonc'), '{"providers": [{"name": "ghost", "kind": "openai"}]}');
    g.child.kill('SIGHUP');
    assert.deepEqual(await shows((d) => !d['provider ghost']), {});
    await g.stop();
  });
  test('a generated admin key stays the same at the next start, and secrets are sealed in the file', async () => {
    const d = temp();
    leftovers.push(d);
    const config = standardConfig(1);
    const g = await startGproxy({ dataDir: d, config });
    await g.stop();
    const bytes = fs.readdirSync(d, { recursive: true, withFileTypes: true }).filter((f) => f.isFile() && f.name !== 'gproxy.jsonc').map((f) => fs.readFileSync(path.join(f.parentPath ?? f.path, f.name), 'latin1')).join('');
    for (const secret of ['sk-up-openai', 'sk-up-claude', KEY, ADMIN]) assert.ok(!bytes.includes(secret), secret);
    assert.equal(fs.statSync(path.join(d, 'master.key')).mode & 0o777, 0o600);
    fs.writeFileSync(path.join(d, 'master.key'), 'f'.repeat(64));
    const r = run(['--port', '0'], { GPROXY_DATA_DIR: d });
    assert.equal(r.status, 78, r.stderr);
  });
  test('an entry that leaves the file becomes an ordinary one, and --prune deletes it', async () => {
    const d = temp();
    leftovers.push(d);
    const origin = async (args, config) => {
      const g = await startGproxy({ dataDir: d, config, args });
      const { body } = await g.admin('GET', '/providers');
      await g.stop();
      return body.providers.find((p) => p.name === 'extra')?.origin;
    };
    const withExtra = { providers: [{ name: 'extra', kind: 'openai', channel_settings: {} }] };
    assert.equal(await origin([], withExtra), 'file');
    assert.equal(await origin([], {}), 'db');
    assert.equal(await origin([], withExtra), 'file');
    assert.equal(await origin(['--prune'], {}), undefined);
  });
});

describe('SIGHUP', () => {
  test('takes the file\'s changes while running, and keeps the old configuration when the new one is bad', async () => {
    const upstream = await startUpstream();
    const config = standardConfig(upstream.port);
    const g = await startGproxy({ config });
    const file = path.join(g.dir, 'gproxy.jsonc');
    const has = async (name) => (await g.admin('GET', `/providers/${name}`)).status === 200;
    config.providers.push({ name: 'later', kind: 'openai', channel_settings: {} });
    fs.writeFileSync(file, JSON.stringify(config));
    g.child.kill('SIGHUP');
    assert.ok(await until(() => has('later')));
    fs.writeFileSync(file, '{ nonsense');
    g.child.kill('SIGHUP');
    assert.ok(await until(async () => /not reloaded/.test(g.stderr())));
    assert.ok(await has('later'));
    await g.stop();
    await upstream.close();
  });
});

describe('SIGTERM', () => {
  test('lets a running stream finish, refuses new connections, exits 0', async () => {
    const all = await startAll();
    const r = await fetch(`${all.gproxy.url}/openai/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'mock-1', stream: true, messages: [{ role: 'user', content: 'x'.repeat(20000) }] }) });
    all.gproxy.child.kill('SIGTERM');
    const text = await r.text();
    assert.ok(text.endsWith('data: [DONE]\n\n'));
    const e = await all.gproxy.exited;
    assert.deepEqual(e, { code: 0, signal: null });
    await all.upstream.close();
  });
  test('ends a stream that outlives drain_ms with the protocol\'s error event', async () => {
    const silent = net.createServer((s) => { s.on('error', () => {}); s.once('data', () => s.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n' + chunk('data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}\n\n'))); });
    const chunk = (t) => `${Buffer.byteLength(t).toString(16)}\r\n${t}\r\n`;
    await new Promise((done) => silent.listen(0, '127.0.0.1', done));
    const config = standardConfig(silent.address().port);
    config.settings = { timeouts: { drain_ms: 300 } };
    const g = await startGproxy({ config });
    const r = await fetch(`${g.url}/openai/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', stream: true, messages: [] }) });
    g.child.kill('SIGTERM');
    const text = await r.text();
    assert.match(text, /"error"/);
    assert.ok(!text.includes('[DONE]'));
    assert.equal((await g.exited).code, 0);
    silent.close();
  });
});

describe('kill -9', () => {
  test('loses and doubles no row of an answered request, and the next start is clean', async () => {
    const upstream = await startUpstream();
    const d = temp();
    leftovers.push(d);
    const config = standardConfig(upstream.port);
    let answered = 0;
    for (let round = 0; round < 3; ++round) {
      const g = await startGproxy({ dataDir: d, config, workers: 2 });
      let stop = false;
      const client = async () => {
        while (!stop) {
          try {
            const r = await fetch(`${g.url}/openai/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'mock-1', messages: [{ role: 'user', content: 'x' }] }) });
            await r.text();
            if (r.status === 200) ++answered;
          } catch { return; }
        }
      };
      const clients = Array.from({ length: 8 }, client);
      await new Promise((r) => setTimeout(r, 250 + 90 * round));
      g.child.kill('SIGKILL');
      stop = true;
      await g.exited;
      await Promise.all(clients);
    }
    const g = await startGproxy({ dataDir: d, config });
    assert.equal((await fetch(`${g.url}/readyz`)).status, 200);
    await g.stop();
    const db = path.join(d, 'gproxy.db');
    const [[rows, ids, final]] = query(db, 'select count(*), count(distinct id), sum(final) from upstream_usages');
    assert.equal(rows, ids);
    // Requests whose answer was cut off on its way may have rows too: at most one per client and round.
    assert.ok(final >= answered && final <= answered + 3 * 8, `${answered} answered, ${final} rows`);
    await upstream.close();
  });
});
