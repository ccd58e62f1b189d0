// Providers made, changed and deleted at run time, with requests running; the forms of their settings.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { KEY, startGproxy } from '../harness.mjs';
import { startVendor } from '../simulator/simulator.mjs';

let gproxy;
let one;
let two;
before(async () => {
  [one, two] = await Promise.all([startVendor('openai'), startVendor('openai')]);
  gproxy = await startGproxy({ config: { users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }] } });
});
after(async () => { await gproxy?.stop(); await one?.close(); await two?.close(); });

const settings = (sim, more = {}) => ({ id: 'x', enabled: true, proto: 'openai_chat', base_url: `${sim.url}/v1/`, dispatch: { ops: [] }, ...more });
const put = (name, channel_settings) => gproxy.admin('PUT', `/providers/${name}`, { enabled: true, config_json: { kind: 'custom', channel_settings } });
async function make(name, sim, more) {
  const r = await put(name, settings(sim, more));
  assert.equal(r.status, 200, JSON.stringify(r.body));
  assert.equal((await gproxy.admin('POST', `/providers/${name}/credentials`, { name: 'c', secret_json: { Custom: { api_key: 'key-of-openai' } } })).status, 200);
}
const say = (name, body = {}, path = '/v1/chat/completions') => fetch(`${gproxy.url}/${name}${path}`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body }) });

test('creating, editing and deleting take effect at once, and what runs ends as it began', async () => {
  assert.equal((await say('live')).status, 404);
  await make('live', one);
  assert.equal((await say('live')).status, 200);

  const held = (sim, op) => { let go; sim.fault({ op, kind: 'hold', until: new Promise((done) => { go = done; }) }); return go; };
  const go = held(one, 'chat_stream');
  const running = say('live', { stream: true });
  while (one.count('chat_stream') === 0) await new Promise((done) => setImmediate(done));
  assert.equal((await put('live', settings(two))).status, 200);
  const next = await say('live');
  assert.equal(next.status, 200, await next.text());
  assert.equal(two.count('chat'), 1);

  assert.equal((await gproxy.admin('DELETE', '/providers/live')).status, 200);
  assert.equal((await say('live')).status, 404);
  go();
  const finished = await running;
  assert.equal(finished.status, 200);
  assert.match(await finished.text(), /\[DONE\]/);
});

describe('settings', () => {
  test('the mask comes last, removes or nulls, and leaves what it does not name as it came', async () => {
    await make('masked', one, { json_param_mask: ['temperature', 'messages[*].name', '/metadata/a~1b', 'x["0"]', '# a note', ''], extra_headers: { 'X-Team': 't' }, extra_query: { 'api-version': '1' } });
    const body = { temperature: 1, metadata: { 'a/b': 1, c: 2 }, x: { 0: 1, 1: 2 }, messages: [{ role: 'user', content: 'hi', name: 'n' }] };
    assert.equal((await say('masked', body)).status, 200);
    const sent = one.last('chat');
    assert.deepEqual(sent.body, { model: 'm', messages: [{ role: 'user', content: 'hi', name: null }], temperature: null, metadata: { 'a/b': null, c: 2 }, x: { 0: null, 1: 2 } });
    assert.equal(sent.headers['x-team'], 't');
    assert.equal(sent.query, '?api-version=1');
    assert.equal((await put('masked', settings(one, { json_param_mask: ['temperature', 'messages[*].name'], json_param_mask_mode: 'remove' }))).status, 200);
    assert.equal((await say('masked', body)).status, 200);
    assert.deepEqual(one.last('chat').body.messages, [{ role: 'user', content: 'hi' }]);
    assert.ok(!('temperature' in one.last('chat').body));
  });
  test('rules by name reach a response\'s resources', async () => {
    await make('named', one, { proto: 'openai_response', dispatch: { openai_response_delete: 'unsupported' } });
    const made = await (await say('named', { input: 'hi' }, '/v1/responses')).json();
    const at = `${gproxy.url}/named/v1/responses/${made.id}`;
    const headers = { authorization: `Bearer ${KEY}` };
    assert.equal((await fetch(at, { headers })).status, 200);
    assert.equal(one.last().op, 'response_get');
    assert.equal((await fetch(at, { method: 'DELETE', headers })).status, 501);
  });
  test('what does not fit is refused when it is written, with its path, and nothing is stored', async () => {
    const cases = [
      [{ dispatch: { ops: Array(21).fill(null) } }, 'dispatch.ops'], [{ dispatch: { ops: [null, 'Native'] } }, 'dispatch.ops[1]'],
      [{ dispatch: { no_such: 'native' } }, 'dispatch.no_such'], [{ json_param_mask: ['ok', 'a..b'] }, 'json_param_mask[1]'],
      [{ json_param_mask_mode: 'drop' }, 'json_param_mask_mode'], [{ base_url: 'http://h/?x=1' }, 'base_url'], [{ proto: 'mars' }, 'proto'],
      [{ extra_headers: { 'a b': '1' } }, 'extra_headers'], [{ extra_headers: { x: 'a\r\nb: c' } }, 'extra_headers'], [{ model_table: { models: [{ id: '/' }] } }, 'model_table.models[0].id'],
    ];
    for (const [more, at] of cases) {
      const r = await put('bad', settings(one, more));
      assert.equal(r.status, 400, JSON.stringify(more));
      assert.ok(JSON.stringify(r.body).includes(at), `${JSON.stringify(r.body)} does not name ${at}`);
    }
    assert.ok(!(await gproxy.admin('GET', '/providers')).body.providers.some((p) => p.name === 'bad'));
  });
  test('ids that would climb or break a line are encoded or refused', async () => {
    await make('paths', one, {});
    const headers = { authorization: `Bearer ${KEY}` };
    for (const id of ['..%2f..%2fadmin', '%2e%2e', 'a%0d%0ab', 'a%252e']) {
      const before = one.requests.length;
      const r = await fetch(`${gproxy.url}/paths/v1/models/${id}`, { headers });
      assert.ok([400, 404].includes(r.status), `${id}: ${r.status}`);
      for (const q of one.requests.slice(before)) assert.match(q.path, /^\/v1\/models\/[^/\r\n]+$/, id);
    }
  });
});
