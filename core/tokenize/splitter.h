// Splits a text into the pieces that byte pairs are merged in: the split patterns of the known
// tokenizers as matchers by hand, each equal to the regular expression above its function in
// splitter.cc. Pure, linear in the text, any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace gproxy::tokenize {

enum class Pattern : uint8_t {
  o200k = 0,
  cl100k = 1,  // Llama 3's too
  deepseek = 2,
  gpt2 = 3,
  qwen2 = 4,  // cl100k with digits one by one
};

// The pieces in their order; together they are the text.
class Splitter {
 public:
  Splitter(Pattern pattern, std::string_view text)
      : pattern_(pattern), at_(text.data()), end_(text.data() + text.size()) {}

  // False at the end.
  bool next(std::string_view& piece);

 private:
  void next_deepseek();

  Pattern pattern_;
  const char* at_;
  const char* end_;
  // deepseek: the segments of its first patterns that `at_` stands in.
  const char* other_end_ = nullptr;
  const char* script_end_ = nullptr;
};

}  // namespace gproxy::tokenize
