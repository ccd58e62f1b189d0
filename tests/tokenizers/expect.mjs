// Writes tests/tokenizers/expected.json.gz: what the reference tokenizers make of texts.mjs. The ids are
// written as differences, which deflate well.
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { texts } from './texts.mjs';
import { references } from './vocabularies.mjs';

const list = texts();
const ids = {};
for (const [name, reference] of Object.entries(references)) {
  const encode = await reference.encoder();
  ids[name] = list.map(({ text }) => [...encode(text)].map(Number));
  console.log(`${name}: ${ids[name].reduce((sum, row) => sum + row.length, 0)} tokens of ${list.length} texts`);
}
const out = JSON.stringify({ texts: list, ids });
writeFileSync(new URL('expected.json.gz', import.meta.url), gzipSync(out, { level: 9 }));
