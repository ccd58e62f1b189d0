#include "base/json_scan.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/json_error.h"
#include "base/json_where.h"
#include "base/simd.h"
#include "base/strings.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gproxy::json {
namespace {

constexpr size_t kMaxKeys = 32;
constexpr size_t kWindow = 16 * 1024;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// The first '"', '\' or control character. Most strings end within sixteen bytes, so these are
// looked at here; a long one is worth the call of the widest loop.
inline const char* find_special(const char* p, const char* end) {
#if defined(__SSE2__)
  if (end - p >= 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i hit = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
        _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hit));
    if (mask != 0) return p + __builtin_ctz(mask);
    p += 16;
  }
#endif
  return p + simd::find_string_special(p, static_cast<size_t>(end - p));
}

inline const char* skip_space(const char* p, const char* end) {
  while (p < end && is_space(*p)) ++p;
  return p;
}

Kind kind_of(char first) {
  switch (first) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return Kind::number;
  }
}

// Which containers are open, one bit each.
class Nesting {
 public:
  explicit Nesting(size_t max_depth) : max_(max_depth) {
    if (max_ > kInline * 64) more_.resize(max_ / 64 + 1);
  }
  bool push(bool object) {
    if (depth_ == max_) return false;
    uint64_t& word = words()[depth_ / 64];
    const uint64_t bit = uint64_t{1} << (depth_ % 64);
    word = object ? word | bit : word & ~bit;
    ++depth_;
    in_object_ = object;
    return true;
  }
  void pop() {
    --depth_;
    in_object_ = depth_ > 0 && (words()[(depth_ - 1) / 64] >> ((depth_ - 1) % 64) & 1) != 0;
  }
  size_t depth() const { return depth_; }
  bool in_object() const { return in_object_; }

 private:
  static constexpr size_t kInline = 16;
  uint64_t* words() { return more_.empty() ? inline_ : more_.data(); }
  const size_t max_;
  size_t depth_ = 0;
  bool in_object_ = false;
  uint64_t inline_[kInline] = {};
  std::vector<uint64_t> more_;
};

class Scanner {
 public:
  Scanner(std::string_view text, std::span<const std::string_view> keys, std::span<Span> out,
          const Limits& limits)
      : text_(text),
        p_(text.data()),
        end_(p_ + text.size()),
        checked_(p_),
        keys_(keys),
        out_(out),
        max_depth_(limits.max_depth),
        nesting_(limits.max_depth) {
    for (auto key : keys_) lengths_ |= uint64_t{1} << (key.size() & 63);
  }

  Result<ScanResult> run() {
    p_ = skip_space(p_, end_);
    ScanResult result;
    if (p_ == end_) {
      fail(p_, "the text is empty");
    } else {
      result.root = kind_of(*p_);
      result.root_at = offset(p_);
      if (values()) {
        result.root_len = offset(p_) - result.root_at;
        p_ = skip_space(p_, end_);
        if (p_ != end_) fail(p_, "unexpected text after the value");
      }
    }
    switch (failure_) {
      case Failure::none:
        return result;
      case Failure::syntax:
        return invalid_json(what_, text_, offset(at_));
      case Failure::encoding:
        return invalid_json("invalid UTF-8", text_, first_invalid_utf8(text_));
      case Failure::depth:
        return json_too_deep(max_depth_,
                             at_ == nullptr ? std::string() : path_at(text_, offset(at_)));
      case Failure::duplicate:
        break;
    }
    return Error{ErrorKind::invalid, "duplicate_field",
                 "the field " + std::string(keys_[duplicate_]) + " is given more than once",
                 std::string(keys_[duplicate_])};
  }

 private:
  // The steps below return false once something failed. They are called per token: a Result would
  // cost more than the token.
  enum class Failure : uint8_t { none, syntax, encoding, depth, duplicate };

  size_t offset(const char* p) const { return static_cast<size_t>(p - text_.data()); }
  bool fail(const char* at, const char* what) {
    failure_ = Failure::syntax;
    at_ = at;
    what_ = what;
    return false;
  }

  // One value with everything inside of it, without recursion.
  bool values() {
    while (true) {
      // A value begins at p_.
      const char* const start = p_;
      if (p_ == end_) return fail(p_, "expected a value");
      bool opened = false;
      switch (*p_) {
        case '"': {
          bool escaped = false;
          if (!string(escaped)) return false;
          if (wanted_ != kMaxKeys && nesting_.depth() == 1) out_[wanted_].escaped = escaped;
          break;
        }
        case '{':
        case '[': {
          const bool object = *p_ == '{';
          if (!nesting_.push(object)) {
            failure_ = Failure::depth;
            at_ = p_;
            return false;
          }
          p_ = skip_space(p_ + 1, end_);
          if (p_ < end_ && *p_ == (object ? '}' : ']')) {
            nesting_.pop();
            ++p_;
            break;
          }
          if (nesting_.depth() == 2) open_at_ = start;
          if (object && !key()) return false;
          opened = true;
          break;
        }
        case 't':
          if (!word("true")) return false;
          break;
        case 'f':
          if (!word("false")) return false;
          break;
        case 'n':
          if (!word("null")) return false;
          break;
        default:
          if (!number()) return false;
      }
      if (opened) continue;
      if (nesting_.depth() == 1) note(start);
      // The value has ended: close what ends with it, up to the next value.
      while (true) {
        if (nesting_.depth() == 0) return true;
        p_ = skip_space(p_, end_);
        const char c = p_ < end_ ? *p_ : '\0';
        const bool object = nesting_.in_object();
        if (c == ',') {
          p_ = skip_space(p_ + 1, end_);
          if (object && !key()) return false;
          break;
        }
        if (c != (object ? '}' : ']')) {
          return fail(p_, object ? "expected ',' or '}' after a member"
                                 : "expected ',' or ']' after an element");
        }
        ++p_;
        nesting_.pop();
        if (nesting_.depth() == 1) note(open_at_);
      }
    }
  }

  // A member name and its colon; p_ then stands at the value.
  bool key() {
    if (p_ == end_ || *p_ != '"') return fail(p_, "expected a member name");
    const char* const start = p_;
    bool escaped = false;
    if (!string(escaped)) return false;
    if (nesting_.depth() == 1 && !keys_.empty() && !choose(start, escaped)) return false;
    p_ = skip_space(p_, end_);
    if (p_ == end_ || *p_ != ':') return fail(p_, "expected ':' after a member name");
    p_ = skip_space(p_ + 1, end_);
    return true;
  }

  // Which of the asked-for keys begins at `start`.
  bool choose(const char* start, bool escaped) {
    wanted_ = kMaxKeys;
    std::string_view name(start + 1, static_cast<size_t>(p_ - start) - 2);
    std::string decoded;
    if (escaped) {
      Span span;
      span.at = offset(start);
      span.len = static_cast<size_t>(p_ - start);
      span.escaped = true;
      decoded = decode_string(text_, span);
      name = decoded;
    }
    if ((lengths_ >> (name.size() & 63) & 1) == 0) return true;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (keys_[i] != name) continue;
      if (out_[i].found) {
        failure_ = Failure::duplicate;
        duplicate_ = i;
        return false;
      }
      wanted_ = i;
      out_[i].found = true;
      out_[i].key_escaped = escaped;
      return true;
    }
    return true;
  }

  // A member value of the root object ended at p_.
  void note(const char* start) {
    if (wanted_ == kMaxKeys) return;
    Span& span = out_[wanted_];
    span.at = offset(start);
    span.len = static_cast<size_t>(p_ - start);
    span.kind = kind_of(*start);
    wanted_ = kMaxKeys;
  }

  // UTF-8 is checked a window ahead of the strings, while its bytes are near. Outside of strings
  // a byte that is not ASCII is a syntax error anyway.
  bool check_more() {
    const char* next = static_cast<size_t>(end_ - checked_) <= kWindow ? end_ : checked_ + kWindow;
    // Not in the middle of a character.
    for (int i = 0; i < 3 && next < end_ && (static_cast<unsigned char>(*next) & 0xc0) == 0x80; ++i)
      --next;
    if (!simd::is_valid_utf8(checked_, static_cast<size_t>(next - checked_))) {
      failure_ = Failure::encoding;
      return false;
    }
    checked_ = next;
    return true;
  }

  bool string(bool& escaped) {
    const char* const start = p_;
    const char* p = p_ + 1;
    while (true) {
      while (p >= checked_ && checked_ < end_) {
        if (!check_more()) return false;
      }
      p = find_special(p, checked_);
      if (p == checked_ && p < end_) continue;
      if (p == end_) return fail(start, "a string does not end");
      if (*p == '"') {
        p_ = p + 1;
        return true;
      }
      if (*p != '\\') return fail(p, "invalid escape or control character in a string");
      escaped = true;
      if (end_ - p < 2) return fail(start, "a string does not end");
      switch (p[1]) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't':
          p += 2;
          break;
        case 'u':
          if (end_ - p < 6 || !is_hex(p[2]) || !is_hex(p[3]) || !is_hex(p[4]) || !is_hex(p[5])) {
            return fail(p, "expected four hex digits after \\u");
          }
          p += 6;
          break;
        default:
          return fail(p, "invalid escape or control character in a string");
      }
    }
  }

  bool word(std::string_view expected) {
    if (static_cast<size_t>(end_ - p_) < expected.size() ||
        std::memcmp(p_, expected.data(), expected.size()) != 0) {
      return fail(p_, "expected a value");
    }
    p_ += expected.size();
    return true;
  }

  bool number() {
    const char* p = p_;
    if (*p == '-') ++p;
    if (p == end_ || !is_digit(*p)) return fail(p, "expected a value");
    if (*p == '0') {
      ++p;
    } else {
      while (p < end_ && is_digit(*p)) ++p;
    }
    if (p < end_ && *p == '.') {
      ++p;
      if (p == end_ || !is_digit(*p)) return fail(p, "expected digits after the decimal point");
      while (p < end_ && is_digit(*p)) ++p;
    }
    if (p < end_ && (*p == 'e' || *p == 'E')) {
      ++p;
      if (p < end_ && (*p == '+' || *p == '-')) ++p;
      if (p == end_ || !is_digit(*p)) return fail(p, "expected digits in the exponent");
      while (p < end_ && is_digit(*p)) ++p;
    }
    p_ = p;
    return true;
  }

  const std::string_view text_;
  const char* p_;
  const char* const end_;
  const char* checked_;  // UTF-8 up to here
  const std::span<const std::string_view> keys_;
  const std::span<Span> out_;
  const size_t max_depth_;
  Nesting nesting_;
  uint64_t lengths_ = 0;      // bit n: a key of n (mod 64) bytes is asked for
  size_t wanted_ = kMaxKeys;  // index of the key whose value is being read
  size_t duplicate_ = 0;
  Failure failure_ = Failure::none;
  const char* at_ = nullptr;  // of the failure
  const char* what_ = nullptr;
  const char* open_at_ = nullptr;  // where the container at depth 2 began
};

// --- finding in valid JSON: only memory safety matters, not the grammar ---

// Behind the string that begins at p.
const char* skip_string(const char* p, const char* end) {
  ++p;
  while (p < end) {
    p = find_special(p, end);
    if (p == end) return end;
    if (*p == '"') return p + 1;
    p += *p == '\\' ? 2 : 1;
  }
  return end;
}

const char* skip_value(const char* p, const char* end) {
  size_t depth = 0;
  while (p < end) {
    switch (*p) {
      case '"':
        p = skip_string(p, end);
        break;
      case '{':
      case '[':
        ++depth;
        ++p;
        continue;
      case '}':
      case ']':
        if (depth == 0) return p;
        --depth;
        ++p;
        break;
      case ',':
      case ':':
        if (depth == 0) return p;
        ++p;
        continue;
      default:
        if (is_space(*p)) {
          if (depth == 0) return p;
          ++p;
          continue;
        }
        while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != '"' && *p != ':' &&
               !is_space(*p))
          ++p;
    }
    if (depth == 0) return p;
  }
  return end;
}

bool has_escape(const char* p, const char* end) {
  return std::memchr(p, '\\', static_cast<size_t>(end - p)) != nullptr;
}

bool key_is(std::string_view text, const char* start, const char* stop, std::string_view name) {
  if (stop - start < 2) return false;
  const std::string_view raw(start + 1, static_cast<size_t>(stop - start) - 2);
  if (raw == name) return !has_escape(raw.data(), raw.data() + raw.size());
  if (raw.size() < name.size() || !has_escape(raw.data(), raw.data() + raw.size())) return false;
  Span span;
  span.at = static_cast<size_t>(start - text.data());
  span.len = static_cast<size_t>(stop - start);
  span.escaped = true;
  return decode_string(text, span) == name;
}

// The child of the container at p; null when there is none.
const char* child(std::string_view text, const char* p, const char* end, std::string_view name) {
  const bool object = *p == '{';
  const auto index = object ? std::nullopt : parse_uint(name);
  if (!object && (*p != '[' || !index)) return nullptr;
  const char* found = nullptr;
  uint64_t at = 0;
  p = skip_space(p + 1, end);
  while (p < end && *p != '}' && *p != ']') {
    bool match = !object && at++ == *index;
    if (object) {
      if (*p != '"') return found;
      const char* const stop = skip_string(p, end);
      match = key_is(text, p, stop, name);
      p = skip_space(stop, end);
      if (p == end || *p != ':') return found;
      p = skip_space(p + 1, end);
      if (p == end) return found;
    }
    if (match) found = p;
    if (match && !object) return found;
    const char* const next = skip_value(p, end);
    p = skip_space(next, end);
    if (p == end || *p != ',') return found;
    p = skip_space(p + 1, end);
  }
  return found;
}

unsigned hex4(const char* p) {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    value = value * 16 + static_cast<unsigned>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

void append_utf8(unsigned code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

bool is_unicode_escape(const char* p, const char* end) {
  return end - p >= 6 && p[0] == '\\' && p[1] == 'u' && is_hex(p[2]) && is_hex(p[3]) &&
         is_hex(p[4]) && is_hex(p[5]);
}

}  // namespace

Result<ScanResult> scan_object(std::string_view text, std::span<const std::string_view> keys,
                               std::span<Span> out, const Limits& limits) {
  GP_ASSERT(keys.size() == out.size() && keys.size() <= kMaxKeys);
  for (Span& span : out) span = Span();
  if (keys.size() != out.size() || keys.size() > kMaxKeys)
    return internal_error("too many keys for one scan");
  if (text.size() > limits.max_bytes) return json_too_large(limits.max_bytes);
  return Scanner(text, keys, out, limits).run();
}

Result<ScanResult> validate(std::string_view text, const Limits& limits) {
  return scan_object(text, {}, {}, limits);
}

Span find(std::string_view text, std::span<const std::string_view> path) {
  const char* const end = text.data() + text.size();
  const char* p = skip_space(text.data(), end);
  if (p == end) return {};
  for (auto segment : path) {
    p = child(text, p, end, segment);
    if (p == nullptr) return {};
  }
  Span span;
  span.found = true;
  span.at = static_cast<size_t>(p - text.data());
  span.kind = kind_of(*p);
  span.len = static_cast<size_t>(skip_value(p, end) - p);
  span.escaped = span.kind == Kind::string && has_escape(p, p + span.len);
  return span;
}

Span find(std::string_view text, std::initializer_list<std::string_view> path) {
  return find(text, std::span<const std::string_view>(path.begin(), path.size()));
}

std::string decode_string(std::string_view text, const Span& span) {
  std::string_view raw = text.substr(span.at, span.len);
  if (raw.size() < 2 || raw.front() != '"') return {};
  raw = raw.substr(1, raw.size() - 2);
  if (!span.escaped) return std::string(raw);
  std::string out;
  out.reserve(raw.size());
  const char* p = raw.data();
  const char* const end = p + raw.size();
  while (p < end) {
    const auto* slash =
        static_cast<const char*>(std::memchr(p, '\\', static_cast<size_t>(end - p)));
    if (slash == nullptr || end - slash < 2) {
      out.append(p, static_cast<size_t>(end - p));
      break;
    }
    out.append(p, static_cast<size_t>(slash - p));
    p = slash + 2;
    switch (slash[1]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        if (!is_unicode_escape(slash, end)) break;
        unsigned code = hex4(slash + 2);
        p = slash + 6;
        if (code >= 0xd800 && code <= 0xdbff && is_unicode_escape(p, end)) {
          const unsigned low = hex4(p + 2);
          if (low >= 0xdc00 && low <= 0xdfff) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
          }
        }
        // Half a pair stands for nothing; json::parse reads the same.
        if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
        append_utf8(code, out);
        break;
      }
      default:
        out += slash[1];
    }
  }
  return out;
}

int64_t span_int(std::string_view text, const Span& span, int64_t otherwise) {
  if (!span.found || span.kind != Kind::number || span.at > text.size()) return otherwise;
  return Value::number_text(text.substr(span.at, span.len)).int_or(otherwise);
}

}  // namespace gproxy::json
