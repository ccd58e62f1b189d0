// Reads a tokenizer.json (Hugging Face). Exact for byte-level BPE whose split pattern is one of
// splitter.h's; everything else is told apart, so that the caller estimates. Pure; for the thread
// pool: 10 MB take a second.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "tokenize/vocabulary.h"

namespace gproxy::tokenize {

struct Tokenizer {
  std::shared_ptr<const Vocabulary> vocabulary;  // null: of a kind that is not read
  bool normalizes =
      false;          // texts are brought into NFC first: the same up to U+02FF, not known beyond
  bool exact = true;  // false: some added token asks for more than being found

  // True if a count of `text` is what the tokenizer itself would say.
  bool exact_for(std::string_view text) const;
};

// Errors: invalid_tokenizer, where the text is no tokenizer.json at all.
Result<Tokenizer> read_tokenizer_json(std::string_view text);

}  // namespace gproxy::tokenize
