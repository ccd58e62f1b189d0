// The vocabularies that are part of the program (config/tokenizers), deflated, as
// tests/tokenizers/pack.mjs writes them. Pure; any thread.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "tokenize/vocabulary.h"

namespace gproxy::tokenize {

// Reads a pack: inflates and checks it. For the thread pool.
Result<VocabularySource> read_pack(std::string_view pack);

// The pack of an encoding by name ("o200k_base", "cl100k_base", "deepseek_v3", "llama3"), or
// nothing.
std::string_view built_in_pack(std::string_view encoding);
std::span<const std::string_view> built_in_encodings();

}  // namespace gproxy::tokenize
