// The kinds of Google against the simulated vendor: every operation native, translated and streamed, under
// the kind's own name and under another; refusals, garbage and names that must not reach a path raw.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { startGproxy } from '../harness.mjs';
import { startVendors } from '../simulator/simulator.mjs';
import { ask, call, count, model, models, tokensIn, users } from './provider_calls.mjs';

const kinds = ['aistudio', 'vertexexpress', 'vertex', 'geminicli', 'antigravity'];
const nativeChat = { aistudio: true, vertex: true };
const localModels = { vertexexpress: 'gemini-2.5-pro', geminicli: 'gemini-2.5-pro' };
const tokens = { antigravity: 5 }; // estimated: 17 characters; the others ask
let sims;
let gproxy;

before(async () => {
  sims = await startVendors(kinds);
  gproxy = await startGproxy({ config: { providers: kinds.flatMap((k) => [sims[k].row(), sims[k].row({ name: `${k}-two` })]), users } });
});
after(async () => {
  await gproxy.stop();
  await sims.close();
  // Whose answers could not be read stands in the log, by name.
  for (const kind of ['geminicli', 'antigravity']) assert.match(gproxy.stderr(), new RegExp(`module failed .*module=dev.gproxy.${kind} `));
});

for (const kind of kinds) {
  for (const provider of [kind, `${kind}-two`]) {
    describe(`${provider}`, () => {
      let sim;
      before(() => { sim = sims[kind]; });
      beforeEach(async () => { sim.clear(); await gproxy.clearCooldowns(); });

      for (const protocol of ['gemini', 'claude', 'chat', 'responses']) {
        const speaks = protocol === 'chat' && nativeChat[kind] ? 'chat' : 'gemini';
        for (const stream of [false, true]) {
          test(`${protocol}, ${stream ? 'streamed' : 'whole'}`, async () => {
            const r = await ask(gproxy, provider, protocol, { stream, text: 'ping pong' });
            assert.equal(r.status, 200, r.text);
            assert.equal(r.said, `Hello from ${speaks}: ping pong`);
            const up = sim.last();
            assert.equal(up.op, speaks === 'chat' ? (stream ? 'chat_stream' : 'chat') : stream ? 'stream' : 'generate');
            assert.match(up.headers['user-agent'], /^gproxy\//);
          });
        }
      }

      test('a native stream without alt=sse is one JSON array', async () => {
        const r = await ask(gproxy, provider, 'gemini', { stream: true, sse: false });
        assert.match(r.type, /application\/json/);
        assert.ok(Array.isArray(r.json), r.text);
        assert.equal(r.said, 'Hello from gemini: ping');
      });

      test('a stream that comes a byte at a time says the same', async () => {
        sim.split = 1;
        for (const protocol of ['gemini', 'claude']) {
          const r = await ask(gproxy, provider, protocol, { stream: true, text: 'grüß dich 🙂' });
          assert.equal(r.said, 'Hello from gemini: grüß dich 🙂', protocol);
        }
      });

      test('tokens are counted in each family', async () => {
        for (const family of ['gemini', 'claude', 'openai']) {
          const r = await count[family](gproxy, provider);
          assert.equal(r.status, 200, r.text);
          assert.equal(tokensIn(r), tokens[kind] ?? 9, `${family}: ${r.text}`);
          assert.equal(sim.count('count'), kind === 'antigravity' ? 0 : 1);
          sim.clear();
        }
      });

      test('models are listed and got in each family; an unknown one is a 404', async () => {
        for (const protocol of ['gemini', 'claude', 'chat']) {
          const list = await models(gproxy, provider, protocol);
          const known = localModels[kind] ?? 'mock-1';
          assert.ok(list.ids.includes(known), list.text);
          const one = await model(gproxy, provider, protocol, known);
          assert.equal(one.status, 200, one.text);
          assert.equal((one.json.name ?? one.json.id).replace('models/', ''), known);
          assert.equal((await model(gproxy, provider, protocol, 'no-such-model')).status, 404, protocol);
        }
      });

      test('what the vendor refuses reaches the client in its protocol', async () => {
        for (const [protocol, seen] of [['gemini', (j) => j.error.status === 'INVALID_ARGUMENT'], ['claude', (j) => j.error.type === 'invalid_request_error'], ['responses', (j) => j.error.type === 'invalid_request_error']]) {
          sim.fault({ status: 400 });
          const r = await ask(gproxy, provider, protocol);
          assert.equal(r.status, 400);
          assert.ok(seen(r.json), r.text);
        }
      });

      test('a 429 rests the model on that credential and the client hears 429', async () => {
        sim.fault({ status: 429 });
        assert.equal((await ask(gproxy, provider, 'gemini')).status, 429);
        const asked = sim.requests.length;
        const again = await ask(gproxy, provider, 'gemini');
        assert.ok([429, 503].includes(again.status), again.text);
        assert.equal(sim.requests.length, asked, 'a resting credential is not asked');
        assert.equal((await ask(gproxy, provider, 'gemini', { model: 'mock-2' })).status, 200);
      });

      test('garbage for an answer is a 502 in the client\'s protocol', async () => {
        for (const protocol of ['claude', 'responses', ...(kind === 'geminicli' || kind === 'antigravity' ? ['gemini'] : [])]) {
          for (const stream of [false, true]) {
            await gproxy.clearCooldowns();
            sim.fault({ kind: 'garbage', times: 5 });
            const r = await ask(gproxy, provider, protocol, { stream });
            assert.equal(r.status, 502, `${protocol} ${stream}: ${r.text}`);
            assert.ok(r.json.error, r.text);
            sim.clear();
          }
        }
      });

      test('names that would leave their place are refused or encoded', async () => {
        for (const name of ['..', '.', '%2e%2e']) {
          const r = await call(gproxy, `/${provider}/v1/chat/completions`, { protocol: 'claude', body: { model: name, messages: [{ role: 'user', content: 'x' }] } });
          assert.ok(r.status >= 400 || sim.last().path.includes('%25') || sim.last().body?.model, r.text);
        }
        for (const name of ['a/../b', 'a%0d%0ax: y', 'a?b#c']) {
          await call(gproxy, `/${provider}/v1/messages`, { protocol: 'claude', body: { model: name, max_tokens: 5, messages: [{ role: 'user', content: 'x' }] } });
          for (const up of sim.requests) {
            assert.ok(!up.path.includes('/../') && up.headers.x === undefined && !up.query.includes('b#c'), up.path);
          }
          sim.clear();
        }
      });
    });
  }
}

test('a setting or credential that does not fit is refused with its path and not stored', async () => {
  const put = (name, kind, settings) => gproxy.admin('PUT', `/providers/${name}`, { enabled: true, config_json: { kind, channel_settings: settings } });
  const before = (await gproxy.admin('GET', '/credentials')).body.credentials.length;
  for (const [kind, settings, at] of [
    ['vertex', { location: 'us/../x' }, 'location'], ['vertex', { base_url: 'ftp://x' }, 'base_url'], ['vertex', { locaton: 'eu' }, 'locaton'],
    ['geminicli', { client_identity: 'else' }, 'client_identity'], ['antigravity', { count_tokens: 'guess' }, 'count_tokens'],
    ['vertexexpress', { model_table: { models: [{ id: 'a' }, { id: '..' }] } }, 'model_table.models[1].id'],
  ]) {
    const r = await put('never-stored', kind, settings);
    assert.equal(r.status, 400, JSON.stringify(r.body));
    assert.ok(JSON.stringify(r.body).includes(at), JSON.stringify(r.body));
  }
  const good = sims.vertex.secret().Vertex;
  for (const [provider, secret, at] of [
    ['vertex', { Vertex: { ...good, private_key: 'no pem' } }, 'Vertex.private_key'], ['vertex', { Vertex: { ...good, client_email: undefined } }, 'client_email'],
    ['vertex', { Vertex: { ...good, type: 'authorized_user' } }, 'Vertex.type'],
    ['geminicli', { GeminiCli: { project_id: 'p' } }, 'GeminiCli'], ['antigravity', { Antigravity: { access_token: 'a\r\nb' } }, 'Antigravity.access_token'],
    ['vertexexpress', { VertexExpress: {} }, 'api_key'],
  ]) {
    const r = await gproxy.admin('POST', `/providers/${provider}/credentials`, { secret_json: secret });
    assert.equal(r.status, 400, JSON.stringify(r.body));
    assert.ok(JSON.stringify(r.body).includes(at), JSON.stringify(r.body));
  }
  assert.equal((await gproxy.admin('GET', '/credentials')).body.credentials.length, before);
});
