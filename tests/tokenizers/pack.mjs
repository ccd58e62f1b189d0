// Writes config/tokenizers/<name>.pack: a vocabulary as core/tokenize/pack.cc reads it, deflated (zlib).
//   u32 magic "GPK1", u8 pattern, u8 merges, u8 whole first, u8 0
//   u32 tokens, then per token: u8 length, bytes          (length 0: no token of bytes has this id)
//   merges == listed: per token u8, where its one merge splits it; 0 = it has none
//   u32 added tokens, then each: u32 id, u16 length, bytes
import { writeFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { references } from './vocabularies.mjs';

const patterns = { o200k_base: 0, cl100k_base: 1, deepseek_v3: 2, llama3: 1 };
const merging = { leftmost: 0, all: 1, listed: 2 };

// The merges that follow from the tokens alone: every split of each into two others, by (left, right).
function allSplits(tokens) {
  const ids = new Map(tokens.map((t, id) => [t.toString('latin1'), id]));
  const out = [];
  tokens.forEach((token) => {
    const splits = [];
    for (let at = 1; at < token.length; ++at) {
      const left = ids.get(token.subarray(0, at).toString('latin1'));
      const right = ids.get(token.subarray(at).toString('latin1'));
      if (left !== undefined && right !== undefined) splits.push([left, right]);
    }
    splits.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    out.push(...splits);
  });
  return out;
}

function u32(value) {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}

for (const [name, reference] of Object.entries(references)) {
  const { tokens, merges, added, wholeFirst } = reference.vocabulary();
  let mode = merging.leftmost;
  const splitAt = Buffer.alloc(tokens.length);
  if (merges.length > 0) {
    const derived = allSplits(tokens);
    if (JSON.stringify(derived) === JSON.stringify(merges)) {
      mode = merging.all;
    } else {
      mode = merging.listed;
      const ids = new Map(tokens.map((t, id) => [t.toString('latin1'), id]));
      let last = -1;
      for (const [left, right] of merges) {
        const id = ids.get(Buffer.concat([tokens[left], tokens[right]]).toString('latin1'));
        if (id === undefined || id <= last) throw new Error(`${name}: merges are not in the tokens' order`);
        last = id;
        splitAt[id] = tokens[left].length;
      }
    }
  }
  const parts = [Buffer.from('GPK1'), Buffer.from([patterns[name], mode, wholeFirst ? 1 : 0, 0]), u32(tokens.length)];
  for (let id = 0; id < tokens.length; ++id) {
    const token = tokens[id] ?? Buffer.alloc(0);
    if (token.length > 255) throw new Error(`${name}: a token of ${token.length} bytes`);
    parts.push(Buffer.from([token.length]), token);
  }
  if (mode === merging.listed) parts.push(splitAt);
  parts.push(u32(added.length));
  for (const { id, content } of added) {
    const bytes = Buffer.from(content);
    parts.push(u32(id), Buffer.from([bytes.length & 255, bytes.length >> 8]), bytes);
  }
  const raw = Buffer.concat(parts);
  const packed = Buffer.concat([u32(raw.length), deflateSync(raw, { level: 9 })]);
  writeFileSync(new URL(`../../config/tokenizers/${name}.pack`, import.meta.url), packed);
  console.log(`${name}: ${tokens.length} tokens, merges ${mode}, ${raw.length} -> ${packed.length} bytes`);
}
