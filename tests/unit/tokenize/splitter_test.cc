// The split patterns: pieces as the regular expressions cut them.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tokenize/splitter.h"
#include "tokenize/unicode.h"

namespace gproxy::tokenize {
namespace {

using Pieces = std::vector<std::string>;

Pieces split(Pattern pattern, std::string_view text) {
  Pieces out;
  Splitter splitter(pattern, text);
  for (std::string_view piece; splitter.next(piece);) out.emplace_back(piece);
  return out;
}

constexpr Pattern kAll[] = {Pattern::o200k, Pattern::cl100k, Pattern::deepseek, Pattern::gpt2,
                            Pattern::qwen2};

}  // namespace

TEST_CASE("o200k parts words where capitals begin and keeps contractions with them") {
  CHECK(split(Pattern::o200k, "HTTPServer iPhone don't") ==
        Pieces{"HTTPServer", " i", "Phone", " don't"});
  CHECK(split(Pattern::o200k, "A1 a/b//\nx") == Pieces{"A", "1", " a", "/b", "//\n", "x"});
  // The prefix may be a mark, and capitals* gives marks back to smalls+.
  CHECK(split(Pattern::o200k, "\u0301A1") == Pieces{"\u0301", "A", "1"});
}

TEST_CASE("cl100k takes digits by three and contractions first") {
  CHECK(split(Pattern::cl100k, "I'M 12345's") == Pieces{"I", "'M", " ", "123", "45", "'s"});
  CHECK(split(Pattern::cl100k, "a  b\n \n c") == Pieces{"a", " ", " b", "\n \n", " c"});
  CHECK(split(Pattern::cl100k, "x!!\r\n\n y   ") == Pieces{"x", "!!\r\n\n", " y", "   "});
}

TEST_CASE("qwen2 is cl100k with single digits, gpt2 keeps runs of them") {
  CHECK(split(Pattern::qwen2, "a 12") == Pieces{"a", " ", "1", "2"});
  CHECK(split(Pattern::gpt2, "a 123\n\nx'S't") ==
        Pieces{"a", " 123", "\n", "\n", "x", "'", "S", "'t"});
}

TEST_CASE("deepseek cuts numbers first, then Han and kana, then words") {
  CHECK(split(Pattern::deepseek, "abc1234你好x.foo") ==
        Pieces{"abc", "123", "4", "你好", "x", ".foo"});
  CHECK(split(Pattern::deepseek, "あ・い") == Pieces{"あ", "・", "い"});
  // What no pattern matches is a piece of its own.
  CHECK(split(Pattern::deepseek,
              "\x01\x01"
              "a\x02") == Pieces{"\x01",
                                 "\x01"
                                 "a",
                                 "\x02"});
}

TEST_CASE("the pieces of any bytes are the bytes") {
  uint32_t state = 7;
  const auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 16; };
  const std::string_view some[] = {"a",      "B", " ",    "\n",       "\r",          "1",
                                   "'",      "s", "\xff", "\xe4\xbd", "é",           "你",
                                   "\u0301", "😀", "/",    "\t",       "\xed\xa0\x80"};
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (uint32_t n = next() % 24; n > 0; --n) text += some[next() % std::size(some)];
    for (const auto pattern : kAll) {
      std::string joined;
      for (const auto& piece : split(pattern, text)) {
        CHECK_FALSE(piece.empty());
        joined += piece;
      }
      CHECK(joined == text);
    }
  }
}

TEST_CASE("classes are those of the reference's regular expressions") {
  CHECK(class_of(U'A') == CharClass::upper);
  CHECK(class_of(U'ǅ') == CharClass::upper);
  CHECK(class_of(U'ß') == CharClass::lower);
  CHECK(class_of(U'你') == CharClass::letter);
  CHECK(class_of(0x0301) == CharClass::mark);
  CHECK(class_of(U'٣') == CharClass::number);
  CHECK(class_of(U'—') == CharClass::punctuation);
  CHECK(class_of(U'€') == CharClass::symbol);
  CHECK(class_of(0xfeff) == CharClass::space);
  CHECK(class_of(0x85) == CharClass::other);
  CHECK(class_of(U'\n') == CharClass::newline);
  CHECK(class_of(0x110000) == CharClass::other);
}

}  // namespace gproxy::tokenize
