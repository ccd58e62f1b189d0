// Golden outputs as typed literals: what we write compiles against the types of the official SDK packages, excess
// members included. Answers are the recorded ones of tests/golden; requests are what `gproxy translate` makes of
// the golden inputs.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

const here = import.meta.dirname;
const golden = path.join(here, '..', 'golden');
const word = { openai: 'Chat', openai_chat: 'Chat', openai_response: 'Responses', claude: 'Claude', gemini: 'Gemini' };

const read = (folder) => fs.readdirSync(path.join(golden, folder)).filter((f) => f.endsWith('.json')).sort()
  .flatMap((f) => [JSON.parse(fs.readFileSync(path.join(golden, folder, f), 'utf8'))].flat().map((c, i) => ({ ...c, name: `${folder}_${path.basename(f, '.json')}_${i}` })));

const isError = (body) => body && typeof body === 'object' && (body.error || body.type === 'error');
const errorType = (client) => ({ claude: 'ClaudeError', gemini: 'GeminiError' })[client] ?? 'OpenAIError';

// [type, literal] of every recorded answer.
function* answers() {
  for (const folder of ['response', 'stream', 'models']) {
    for (const c of read(folder)) {
      // What passes between equal protocols is the upstream's own.
      for (const client of [c.to].flat().filter((to) => to !== c.from)) {
        const expected = Array.isArray(c.to) && c.to.length > 1 ? c.expect[client] : c.expect;
        if (expected === null) continue;  // nobody waits for it: no body
        const name = `${c.name}_${client}`;
        const W = word[client];
        if (folder === 'stream' && Array.isArray(expected)) {
          // A terminal "[DONE]" is no JSON; Gemini's array before any answer holds one error.
          for (const [i, e] of expected.entries()) if (typeof e !== 'string') yield [`${name}_${i}`, isError(e) && e.type === undefined ? errorType(client) : `${W}Event`, e];
        } else if (isError(expected) && !expected.object) {
          yield [name, errorType(client), expected];
        } else if (folder === 'models') {
          yield [name, c.kind === 'count' ? `${W}Count` : `${W}${expected.data || expected.models ? 'Models' : 'Model'}`, expected];
        } else {
          yield [name, `${W}Answer`, expected];
        }
      }
    }
  }
}

function translate(c) {
  const args = ['--from', c.from, '--to', c.to, '--kind', c.kind === 'count' ? 'count' : 'request'];
  for (const [k, v] of Object.entries(c.profile ?? {})) args.push('--profile', `${k}=${Array.isArray(v) ? v.join(',') : v}`);
  if (c.model) args.push('--model', c.model);
  return new Promise((done, fail) => {
    const child = spawn(process.env.GPROXY_BIN, ['translate', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (d) => { out += d; });
    child.stderr.setEncoding('utf8').on('data', (d) => { err += d; });
    child.on('close', (code) => (code === 0 ? done(out) : fail(new Error(`${c.name} ${args.join(' ')}: exit ${code}: ${out}${err}`))));
    child.stdin.end(c.in_text ?? JSON.stringify(c.in));
  });
}

async function requests() {
  const cases = read('request').filter((c) => !c.error && c.local_count === undefined && c.from !== c.to);
  const out = [];
  const work = async () => {
    for (let c = cases.shift(); c; c = cases.shift()) out.push([`${c.name}_${c.to}`, `${word[c.to]}${c.kind === 'count' ? 'Count' : ''}Request`, JSON.parse(await translate(c))]);
  };
  await Promise.all(Array.from({ length: Math.min(4, os.availableParallelism()) }, work));
  return out;
}

const dir = fs.mkdtempSync(path.join(here, 'node_modules', '.types-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));

const compile = (file) => new Promise((done) => {
  const compilerOptions = { noEmit: true, strict: true, skipLibCheck: true, target: 'es2022', module: 'nodenext', moduleResolution: 'nodenext', types: [] };
  const project = path.join(dir, 'tsconfig.json');
  fs.writeFileSync(project, JSON.stringify({ compilerOptions, files: [file] }));
  const tsc = path.join(here, 'node_modules', 'typescript', 'bin', 'tsc');
  execFile(process.execPath, [tsc, '--project', project, '--pretty', 'false'], { maxBuffer: 64 << 20 }, (e, out) => done(e ? out || String(e) : ''));
});

function source(literals) {
  fs.copyFileSync(path.join(here, 'wire_types.d.ts'), path.join(dir, 'wire_types.d.ts'));
  const lines = literals.map(([name, type, value]) => `export const ${name.replace(/\W/g, '_')}: W.${type} = ${JSON.stringify(value)};`);
  return `import type * as W from './wire_types.js';\n${lines.join('\n')}\n`;
}

test('golden outputs are values of the SDK packages\' own types', async () => {
  const literals = [...answers(), ...await requests()];
  assert.ok(literals.length > 500, `${literals.length} literals`);
  const file = path.join(dir, 'golden.mts');
  fs.writeFileSync(file, source(literals));
  assert.equal(await compile(file), '');
});

test('a wrong literal would be told', async () => {
  const file = path.join(dir, 'wrong.mts');
  fs.writeFileSync(file, source([['wrong', 'ClaudeCount', { input_tokens: '1' }], ['more', 'ClaudeCount', { input_tokens: 1, more: 1 }]]));
  const said = await compile(file);
  assert.match(said, /Type 'string' is not assignable to type 'number'/);
  assert.match(said, /more"' does not exist/);
});
