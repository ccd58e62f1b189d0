// Usage, logs and the live tail through the admin API.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN, KEY, startAll, until } from '../harness.mjs';

let all;
before(async () => { all = await startAll(); });
after(async () => { await all?.stop(); });
const admin = (...a) => all.gproxy.admin(...a);
const q = (o) => new URLSearchParams(o).toString();
const range = () => ({ from: new Date(Date.now() - 3_600_000).toISOString(), to: new Date(Date.now() + 60_000).toISOString() });

async function chat(content = 'hello books') {
  const r = await fetch(`${all.gproxy.url}/openai/v1/chat/completions`, {
    method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content }] }),
  });
  assert.equal(r.status, 200);
  return r.json();
}

test('what was used is listed, summed by anything, and priced', async () => {
  const answer = await chat();
  const rows = await until(async () => {
    const { body } = await admin('GET', '/usage/rows');
    return body.rows.length === 1 && body.rows;
  });
  const row = rows[0];
  assert.equal(row.provider, 'openai');
  assert.equal(row.final, true);
  assert.equal(row.outcome, 'ok');
  assert.equal(row.status, 200);
  assert.match(row.trace_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert.equal(row.input_tokens + row.cache_read_input_tokens, answer.usage.prompt_tokens);
  assert.equal(row.output_tokens, answer.usage.completion_tokens);
  assert.equal(row.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(row.cost_nanousd > 0 && row.price_revision > 0);
  assert.ok(row.duration_us > 0);
  const metrics = await (await fetch(`${all.gproxy.url}/metrics`)).text();
  const cost = new RegExp(`^gproxy_cost_usd_total\\{provider="openai",model="${row.model}"\\} (\\S+)$`, 'm').exec(metrics);
  assert.ok(Math.abs(Number(cost?.[1]) - row.cost_nanousd * 1e-9) < 1e-12, cost?.[0]);
  assert.match(metrics, /^gproxy_db_write_seconds_count [1-9]/m);
  assert.match(metrics, /^process_resident_memory_bytes [1-9]/m);
  for (const group_by of ['none', 'provider', 'model', 'credential', 'user', 'key']) {
    for (const bucket of ['none', '5m', '1h', '1d']) {
      const { status, body } = await admin('GET', `/usage/aggregate?${q({ ...range(), group_by, bucket })}`);
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(body.groups.length, 1);
      const g = body.groups[0];
      assert.deepEqual([g.requests, g.attempts, g.failures, g.total_tokens, g.cost_nanousd], [1, 1, 0, row.total_tokens, row.cost_nanousd]);
      assert.ok(g.duration_ms.p50 > 0);
    }
  }
});

test('the token routes answer as the reference does', async () => {
  const r = range();
  const id = (await admin('GET', '/usage/rows')).body.rows[0].credential_id;
  for (const [path, scope] of [['providers/openai', 'provider'], ['providers/openai/models/gpt-4o-mini', 'provider_model'], [`credentials/${id}`, 'credential'], [`credentials/${id}/models/gpt-4o-mini`, 'credential_model']]) {
    const { status, body } = await admin('GET', `/usage/${path}/tokens?${q(r)}`);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.scope, scope);
    assert.equal(body.from, r.from);
    assert.equal(body.matched_rows, 1);
    assert.equal(body.call_count, 1);
    assert.equal(body.total_tokens, body.input_tokens + body.output_tokens + body.cache_read_input_tokens + body.cache_creation_input_tokens);
  }
  const none = await admin('GET', `/usage/providers/openai/tokens?${q({ ...r, model_contains: 'nothing' })}`);
  assert.equal(none.body.matched_rows, 0);
  for (const [query, code] of [[{ to: r.to }, 'invalid_from'], [{ from: r.from }, 'invalid_to'], [{ from: 'x', to: r.to }, 'invalid_from'], [{ from: r.to, to: r.from }, 'invalid_range']]) {
    const bad = await admin('GET', `/usage/providers/openai/tokens?${q(query)}`);
    assert.equal(bad.status, 400);
    assert.equal(bad.body.error, code);
  }
});

test('logs: both sides of a request by its trace id, pages by cursor, filters', async () => {
  for (let i = 0; i < 4; i++) await chat(`page ${i}`);
  const first = await until(async () => {
    const { body } = await admin('GET', '/logs?limit=3');
    return body.rows.length === 3 && body.has_more && (await admin('GET', '/logs')).body.rows.length === 10 && (await admin('GET', '/logs?limit=3')).body;
  });
  const seen = [...first.rows];
  for (let page = first; page.has_more;) {
    page = (await admin('GET', `/logs?${q({ limit: 3, cursor_at: page.next_cursor_at, cursor_id: page.next_cursor_id })}`)).body;
    seen.push(...page.rows);
  }
  assert.equal(new Set(seen.map((r) => r.id)).size, 10);
  const trace = seen[0].trace_id;
  const pair = (await admin('GET', `/logs?trace_id=${trace}`)).body.rows;
  assert.deepEqual(pair.map((r) => r.kind).sort(), ['downstream', 'upstream']);
  const count = async (o) => (await admin('GET', `/logs?${q(o)}`)).body.rows.length;
  assert.equal(await count({ kind: 'upstream' }), 5);
  assert.equal(await count({ provider: 'openai' }), 5); // upstream rows alone
  assert.equal(await count({ path_contains: 'chat/comp' }), 10);
  assert.equal(await count({ path_contains: '%' }), 0);
  assert.equal(await count({ status_min: 500 }), 0);
  assert.equal(await count({ operation: seen[0].operation, kind: 'upstream' }), 5);
  assert.equal(await count({ operation: 'NoSuchOperation' }), 0);
  for (const [query, code] of [['kind=x', 'invalid_kind'], ['offset=5', 'offset_not_supported'], ['cursor_id=5', 'invalid_cursor'], ['status_min=9&status_max=5', 'invalid_status_range'], ['cursor_at=x&cursor_id=1', 'invalid_cursor_at']]) {
    const bad = await admin('GET', `/logs?${query}`);
    assert.equal(bad.status, 400);
    assert.equal(bad.body.error, code);
  }
});

test('bodies are kept only while redaction is off, and cut ones say so', async () => {
  assert.ok((await admin('GET', '/logs?include_body=true')).body.rows.every((r) => r.request_body === null && r.response_body === null));
  assert.equal((await admin('PUT', '/global_config', { event_redact_sensitive: false })).status, 200);
  await chat(`long ${'x'.repeat(100_000)}`);
  const row = await until(async () => {
    const { body } = await admin('GET', '/logs?kind=downstream&include_body=true&limit=1');
    return body.rows[0].request_body !== null && body.rows[0].response_body !== null && body.rows[0];
  });
  assert.match(row.request_body, /^\{"model":"gpt-4o-mini".*x\n\[truncated: \d+ bytes in all\]$/s);
  assert.match(row.response_body, /Hello from/);
  assert.equal((await admin('PUT', '/global_config', { event_redact_sensitive: true })).status, 200);
});

test('upstream bodies are kept beside the client\'s, and only while redaction is off', async () => {
  assert.equal((await admin('PUT', '/global_config', { event_redact_sensitive: false })).status, 200);
  const r = await fetch(`${all.gproxy.url}/openai/v1/messages`, {
    method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'both sides' }] }),
  });
  assert.equal(r.status, 200);
  await r.text();
  const trace = r.headers.get('x-request-id');
  const rows = await until(async () => {
    const { body } = await admin('GET', `/logs?trace_id=${trace}&include_body=true`);
    return body.rows.length === 2 && body.rows.every((row) => row.response_body !== null) && body.rows;
  });
  const side = (kind) => rows.find((row) => row.kind === kind);
  assert.match(side('downstream').request_body, /"max_tokens":10/);
  assert.match(side('downstream').response_body, /"stop_reason"/);
  assert.match(side('upstream').request_body, /both sides/); // in the upstream's words
  assert.doesNotMatch(side('upstream').request_body, /"max_tokens":10/);
  assert.doesNotMatch(side('upstream').response_body, /"stop_reason"/);
  assert.match(side('upstream').response_body, /both sides/);
  assert.equal(side('upstream').response_bytes, Buffer.byteLength(side('upstream').response_body));
  assert.equal((await admin('PUT', '/global_config', { event_redact_sensitive: true })).status, 200);
});

test('counts of an answer that broke off are estimates, and say so', async () => {
  const before = (await admin('GET', `/usage/aggregate?${q(range())}`)).body.groups[0];
  const r = await fetch(`${all.gproxy.url}/openai/v1/chat/completions`, {
    method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'cut', stream: true, messages: [{ role: 'user', content: 'y'.repeat(400) }] }),
  });
  await r.text().catch(() => {});
  const row = await until(async () => (await admin('GET', '/usage/rows?model=cut')).body.rows[0]);
  assert.equal(row.outcome, 'truncated');
  assert.equal(row.has_usage, true);
  assert.equal(row.estimated, true);
  assert.ok(row.input_tokens >= 100 && row.input_tokens < 200, `${row.input_tokens}`);
  assert.ok(row.output_tokens >= 90 && row.output_tokens < 130, `${row.output_tokens}`); // the upstream repeats the text
  const sums = (await admin('GET', `/usage/aggregate?${q(range())}`)).body.groups[0];
  assert.equal(sums.estimated, before.estimated + 1);
  assert.equal(sums.with_usage, before.with_usage + 1);
});

test('counts and lists leave rows in the log and none of usage', async () => {
  const usage = async () => (await admin('GET', `/usage/aggregate?${q(range())}`)).body.groups[0].attempts;
  const logs = async () => (await admin('GET', '/logs?kind=upstream&limit=500')).body.rows.length;
  const [used, logged] = [await usage(), await logs()];
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'anthropic-version': '2023-06-01' };
  const count = await fetch(`${all.gproxy.url}/claude/v1/messages/count_tokens`, { method: 'POST', headers, body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x' }] }) });
  assert.equal(count.status, 200, await count.text());
  for (const path of ['/claude/v1/models', '/claude/v1/models/mock-1']) {
    const list = await fetch(all.gproxy.url + path, { headers });
    assert.equal(list.status, 200, await list.text());
  }
  await until(async () => await logs() >= logged + 3);
  assert.equal(await usage(), used);
  assert.equal((await admin('GET', '/logs?kind=upstream&path_contains=count_tokens')).body.rows.length, 1);
});

test('a list gathered from all providers has a row for each that was asked', async () => {
  const r = await fetch(`${all.gproxy.url}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } });
  assert.equal(r.status, 200);
  await r.text();
  const rows = await until(async () => {
    const { body } = await admin('GET', `/logs?trace_id=${r.headers.get('x-request-id')}`);
    return body.rows.length >= 4 && body.rows;
  });
  assert.deepEqual(rows.map((row) => `${row.kind} ${row.provider} ${row.operation} ${row.response_status}`).sort(), [
    'downstream null ModelList 200', 'upstream aistudio ModelList 200', 'upstream claude ModelList 200', 'upstream openai ModelList 200']);
  const asked = rows.filter((row) => row.kind === 'upstream');
  assert.deepEqual(asked.map((row) => row.attempt_no).sort(), [1, 2, 3]);
  for (const row of asked) {
    assert.ok(row.credential_id > 0 && row.user_key_id > 0 && row.response_bytes > 0 && row.internal === false, JSON.stringify(row));
  }
});

test('a credential that is tried has a row, too', async () => {
  const { id } = (await admin('GET', '/providers/openai/credentials')).body.credentials[0];
  assert.equal((await admin('POST', `/credentials/${id}/test`)).body.ok, true);
  const row = await until(async () => (await admin('GET', `/logs?credential_id=${id}&operation=ModelList`)).body.rows.find((r) => r.internal));
  assert.equal(row.user_id, 0);
  assert.match(row.trace_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
});

test('bodies are shown on demand alone, of failed requests as well', async () => {
  assert.equal((await admin('PUT', '/global_config', { event_redact_sensitive: false })).status, 200);
  const r = await fetch(`${all.gproxy.url}/openai/v1/chat/completions`, {
    method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'err-400', messages: [{ role: 'user', content: 'a private text' }] }),
  });
  assert.equal(r.status, 400);
  await r.text();
  const list = async (more) => (await admin('GET', `/logs?trace_id=${r.headers.get('x-request-id')}${more}`));
  const told = await until(async () => {
    const { body } = await list('&include_body=true');
    return body.rows.length === 2 && body.rows.every((row) => /a private text/.test(row.request_body)) && body;
  });
  assert.ok(told.rows.every((row) => row.response_status === 400 && row.response_body !== null));
  assert.doesNotMatch(JSON.stringify((await list('')).body), /a private text/);
  assert.equal((await admin('PUT', '/global_config', { event_redact_sensitive: true })).status, 200);
});

test('the tail shows rows as they come', async () => {
  const abort = new AbortController();
  const r = await fetch(`${all.gproxy.url}/admin/logs/tail?kind=downstream&admin_key=${ADMIN}`, { signal: abort.signal });
  assert.equal(r.status, 200);
  assert.match(r.headers.get('content-type'), /text\/event-stream/);
  const reader = r.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  const want = async (re) => {
    while (!re.test(text)) {
      const { value, done } = await reader.read();
      assert.ok(!done);
      text += decoder.decode(value, { stream: true });
    }
  };
  await want(/: open/);
  await chat('for the tail');
  await want(/event: row\ndata: \{.*\}\n\n/);
  const row = JSON.parse(/data: (\{.*\})/.exec(text)[1]);
  assert.equal(row.kind, 'downstream');
  assert.equal(row.request_path, '/openai/v1/chat/completions');
  abort.abort();
  assert.equal((await admin('GET', '/logs/tail?kind=x')).status, 400);
});
