// The simulator itself: what it lets through, what it refuses, and that its faults are what they say.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { s256 } from './oauth.mjs';
import { startVendor, startVendors, vendorNames } from './simulator.mjs';

const post = (url, headers, body) => fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
const form = (url, fields) => fetch(url, { method: 'POST', body: new URLSearchParams(fields) });

test('every vendor starts, has a row and refuses what has no credential', async () => {
  const all = await startVendors(vendorNames);
  for (const name of vendorNames) {
    const row = all[name].row({ name: 'other' });
    assert.equal(row.kind, name);
    assert.equal(row.name, 'other');
    assert.ok(row.channel_settings.base_url.startsWith(all[name].url));
    assert.equal(Object.keys(row.credentials[0].secret).length, 1);
    const route = all[name].definition.routes.find((r) => typeof r.path === 'string' && !r.path.includes('deviceauth'));
    if (!route) continue;
    const r = await fetch(all[name].url + route.path, { method: route.method });
    assert.ok(r.status === 401 || r.status === 400, `${name} ${route.path}: ${r.status}`);
  }
  await all.close();
});

test('faults: a status with the vendor\'s words, a cut, garbage, a reset, each as often as asked', async () => {
  const sim = await startVendor('openai');
  const ask = () => post(`${sim.url}/v1/chat/completions`, { authorization: 'Bearer key-of-openai' }, { model: 'm', messages: [{ role: 'user', content: 'x' }] });
  sim.fault({ op: 'chat', status: 429 }).fault({ op: 'chat', kind: 'garbage' }).fault({ op: 'chat', kind: 'reset' }).fault({ op: 'chat', kind: 'cut' });
  const limited = await ask();
  assert.equal(limited.status, 429);
  assert.equal(limited.headers.get('x-ratelimit-reset-requests'), '6m0s');
  assert.match(await (await ask()).text(), /^<html>/);
  await assert.rejects(ask());
  await assert.rejects(async () => (await ask()).text());
  assert.equal((await ask()).status, 200);
  await sim.close();
});

test('the authorisation code flow checks client, secret, verifier and redirect; codes work once', async () => {
  const sim = await startVendor('geminicli');
  const verifier = crypto.randomBytes(32).toString('base64url');
  const base = { client_id: 'sim-client.apps.googleusercontent.com', redirect_uri: 'http://localhost/cb' };
  const address = () => `${sim.url}/authorize?${new URLSearchParams({ ...base, response_type: 'code', state: 's', scope: 'x', code_challenge: s256(verifier), code_challenge_method: 'S256' })}`;
  const code = async () => new URL(await sim.consent(address())).searchParams.get('code');
  const exchange = (over) => form(`${sim.url}/token`, { ...base, client_secret: 'sim-client-secret', grant_type: 'authorization_code', code_verifier: verifier, ...over });
  assert.equal((await exchange({ code: await code(), code_verifier: 'other' })).status, 400);
  assert.equal((await exchange({ code: await code(), client_secret: 'other' })).status, 401);
  const used = await code();
  const tokens = await (await exchange({ code: used })).json();
  assert.ok(tokens.access_token && tokens.refresh_token);
  assert.equal((await exchange({ code: used })).status, 400);
  assert.equal((await fetch(`${sim.url}/oauth2/v1/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } })).status, 200);
  await sim.close();
});

test('a rotating vendor refuses a refresh token the second time and counts it', async () => {
  const sim = await startVendor('codex');
  const { refresh_token } = sim.secret().Codex;
  const refresh = () => form(`${sim.url}/oauth/token`, { grant_type: 'refresh_token', client_id: 'app_EMoamEEZ73f0CkXaXp7hrann', refresh_token });
  assert.equal((await refresh()).status, 200);
  const again = await refresh();
  assert.deepEqual([again.status, (await again.json()).error, sim.oauth.burnt, sim.oauth.refreshes], [400, 'invalid_grant', 1, 1]);
  await sim.close();
});

test('the envelope is asked for and given; split writes the same bytes', async () => {
  const sim = await startVendor('antigravity');
  const { access_token } = sim.secret().Antigravity;
  const ask = (body) => post(`${sim.url}/v1internal:streamGenerateContent?alt=sse`, { authorization: `Bearer ${access_token}` }, body);
  assert.equal((await ask({ contents: [] })).status, 400);
  const body = { model: 'mock-1', project: 'proj-1', request: { contents: [{ role: 'user', parts: [{ text: 'x' }] }] } };
  const whole = await (await ask(body)).text();
  assert.match(whole, /^data: \{"response":\{"candidates"/);
  sim.split = 1;
  assert.equal(await (await ask(body)).text(), whole);
  await sim.close();
});
