// Split patterns and the reader of tokenizer.json: the pieces of any bytes are the bytes, whatever
// merges them gives a token for each, and what is read as a tokenizer counts.
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "tokenize/splitter.h"
#include "tokenize/tokenizer_json.h"
#include "tokenize/vocabulary.h"

using namespace gproxy::tokenize;

namespace {

// Bytes and some pairs of them, merged each way.
const Vocabulary& vocabulary(VocabularySource::Merges merging) {
  static const auto made = [] {
    std::vector<std::shared_ptr<const Vocabulary>> out;
    for (const auto mode : {VocabularySource::Merges::leftmost, VocabularySource::Merges::all,
                            VocabularySource::Merges::listed}) {
      VocabularySource source;
      source.pattern = Pattern::o200k;
      source.merging = mode;
      for (int b = 0; b < 256; ++b) source.tokens.emplace_back(1, static_cast<char>(b));
      for (const char* token : {"ab", "aa", "aab", " a", "bab", "aaaa"})
        source.tokens.emplace_back(token);
      source.merges = {{'a', 'b'}, {'a', 'a'}, {'a', 256}, {' ', 'a'}, {'b', 256}, {257, 257}};
      out.push_back(*Vocabulary::make(std::move(source)));
    }
    return out;
  }();
  return *made[static_cast<size_t>(merging)];
}

}  // namespace

int one(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::vector<char> bytes(data + 1, data + size);
  const std::string_view text(bytes.data(), bytes.size());
  for (const auto pattern :
       {Pattern::o200k, Pattern::cl100k, Pattern::deepseek, Pattern::gpt2, Pattern::qwen2}) {
    Splitter splitter(pattern, text);
    size_t at = 0;
    for (std::string_view piece; splitter.next(piece);) {
      FUZZ_REQUIRE(!piece.empty() && piece.data() == text.data() + at);
      at += piece.size();
    }
    FUZZ_REQUIRE(at == text.size());
  }
  const auto& tried = vocabulary(static_cast<VocabularySource::Merges>(data[0] % 3));
  std::vector<uint32_t> ids;
  tried.encode(text, ids);
  FUZZ_REQUIRE(ids.size() == tried.count(text) && ids.size() <= text.size());
  FUZZ_REQUIRE(text.empty() || !ids.empty());
  if (const auto read = read_tokenizer_json(text); read.ok() && read->vocabulary != nullptr) {
    FUZZ_REQUIRE(read->vocabulary->count("some text") > 0);
  }
  return 0;
}
