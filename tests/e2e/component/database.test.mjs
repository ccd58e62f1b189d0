// A PostgreSQL server that goes away under a gateway and comes back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ADMIN, KEY, startGproxy, until } from '../harness.mjs';
import { startPostgres } from '../postgres.mjs';

// An upstream whose stream goes on when the test says so.
function startUpstream() {
  const up = { streams: [] };
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (d) => { body += d; });
    request.on('end', () => {
      if (!JSON.parse(body).stream) {
        response.writeHead(200, { 'content-type': 'application/json' });
        return response.end('{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}');
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      up.streams.push(response);
      response.write(piece('first'));
    });
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(Object.assign(up, {
    port: server.address().port,
    close: () => { server.closeAllConnections(); server.close(); },
  }))));
}
const piece = (content, finish = null) => `data: ${JSON.stringify({ model: 'm', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`;

let postgres, upstream, g, data;
before(async () => {
  postgres = await startPostgres();
  upstream = await startUpstream();
  data = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-database-'));
  g = await startGproxy({
    dataDir: data, args: ['--dsn', postgres.newDatabase()], env: { GPROXY_MASTER_KEY: 'a'.repeat(64) },
    config: {
      providers: [{ name: 'p', kind: 'openai', channel_settings: { base_url: `http://127.0.0.1:${upstream.port}` }, credentials: [{ name: 'k', secret: { OpenAI: { api_key: 'sk-up' } } }] }],
      users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }],
    },
  });
});
after(async () => {
  await g?.stop();
  upstream?.close();
  await postgres?.stop();
  fs.rmSync(data, { recursive: true, force: true });
});

const chat = (stream = false) => fetch(`${g.url}/p/v1/chat/completions`, {
  method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
  body: JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'hi' }] }),
});
const ready = async () => {
  const r = await fetch(`${g.url}/readyz`);
  return { code: r.status, ...(await r.json()) };
};
const metric = async (name) => {
  const text = await (await fetch(`${g.url}/metrics`, { headers: { authorization: `Bearer ${ADMIN}` } })).text();
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
};
const rows = async () => {
  const { status, body } = await g.admin('GET', '/usage/rows?limit=100');
  return status === 200 ? body.rows.length : -1;
};

test('the server goes: streams and requests go on, it shows; it comes back: every row is there, once', { timeout: 180_000 }, async () => {
  assert.equal((await chat()).status, 200);
  await until(async () => (await rows()) === 1);
  assert.deepEqual((await ready()).degraded, {});
  assert.equal(await metric('gproxy_storage_up'), 1);

  const stream = await chat(true);
  const reader = stream.body.getReader();
  let text = '';
  const read = async (word) => {
    while (!text.includes(word)) {
      const { done, value } = await reader.read();
      assert.ok(!done, `the stream ended before "${word}": ${text}`);
      text += Buffer.from(value).toString();
    }
  };
  await read('first');

  postgres.control('kill');
  upstream.streams[0].write(piece('second'));
  await read('second');
  const during = await Promise.all(Array.from({ length: 10 }, () => chat()));
  assert.deepEqual(during.map((r) => r.status), Array(10).fill(200));
  await until(async () => (await ready()).degraded.storage === 'storage_unavailable');
  assert.equal((await ready()).code, 200);
  assert.equal(await metric('gproxy_storage_up'), 0);
  assert.ok((await metric('gproxy_db_failed_batches_total')) > 0);
  const change = await g.admin('PUT', '/users/5', { name: 'five', enabled: true });
  assert.deepEqual([change.status, change.body.error], [503, 'storage_unavailable']);
  assert.equal((await g.admin('GET', '/usage/rows')).status, 503);
  upstream.streams[0].end(`${piece('third', 'stop')}data: [DONE]\n\n`);
  await read('[DONE]');

  postgres.control('start');
  await until(async () => (await ready()).degraded.storage === undefined);
  assert.equal(await metric('gproxy_storage_up'), 1);
  await until(async () => (await rows()) === 12);
  assert.equal(await metric('gproxy_usage_lost_total'), 0);
  assert.equal((await g.admin('PUT', '/users/5', { name: 'five', enabled: true })).status, 200);
});

test('the server says nothing: it shows within seconds, requests go on, every row is there afterwards', { timeout: 180_000 }, async () => {
  const before = await rows();
  postgres.control('freeze');
  try {
    const during = await Promise.all(Array.from({ length: 5 }, () => chat()));
    assert.deepEqual(during.map((r) => r.status), Array(5).fill(200));
    await until(async () => (await ready()).degraded.storage === 'no answer');
    assert.equal(await metric('gproxy_storage_up'), 0);
    assert.equal((await chat()).status, 200);
  } finally { postgres.control('thaw'); }
  await until(async () => (await ready()).degraded.storage === undefined);
  await until(async () => (await rows()) === before + 6);
  assert.equal(await metric('gproxy_usage_lost_total'), 0);
});
