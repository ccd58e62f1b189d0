// A vendor that answers 200 and something that its protocol does not know: a page, nothing, half an object, a
// stream without events. Every kind, every protocol, whole and streamed, native and translated: 502 in the
// client's protocol, and the log names the module. What is merely labelled badly passes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startGproxy } from '../harness.mjs';
import { startVendor, startVendors, vendorNames } from '../simulator/simulator.mjs';
import { ask, call, users } from './provider_calls.mjs';

const kinds = [...vendorNames, 'custom'];
let sims;
let gproxy;
before(async () => {
  sims = await startVendors(vendorNames);
  sims.custom = await startVendor('openai');
  const custom = {
    name: 'custom', kind: 'custom', channel_settings: { id: 'x', proto: 'openai_chat', base_url: `${sims.custom.url}/v1`, dispatch: { ops: [] } },
    credentials: [{ name: 'c', secret: { Custom: { api_key: 'key-of-openai' } } }],
  };
  gproxy = await startGproxy({ config: { users, providers: [...vendorNames.map((kind) => sims[kind].row()), custom] } });
});
after(async () => { await gproxy?.stop(); await sims?.close(); await sims?.custom?.close(); });

const html = '<html><body>Sign in to the network</body></html>';
const whole = { page: html, nothing: '', half: '{"id":"x","choices":[', 'no members': '{oops}', scalar: 'true' };
const streamed = { page: html, nothing: '', 'a page as data': `data: ${html}\n\n`, 'comments alone': ': wait\n\n', 'an object': '{"id":"x"}' };

for (const kind of kinds) {
  describe(kind, () => {
    for (const protocol of ['chat', 'responses', 'claude', 'gemini']) {
      for (const stream of [false, true]) {
        test(`${protocol}, ${stream ? 'streamed' : 'whole'}`, async () => {
          const sim = sims[kind];
          sim.clear();
          await gproxy.clearCooldowns();
          const good = await ask(gproxy, kind, protocol, { stream });
          assert.equal(good.status, 200, good.text); // and the account has its tokens now
          for (const [name, body] of Object.entries(stream ? streamed : whole)) {
            await gproxy.clearCooldowns(); // three in a row would rest the credential
            sim.fault({ kind: 'garbage', body, times: 9 });
            const r = await ask(gproxy, kind, protocol, { stream });
            sim.clear();
            assert.equal(r.status, 502, `${name}: ${r.text}`);
            assert.ok(r.json?.error, `${name}: ${r.text}`);
            assert.ok(!r.text.includes('Sign in'), r.text);
          }
        });
      }
    }
    test('the log names the module, and shows nothing of the body', () => {
      const lines = gproxy.stderr().split('\n').filter((line) => line.includes(`dev.gproxy.${kind}`) && line.includes('not what was asked for'));
      assert.ok(lines.length > 0);
      assert.ok(!gproxy.stderr().includes('Sign in'));
    });
  });
}

test('lists and lookups, too', async () => {
  for (const kind of ['openai', 'claude', 'aistudio', 'custom']) {
    for (const path of ['models', 'models/mock-1']) {
      for (const body of [html, '', '{"data":[']) {
        await gproxy.clearCooldowns();
        sims[kind].fault({ kind: 'garbage', body, times: 9 });
        const r = await call(gproxy, `/${kind}/v1/${path}`, { protocol: kind === 'claude' ? 'claude' : 'chat' });
        sims[kind].clear();
        assert.equal(r.status, 502, `${kind} ${path} ${body}: ${r.text}`);
      }
    }
  }
});

describe('what is labelled badly but is what was asked for passes as it came', () => {
  const answer = JSON.stringify({ id: 'c', object: 'chat.completion', model: 'mock-1', choices: [{ index: 0, message: { role: 'assistant', content: 'fine' }, finish_reason: 'stop' }] });
  const chunks = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'mock-1', choices: [{ index: 0, delta: { content: 'fine' }, finish_reason: 'stop' }] })}\n\ndata: [DONE]\n\n`;
  for (const kind of ['openai', 'custom']) {
    for (const type of ['text/plain', 'application/octet-stream', 'text/html', '']) {
      test(`${kind}: ${type || 'no type'}`, async () => {
        const headers = { 'content-type': type };
        sims[kind].clear();
        sims[kind].fault({ op: 'chat', kind: 'garbage', headers, body: ` \n${answer}\n` });
        const one = await ask(gproxy, kind, 'chat');
        assert.equal(one.status, 200, one.text);
        assert.equal(one.text, ` \n${answer}\n`);
        sims[kind].fault({ op: 'chat_stream', kind: 'garbage', headers, body: chunks });
        const many = await ask(gproxy, kind, 'chat', { stream: true });
        assert.equal(many.status, 200, many.text);
        assert.ok(many.text.includes('"fine"') && many.text.includes('[DONE]'), many.text);
      });
    }
    test(`${kind}: an answer longer than what is held, in pieces`, async () => {
      const long = JSON.stringify({ ...JSON.parse(answer), filler: 'x'.repeat(100_000) });
      sims[kind].split = 999;
      sims[kind].fault({ op: 'chat', kind: 'garbage', body: long });
      const r = await ask(gproxy, kind, 'chat');
      sims[kind].clear();
      assert.equal(r.status, 200);
      assert.equal(r.text, long);
    });
  }
});

test('another credential is tried before the client is told', async () => {
  const id = (await gproxy.admin('GET', '/providers')).body.providers.find((p) => p.name === 'openai').name;
  assert.equal((await gproxy.admin('POST', `/providers/${id}/credentials`, { name: 'second', secret_json: { OpenAI: { api_key: 'key-of-openai' } } })).status, 200);
  await gproxy.clearCooldowns();
  sims.openai.clear();
  sims.openai.fault({ op: 'chat', kind: 'garbage', times: 1 });
  const r = await ask(gproxy, 'openai', 'chat');
  assert.equal(r.status, 200, r.text);
  assert.equal(sims.openai.count('chat'), 2);
});

test('an error that forgot its status is told as the error it is', async () => {
  await gproxy.clearCooldowns();
  sims.custom.clear();
  sims.custom.fault({ op: 'chat_stream', kind: 'garbage', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ error: { message: 'the model is asleep', type: 'server_error' } }), times: 9 });
  const r = await ask(gproxy, 'custom', 'chat', { stream: true });
  assert.equal(r.status, 502, r.text);
  assert.match(r.json.error.message, /the model is asleep/);
});
