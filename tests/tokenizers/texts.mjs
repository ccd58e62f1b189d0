// The texts that the tokenizers are compared on: sentences in many scripts, code, emoji, numbers, white space,
// and seeded mixtures of them. The same on each run.
const sentences = {
  latin: 'The quick brown fox jumps over the lazy dog. It’s what they’d said: “we’ll see, I’m sure!”',
  german: 'Falsches Üben von Xylophonmusik quält jeden größeren Zwerg; Straßenbahnhaltestellenhäuschen.',
  french: 'Voix ambiguë d’un cœur qui, au zéphyr, préfère les jattes de kiwis. L’été, ça va ?',
  vietnamese: 'Tôi có thể ăn thủy tinh mà không hại gì. Nguyễn Thị Minh Khai đường phố.',
  turkish: 'Pijamalı hasta yağız şoföre çabucak güvendi. İstanbul ışıkları.',
  polish: 'Pchnąć w tę łódź jeża lub ośm skrzyń fig. Zażółć gęślą jaźń.',
  yoruba: 'Mo lè je̩ dígí, kò ní pa mí lára. Ẹ kú àárọ̀ ọ̀rẹ́ mi.',
  cyrillic: 'Съешь же ещё этих мягких французских булок, да выпей чаю. Объём: 15 м³.',
  ukrainian: 'Жебракують філософи при ґанку церкви в Гадячі, ще й шатро їхнє п’яне знаємо.',
  greek: 'Ξεσκεπάζω την ψυχοφθόρα σας βδελυγμία. Το 2024 ήταν καλό έτος·',
  armenian: 'Կրնամ ապակի ուտել և ինծի անհանգիստ չըներ։',
  georgian: 'მინას ვჭამ და არა მტკივა. საქართველო ულამაზესი ქვეყანაა.',
  hebrew: 'דג סקרן שט בים מאוכזב ולפתע מצא חברה. שָׁלוֹם עֲלֵיכֶם',
  arabic: 'نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر. السَّلامُ عَلَيْكُم ١٢٣٤',
  persian: 'من می‌توانم بدونِ احساس درد شيشه بخورم؛ ۱۴۰۳',
  urdu: 'میں کانچ کھا سکتا ہوں اور مجھے تکلیف نہیں ہوتی۔',
  devanagari: 'मैं काँच खा सकता हूँ और मुझे उससे कोई चोट नहीं पहुंचती। १२३४५',
  bengali: 'আমি কাঁচ খেতে পারি, তাতে আমার কোনো ক্ষতি হয় না। ২০২৪',
  gurmukhi: 'ਮੈਂ ਗਲਾਸ ਖਾ ਸਕਦਾ ਹਾਂ ਅਤੇ ਇਸ ਨਾਲ ਮੈਨੂੰ ਕੋਈ ਤਕਲੀਫ ਨਹੀਂ।',
  gujarati: 'હું કાચ ખાઇ શકુ છુ અને તેનાથી મને દર્દ નથી થતુ.',
  tamil: 'நான் கண்ணாடி சாப்பிடுவேன், அதனால் எனக்கு ஒரு கேடும் வராது.',
  telugu: 'నేను గాజు తినగలను మరియు అలా చేసినా నాకు ఏమి ఇబ్బంది లేదు',
  kannada: 'ನನಗೆ ಹಾನಿ ಆಗದೆ, ನಾನು ಗಜನ್ನು ತಿನಬಹುದು',
  malayalam: 'എനിക്ക് ഗ്ലാസ് തിന്നാം. അതെന്നെ വേദനിപ്പിക്കില്ല.',
  sinhala: 'මට වීදුරු කෑමට හැකියි. එයින් මට කිසි හානියක් සිදු නොවේ.',
  thai: 'ฉันกินกระจกได้ แต่มันไม่ทำให้ฉันเจ็บ ราคา ๑๒๓ บาท',
  lao: 'ຂອ້ຍກິນແກ້ວໄດ້ໂດຍທີ່ມັນບໍ່ໄດ້ເຮັດໃຫ້ຂອ້ຍເຈັບ.',
  khmer: 'ខ្ញុំអាចញុំកញ្ចក់បាន ដោយគ្មានបញ្ហារ',
  burmese: 'ကျွန်တော် ကျွန်မ မှန်စားနိုင်တယ်။ ၎င်းကြောင့် ထိခိုက်မှုမရှိပါ။',
  tibetan: 'ཤེལ་སྒོ་ཟ་ནས་ང་ན་གི་མ་རེད།',
  mongolian: 'Би шил идэй чадна, надад хортой биш',
  amharic: 'ሰማይ አይታረስ ንጉሥ አይከሰስ። ብላ ካለኝ እንደአባቴ በቆመጠኝ።',
  cherokee: 'ᎠᏍᎦᏯᎢ ᎤᏍᏗ ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ꭰꮝꭶꮿ',
  chinese: '我能吞下玻璃而不伤身体。今天天气很好，我们去公园散步吧！共花费３２１元。',
  traditional: '我能吞下玻璃而不傷身體。龍龜鬱憂鬱的台灣黑熊㐂𠮷𩸽',
  japanese: '私はガラスを食べられます。それは私を傷つけません。いろはにほへと・チリヌルヲ ｶﾞｷﾞ゛ヽヾー',
  korean: '나는 유리를 먹을 수 있어요. 그래도 아프지 않아요. 키스의 고유조건은 입술끼리 만나야 하고',
  jamo: '나는 ᄒᆞᆫ글 ㄱㄴㄷㅏㅑㅓ',
  emoji: '👍🏽 family 👨‍👩‍👧‍👦 flags 🇩🇪🇯🇵 ❤️‍🔥 keycap 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🤷🏻‍♀️ 😀😃😄',
  maths: '∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, α ∧ ¬β ⊢ γ; 𝒜𝓑𝔠 ½ ⅔ x² ₂ Ⅷ ① 𝟘𝟙',
  symbols: '┌─┐│ ░▒▓█ €£¥₿ §¶†‡ ™©® ←→⇒ ☃★ ♪♫ ⠃⠗⠁⠊ � ‰',
  punctuation: "¿Qué? ¡No! «guillemets» „low” …—–‐ 'll 'S 'RE' 've 'd'M ''s don't CAN'T O’Neil's x's'",
  spaces: 'a  b   c\t\td \n\n e\r\n\r\n  f\u00a0g\u2003h\u3000i\ufeffj\u0085k \u2028l\v\fm   ',
  controls: 'a\u0001\u0002b\u200bc\u200d\u200ed\u00ade\u0000f\u202eg\ue000h',
  marks: 'Z͑ͫ̓ͪ̂ͫ̽a̴̵l̸g̷o! e\u0301\u0302 \u0301x \u0301\u0301A A\u0301B',
  numbers: '0 12 123 1234 1234567890 3.14159 -1e-10 0xDEADBEEF 1,000,000.00 2024-11-22T16:00:00Z 50%',
  urls: 'https://example.com/a/b?q=1&x=%20#frag ftp://user@host:21/ ../../path//to///file C:\\dir\\x.txt',
  cases: 'HTTPServer XMLHttpRequest iPhone McDONALD camelCaseString SCREAMING_SNAKE kebab-case ǅungla Ǆ ǆ ﬁ',
  json: '{"name": "test", "values": [1, 2.5, null, true], "nested": {"a\\n": "\\u00e9"}}',
  python: 'def f(x: int = 3) -> str:\n    """Doc."""\n    return f"{x!r:>10}" if x else \'none\'  # ok\n\n\nclass A(B):\n\tpass\n',
  cpp: '#include <vector>\ntemplate <class T>\nauto f(T&& x) noexcept -> decltype(x) {\n  return x->y() << 3 | ~0u; /* c */\n}\n',
  javascript: 'const f = async ({a, ...b}) => await Promise.all(a?.map((x) => `${x}\\n`)) ?? [];\n//==>\n',
  html: '<div class="a b" id=\'c\'><p>Hello&nbsp;<b>World</b></p><!-- x --></div>\r\n<script>alert(1)</script>',
  sql: "SELECT t.id, COUNT(*) AS n FROM users t WHERE name LIKE '%O''Brien%' GROUP BY 1 HAVING n >= 10;--\n",
  shell: 'for f in *.txt; do echo "$f" | sed -E \'s/[0-9]+/#/g\' >> out.log 2>&1; done && exit $?',
  markdown: '# Title\n\n- item **bold** _it_\n  1. `code`\n\n```rust\nfn main() {}\n```\n| a | b |\n|---|---|\n',
  latex: '\\begin{align} \\frac{\\partial f}{\\partial x} &= \\sum_{i=0}^{n} x_i^2 \\\\ \\end{align}',
  base64: 'aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQgdGV4dCB3aXRoIHBhZGRpbmc/Kz09QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=',
  repeats: `${'a'.repeat(300)} ${'='.repeat(90)} ${' '.repeat(130)}x ${'哈'.repeat(60)} ${'\n'.repeat(20)}${'-_'.repeat(40)} ${'7'.repeat(40)}`,
  almost: '<|endoftext <| im_start|> [INST] <s> </s> <unk> {{system}} <think',
};

// Numbers from a seed (mulberry32).
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function texts() {
  const named = Object.entries(sentences);
  const out = named.map(([name, text]) => ({ name, text }));
  const next = random(20240607);
  const pick = (list) => list[Math.floor(next() * list.length)];
  // Pieces of each with odd borders, in both cases.
  for (const [name, text] of named) {
    const points = [...text];
    for (let i = 0; i < 3; ++i) {
      const from = Math.floor(next() * points.length);
      const to = from + 1 + Math.floor(next() * 60);
      out.push({ name: `${name} cut ${i}`, text: points.slice(from, to).join('') });
    }
    out.push({ name: `${name} upper`, text: text.toUpperCase().slice(0, 120).replace(/[\ud800-\udbff]$/, '') });
    out.push({ name: `${name} decomposed`, text: [...text.normalize('NFD')].slice(0, 100).join('') });
    out.push({ name: `${name} lines`, text: text.replaceAll(' ', '\n') });
    out.push({ name: `${name} joined`, text: [...text.replace(/\s+/g, '')].slice(0, 90).join('') });
  }
  // Salads of characters from all of them.
  const alphabet = [...new Set(named.flatMap(([, text]) => [...text]))];
  const glue = ['', '', '', ' ', '  ', '\n', '\r\n', '\t', "'s", "'", '12', '.', '/', ' \n '];
  for (let i = 0; i < 120; ++i) {
    let text = '';
    for (let n = 3 + Math.floor(next() * 40); n > 0; --n) text += pick(alphabet) + pick(glue);
    out.push({ name: `salad ${i}`, text });
  }
  // Words of two scripts in turn.
  for (let i = 0; i < 40; ++i) {
    const words = () => pick(named)[1].split(/\s+/);
    const [a, b] = [words(), words()];
    out.push({ name: `mixed ${i}`, text: a.slice(0, 12).map((word, at) => `${word} ${b[at % b.length]}`).join(pick([' ', '\n', ', ', ''])) });
  }
  return out.filter(({ text }) => text.length > 0 && text.isWellFormed?.() !== false);
}
