#include "tokenize/pack.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace gproxy::tokenize {
namespace {

constexpr size_t kMaxRaw = size_t{32} << 20;

Error broken(const char* what) {
  return Error{ErrorKind::invalid, "invalid_tokenizer", what, {}};
}

// Reads little-endian numbers and texts; past the end it gives zeroes and remembers it.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::string_view text(size_t n) {
    if (n > bytes_.size() - at_) {
      short_ = true;
      return {};
    }
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }
  uint32_t number(size_t n) {
    uint32_t value = 0;
    const auto raw = text(n);
    for (size_t i = 0; i < raw.size(); ++i)
      value |= uint32_t{static_cast<unsigned char>(raw[i])} << (8 * i);
    return value;
  }
  bool is_short() const { return short_; }
  size_t left() const { return bytes_.size() - at_; }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
  bool short_ = false;
};

Result<std::string> inflate_pack(std::string_view pack) {
  Reader head(pack);
  const size_t size = head.number(4);
  if (head.is_short() || size > kMaxRaw) return broken("the pack's size is not one");
  std::string raw(size, '\0');
  auto got = static_cast<uLongf>(size);
  const auto packed = pack.substr(4);
  if (uncompress(reinterpret_cast<Bytef*>(raw.data()), &got,
                 reinterpret_cast<const Bytef*>(packed.data()),
                 static_cast<uLong>(packed.size())) != Z_OK ||
      got != size) {
    return broken("the pack cannot be inflated");
  }
  return raw;
}

}  // namespace

Result<VocabularySource> read_pack(std::string_view pack) {
  GP_TRY(const auto raw, inflate_pack(pack));
  Reader in(raw);
  if (in.text(4) != "GPK1") return broken("no pack of this version");
  const auto pattern = in.number(1), merging = in.number(1), whole = in.number(1);
  in.number(1);
  const auto count = in.number(4);
  if (pattern > static_cast<uint32_t>(Pattern::qwen2) || merging > 2 || count > in.left()) {
    return broken("the pack's head is wrong");
  }
  VocabularySource out;
  out.pattern = static_cast<Pattern>(pattern);
  out.merging = static_cast<VocabularySource::Merges>(merging);
  out.whole_first = whole != 0;
  out.tokens.reserve(count);
  for (uint32_t i = 0; i < count && !in.is_short(); ++i)
    out.tokens.emplace_back(in.text(in.number(1)));
  if (out.merging == VocabularySource::Merges::listed) {
    std::vector<std::pair<std::string_view, uint32_t>> ids;
    ids.reserve(count);
    for (uint32_t id = 0; id < out.tokens.size(); ++id) {
      if (!out.tokens[id].empty()) ids.emplace_back(out.tokens[id], id);
    }
    std::sort(ids.begin(), ids.end());
    const auto find = [&](std::string_view bytes) {
      const auto at = std::lower_bound(ids.begin(), ids.end(), std::pair(bytes, uint32_t{0}));
      return at != ids.end() && at->first == bytes ? at->second : count;
    };
    for (uint32_t id = 0; id < out.tokens.size() && !in.is_short(); ++id) {
      const size_t at = in.number(1);
      if (at == 0) continue;
      const std::string_view token = out.tokens[id];
      if (at >= token.size()) return broken("a split is outside its token");
      out.merges.emplace_back(find(token.substr(0, at)), find(token.substr(at)));
    }
  }
  const auto added = in.number(4);
  if (added > in.left()) return broken("the pack is cut off");
  for (uint32_t i = 0; i < added && !in.is_short(); ++i) {
    VocabularySource::Added token;
    token.id = in.number(4);
    token.text = in.text(in.number(2));
    out.added.push_back(std::move(token));
  }
  if (in.is_short() || in.left() != 0) return broken("the pack is cut off, or goes on");
  return out;
}

}  // namespace gproxy::tokenize
