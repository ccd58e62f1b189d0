// The database fails while gproxy serves: a full disk, somebody else's lock, a damaged file. Requests
// and streams go on, /readyz and the metrics say so, it recovers by itself, and no row is lost.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { KEY, PATIENCE, standardConfig, startGproxy, until } from '../harness.mjs';
import { startUpstream } from '../upstream.mjs';

const readyz = async (g) => (await fetch(`${g.url}/readyz`)).json();
const metric = async (g, name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await g.admin_text('/metrics')))?.[1]);

async function start(upstream, dir) {
  const g = await startGproxy({ dataDir: dir, config: standardConfig(upstream.port) });
  g.admin_text = async (p) => (await fetch(g.url + p, { headers: { 'x-admin-key': 'admin-key-for-tests' } })).text();
  g.answered = new Set();
  // One whole answer or stream; it must be complete whatever the database does.
  g.ask = async (stream) => {
    const r = await fetch(`${g.url}/openai/v1/chat/completions`, {
      method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'x'.repeat(200) }] }),
    });
    const text = await r.text();
    assert.equal(r.status, 200, text);
    if (stream) assert.match(text, /data: \[DONE\]\n\n$/);
    g.answered.add(r.headers.get('x-request-id'));
  };
  return g;
}

// Asks until /readyz tells of trouble; every answer is whole meanwhile.
async function askUntilDegraded(g) {
  let n = 0;
  await until(async () => {
    await g.ask(n++ % 2 === 0);
    return (await readyz(g)).degraded.storage !== undefined;
  }, 'trouble in /readyz');
  for (let i = 0; i < 10; i++) await g.ask(i % 2 === 0);
  assert.equal(await metric(g, 'gproxy_storage_up'), 0);
  assert.ok(await metric(g, 'gproxy_db_failed_batches_total') > 0);
}

async function checkRecovered(g) {
  await until(async () => (await readyz(g)).degraded.storage === undefined, 'the database is back');
  await g.ask(false);
  assert.equal(await metric(g, 'gproxy_usage_lost_total'), 0);
  const traces = await until(async () => {
    const seen = [];
    for (let page = ''; ;) {
      const { status, body } = await g.admin('GET', `/usage/rows?limit=500${page}`);
      assert.equal(status, 200, JSON.stringify(body));
      seen.push(...body.rows.map((r) => r.trace_id));
      if (!body.has_more) break;
      page = `&cursor_at=${encodeURIComponent(body.next_cursor_at)}&cursor_id=${body.next_cursor_id}`;
    }
    return seen.length >= g.answered.size && seen;
  }, 'all rows');
  assert.equal(new Set(traces).size, traces.length, 'a row is doubled');
  assert.deepEqual([...g.answered].filter((t) => !traces.includes(t)), []);
  assert.equal(await metric(g, 'gproxy_storage_up'), 1);
}

const folder = () => fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-faults-'));

test('a full disk', async (t) => {
  const dir = folder();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'none', dir], { encoding: 'utf8' });
  if (mounted.status !== 0) {
    fs.rmSync(dir, { recursive: true });
    return t.skip(`needs the right to mount: ${mounted.stderr}`);
  }
  const upstream = await startUpstream();
  try {
    const g = await start(upstream, dir);
    await g.ask(true);
    const filler = fs.openSync(path.join(dir, 'filler'), 'w');
    try { for (const block = Buffer.alloc(4096); ;) fs.writeSync(filler, block); } catch (e) { assert.equal(e.code, 'ENOSPC'); }
    fs.closeSync(filler);
    await askUntilDegraded(g);
    fs.rmSync(path.join(dir, 'filler'));
    await checkRecovered(g);
    await g.stop();
  } finally {
    await upstream.close();
    spawnSync('umount', ['-l', dir]);
    fs.rmdirSync(dir);
  }
});

test('a lock that another process holds', async () => {
  const dir = folder();
  const upstream = await startUpstream();
  try {
    const g = await start(upstream, dir);
    await g.ask(true);
    const holder = spawn('python3', ['-c', `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
db.execute("ROLLBACK")`, path.join(dir, 'gproxy.db')]);
    await new Promise((held) => holder.stdout.once('data', held));
    await askUntilDegraded(g);
    const gone = new Promise((f) => holder.once('exit', f));
    holder.stdin.end();
    await gone;
    await checkRecovered(g);
    await g.stop();
  } finally {
    await upstream.close();
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

test('a damaged file: what it takes is kept, and it goes on when the file is whole again', async () => {
  const dir = folder();
  const upstream = await startUpstream();
  const file = path.join(dir, 'gproxy.db');
  try {
    let g = await start(upstream, dir);
    await g.ask(true);
    await g.stop();
    const root = Number(spawnSync('python3', ['-c', 'import sqlite3,sys\nprint(sqlite3.connect(sys.argv[1]).execute("SELECT rootpage FROM sqlite_master WHERE name = \'upstream_usages\'").fetchone()[0])', file], { encoding: 'utf8' }).stdout);
    const fd = fs.openSync(file, 'r+');
    const good = Buffer.alloc(4096);
    fs.readSync(fd, good, 0, 4096, (root - 1) * 4096);
    fs.writeSync(fd, Buffer.alloc(4096, 0xee), 0, 4096, (root - 1) * 4096);
    const before = g.answered;
    g = await start(upstream, dir);
    for (const id of before) g.answered.add(id);
    await askUntilDegraded(g);
    fs.writeSync(fd, good, 0, 4096, (root - 1) * 4096);
    fs.closeSync(fd);
    await checkRecovered(g);
    await g.stop();
  } finally {
    await upstream.close();
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

test('another master key is refused, and nothing is changed', async () => {
  const dir = folder();
  const upstream = await startUpstream();
  try {
    const g = await start(upstream, dir);
    await g.stop();
    const other = 'f'.repeat(64);
    const r = spawnSync(process.env.GPROXY_BIN, ['--port', '0'], { encoding: 'utf8', timeout: PATIENCE, env: { ...process.env, GPROXY_DATA_DIR: dir, GPROXY_MASTER_KEY: other } });
    assert.equal(r.status, 78, r.stderr);
    assert.match(r.stderr, /master key/);
    assert.ok(!r.stderr.includes(other));
    const again = await start(upstream, dir);
    await again.ask(false);
    await again.stop();
  } finally {
    await upstream.close();
    fs.rmSync(dir, { recursive: true, force: true });
  }
});
