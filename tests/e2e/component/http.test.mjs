// The listener as a hostile or unusual client sees it: raw bytes in, raw bytes out.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ADMIN, KEY, PATIENCE, standardConfig, startAll } from '../harness.mjs';

let all;
before(async () => { all = await startAll({ config: (port) => ({ ...standardConfig(port), settings: { limits: { max_request_bytes: 100000 }, timeouts: { header_ms: 2000 } } }) }); });
after(async () => { await all?.stop(); });

// Sends pieces, returns everything that comes until the server closes or `enough` is satisfied.
function talk(pieces, enough = () => false) {
  return new Promise((done, fail) => {
    const s = net.connect(all.gproxy.port, '127.0.0.1');
    let out = '';
    const timer = setTimeout(() => { s.destroy(); done(out); }, PATIENCE);
    s.on('data', (d) => { out += d.toString('latin1'); if (enough(out)) { clearTimeout(timer); s.destroy(); done(out); } });
    s.on('close', () => { clearTimeout(timer); done(out); });
    s.on('error', (e) => (e.code === 'ECONNRESET' || e.code === 'EPIPE' ? undefined : fail(e)));
    s.on('connect', async () => { for (const p of [].concat(pieces)) { if (typeof p === 'number') await new Promise((r) => setTimeout(r, p)); else s.write(p); } });
  });
}
const status = (text) => Number(/^HTTP\/1\.[01] (\d+)/.exec(text)?.[1]);
const statuses = (text) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => Number(m[1]));
const chat = (extra = {}) => JSON.stringify({ model: 'mock-1', messages: [{ role: 'user', content: 'raw' }], ...extra });
const post = (body, headers = '', path = '/openai/v1/chat/completions') => `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

describe('HTTP/1.1', () => {
  test('pipelined requests are answered in order on one connection', async () => {
    const out = await talk(post(chat()) + post(chat()) + 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    assert.deepEqual(statuses(out), [200, 200, 200]);
  });
  test('a chunked request body, byte by byte, is one body', async () => {
    const body = chat();
    const wire = `POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n` + [...body].map((c) => `1\r\n${c}\r\n`).join('') + '0\r\n\r\n';
    const out = await talk([...wire]);
    assert.equal(status(out), 200);
    assert.equal(all.upstream.last().raw, body);
  });
  test('Expect: 100-continue is answered after the head has passed its checks, not before', async () => {
    const body = chat();
    const head = (key) => `POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`;
    const good = await talk([head(KEY), 200, body]);
    assert.deepEqual(statuses(good), [100, 200]);
    const bad = await talk([head('wrong'), 300]);
    assert.deepEqual(statuses(bad), [401]);
  });
  test('HEAD has the head alone', async () => {
    const out = await talk('HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    assert.equal(status(out), 200);
    assert.equal(out.split('\r\n\r\n')[1], '');
  });
  test('HTTP/1.0 gets a close-delimited stream', async () => {
    const body = chat({ stream: true });
    const out = await talk(`POST /openai/v1/chat/completions HTTP/1.0\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    assert.equal(status(out), 200);
    assert.ok(!/transfer-encoding/i.test(out));
    assert.ok(out.endsWith('data: [DONE]\n\n'));
  });
});

describe('limits', () => {
  test('a body over the limit is 413 before it is read', async () => {
    const out = await talk(`POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\ncontent-length: 100001\r\n\r\n`);
    assert.equal(status(out), 413);
    assert.match(out, /request_too_large/);
  });
  test('too much head is 431, too long a target 414', async () => {
    assert.equal(status(await talk(`GET /healthz HTTP/1.1\r\nhost: x\r\nbig: ${'a'.repeat(80000)}\r\n\r\n`)), 431);
    assert.equal(status(await talk(`GET /${'a'.repeat(40000)} HTTP/1.1\r\nhost: x\r\n\r\n`)), 414);
    assert.equal(status(await talk(`GET /healthz HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(1000)}\r\n`)), 431);
  });
  test('a head that does not come is 408', async () => {
    const out = await talk(['GET /healthz HTTP/1.1\r\nhos']);
    assert.equal(status(out), 408);
  });
  test('an encoded request is 415 with what would be accepted', async () => {
    const out = await talk(post('x', 'content-encoding: gzip\r\nconnection: close\r\n'));
    assert.equal(status(out), 415);
    assert.match(out, /accept-encoding: identity/);
  });
  test('JSON that is too deep or has two models is 400 with the field named', async () => {
    const deep = await talk(post(`{"model":"mock-1","messages":${'['.repeat(300)}${']'.repeat(300)}}`, 'connection: close\r\n'));
    assert.equal(status(deep), 400);
    const twice = await talk(post('{"model":"a","model":"b","messages":[]}', 'connection: close\r\n'));
    assert.equal(status(twice), 400);
    assert.match(twice, /model/);
    const escaped = await talk(post('{"mod\\u0065l":"mock-1","messages":[{"role":"user","content":"esc"}]}', 'connection: close\r\n'));
    assert.equal(status(escaped), 200);
  });
});

describe('request smuggling', () => {
  const cases = [
    ['content-length and transfer-encoding', 'content-length: 5\r\ntransfer-encoding: chunked\r\n', 400],
    ['two different content-lengths', 'content-length: 5\r\ncontent-length: 6\r\n', 400],
    ['content-length with a sign', 'content-length: +5\r\n', 400],
    ['transfer-encoding that does not end in chunked', 'transfer-encoding: chunked, gzip\r\n', 400],
    ['an obsolete folded header', 'a: b\r\n c\r\n', 400],
    ['white space before the colon', 'content-length : 5\r\n', 400],
    ['a bare line feed', 'a: b\nc: d\r\n', 400],
    ['a NUL in a value', 'a: b\0c\r\n', 400],
  ];
  for (const [name, lines, want] of cases) {
    test(`${name} is refused and the connection closed`, async () => {
      const out = await talk(`POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n${lines}\r\nhello` + 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
      assert.equal(status(out), want);
      assert.equal(statuses(out).length, 1);
    });
  }
});

describe('routing and errors', () => {
  const get = (p, init) => fetch(all.gproxy.url + p, init);
  test('unknown paths 404, wrong methods 405 with Allow', async () => {
    assert.equal((await get('/nope/nope/nope')).status, 404);
    const r = await get('/openai/v1/chat/completions', { headers: { authorization: `Bearer ${KEY}` } });
    assert.equal(r.status, 405);
    assert.match(r.headers.get('allow'), /POST/);
  });
  test('an unknown provider is 404 provider_not_found in the protocol of the route', async () => {
    const r = await get('/missing/v1/messages', { method: 'POST', headers: { 'x-api-key': KEY, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', max_tokens: 1, messages: [] }) });
    assert.equal(r.status, 404);
    assert.equal(r.headers.get('x-gproxy-error'), 'provider_not_found');
    assert.equal((await r.json()).type, 'error');
  });
  test('an aggregate model without prefix is 400 missing_provider_prefix', async () => {
    const r = await get('/v1/chat/completions', { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: chat() });
    assert.equal(r.status, 400);
    assert.equal(r.headers.get('x-gproxy-error'), 'missing_provider_prefix');
    assert.equal((await r.json()).error.code, 'missing_provider_prefix');
  });
  test('no active credentials is 503, Claude clients see 529', async () => {
    const up = await all.gproxy.admin('PUT', '/providers/empty', { enabled: true, config_json: { kind: 'openai', channel_settings: {} } });
    assert.equal(up.status, 200);
    assert.equal((await get('/empty/v1/chat/completions', { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: chat() })).status, 503);
    await all.gproxy.admin('PUT', '/providers/emptyc', { enabled: true, config_json: { kind: 'claude', channel_settings: {} } });
    assert.equal((await get('/emptyc/v1/messages', { method: 'POST', headers: { 'x-api-key': KEY, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', max_tokens: 1, messages: [] }) })).status, 529);
  });
  test('GET /v1/models answers in three shapes, by how the client asks', async () => {
    const shapes = await Promise.all([
      get('/v1/models', { headers: { authorization: `Bearer ${KEY}` } }),
      get('/v1/models', { headers: { authorization: `Bearer ${KEY}`, 'anthropic-version': '2023-06-01' } }),
      get('/v1/models', { headers: { 'x-goog-api-key': KEY } }),
    ]);
    const [o, c, g] = await Promise.all(shapes.map((r) => r.json()));
    assert.equal(o.object, 'list');
    assert.ok('has_more' in c);
    assert.ok(Array.isArray(g.models));
    for (const b of [o, c, g]) assert.equal(typeof b.partial, 'boolean');
  });
  test('x-request-id goes in and out; one is made where none came; odd ones are replaced', async () => {
    assert.equal((await get('/healthz', { headers: { 'x-request-id': 'abc-123' } })).headers.get('x-request-id'), 'abc-123');
    const made = (await get('/healthz')).headers.get('x-request-id');
    assert.ok(made);
    assert.notEqual((await get('/healthz', { headers: { 'x-request-id': 'a'.repeat(300) } })).headers.get('x-request-id'), 'a'.repeat(300));
  });
  test('health, readiness, version and metrics', async () => {
    assert.equal((await get('/healthz')).status, 200);
    assert.equal((await get('/livez')).status, 200);
    assert.equal((await get('/readyz')).status, 200);
    assert.equal((await get('/version')).status, 200);
    const text = await (await get('/metrics')).text();
    assert.match(text, /# TYPE gproxy_requests_total counter/);
    assert.match(text, /gen_ai_client_token_usage/);
    assert.match(text, /gproxy_build_info\{/);
    // Totals only grow, and say so; each line is a series of the family announced before it.
    let family = '';
    for (const line of text.split('\n').filter(Boolean)) {
      const type = /^# TYPE (\S+) (\S+)$/.exec(line);
      if (type) {
        family = type[1];
        assert.equal(type[2] === 'counter', family.endsWith('_total'), line);
      } else if (!line.startsWith('#')) {
        assert.match(line, /^[a-z_]+(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? [0-9.e+-]+$/);
        assert.ok(line.startsWith(family), line);
      }
    }
    // Loopback is open, but not for what a proxy there passes on.
    assert.equal((await get('/metrics', { headers: { 'x-forwarded-for': '192.0.2.1' } })).status, 401);
    assert.equal((await get('/metrics', { headers: { forwarded: 'for=192.0.2.1', authorization: `Bearer ${ADMIN}` } })).status, 200);
  });
  test('the gateway\'s own share is in server-timing', async () => {
    const r = await get('/openai/v1/chat/completions', { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: chat() });
    assert.ok(r.headers.get('server-timing'), [...r.headers.keys()].join());
  });
});
