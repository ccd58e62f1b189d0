#include "tokenize/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/json.h"
#include "tokenize/unicode.h"

namespace gproxy::tokenize {
namespace {

using json::Value;

constexpr size_t kMaxArena = size_t{384} << 20;
constexpr int64_t kMaxId = (1 << 20) - 2;

Error broken(const char* what) {
  return Error{ErrorKind::invalid, "invalid_tokenizer", what, {}};
}

#define GP_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define GP_CAPITALS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define GP_SMALLS "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define GP_SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

struct Known {
  std::string_view regex;
  Pattern pattern;
};
constexpr Known kSingle[] = {
    {GP_CONTRACTIONS
     "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" GP_SPACES,
     Pattern::cl100k},
    {GP_CONTRACTIONS
     "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" GP_SPACES,
     Pattern::qwen2},
    {"[^\\r\\n\\p{L}\\p{N}]?" GP_CAPITALS "*" GP_SMALLS "+" GP_CONTRACTIONS
     "?|[^\\r\\n\\p{L}\\p{N}]?" GP_CAPITALS "+" GP_SMALLS "*" GP_CONTRACTIONS
     "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" GP_SPACES,
     Pattern::o200k},
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     Pattern::gpt2},
};
constexpr std::string_view kDeepseek[] = {
    "\\p{N}{1,3}",
    "[一-龥\xe3\x81\x80-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./"
    ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
    "?[\\p{P}\\p{S}]+[\\r\\n]*|" GP_SPACES,
};

// The regular expression of a split that cuts and keeps, with line ends spelled out; or nothing.
std::optional<std::string> split_regex(const Value& step) {
  if (step["type"].str() != "Split" || !step["pattern"]["Regex"].is_string()) return {};
  const auto behavior = step["behavior"].str();
  const bool inverted = step["invert"].as_bool();
  if (!(behavior == "Isolated" && !inverted) && !(behavior == "Removed" && inverted)) return {};
  std::string out;
  for (const char c : step["pattern"]["Regex"].str()) {
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::optional<Pattern> pattern_of(const Value& pre) {
  std::vector<Value> steps;
  if (pre["type"].str() == "Sequence") {
    const auto list = pre["pretokenizers"].items();
    steps.assign(list.begin(), list.end());
  } else {
    steps.push_back(pre);
  }
  if (steps.empty() || steps.size() > 8) return {};
  const auto& last = steps.back();
  if (last["type"].str() != "ByteLevel" || last["add_prefix_space"].as_bool(true)) return {};
  steps.pop_back();
  if (last["use_regex"].as_bool(true))
    return steps.empty() ? std::optional(Pattern::gpt2) : std::nullopt;
  std::vector<std::string> regexes;
  for (const auto& step : steps) {
    auto regex = split_regex(step);
    if (!regex) return {};
    regexes.push_back(std::move(*regex));
  }
  if (regexes.size() == 1) {
    for (const auto& known : kSingle) {
      if (regexes[0] == known.regex) return known.pattern;
    }
  }
  if (std::equal(regexes.begin(), regexes.end(), std::begin(kDeepseek), std::end(kDeepseek))) {
    return Pattern::deepseek;
  }
  return {};
}

enum class Normalizing : uint8_t { none, nfc, other };

Normalizing normalizing(const Value& normalizer) {
  if (normalizer.is_null()) return Normalizing::none;
  if (normalizer["type"].str() == "NFC") return Normalizing::nfc;
  if (normalizer["type"].str() != "Sequence") return Normalizing::other;
  auto out = Normalizing::none;
  for (const auto& step : normalizer["normalizers"].items()) {
    if (step["type"].str() != "NFC") return Normalizing::other;
    out = Normalizing::nfc;
  }
  return out;
}

// GPT-2's alphabet of a printable character for each byte, turned round: the byte of a code point,
// or -1.
int byte_of(char32_t c) {
  static constexpr auto kTable = [] {
    std::array<int16_t, 324> table{};
    for (auto& entry : table) entry = -1;
    size_t next = 256;
    for (size_t b = 0; b < 256; ++b) {
      const bool plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
      table[plain ? b : next++] = static_cast<int16_t>(b);
    }
    return table;
  }();
  return c < kTable.size() ? kTable[c] : -1;
}

// Empty if it is not all of that alphabet: a special token's own name.
std::string bytes_of(std::string_view name) {
  std::string out;
  const char* const end = name.data() + name.size();
  for (const char* at = name.data(); at < end;) {
    const Char c = char_at(at, end);
    const int byte = byte_of(c.code);
    if (byte < 0) return {};
    out += static_cast<char>(byte);
    at += c.bytes;
  }
  return out;
}

bool is_plain_bpe(const Value& model) {
  const auto type = model["type"].str();
  return (type == "BPE" || (type.empty() && model["merges"].is_array())) &&
         model["vocab"].is_object() && model["merges"].is_array() &&
         !model["byte_fallback"].as_bool() && model["dropout"].is_null() &&
         model["continuing_subword_prefix"].str().empty() &&
         model["end_of_word_suffix"].str().empty();
}

Result<VocabularySource> read_model(const Value& model) {
  VocabularySource out;
  out.merging = VocabularySource::Merges::listed;
  out.whole_first = model["ignore_merges"].as_bool();
  std::unordered_map<std::string_view, uint32_t> ids;
  const auto vocab = model["vocab"].members();
  ids.reserve(vocab.size());
  for (const auto& [name, value] : vocab) {
    const auto id = value.as_int();
    if (!id || *id < 0 || *id > kMaxId)
      return broken("a token's id is not a number up to a million");
    if (static_cast<size_t>(*id) >= out.tokens.size())
      out.tokens.resize(static_cast<size_t>(*id) + 1);
    out.tokens[static_cast<size_t>(*id)] = bytes_of(name);
    ids.emplace(name, static_cast<uint32_t>(*id));
  }
  for (const auto& merge : model["merges"].items()) {
    std::string_view left = merge[0].str(), right = merge[1].str();
    if (merge.is_string()) {
      const auto space = merge.str().find(' ');
      if (space == std::string_view::npos) return broken("a merge has no two halves");
      left = merge.str().substr(0, space);
      right = merge.str().substr(space + 1);
    }
    const auto a = ids.find(left), b = ids.find(right);
    if (a == ids.end() || b == ids.end())
      return broken("a merge names a token that does not exist");
    out.merges.emplace_back(a->second, b->second);
  }
  return out;
}

}  // namespace

bool Tokenizer::exact_for(std::string_view text) const {
  if (vocabulary == nullptr || !exact) return false;
  if (!normalizes) return true;
  // U+0300, the first combining mark, begins with this byte.
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0xcc; });
}

Result<Tokenizer> read_tokenizer_json(std::string_view text) {
  Arena arena(size_t{1} << 20, kMaxArena);
  json::Limits limits;
  limits.max_depth = 32;
  const auto parsed = json::parse(text, arena, limits);
  if (!parsed.ok() || arena.exhausted()) return broken("not JSON, or more than is read");
  const auto& root = *parsed;
  const auto& model = root["model"];
  if (!model.is_object()) return broken("there is no `model`");
  Tokenizer out;
  const auto pattern = pattern_of(root["pre_tokenizer"]);
  const auto normalizer = normalizing(root["normalizer"]);
  if (!pattern || normalizer == Normalizing::other || !is_plain_bpe(model)) return out;
  out.normalizes = normalizer == Normalizing::nfc;
  GP_TRY(auto source, read_model(model));
  source.pattern = *pattern;
  for (const auto& token : root["added_tokens"].items()) {
    const auto id = token["id"].as_int();
    if (!id || *id < 0 || *id > INT32_MAX || !token["content"].is_string()) continue;
    if (token["lstrip"].as_bool() || token["rstrip"].as_bool() || token["single_word"].as_bool())
      out.exact = false;
    source.added.push_back({static_cast<uint32_t>(*id), std::string(token["content"].str())});
  }
  GP_TRY(out.vocabulary, Vocabulary::make(std::move(source)));
  return out;
}

}  // namespace gproxy::tokenize
