// The four reference tokenizers: their encoders, and their vocabularies as lists of byte strings.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { Tiktoken } from 'js-tiktoken/lite';

const require = createRequire(import.meta.url);

function tiktoken(name) {
  const data = require(`js-tiktoken/ranks/${name}`);
  const tokens = [];
  for (const line of data.bpe_ranks.split('\n').filter(Boolean)) {
    const [, offset, ...list] = line.split(' ');
    list.forEach((text, i) => {
      tokens[Number(offset) + i] = Buffer.from(text, 'base64');
    });
  }
  return {
    vocabulary: () => ({ tokens, merges: [], added: [], pattern: data.pat_str }),
    encoder: () => {
      const made = new Tiktoken(data);
      return (text) => made.encode(text, [], []);
    },
  };
}

// GPT-2's alphabet: a printable character for each byte.
export function byteAlphabet() {
  const bytes = new Map();
  let next = 256;
  for (let b = 0; b < 256; ++b) {
    const plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
    bytes.set(String.fromCodePoint(plain ? b : next++), b);
  }
  return bytes;
}

function huggingFace(name) {
  const folder = `@lenml/tokenizer-${name}`;
  const json = () => JSON.parse(readFileSync(require.resolve(`${folder}/models/tokenizer.json`), 'utf8'));
  return {
    vocabulary: () => {
      const data = json();
      const alphabet = byteAlphabet();
      const tokens = [];
      for (const [text, id] of Object.entries(data.model.vocab)) {
        const chars = [...text];
        tokens[id] = chars.every((c) => alphabet.has(c))
          ? Buffer.from(chars.map((c) => alphabet.get(c)))
          : Buffer.alloc(0); // a special token's own name
      }
      const merges = data.model.merges.map((m) => m.split(' ').map((half) => data.model.vocab[half]));
      const added = data.added_tokens.map(({ id, content }) => ({ id, content }));
      return { tokens, merges, added, pattern: JSON.stringify(data.pre_tokenizer), wholeFirst: data.model.ignore_merges };
    },
    encoder: async () => {
      const made = (await import(folder)).fromPreTrained();
      return (text) => made.encode(text, { add_special_tokens: false });
    },
  };
}

export const references = {
  o200k_base: tiktoken('o200k_base'),
  cl100k_base: tiktoken('cl100k_base'),
  deepseek_v3: huggingFace('deepseek_v3'),
  llama3: huggingFace('llama3'),
};
