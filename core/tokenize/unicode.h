// The classes of code points that tokenizers' split patterns tell apart, and decoding of UTF-8 into
// them. Pure; any thread. The tables are generated: tests/tokenizers/unicode.mjs.
#pragma once

#include <cstdint>

namespace gproxy::tokenize {

enum class CharClass : uint8_t {
  other,
  upper,   // Lu, Lt
  lower,   // Ll
  letter,  // Lm, Lo
  mark,
  number,
  punctuation,
  symbol,
  space,    // \s of ECMAScript but CR and LF: U+FEFF is one, U+0085 is not
  newline,  // CR, LF
};

// A set of classes.
using Classes = uint32_t;
constexpr Classes bit(CharClass c) {
  return Classes{1} << static_cast<unsigned>(c);
}

constexpr Classes kUpper = bit(CharClass::upper);
constexpr Classes kLower = bit(CharClass::lower);
constexpr Classes kOtherLetter = bit(CharClass::letter);
constexpr Classes kLetter = kUpper | kLower | kOtherLetter;
constexpr Classes kMark = bit(CharClass::mark);
constexpr Classes kNumber = bit(CharClass::number);
constexpr Classes kPunctuation = bit(CharClass::punctuation);
constexpr Classes kSymbol = bit(CharClass::symbol);
constexpr Classes kNewline = bit(CharClass::newline);
constexpr Classes kSpace = bit(CharClass::space) | kNewline;

CharClass class_of(char32_t c);

struct Char {
  Classes is = 0;  // one bit, or none at the end of the text
  uint32_t bytes = 0;
  char32_t code = 0;

  bool in(Classes set) const { return (is & set) != 0; }
  // There is one, and it is not of these.
  bool not_in(Classes set) const { return is != 0 && (is & set) == 0; }
};

// The character at `at`; bytes that are not UTF-8 count one by one, as U+FFFD.
Char char_at(const char* at, const char* end);

}  // namespace gproxy::tokenize
