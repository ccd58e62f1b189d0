// Credentials and routes through the running gateway: while there is a way, a request succeeds. What the
// scripted upstream does follows from the credential's key: "ok-1", "limited-2", "refused-3", "slow-4",
// "reset-5", "cut-6", "broken-7", "hush-8", "late-9", "status-503-10" (each model once),
// "busy-11" (after a while, or when the test says).
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import { KEY, freePort, startGproxy, until } from '../harness.mjs';
import { chat, error, json, messages } from '../upstream.mjs';

const GUEST = 'sk-guest-key';
let upstream; let gproxy; let closedPort;
const blipped = new Set();
let asked = []; let running = 0; let mostRunning = 0;
let held; // answers of "busy" that the test gives out itself, while it is a list

function keyOf(req) {
  return (req.headers.authorization ?? '').replace('Bearer ', '') || req.headers['x-api-key'] || '';
}

async function startUpstream() {
  const server = http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      const body = chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : {};
      const key = keyOf(req);
      asked.push({ key, path: req.url, model: body.model, headers: req.headers });
      running++; mostRunning = Math.max(mostRunning, running);
      res.on('close', () => { running--; });
      const kind = key.split('-')[0];
      if (kind === 'limited') return error(res, 'openai', 429, 'slow down');
      if (kind === 'refused') return error(res, 'openai', 401, 'bad key');
      if (kind === 'broken') return error(res, 'openai', 500, 'boom');
      if (kind === 'reset') return res.destroy();
      if (kind === 'hush') return undefined; // not even a head
      if (kind === 'late') { res.writeHead(200, { 'content-type': 'application/json' }); res.write('{"id":"c",'); return setTimeout(() => res.end('"object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"late"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'), 3000); }
      if (kind === 'status' && !blipped.has(key + body.model)) { blipped.add(key + body.model); if (body.model === 'asks') res.setHeader('retry-after', '60'); return error(res, 'openai', Number(key.split('-')[1]), 'this once'); }
      if (kind === 'slow') { res.writeHead(200, { 'content-type': 'text/event-stream' }); res.write(': hold on\n\n'); return undefined; }
      if (kind === 'cut') { res.writeHead(200, { 'content-type': 'text/event-stream' }); res.write('data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n', () => res.destroy()); return undefined; }
      const answer = () => {
        if (req.url.startsWith('/v1/models')) return json(res, 200, { object: 'list', data: [{ id: 'listed', object: 'model', created: 1, owned_by: 'up' }] });
        return req.url.startsWith('/v1/messages') ? messages(res, body) : chat(res, body);
      };
      if (kind === 'busy') return held ? held.push(answer) : setTimeout(answer, 60);
      return answer();
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { server, port: server.address().port, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

const credentials = (tag, keys, settings) => keys.map((api_key, i) => ({ name: `c${i}`, secret: { [tag]: { api_key } }, ...(settings?.[i] ? { settings: settings[i] } : {}) }));
const openai = (name, keys, pool = {}, port = upstream.port, settings) => ({ name, kind: 'openai', channel_settings: { base_url: `http://127.0.0.1:${port}` }, pool, credentials: credentials('OpenAI', keys, settings) });
const custom = (name, keys, pool) => ({ name, kind: 'custom', channel_settings: { base_url: `http://127.0.0.1:${upstream.port}`, proto: 'openai_chat', dispatch: { ops: [] } }, pool, credentials: credentials('Custom', keys) });
const many = (n, kind) => Array.from({ length: n }, (_, i) => `${kind}-${i}`);

before(async () => {
  upstream = await startUpstream();
  closedPort = await freePort();
  gproxy = await startGproxy({ config: {
    settings: { retry: { backoff_ms: 5, max_backoff_ms: 20 }, timeouts: { list_ms: 4000 }, headers: { attempts: true, provider: true, credential: true } },
    providers: [
      openai('storm', [...many(30, 'limited'), ...many(10, 'ok')]),
      openai('halfdead', many(50, 'ok').flatMap((ok, i) => [`refused-${i}`, ok])),
      openai('slow', ['slow-1', 'ok-1'], { first_token_ms: 1000 }), // the good one must be quicker on a busy machine, too
      custom('hush', ['hush-1', 'ok-1'], { first_byte_ms: 2000 }),
      custom('begins', ['late-1', 'ok-1'], { first_byte_ms: 2000 }),
      ...[403, 500, 502, 503, 529].map((status) => openai(`blip${status}`, [`status-${status}-1`])),
      openai('onlyslow', ['slow-1'], { first_token_ms: 50 }),
      openai('resets', ['reset-1', 'reset-2', 'ok-1']),
      openai('cuts', ['cut-1', 'ok-1']),
      openai('allbroken', many(20, 'broken')),
      openai('allrefused', many(60, 'refused')),
      openai('queued', ['busy-1'], { max_concurrent: 1, queue: { max: 10, ms: 60_000 } }),
      openai('unqueued', ['busy-1'], { max_concurrent: 1 }),
      openai('impatient', ['busy-1'], { max_concurrent: 1, queue: { max: 10, ms: 20 } }),
      openai('sticky', many(8, 'ok'), { strategy: 'sticky' }),
      openai('weighted', ['ok-a', 'ok-b'], { strategy: 'weighted' }, upstream.port, [{ weight: 3 }, { weight: 1 }]),
      openai('down', ['ok-1', 'ok-2', 'ok-3'], {}, closedPort),
      { name: 'other', kind: 'custom', channel_settings: { base_url: `http://127.0.0.1:${upstream.port}`, proto: 'claude', dispatch: { ops: [] } }, credentials: credentials('Custom', ['ok-claude']) },
      openai('spare', ['ok-spare']),
    ],
    routes: [
      { name: 'fast', aliases: ['quick'], tiers: [[{ provider: 'down', model: 'big' }], [{ provider: 'other', model: 'claude-x' }]] },
      { name: 'steady', tiers: [[{ provider: 'spare', model: 'm-1' }]] },
      { name: 'team-*', tiers: [[{ provider: 'spare', model: 'up-*-2' }]] },
      { name: 'hidden', users: ['tester'], tiers: [[{ provider: 'spare', model: 'm-2' }]] },
      { name: 'patchy', tiers: [[{ provider: 'allbroken', model: 'm' }], [{ provider: 'spare', model: 'm-3' }]] },
      { name: 'exhausted', tiers: [[{ provider: 'nobody', model: 'm' }], [{ provider: 'spare', model: 'm-4' }]] },
    ],
    users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }, { name: 'guest', keys: [{ label: 'g', key: GUEST }] }],
  } });
});
after(async () => { await gproxy?.stop(); await upstream?.close(); });
beforeEach(async () => { asked = []; mostRunning = 0; await gproxy.clearCooldowns(); });

async function ask(provider, { model = 'm', stream = false, headers = {}, key = KEY, path } = {}) {
  const r = await fetch(`${gproxy.url}${path ?? `/${provider}/v1/chat/completions`}`, {
    method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'hi' }] }),
  });
  return { status: r.status, headers: r.headers, text: await r.text() };
}
const root = (model, more = {}) => ask('', { model, path: '/v1/chat/completions', ...more });

describe('every request that has a way succeeds', () => {
  test('in a storm of 429s, and what said so is left alone until its time', async () => {
    const all = await Promise.all(Array.from({ length: 80 }, () => ask('storm')));
    assert.deepEqual([...new Set(all.map((r) => r.status))], [200]);
    const limited = asked.filter((a) => a.key.startsWith('limited')).length;
    asked = [];
    for (let i = 0; i < 20; i++) assert.equal((await ask('storm')).status, 200);
    assert.ok(limited > 0);
  });
  test('with half of a hundred credentials refused', async () => {
    for (let i = 0; i < 10; i++) {
      const all = await Promise.all(Array.from({ length: 12 }, () => ask('halfdead')));
      assert.deepEqual([...new Set(all.map((r) => r.status))], [200]);
    }
    const refused = asked.filter((a) => a.key.startsWith('refused'));
    assert.equal(new Set(refused.map((a) => a.key)).size <= 50, true);
    asked = [];
    for (let i = 0; i < 60; i++) await ask('halfdead');
    assert.equal(asked.filter((a) => a.key.startsWith('refused')).length < 30, true, 'what is refused rests');
  });
  test('when the first token does not come', async () => {
    for (let i = 0; i < 4; i++) {
      const r = await ask('slow', { stream: true });
      assert.equal(r.status, 200);
      assert.match(r.text, /\[DONE\]/);
    }
    assert.ok(asked.some((a) => a.key === 'slow-1'));
  });
  test('when a whole answer does not begin; one that has begun is waited for', async () => {
    const claude = (provider) => ask(provider, { path: `/${provider}/v1/messages`, headers: { 'anthropic-version': '2023-06-01' } });
    for (let i = 0; i < 4; i++) {
      const r = await (i < 2 ? ask('hush') : claude('hush')); // as it came, and translated
      assert.equal(r.status, 200, r.text);
      assert.match(r.text, /Hello/);
    }
    // Three times in a row, and it rests.
    assert.ok(asked.filter((a) => a.key === 'hush-1').length <= 3);
    assert.ok(asked.some((a) => a.key === 'hush-1'));
    asked = [];
    for (const call of [() => ask('begins'), () => claude('begins')]) {
      const both = [await call(), await call()];
      assert.deepEqual(both.map((r) => r.status), [200, 200]);
      assert.equal(both.filter((r) => r.text.includes('late')).length, 1);
    }
    assert.equal(asked.length, 4);
  });
  test('when connections are reset before the first byte', async () => {
    for (let i = 0; i < 6; i++) assert.equal((await ask('resets', { stream: i % 2 === 0 })).status, 200);
  });
  test('when a provider is down: the next tier, in another protocol, whole and streamed', async () => {
    for (const stream of [false, true]) {
      const r = await root('fast', { stream });
      assert.equal(r.status, 200, r.text);
      assert.match(r.text, /Hello/);
      assert.equal(asked.at(-1).path.split('?')[0], '/v1/messages');
      assert.equal(asked.at(-1).model, 'claude-x');
      assert.equal(asked.at(-1).headers.authorization, undefined, "no provider sees another's key");
      assert.equal(r.headers.get('x-gproxy-provider'), 'other');
    }
  });
  test('when every credential of the first tier fails with server errors', async () => {
    const r = await root('patchy');
    assert.equal(r.status, 200, r.text);
    assert.equal(asked.at(-1).key, 'ok-spare');
  });
  test('when a route names a provider that is not there', async () => {
    assert.equal((await root('exhausted')).status, 200);
  });
});

describe('what cannot be helped', () => {
  test('a stream that breaks off after content ends in an error and is not asked for again', async () => {
    const results = [await ask('cuts', { stream: true }), await ask('cuts', { stream: true })];
    assert.equal(asked.length, 2);
    const broken = results.find((r) => !r.text.includes('[DONE]'));
    assert.match(broken.text, /stream_interrupted/);
  });
  test('one failure harms nobody: the next request finds the credential as it was', async () => {
    for (const status of [403, 500, 502, 503, 529]) {
      assert.ok((await ask(`blip${status}`)).status >= 400);
      const r = await ask(`blip${status}`);
      assert.equal(r.status, 200, `${status}: ${r.text}`);
    }
  });
  test('a 503 that says when to come back is left alone until then, for that model', async () => {
    assert.equal((await ask('blip503', { model: 'asks' })).status, 503);
    asked = [];
    const rests = await ask('blip503', { model: 'asks' });
    assert.equal(rests.status, 503);
    assert.ok(Number(rests.headers.get('retry-after')) > 50);
    assert.equal(asked.length, 0);
    assert.equal((await ask('blip503')).status, 200);
  });
  test('server errors use up the attempts: eight', async () => {
    const r = await ask('allbroken');
    assert.equal(r.status, 500);
    assert.equal(asked.length, 8);
    assert.equal(r.headers.get('x-gproxy-attempts'), '8');
  });
  test('refusals that cannot have been billed have a bound of their own: thirty-two', async () => {
    const r = await ask('allrefused');
    assert.equal(r.status, 502);
    assert.equal(asked.length, 32);
  });
});

describe('limits and the queue', () => {
  // `n` at once, the upstream answering only when all but one have ended: their statuses in that order.
  const withOneHeld = async (provider, n) => {
    const statuses = [];
    held = [];
    const all = Array.from({ length: n }, async () => statuses.push((await ask(provider)).status));
    await until(() => statuses.length === n - 1, () => `${n - 1} refusals: ${statuses}`).finally(() => {
      for (const answer of held) answer();
      held = undefined;
    });
    await Promise.all(all);
    return statuses;
  };
  test('a credential never has more running than its limit; who waits is served', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => ask('queued')));
    assert.deepEqual(all.map((r) => r.status), [200, 200, 200, 200, 200, 200]);
    assert.equal(mostRunning, 1);
  });
  test('without a queue the others get 503 at once', async () => {
    const statuses = await withOneHeld('unqueued', 4);
    assert.deepEqual(statuses, [503, 503, 503, 200]);
  });
  test('waiting ends with its deadline', async () => {
    const statuses = await withOneHeld('impatient', 6);
    assert.deepEqual(statuses, [503, 503, 503, 503, 503, 200]);
    assert.equal((await ask('impatient')).status, 200);
  });
});

describe('strategies', () => {
  test('a conversation stays with its credential', async () => {
    for (const session of ['one', 'two', 'three']) {
      asked = [];
      for (let i = 0; i < 5; i++) await ask('sticky', { headers: { 'x-session-id': session } });
      assert.equal(new Set(asked.map((a) => a.key)).size, 1);
    }
  });
  test('weights are kept', async () => {
    for (let i = 0; i < 40; i++) await ask('weighted');
    assert.equal(asked.filter((a) => a.key === 'ok-a').length, 30);
  });
});

describe('routes', () => {
  test('a name, an alias, a pattern; provider/model as before', async () => {
    assert.equal((await root('steady')).status, 200);
    assert.equal(asked.at(-1).model, 'm-1');
    assert.equal((await root('quick')).status, 200);
    assert.equal((await root('team-seven')).status, 200);
    assert.equal(asked.at(-1).model, 'up-seven-2');
    assert.equal((await root('spare/anything')).status, 200);
    assert.equal(asked.at(-1).model, 'anything');
    const none = await root('nothing-of-ours');
    assert.equal(none.status, 400);
    assert.match(none.text, /missing_provider_prefix/);
  });
  test('are listed, where they may be seen', async () => {
    const list = async (key) => (await (await fetch(`${gproxy.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).json()).data.map((m) => m.id);
    const mine = await list(KEY);
    for (const name of ['fast', 'quick', 'steady', 'hidden']) assert.ok(mine.includes(name), name);
    assert.ok(!mine.includes('team-*'));
    assert.ok(mine.includes('spare/listed'));
    assert.ok(!(await list(GUEST)).includes('hidden'));
    assert.equal((await root('hidden', { key: GUEST })).status, 400);
    assert.equal((await root('hidden')).status, 200);
    const one = await (await fetch(`${gproxy.url}/v1/models/steady`, { headers: { authorization: `Bearer ${KEY}` } })).json();
    assert.equal(one.id, 'steady');
  });
  test('are made and changed by the operator, who is told what is wrong by its place', async () => {
    const put = (name, body) => gproxy.admin('PUT', `/routes/${name}`, { body });
    assert.equal((await put('mine', { tiers: [[{ provider: 'spare', model: 'z' }]] })).status, 200);
    assert.equal((await root('mine')).status, 200);
    assert.equal(asked.at(-1).model, 'z');
    for (const [body, where] of [
      [{ tiers: [] }, 'body.tiers'], [{ tiers: [[{ model: 'x' }]] }, 'body.tiers[0][0].provider'],
      [{ tiers: [[{ provider: 'spare', weight: -1 }]] }, 'body.tiers[0][0].weight'], [{ tiers: [[{ provider: 'spare' }]], alias: [] }, 'body.alias'],
    ]) {
      const r = await put('wrong', body);
      assert.equal(r.status, 400, JSON.stringify(r.body));
      assert.ok(JSON.stringify(r.body).includes(where), JSON.stringify(r.body));
    }
    assert.equal((await put('steady', { tiers: [[{ provider: 'spare' }]] })).status, 409);
    assert.equal((await put('other-name', { aliases: ['quick'], tiers: [[{ provider: 'spare' }]] })).status, 409);
    assert.equal((await gproxy.admin('GET', '/routes/mine')).body.body.tiers[0][0].model, 'z');
    assert.equal((await gproxy.admin('DELETE', '/routes/mine')).status, 200);
    assert.equal((await root('mine')).status, 400);
  });
});

describe('health', () => {
  test('pool settings are checked when they are written', async () => {
    const config_json = { kind: 'openai', channel_settings: {} };
    for (const [pool, where] of [[{ strategy: 'best' }, 'pool.strategy'], [{ queue: { max: -1 } }, 'pool.queue.max'], [{ quue: 1 }, 'pool.quue']]) {
      const r = await gproxy.admin('PUT', '/providers/poolcheck', { enabled: true, config_json, pool });
      assert.equal(r.status, 400);
      assert.ok(JSON.stringify(r.body).includes(where), JSON.stringify(r.body));
    }
    assert.equal((await gproxy.admin('PUT', '/providers/poolcheck', { enabled: true, config_json, pool: { strategy: 'sticky' } })).status, 200);
    assert.equal((await gproxy.admin('PUT', '/providers/poolcheck', { enabled: false, config_json })).status, 200);
    assert.equal((await gproxy.admin('GET', '/providers/poolcheck')).body.pool.strategy, 'sticky');
    const wrong = await gproxy.admin('POST', '/providers/poolcheck/credentials', { name: 'w', settings_json: { weight: 0 }, secret_json: { OpenAI: { api_key: 'x' } } });
    assert.equal(wrong.status, 400);
    assert.ok(JSON.stringify(wrong.body).includes('settings_json.weight'));
  });
  test('a rest survives a restart, is seen, and is cleared', async () => {
    const config = { providers: [openai('p', ['limited-1'])], users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }] };
    // The upstream asks for one second; the operator's minimum makes it a minute, which outlasts the restart.
    const first = await startGproxy({ config: { ...config, settings: { retry: { min_cool_down_ms: 60000 } } } });
    const say = (g) => fetch(`${g.url}/p/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: '{"model":"m","messages":[{"role":"user","content":"hi"}]}' });
    const state = async (g) => (await g.admin('GET', '/providers/p/credentials')).body.credentials[0].runtime_status;
    await (await say(first)).text();
    const before = await state(first);
    assert.equal(before.summary, 'partial_unavailable');
    assert.equal(before.model_unavailable[0].reason, 'rate_limit');
    assert.equal(before.model_unavailable[0].model, 'm');
    first.child.kill('SIGTERM');
    await first.exited;
    const second = await startGproxy({ config, dataDir: first.dir });
    const after = await state(second);
    assert.equal(after.summary, 'partial_unavailable');
    assert.ok(after.model_unavailable[0].remaining_ms > 30_000);
    asked = [];
    assert.equal((await say(second)).status, 503);
    assert.equal(asked.length, 0);
    const id = (await second.admin('GET', '/providers/p/credentials')).body.credentials[0].id;
    await second.admin('POST', `/credentials/${id}/clear_cooldown`);
    assert.equal((await state(second)).summary, 'active');
    assert.equal((await say(second)).status, 429);
    await second.stop();
  });
});
