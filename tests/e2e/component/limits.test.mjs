// What vendors say of their limits in the headers of good answers: shown to the operator, and heeded where a
// plan is used up.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN, startGproxy } from '../harness.mjs';
import { startVendors } from '../simulator/simulator.mjs';
import { ask, users } from './provider_calls.mjs';

let sims;
let gproxy;
before(async () => {
  sims = await startVendors(['openai', 'claude', 'codex', 'claudecode', 'nvidia']);
  gproxy = await startGproxy({ config: { users, providers: ['openai', 'claude', 'codex', 'claudecode', 'nvidia'].map((kind) => sims[kind].row()) } });
});
after(async () => { await gproxy?.stop(); await sims?.close(); });

const usage = async (provider, query = '?normalized=1') => {
  const r = await fetch(`${gproxy.url}/${provider}/usage${query}`, { headers: { 'x-admin-key': ADMIN } });
  return { status: r.status, json: await r.json() };
};
const status = async (provider) => {
  const rows = (await gproxy.admin('GET', `/providers/${provider}/credentials`)).body;
  return (rows.credentials ?? rows)[0].runtime_status;
};
const tell = (kind, op, headers) => sims[kind].fault({ op, kind: 'headers', headers });

test('a vendor that cannot be asked has told with its answers', async () => {
  tell('openai', 'chat', { 'x-ratelimit-limit-requests': '60', 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '1m', 'x-ratelimit-limit-tokens': '1000', 'x-ratelimit-remaining-tokens': '750', 'x-ratelimit-reset-tokens': '1h' });
  assert.equal((await ask(gproxy, 'openai', 'chat')).status, 200);
  const { status: code, json } = await usage('openai');
  assert.equal(code, 200);
  assert.equal(json.provider, 'openai');
  const tokens = json.windows.find((w) => w.name === 'tokens');
  assert.deepEqual([tokens.scope, tokens.used_percent, tokens.remaining, tokens.limit, tokens.unit], ['model:mock-1', 25, 750, 1000, 'tokens']);
  assert.ok(Date.parse(tokens.reset_at) > Date.now());
  assert.equal((await status('openai')).limits.length, 2);
  // A budget that fills up again lets nothing rest.
  assert.equal((await ask(gproxy, 'openai', 'chat')).status, 200);
  // Raw there is nothing to show; and who tells nothing is not made up.
  assert.equal((await usage('openai', '')).status, 501);
  assert.equal((await usage('nvidia')).status, 501);
  assert.deepEqual((await usage('claude')).json.windows, []);
});

test('a used-up plan lets the account rest until the window ends; what runs goes on', async () => {
  tell('codex', 'stream', { 'x-codex-primary-used-percent': '100', 'x-codex-primary-window-minutes': '300', 'x-codex-primary-reset-after-seconds': '1800', 'x-codex-secondary-used-percent': '12.5', 'x-codex-secondary-window-minutes': '10080', 'x-codex-secondary-reset-after-seconds': '86400' });
  const last = await ask(gproxy, 'codex', 'responses', { stream: true });
  assert.equal(last.status, 200, last.text);
  assert.match(last.said, /./);
  const { credential_unavailable: rest, limits } = await status('codex');
  assert.equal(rest.reason, 'usage_limit');
  assert.ok(rest.remaining_secs > 1700 && rest.remaining_secs <= 1800, JSON.stringify(rest));
  assert.deepEqual(limits.map((w) => [w.name, w.scope, w.used_percent]), [['five_hour', 'account', 100], ['seven_day', 'account', 12.5]]);
  const asked = sims.codex.count('stream');
  assert.ok([429, 503].includes((await ask(gproxy, 'codex', 'responses', { stream: true })).status));
  assert.equal(sims.codex.count('stream'), asked);
  // Live, and beside it what the headers told.
  const { json } = await usage('codex');
  assert.ok(json.windows.length > 0);
  assert.equal(json.observed.find((w) => w.name === 'five_hour').used_percent, 100);
  await gproxy.clearCooldowns();
  assert.equal((await ask(gproxy, 'codex', 'responses', { stream: true })).status, 200);
});

test('a subscription\'s window that still lets through only tells', async () => {
  const reset = Math.floor(Date.now() / 1000) + 3600;
  tell('claudecode', 'generate', { 'anthropic-ratelimit-unified-5h-status': 'allowed_warning', 'anthropic-ratelimit-unified-5h-utilization': '0.93', 'anthropic-ratelimit-unified-5h-reset': String(reset) });
  assert.equal((await ask(gproxy, 'claudecode', 'claude')).status, 200);
  const { credential_unavailable: rest, limits } = await status('claudecode');
  assert.equal(rest, null);
  assert.equal(limits.find((w) => w.name === 'five_hour').used_percent, 93);
  assert.equal((await ask(gproxy, 'claudecode', 'claude')).status, 200);
});
