// Equal, text by text and token by token, to the reference JavaScript tokenizers:
// tests/tokenizers/expect.mjs wrote down what those make of 640 texts.
#include <doctest/doctest.h>
#include <zlib.h>

#include <memory>
#include <string>

#include "base/json.h"
#include "tokenize/pack.h"
#include "tokenize/vocabulary.h"

namespace gproxy::tokenize {
namespace {

std::string inflated(const char* path) {
  std::string out;
  gzFile file = gzopen(path, "rb");
  if (file == nullptr) return out;
  char buffer[65536];
  for (int n = 0; (n = gzread(file, buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<size_t>(n));
  gzclose(file);
  return out;
}

}  // namespace

TEST_CASE("texts in many scripts, code and emoji come out as from the reference tokenizers") {
  Arena arena;
  const auto raw = inflated(GPROXY_SOURCE_DIR "/tests/tokenizers/expected.json.gz");
  const auto expected = json::parse(raw, arena);
  REQUIRE(expected.ok());
  const auto texts = (*expected)["texts"].items();
  REQUIRE(texts.size() >= 500);
  for (const auto encoding : built_in_encodings()) {
    auto source = read_pack(built_in_pack(encoding));
    REQUIRE(source.ok());
    const auto vocabulary = Vocabulary::make(std::move(*source));
    REQUIRE(vocabulary.ok());
    const auto lists = (*expected)["ids"][encoding].items();
    REQUIRE(lists.size() == texts.size());
    size_t tokens = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      std::vector<uint32_t> want, got;
      for (const auto& id : lists[i].items()) want.push_back(static_cast<uint32_t>(id.int_or(-1)));
      const auto text = texts[i]["text"].str();
      (*vocabulary)->encode(text, got);
      CAPTURE(encoding);
      CAPTURE(texts[i]["name"].str());
      CAPTURE(text);
      CHECK(got == want);
      CHECK((*vocabulary)->count(text) == want.size());
      tokens += want.size();
    }
    CHECK(tokens > 20'000);
  }
}

}  // namespace gproxy::tokenize
