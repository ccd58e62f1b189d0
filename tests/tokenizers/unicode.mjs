// Writes core/tokenize/unicode_tables.inc: one class per code point, as the split patterns of the tokenizers
// tell them apart, in the Unicode version of the Node.js that runs this, whose regular expressions the
// reference tokenizers use. Two stages: 128 code points a block, equal blocks stored once.
import { writeFileSync } from 'node:fs';

// The letters are those of enum class CharClass in core/tokenize/unicode.h, in its order.
const classes = [
  ['b', /^[\p{Lu}\p{Lt}]$/u],
  ['c', /^\p{Ll}$/u],
  ['d', /^[\p{Lm}\p{Lo}]$/u],
  ['e', /^\p{M}$/u],
  ['f', /^\p{N}$/u],
  ['g', /^\p{P}$/u],
  ['h', /^\p{S}$/u],
  ['j', /^[\r\n]$/u],
  ['i', /^\s$/u],
];
const blockSize = 128;
const blocks = new Map();
const index = [];
for (let start = 0; start < 0x110000; start += blockSize) {
  let block = '';
  for (let c = start; c < start + blockSize; ++c) {
    const surrogate = c >= 0xd800 && c <= 0xdfff;
    const text = surrogate ? '' : String.fromCodePoint(c);
    block += classes.find(([, pattern]) => pattern.test(text))?.[0] ?? 'a';
  }
  if (!blocks.has(block)) blocks.set(block, blocks.size);
  index.push(blocks.get(block));
}
let out = `// Made by tests/tokenizers/unicode.mjs; Unicode ${process.versions.unicode}. Do not edit.\n`;
out += `constexpr uint16_t kBlockOf[${index.length}] = {\n`;
for (let i = 0; i < index.length; i += 24) out += `${index.slice(i, i + 24).join(',')},\n`;
out += `};\nconstexpr char kBlocks[] =\n`;
for (const block of blocks.keys()) out += `"${block}"\n`;
out += ';\n';
writeFileSync(new URL('../../core/tokenize/unicode_tables.inc', import.meta.url), out);
console.log(`${blocks.size} blocks, Unicode ${process.versions.unicode}`);
