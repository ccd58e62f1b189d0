#include "tokenize/splitter.h"

#include "tokenize/unicode.h"

namespace gproxy::tokenize {
namespace {

// The end of the run of these classes that begins at `at`.
const char* run(const char* at, const char* end, Classes set) {
  for (Char c = char_at(at, end); c.in(set); c = char_at(at, end)) at += c.bytes;
  return at;
}

const char* run_without(const char* at, const char* end, Classes set) {
  for (Char c = char_at(at, end); c.not_in(set); c = char_at(at, end)) at += c.bytes;
  return at;
}

const char* digits(const char* at, const char* end, int most) {
  for (Char c = char_at(at, end); most > 0 && c.in(kNumber); c = char_at(at, end), --most)
    at += c.bytes;
  return at;
}

enum class Case : uint8_t { exact, ignored };

// '(s|t|re|ve|m|ll|d): its end, or `at`.
const char* contraction(const char* at, const char* end, Case sensitivity) {
  if (end - at < 2 || *at != '\'') return at;
  const auto letter = [&](int i) -> char {
    if (end - at <= i) return '\0';
    const char c = at[i];
    return sensitivity == Case::ignored && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
      (first == 'l' && second == 'l')) {
    return at + 3;
  }
  return at;
}

// \s*[\r\n]+|\s+(?!\S)|\s+   REQUIRES: white space at `at`.
const char* white_space(const char* at, const char* end) {
  const char* after_newline = nullptr;
  const char* last = at;
  const char* p = at;
  for (Char c = char_at(p, end); c.in(kSpace); c = char_at(p, end)) {
    last = p;
    p += c.bytes;
    if (c.in(kNewline)) after_newline = p;
  }
  if (after_newline != nullptr) return after_newline;
  return p == end || last == at ? p : last;
}

// The same without the rule for line ends: \s+(?!\S)|\s+
const char* plain_white_space(const char* at, const char* end) {
  const char* last = at;
  const char* p = at;
  for (Char c = char_at(p, end); c.in(kSpace); c = char_at(p, end)) {
    last = p;
    p += c.bytes;
  }
  return p == end || last == at ? p : last;
}

// '(?i:s|t|re|ve|m|ll|d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,most}|
// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
const char* match_cl100k(const char* at, const char* end, int most_digits) {
  if (const char* to = contraction(at, end, Case::ignored); to != at) return to;
  const Char c = char_at(at, end);
  const char* after = at + c.bytes;
  if (c.in(kLetter)) return run(after, end, kLetter);
  if (c.in(kNumber)) return digits(at, end, most_digits);
  if (!c.in(kNewline)) {
    if (const char* to = run(after, end, kLetter); to != after) return to;
  }
  const char* symbols = c.code == ' ' ? after : at;
  if (char_at(symbols, end).not_in(kSpace | kLetter | kNumber)) {
    return run(run_without(symbols, end, kSpace | kLetter | kNumber), end, kNewline);
  }
  return white_space(at, end);
}

constexpr Classes kCapitals = kUpper | kOtherLetter | kMark;  // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
constexpr Classes kSmalls = kLower | kOtherLetter | kMark;    // [\p{Ll}\p{Lm}\p{Lo}\p{M}]

// capitals*smalls+ with its backtracking: its end, or null.
const char* small_word(const char* at, const char* end) {
  const char* after_both =
      nullptr;  // behind the last that is both: where smalls+ ends if none follows
  Char c = char_at(at, end);
  for (; c.in(kCapitals); c = char_at(at, end)) {
    at += c.bytes;
    if (c.in(kSmalls)) after_both = at;
  }
  return c.in(kSmalls) ? run(at, end, kSmalls) : after_both;
}

// capitals+smalls*: its end, or null.
const char* capital_word(const char* at, const char* end) {
  const char* to = run(at, end, kCapitals);
  return to == at ? nullptr : run(to, end, kSmalls);
}

// [^\r\n\p{L}\p{N}]?capitals*smalls+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
// [^\r\n\p{L}\p{N}]?capitals+smalls*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
// \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
const char* match_o200k(const char* at, const char* end) {
  const Char c = char_at(at, end);
  const char* after = at + c.bytes;
  const bool prefix = !c.in(kNewline | kLetter | kNumber);
  const char* to = nullptr;
  if (prefix) to = small_word(after, end);
  if (to == nullptr) to = small_word(at, end);
  if (to == nullptr && prefix) to = capital_word(after, end);
  if (to == nullptr) to = capital_word(at, end);
  if (to != nullptr) return contraction(to, end, Case::ignored);
  if (c.in(kNumber)) return digits(at, end, 3);
  const char* symbols = c.code == ' ' ? after : at;
  if (char_at(symbols, end).not_in(kSpace | kLetter | kNumber)) {
    symbols = run_without(symbols, end, kSpace | kLetter | kNumber);
    while (symbols < end && (*symbols == '\r' || *symbols == '\n' || *symbols == '/')) ++symbols;
    return symbols;
  }
  return white_space(at, end);
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
const char* match_gpt2(const char* at, const char* end) {
  if (const char* to = contraction(at, end, Case::exact); to != at) return to;
  const char* word = *at == ' ' ? at + 1 : at;
  const Char c = char_at(word, end);
  if (c.in(kLetter)) return run(word, end, kLetter);
  if (c.in(kNumber)) return run(word, end, kNumber);
  if (c.not_in(kSpace)) return run_without(word, end, kSpace | kLetter | kNumber);
  return plain_white_space(at, end);
}

bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

// [一-龥぀-ゟ゠-ヿ]
bool is_han_or_kana(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fa5) || (c >= 0x3040 && c <= 0x30ff);
}

// [!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|
// \s*[\r\n]+|\s+(?!\S)|\s+   Null: no match here.
const char* match_deepseek(const char* at, const char* end) {
  if (is_ascii_punctuation(*at) && end - at > 1 && is_ascii_letter(at[1])) {
    for (at += 2; at < end && is_ascii_letter(*at);) ++at;
    return at;
  }
  constexpr Classes kWord = kLetter | kMark, kSign = kPunctuation | kSymbol;
  const Char c = char_at(at, end);
  const char* after = at + c.bytes;
  if (c.in(kWord)) return run(after, end, kWord);
  if (!c.in(kNewline | kSign)) {
    if (const char* to = run(after, end, kWord); to != after) return to;
  }
  const char* signs = c.code == ' ' ? after : at;
  if (char_at(signs, end).in(kSign)) return run(run(signs, end, kSign), end, kNewline);
  return c.in(kSpace) ? white_space(at, end) : nullptr;
}

}  // namespace

bool Splitter::next(std::string_view& piece) {
  if (at_ >= end_) return false;
  const char* const from = at_;
  switch (pattern_) {
    case Pattern::o200k:
      at_ = match_o200k(from, end_);
      break;
    case Pattern::cl100k:
      at_ = match_cl100k(from, end_, 3);
      break;
    case Pattern::qwen2:
      at_ = match_cl100k(from, end_, 1);
      break;
    case Pattern::gpt2:
      at_ = match_gpt2(from, end_);
      break;
    case Pattern::deepseek:
      next_deepseek();
      break;
  }
  piece = {from, static_cast<size_t>(at_ - from)};
  return true;
}

// Three patterns one after the other, each on the pieces of the one before: \p{N}{1,3}, then runs
// of Han and kana, then match_deepseek(). What a pattern does not match is a piece too.
void Splitter::next_deepseek() {
  if (at_ >= other_end_ || other_end_ == nullptr) {
    const char* number = digits(at_, end_, 3);
    if (number != at_) {
      at_ = number;
      return;
    }
    other_end_ = run_without(at_, end_, kNumber);
    script_end_ = nullptr;
  }
  if (at_ >= script_end_ || script_end_ == nullptr) {
    const char* p = at_;
    Char c = char_at(p, other_end_);
    const bool han_or_kana = is_han_or_kana(c.code);
    for (; c.is != 0 && is_han_or_kana(c.code) == han_or_kana; c = char_at(p, other_end_))
      p += c.bytes;
    script_end_ = p;
  }
  if (const char* to = match_deepseek(at_, script_end_); to != nullptr) {
    at_ = to;
    return;
  }
  do {
    at_ += char_at(at_, script_end_).bytes;
  } while (at_ < script_end_ && match_deepseek(at_, script_end_) == nullptr);
}

}  // namespace gproxy::tokenize
