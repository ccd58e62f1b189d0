// The committed expectations and vocabularies are what the pinned packages give.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync, inflateSync } from 'node:zlib';
import { texts } from './texts.mjs';
import { references } from './vocabularies.mjs';

const expected = JSON.parse(gunzipSync(readFileSync(new URL('expected.json.gz', import.meta.url))));

test('the texts are the committed ones, 500 at least', () => {
  assert.ok(expected.texts.length >= 500);
  assert.deepEqual(expected.texts, texts());
});

for (const [name, reference] of Object.entries(references)) {
  test(`${name}: the reference gives the committed tokens of each text`, async () => {
    const encode = await reference.encoder();
    expected.texts.forEach(({ name: which, text }, i) => {
      assert.deepEqual([...encode(text)].map(Number), expected.ids[name][i], which);
    });
  });
  test(`${name}: the pack holds the reference's tokens`, () => {
    const packed = readFileSync(new URL(`../../config/tokenizers/${name}.pack`, import.meta.url));
    const raw = inflateSync(packed.subarray(4));
    const { tokens } = reference.vocabulary();
    assert.equal(raw.readUInt32LE(8), tokens.length);
    let at = 12;
    for (const token of tokens) {
      const want = token ?? Buffer.alloc(0);
      assert.ok(raw.subarray(at + 1, at + 1 + raw[at]).equals(want));
      at += 1 + raw[at];
    }
  });
}
