// Mixed traffic, kill -9, start, again: every request that was answered in full has its row, once.
// GPROXY_SOAK_KILLS says how often; GPROXY_SOAK_DSN puts the rows elsewhere than beside the journals.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { KEY, standardConfig, startGproxy, until } from '../harness.mjs';
import { startUpstream } from '../upstream.mjs';

const kills = Number(process.env.GPROXY_SOAK_KILLS ?? 3);
const clients = 8;
const perLife = 60; // answers before each kill

// Small and large whole answers, streams, both native and translated.
const kinds = [
  { path: '/openai/v1/chat/completions', body: (t) => ({ model: 'm', messages: [{ role: 'user', content: t }] }) },
  { path: '/openai/v1/chat/completions', body: (t) => ({ model: 'm', messages: [{ role: 'user', content: t + 'x'.repeat(40_000) }] }) },
  { path: '/openai/v1/chat/completions', body: (t) => ({ model: 'm', stream: true, messages: [{ role: 'user', content: t }] }) },
  { path: '/claude/v1/messages', body: (t) => ({ model: 'm', max_tokens: 10, messages: [{ role: 'user', content: t }] }) },
  { path: '/claude/v1/chat/completions', body: (t) => ({ model: 'm', stream: true, messages: [{ role: 'user', content: t }] }) },
];

test(`nothing that was answered is missing or doubled after ${kills} kills`, { timeout: 600_000 }, async () => {
  const upstream = await startUpstream();
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-soak-'));
  const dsn = process.env.GPROXY_SOAK_DSN;
  const begin = () => startGproxy({ dataDir: dir, workers: 2, config: standardConfig(upstream.port), args: dsn ? ['--dsn', dsn] : [] });
  const answered = new Map(); // trace id -> what was asked
  try {
    for (let life = 0; life < kills; life++) {
      const gproxy = await begin();
      let alive = true, count = 0, reached;
      const enough = new Promise((done) => { reached = done; });
      const client = async (n) => {
        for (let i = 0; alive; i++) {
          const kind = kinds[(n + i) % kinds.length];
          try {
            const r = await fetch(gproxy.url + kind.path, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify(kind.body(`life ${life} client ${n} request ${i}`)) });
            const text = await r.text(); // rejects when the answer breaks off
            if (r.status === 200 && text.length > 0) {
              answered.set(r.headers.get('x-request-id'), kind.path);
              if (++count === perLife) reached();
            }
          } catch {
            if (!gproxy.child.exitCode && !gproxy.child.signalCode && alive) continue;
          }
        }
      };
      const all = Array.from({ length: clients }, (_, n) => client(n));
      await enough;
      gproxy.child.kill('SIGKILL');
      await gproxy.exited;
      alive = false;
      await Promise.all(all);
    }
    const gproxy = await begin();
    const list = async () => {
      const rows = [];
      for (let page = ''; ;) {
        const { status, body } = await gproxy.admin('GET', `/usage/rows?limit=500${page}`);
        assert.equal(status, 200, JSON.stringify(body));
        rows.push(...body.rows);
        if (!body.has_more) return rows;
        page = `&cursor_at=${encodeURIComponent(body.next_cursor_at)}&cursor_id=${body.next_cursor_id}`;
      }
    };
    // The journals' rows come within moments of the start: looked for until all are there.
    let rows;
    await until(async () => {
      rows = await list();
      return new Set(rows.map((r) => r.trace_id)).size >= answered.size;
    }).catch(() => {}); // which are missing is said below
    const byTrace = new Map();
    for (const r of rows) byTrace.set(`${r.trace_id}/${r.attempt_no}`, (byTrace.get(`${r.trace_id}/${r.attempt_no}`) ?? 0) + 1);
    assert.ok([...byTrace.values()].every((n) => n === 1), 'a row is doubled');
    const traces = new Set(rows.map((r) => r.trace_id));
    const missing = [...answered].filter(([id]) => !traces.has(id));
    assert.deepEqual(missing, []);
    // What was running when it was killed may have a row without an answer.
    assert.ok(rows.length - answered.size <= kills * clients, `${rows.length} rows, ${answered.size} answers`);
    const sums = (await gproxy.admin('GET', '/usage/aggregate')).body.groups[0];
    assert.equal(sums.attempts, rows.length);
    assert.equal(sums.input_tokens, rows.reduce((n, r) => n + r.input_tokens, 0));
    await gproxy.stop();
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
    await upstream.close();
  }
});
