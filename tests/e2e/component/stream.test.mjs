// Streams under stress: clients that leave, clients that do not read, upstreams that are silent.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { describe, test } from 'node:test';
import { KEY, PATIENCE, startGproxy } from '../harness.mjs';

// An upstream whose every connection is in the test's hand.
async function scripted(onRequest) {
  const server = http.createServer((req, res) => { let b = ''; req.on('data', (d) => { b += d; }); req.on('end', () => onRequest(req, res, b)); });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { port: server.address().port, close: () => { server.closeAllConnections(); server.close(); } };
}
const config = (port, settings = {}) => ({
  providers: [{ name: 'up', kind: 'openai', channel_settings: { base_url: `http://127.0.0.1:${port}` }, credentials: [{ name: 'k', secret: { OpenAI: { api_key: 'sk' } } }] }],
  users: [{ name: 't', keys: [{ label: 'k', key: KEY }] }], settings,
});
const event = (text) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content: text }, finish_reason: null }] })}\n\n`;
const ask = (port, body = { model: 'm', stream: true, messages: [] }) => {
  const text = JSON.stringify(body);
  return `POST /up/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
};
const waitFor = async (what, ms = PATIENCE) => { const end = Date.now() + ms; while (Date.now() < end) { if (what()) return true; await new Promise((r) => setTimeout(r, 10)); } return false; };

test('a client that leaves cancels the upstream at once, also behind a pipelined request', async () => {
  for (const extra of ['', 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n']) {
    let closed = 0;
    let open = 0;
    const up = await scripted((req, res) => { ++open; res.on('close', () => { ++closed; }); res.writeHead(200, { 'content-type': 'text/event-stream' }); res.write(event('a')); });
    // No ping finds out sooner that nobody is there.
    const g = await startGproxy({ config: config(up.port, { timeouts: { ping_after_ms: 3_600_000 } }) });
    const s = net.connect(g.port, '127.0.0.1');
    s.write(ask(up.port) + extra);
    await new Promise((done) => s.once('data', done));
    assert.equal(open, 1);
    s.destroy();
    assert.ok(await waitFor(() => closed === 1), 'the upstream connection stays open');
    await g.stop();
    up.close();
  }
});

test('a client that leaves while the upstream still thinks cancels it too', async () => {
  let closed = 0;
  let open = 0;
  const up = await scripted((req, res) => { ++open; res.on('close', () => { ++closed; }); });
  const g = await startGproxy({ config: config(up.port) });
  const s = net.connect(g.port, '127.0.0.1');
  s.write(ask(up.port));
  assert.ok(await waitFor(() => open === 1));
  s.destroy();
  assert.ok(await waitFor(() => closed === 1));
  await g.stop();
  up.close();
});

test('a client that does not read stops the upstream and does not grow memory', async () => {
  let sent = 0;
  const piece = event('x'.repeat(16000));
  const up = await scripted((req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    const pump = () => { while (!res.destroyed && sent < 400e6) { sent += piece.length; if (!res.write(piece)) { res.once('drain', pump); return; } } };
    pump();
  });
  const g = await startGproxy({ config: config(up.port) });
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${g.child.pid}/status`, 'utf8'))[1]);
  const s = net.connect(g.port, '127.0.0.1');
  s.pause();
  s.write(ask(up.port));
  // Still for a whole second: on a busy machine a moment proves nothing, and it may take several seconds.
  let last = -1, before = 0, since = Date.now();
  assert.ok(await waitFor(() => {
    if (sent !== last || sent === 0) { last = sent; since = Date.now(); before = rss(); }
    return Date.now() - since > 1000;
  }), 'the upstream goes on sending');
  assert.ok(sent < 60e6, `${sent} bytes taken for a client that reads nothing`);
  // A sanitizer's shadow memory grows by itself.
  if (!process.env.GPROXY_SANITIZED) assert.ok(rss() - before < 4096);
  let got = 0;
  s.on('data', (d) => { got += d.length; });
  s.resume();
  assert.ok(await waitFor(() => got > sent - 1e6 && got > 50e6), 'reading again lets it flow');
  s.destroy();
  await g.stop();
  up.close();
});

test('pings go out in a silent stream, between events only, and not into a flowing one', async () => {
  const half = event('abcdef');
  let finish;
  const up = await scripted((req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write(half.slice(0, 20));
    setTimeout(() => res.write(half.slice(20)), 700);
    finish = () => res.end(event('end') + 'data: [DONE]\n\n');
  });
  const g = await startGproxy({ config: config(up.port, { timeouts: { ping_after_ms: 200 } }) });
  const r = await fetch(`${g.url}/up/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', stream: true, messages: [] }) });
  let text = '', finished = false;
  const decoder = new TextDecoder();
  for await (const piece of r.body) {
    text += decoder.decode(piece, { stream: true });
    if (!finished && text.includes(half) && text.indexOf(': keepalive\n\n', text.indexOf(half)) > 0) { finished = true; finish(); }
  }
  assert.ok(text.includes(half), 'an event was torn');
  assert.match(text, /^: keepalive\n\n/m);
  const events = text.split('\n\n').filter((e) => e.startsWith('data:'));
  assert.equal(events.length, 3);
  await g.stop();
  up.close();
});

test('native bytes pass untouched, split anywhere', async () => {
  const odd = Buffer.from('data: {"id":"c","x":1e400,"y":"\\ud83d\\ude00 ü","choices":[{"index":0,"delta":{"content":"q"},"finish_reason":"stop"}]}\r\n\r\n: comment\r\n\r\ndata: {"vendor":{"deep":[1,2,{"z":null}]}}\n\ndata: [DONE]\n\n');
  const up = await scripted((req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    let i = 0;
    const step = () => { if (i < odd.length) { res.write(odd.subarray(i, ++i)); setImmediate(step); } else res.end(); };
    step();
  });
  const g = await startGproxy({ config: config(up.port) });
  const r = await fetch(`${g.url}/up/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', stream: true, stream_options: { include_usage: true }, messages: [] }) });
  assert.ok(Buffer.from(await r.arrayBuffer()).equals(odd));
  await g.stop();
  up.close();
});

test('an upstream that resets before its head is 502; after it, the stream ends with an error event', async () => {
  const up = await scripted((req, res) => { if (req.headers['x-case'] === undefined && !scriptedState.late) { req.socket.destroy(); return; } res.writeHead(200, { 'content-type': 'text/event-stream' }); res.write(event('a')); setTimeout(() => req.socket.destroy(), 50); });
  const g = await startGproxy({ config: config(up.port) });
  const call = () => fetch(`${g.url}/up/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', stream: true, messages: [] }) });
  const early = await call();
  assert.ok([502, 503].includes(early.status));
  assert.equal((await early.json()).error.type, 'server_error');
  for (const c of (await g.admin('GET', '/credentials')).body.credentials) await g.admin('POST', `/credentials/${c.id}/clear_cooldown`);
  scriptedState.late = true;
  const late = await call();
  assert.equal(late.status, 200);
  const text = await late.text();
  assert.match(text, /"error"/);
  assert.ok(!text.includes('[DONE]'));
  await g.stop();
  up.close();
});
const scriptedState = { late: false };

describe('what comes back from the upstream', () => {
  test('loses hop-by-hop and session headers, keeps the rest', async () => {
    const up = await scripted((req, res) => { res.writeHead(200, { 'content-type': 'application/json', 'set-cookie': 'a=b', 'alt-svc': 'h3', 'strict-transport-security': 'max-age=1', 'x-ratelimit-remaining-requests': '9', 'openai-organization': 'org' }); res.end('{"id":"x","object":"chat.completion","choices":[]}'); });
    const g = await startGproxy({ config: config(up.port) });
    const r = await fetch(`${g.url}/up/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', messages: [] }) });
    for (const h of ['set-cookie', 'alt-svc', 'strict-transport-security']) assert.equal(r.headers.get(h), null, h);
    assert.equal(r.headers.get('x-ratelimit-remaining-requests'), '9');
    await r.text();
    await g.stop();
    up.close();
  });
  test('is asked for as identity, and an HTML error page becomes a clean JSON error', async () => {
    let encoding;
    const up = await scripted((req, res) => { encoding = req.headers['accept-encoding']; res.writeHead(502, { 'content-type': 'text/html' }); res.end('<html><body><h1>Bad gateway</h1></body></html>'); });
    const g = await startGproxy({ config: config(up.port) });
    const r = await fetch(`${g.url}/up/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'accept-encoding': 'gzip, br' }, body: JSON.stringify({ model: 'm', messages: [] }) });
    assert.equal(encoding, 'identity');
    assert.ok(r.status >= 500);
    const body = await r.json();
    assert.match(body.error.message, /Bad gateway/);
    assert.ok(!body.error.message.includes('<h1>'));
    await g.stop();
    up.close();
  });
  test('may be an error without end: it is told with what came', { timeout: 2 * PATIENCE }, async () => {
    let closed = false;
    const up = await scripted((req, res) => {
      res.on('close', () => { closed = true; });
      res.writeHead(400, { 'content-type': 'application/json' });
      const more = () => { while (!res.destroyed && res.write('x'.repeat(16_384))); };
      res.on('drain', more);
      more();
    });
    const g = await startGproxy({ config: config(up.port) });
    const r = await fetch(`${g.url}/up/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', messages: [] }) });
    assert.equal(r.status, 400);
    assert.equal((await r.json()).error.type, 'invalid_request_error');
    assert.ok(await waitFor(() => closed), 'the upstream goes on');
    await g.stop();
    up.close();
  });
  test('sends no client, with its key, to another address', async () => {
    const up = await scripted((req, res, body) => { res.writeHead(Number(JSON.parse(body).model), { location: 'http://127.0.0.1:1/elsewhere' }); res.end(); });
    const g = await startGproxy({ config: config(up.port) });
    for (const [model, stream] of [['302', false], ['302', true], ['304', false], ['407', false], ['407', true], ['700', false]]) {
      const r = await fetch(`${g.url}/up/v1/chat/completions`, { method: 'POST', redirect: 'manual', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model, stream, messages: [] }) });
      assert.equal(r.status, 502);
      assert.equal(r.headers.get('location'), null);
      assert.match((await r.json()).error.message, new RegExp(`the upstream answered with status ${model}`));
      await g.clearCooldowns();
    }
    await g.stop();
    up.close();
  });
  test('is as long as its chunks, not as its content-length, and loses what Connection names', async () => {
    const answer = '{"id":"x","object":"chat.completion","choices":[]}';
    const server = net.createServer((s) => {
      s.on('error', () => {});
      s.once('data', () => s.end(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: x-hop, close\r\nx-hop: 1\r\nx-end: 2\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n${answer.length.toString(16)}\r\n${answer}\r\n0\r\n\r\n`));
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const g = await startGproxy({ config: config(server.address().port) });
    const r = await fetch(`${g.url}/up/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', messages: [] }) });
    assert.equal(await r.text(), answer);
    assert.equal(r.headers.get('x-hop'), null);
    assert.equal(r.headers.get('x-end'), '2');
    await g.stop();
    server.close();
  });
});
