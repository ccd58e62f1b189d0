// Token counts that gproxy makes itself, asked for with the official SDKs: by encoding, by a file of the
// operator, by an address, and where nothing better is to be had by estimate.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { KEY, startGproxy } from '../harness.mjs';

const TEXT = 'Hello, world! 你好';

// A tokenizer.json whose tokens are the bytes, so that a text counts as many.
function bytesTokenizer() {
  const vocab = {};
  let next = 256;
  for (let b = 0; b < 256; ++b) {
    const plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    vocab[String.fromCodePoint(plain ? b : next++)] = b;
  }
  const pre = { type: 'ByteLevel', add_prefix_space: false, use_regex: true };
  return JSON.stringify({ pre_tokenizer: pre, model: { type: 'BPE', vocab, merges: [] } });
}

const seen = [];
let hub;
let gproxy;
let dataDir;
before(async () => {
  hub = http.createServer((request, answer) => {
    seen.push({ host: request.headers.host, url: request.url, authorization: request.headers.authorization });
    if (request.url === '/m/tokenizer.json') {
      // The same server by another name is another host.
      answer.writeHead(302, { location: `http://localhost:${hub.address().port}/blob` }).end();
    } else if (request.url === '/blob') {
      answer.end(bytesTokenizer());
    } else if (request.url === '/endless') {
      const piece = Buffer.alloc(1 << 20, 32);
      const more = () => { while (answer.writable && answer.write(piece)); };
      answer.on('drain', more);
      answer.on('error', () => {});
      more();
    } else {
      answer.writeHead(404).end('no');
    }
  });
  await new Promise((done) => { hub.listen(0, done); });
  const at = `http://127.0.0.1:${hub.address().port}`;
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'gproxy-count-'));
  fs.mkdirSync(path.join(dataDir, 'tokenizers'));
  fs.writeFileSync(path.join(dataDir, 'tokenizers', 'bytes.json'), bytesTokenizer());
  const provider = (name, settings) => ({
    name, kind: 'custom', channel_settings: { base_url: 'http://127.0.0.1:1', proto: 'openai_chat', ...settings },
  });
  gproxy = await startGproxy({
    dataDir,
    config: {
      providers: [
        provider('o200k', { count_tokens: 'local' }),
        provider('cl100k', { tokenizer: { encoding: 'cl100k_base' } }),
        provider('deepseek-like', { tokenizer: { encoding: 'deepseek_v3' } }),
        provider('llama-like', { tokenizer: { encoding: 'llama3' } }),
        provider('file', { tokenizer: { file: 'bytes.json' } }),
        provider('url', { tokenizer: { url: `${at}/m/tokenizer.json`, token: 'hub-secret' } }),
        provider('gone', { tokenizer: { url: `${at}/gone` } }),
        provider('endless', { tokenizer: { url: `${at}/endless` } }),
        provider('estimate', { count_tokens: 'estimate' }),
      ],
      users: [{ name: 'tester', keys: [{ label: 'e2e', key: KEY }] }],
    },
  });
});
after(async () => {
  await gproxy?.stop();
  hub?.closeAllConnections();
  hub?.close();
  fs.rmSync(dataDir, { recursive: true, force: true });
});

async function raw(provider, text) {
  const r = await fetch(`${gproxy.url}/${provider}/v1/responses/input_tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'any', input: text }),
  });
  assert.equal(r.status, 200);
  return { tokens: (await r.json()).input_tokens, estimated: r.headers.get('x-gproxy-estimated') };
}

describe('each SDK gets the same exact count', () => {
  // Six for the text in o200k_base; three for the message and three for the request.
  test('Anthropic', async () => {
    const c = new Anthropic({ apiKey: KEY, baseURL: `${gproxy.url}/o200k`, maxRetries: 0 });
    const { data, response } = await c.messages.countTokens({ model: 'any', messages: [{ role: 'user', content: TEXT }] }).withResponse();
    assert.equal(data.input_tokens, 12);
    assert.equal(response.headers.get('x-gproxy-estimated'), null);
  });
  test('OpenAI', async () => {
    const c = new OpenAI({ apiKey: KEY, baseURL: `${gproxy.url}/o200k/v1`, maxRetries: 0 });
    assert.equal((await c.responses.inputTokens.count({ model: 'any', input: TEXT })).input_tokens, 12);
  });
  test('Google', async () => {
    const c = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: `${gproxy.url}/o200k` } });
    assert.equal((await c.models.countTokens({ model: 'any', contents: TEXT })).totalTokens, 12);
  });
});

test('each built-in encoding counts by its own vocabulary', async () => {
  const want = { o200k: 6, cl100k: 7, 'deepseek-like': 6, 'llama-like': 6 };
  for (const [provider, tokens] of Object.entries(want)) {
    assert.deepEqual(await raw(provider, TEXT), { tokens: tokens + 6, estimated: null }, provider);
  }
});

test('a long text is counted too', async () => {
  const words = 200_000;
  assert.deepEqual(await raw('o200k', 'word'.concat(' word'.repeat(words - 1))), { tokens: words + 6, estimated: null });
});

test('a file of the operator counts exactly', async () => {
  assert.deepEqual(await raw('file', '12345678'), { tokens: 14, estimated: null });
});

test('an address is asked once, and its token goes to its own host alone', async () => {
  assert.deepEqual(await raw('url', '12345678'), { tokens: 14, estimated: null });
  assert.deepEqual(await raw('url', '123'), { tokens: 9, estimated: null });
  const asked = seen.filter(({ url }) => url === '/m/tokenizer.json' || url === '/blob');
  assert.deepEqual(asked.map(({ url, authorization }) => [url, authorization]), [
    ['/m/tokenizer.json', 'Bearer hub-secret'], ['/blob', undefined],
  ]);
});

test('what cannot be fetched, or has no end, makes the count an estimate', async () => {
  for (const provider of ['gone', 'endless']) {
    assert.deepEqual(await raw(provider, '12345678'), { tokens: 6, estimated: '1' }, provider);
  }
  assert.equal(gproxy.stderr().includes('hub-secret'), false);
});

test('the estimate says that it is one', async () => {
  assert.deepEqual(await raw('estimate', '12345678'), { tokens: 6, estimated: '1' });
});
