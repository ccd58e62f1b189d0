#include "translate/json_tap.h"

#include <cstring>

#include "base/simd.h"
#include "base/strings.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gproxy::translate {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// The first quote or backslash, or `end`. Most strings are short, so their first bytes are looked
// at here; a long one is worth the call of the widest loop.
const char* find_string_special(const char* p, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i slash = _mm_set1_epi8('\\');
  for (int i = 0; i < 4 && end - p >= 16; ++i) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const int hits =
        _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, slash)));
    if (hits != 0) return p + __builtin_ctz(static_cast<unsigned>(hits));
    p += 16;
  }
#endif
  while (p < end) {
    p += simd::find_string_special(p, static_cast<size_t>(end - p));
    // It also stops at control characters, which no string should hold: passed over.
    if (p == end || *p == '"' || *p == '\\') break;
    ++p;
  }
  return p;
}

// The first quote or bracket of either kind, or `end`.
const char* find_structure(const char* p, const char* end) {
#if defined(__SSE2__)
  // '[' and ']' differ from '{' and '}' in one bit.
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i open = _mm_set1_epi8('{');
  const __m128i close = _mm_set1_epi8('}');
  const __m128i fold = _mm_set1_epi8(0x20);
  while (end - p >= 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i folded = _mm_or_si128(block, fold);
    const __m128i hit =
        _mm_or_si128(_mm_cmpeq_epi8(block, quote),
                     _mm_or_si128(_mm_cmpeq_epi8(folded, open), _mm_cmpeq_epi8(folded, close)));
    const int hits = _mm_movemask_epi8(hit);
    if (hits != 0) return p + __builtin_ctz(static_cast<unsigned>(hits));
    p += 16;
  }
#endif
  while (p < end && *p != '"' && *p != '{' && *p != '[' && *p != '}' && *p != ']') ++p;
  return p;
}

}  // namespace

void JsonTap::reset() {
  nest_ = 0;
  state_ = State::value;
  depth_ = 0;
  pending_ = 0;
}

int64_t JsonTap::number() const {
  if (kind_ != json::Kind::number) return -1;
  auto text = std::string_view(text_, text_len_);
  // 12.0 is an integer too; anything else is not a token count.
  if (auto dot = text.find('.');
      dot != std::string_view::npos &&
      text.substr(dot + 1).find_first_not_of('0') == std::string_view::npos) {
    text = text.substr(0, dot);
  }
  const auto value = parse_uint(text);
  return value && *value <= INT64_MAX ? static_cast<int64_t>(*value) : -1;
}

uint8_t JsonTap::find_child(uint8_t node) const {
  if (!key_plain_) return kNone;
  const auto& parent = tree_->nodes[node];
  const std::string_view key(key_, key_len_);
  for (uint8_t i = 0; i < parent.child_count; ++i) {
    const auto index = static_cast<uint8_t>(parent.first_child + i);
    if (tree_->nodes[index].key == key) return index;
  }
  return kNone;
}

bool JsonTap::begin_value(char c) {
  const bool known = pending_ != kNone;
  const uint8_t leaf = known ? tree_->nodes[pending_].leaf : uint8_t{0};
  const bool inner = known && (pending_ == 0 || tree_->nodes[pending_].child_count > 0);
  leaf_ = leaf;
  capture_ = leaf != 0;
  text_len_ = 0;
  if (c == '"') {
    kind_ = json::Kind::string;
    state_ = capture_ ? State::text : State::skip_string;
    return capture_;
  }
  if (c == '{' || c == '[') {
    kind_ = c == '{' ? json::Kind::object : json::Kind::array;
    if (inner && depth_ < kMaxDepth) {
      stack_[depth_++] = {pending_, c == '['};
      state_ = c == '{' ? State::key_or_end : State::value;
    } else {
      nest_ = 1;
      state_ = State::skip;
    }
    return capture_;
  }
  kind_ = c == 't' || c == 'f' ? json::Kind::boolean
          : c == 'n'           ? json::Kind::null
                               : json::Kind::number;
  text_[text_len_++] = c;
  state_ = State::scalar;
  return false;
}

void JsonTap::end_container() {
  if (depth_ > 0) --depth_;
  state_ = State::after_value;
}

JsonTap::Event JsonTap::next(std::string_view bytes, size_t& at) {
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  const char* p = begin + at;
  while (p < end) {
    const char c = *p;
    switch (state_) {
      case State::value:
        ++p;
        if (is_space(c) || c == ':' || c == ',') break;
        if (c == ']' || c == '}') {
          end_container();
          break;
        }
        if (begin_value(c)) {
          at = static_cast<size_t>(p - begin);
          return kind_ == json::Kind::string ? Event::string_begin : Event::leaf;
        }
        break;
      case State::key_or_end:
        ++p;
        if (c == '"') {
          key_len_ = 0;
          key_plain_ = true;
          state_ = State::key;
        } else if (c == '}') {
          end_container();
        }
        break;
      case State::key: {
        const char* stop = find_string_special(p, end);
        const auto len = static_cast<size_t>(stop - p);
        if (key_len_ + len > kMaxKey) {
          key_plain_ = false;
        } else if (len > 0) {
          std::memcpy(key_ + key_len_, p, len);
          key_len_ = static_cast<uint8_t>(key_len_ + len);
        }
        p = stop;
        if (p == end) break;
        if (*p == '\\') {
          key_plain_ = false;
          state_ = State::key_escape;
        } else {
          pending_ = find_child(stack_[depth_ - 1].node);
          state_ = State::value;
        }
        ++p;
        break;
      }
      case State::key_escape:
        ++p;
        state_ = State::key;
        break;
      case State::after_value:
        if (depth_ == 0) {
          // Another text may follow (JSON lines); a stray separator does no harm.
          pending_ = 0;
          state_ = State::value;
          break;
        }
        ++p;
        if (c == ',') {
          const Frame& top = stack_[depth_ - 1];
          pending_ = top.node;
          state_ = top.is_array ? State::value : State::key_or_end;
        } else if (c == '}' || c == ']') {
          end_container();
        }
        break;
      case State::scalar:
        if (c == ',' || c == '}' || c == ']' || is_space(c)) {
          state_ = State::after_value;
          if (capture_) {
            at = static_cast<size_t>(p - begin);
            return Event::leaf;
          }
          break;
        }
        if (text_len_ < kMaxText) text_[text_len_++] = c;
        ++p;
        break;
      case State::text: {
        const char* stop = find_string_special(p, end);
        size_t len = static_cast<size_t>(stop - p);
        if (len > kMaxText - text_len_) len = kMaxText - text_len_;
        if (len > 0) std::memcpy(text_ + text_len_, p, len);
        text_len_ = static_cast<uint8_t>(text_len_ + len);
        p = stop;
        if (p == end) break;
        ++p;
        if (*stop == '\\') {
          if (text_len_ < kMaxText) text_[text_len_++] = '\\';
          state_ = State::text_escape;
          break;
        }
        state_ = State::after_value;
        at = static_cast<size_t>(p - begin);
        return Event::leaf;
      }
      case State::text_escape:
        if (text_len_ < kMaxText) text_[text_len_++] = c;
        ++p;
        state_ = State::text;
        break;
      case State::skip: {
        // Only strings and brackets matter here.
        p = find_structure(p, end);
        if (p == end) break;
        const char d = *p++;
        if (d == '"') {
          state_ = State::skip_string;
        } else if (d == '{' || d == '[') {
          ++nest_;
        } else if (--nest_ == 0) {
          state_ = State::after_value;
        }
        break;
      }
      case State::skip_string:
        p = find_string_special(p, end);
        if (p == end) break;
        state_ = *p == '\\' ? State::skip_escape : nest_ > 0 ? State::skip : State::after_value;
        ++p;
        break;
      case State::skip_escape:
        ++p;
        state_ = State::skip_string;
        break;
    }
  }
  at = bytes.size();
  return Event::need_more;
}

}  // namespace gproxy::translate
