// The document model's only door to RapidJSON.
#if defined(__SSE2__)
#define RAPIDJSON_SSE2  // in-situ strings are copied sixteen bytes at a time
#endif
// RapidJSON's stack adds to a null pointer before its first allocation, which clang's sanitizer reports.
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <rapidjson/reader.h>
#ifdef __clang__
#pragma clang attribute pop
#endif
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/json.h"
#include "base/json_error.h"
#include "base/strings.h"

namespace gproxy::json {

// Receives RapidJSON's events and builds Values: children wait on one stack until their container
// ends, and are then copied into the arena in one exact piece.
class Builder {
 public:
  Builder(Arena& arena, size_t max_depth) : arena_(arena), max_depth_(max_depth) {
    stack_.reserve(64);
  }

  enum class Stop { none, depth, memory };
  Stop stop() const { return stop_; }
  Value result() const { return stack_.empty() ? Value() : stack_.front().value; }

  bool Null() { return put(Value()); }
  bool Bool(bool b) { return put(Value::boolean(b)); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return put(Value::number_text({text, size}));
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return put(Value::string({text, size}));
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    key_ = {text, size};
    return true;
  }
  bool StartObject() { return open(); }
  bool StartArray() { return open(); }
  bool EndObject(rapidjson::SizeType n) {
    --depth_;
    const Member* from = stack_.data() + (stack_.size() - n);
    Value object = Value::object();
    if (n > 0) {
      auto* to = static_cast<Member*>(arena_.alloc(n * sizeof(Member)));
      if (to == nullptr) return fail(Stop::memory);
      std::uninitialized_copy(from, from + n, to);
      object.data_ = to;
      object.size_ = object.capacity_ = n;
    }
    return close(n, object);
  }
  bool EndArray(rapidjson::SizeType n) {
    --depth_;
    const Member* from = stack_.data() + (stack_.size() - n);
    Value array = Value::array();
    if (n > 0) {
      auto* to = static_cast<Value*>(arena_.alloc(n * sizeof(Value)));
      if (to == nullptr) return fail(Stop::memory);
      for (size_t i = 0; i < n; ++i) new (to + i) Value(from[i].value);
      array.data_ = to;
      array.size_ = array.capacity_ = n;
    }
    return close(n, array);
  }
  // Numbers come as text only (kParseNumbersAsStringsFlag); RapidJSON still wants the names.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  bool put(Value value) {
    stack_.push_back({key_, value});
    return true;
  }
  // A container's own key waits in its place on the stack, below its children.
  bool open() {
    if (++depth_ > max_depth_) return fail(Stop::depth);
    return put(Value());
  }
  bool close(size_t children, Value container) {
    stack_.resize(stack_.size() - children);
    stack_.back().value = container;
    return true;
  }
  bool fail(Stop why) {
    stop_ = why;
    return false;
  }

  Arena& arena_;
  const size_t max_depth_;
  std::vector<Member> stack_;
  std::string_view key_;
  size_t depth_ = 0;
  Stop stop_ = Stop::none;
};

namespace {

constexpr size_t kPadding = 32;  // the vectorised reader looks past the end, up to one vector
constexpr unsigned kStrict = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                             rapidjson::kParseNumbersAsStringsFlag;
constexpr unsigned kRelaxed =
    kStrict | rapidjson::kParseCommentsFlag | rapidjson::kParseTrailingCommasFlag;

std::string_view describe(rapidjson::ParseErrorCode code) {
  using namespace rapidjson;
  switch (code) {
    case kParseErrorDocumentEmpty:
      return "the text is empty";
    case kParseErrorDocumentRootNotSingular:
      return "unexpected text after the value";
    case kParseErrorValueInvalid:
      return "expected a value";
    case kParseErrorObjectMissName:
      return "expected a member name";
    case kParseErrorObjectMissColon:
      return "expected ':' after a member name";
    case kParseErrorObjectMissCommaOrCurlyBracket:
      return "expected ',' or '}' after a member";
    case kParseErrorArrayMissCommaOrSquareBracket:
      return "expected ',' or ']' after an element";
    case kParseErrorStringUnicodeEscapeInvalidHex:
      return "expected four hex digits after \\u";
    case kParseErrorStringUnicodeSurrogateInvalid:
      return "invalid surrogate pair";
    case kParseErrorStringEscapeInvalid:
      return "invalid escape or control character in a string";
    case kParseErrorStringMissQuotationMark:
      return "a string does not end";
    case kParseErrorStringInvalidEncoding:
      return "invalid UTF-8";
    case kParseErrorNumberTooBig:
      return "a number is out of range";
    case kParseErrorNumberMissFraction:
      return "expected digits after the decimal point";
    case kParseErrorNumberMissExponent:
      return "expected digits in the exponent";
    default:
      return "invalid syntax";
  }
}

int hex4(const char* p) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// Replaces each \uD800..\uDFFF that is not half of a pair by \uFFFD, which has the same length.
// RapidJSON refuses some of them and turns others into invalid UTF-8.
void repair_surrogates(char* text, size_t size) {
  char* const end = text + size;
  char* p = text;
  while ((p = static_cast<char*>(std::memchr(p, '\\', static_cast<size_t>(end - p)))) != nullptr) {
    if (end - p < 6 || p[1] != 'u') {
      if (end - p < 2) return;
      p += 2;
      continue;
    }
    const int unit = hex4(p + 2);
    if (unit >= 0xd800 && unit <= 0xdbff && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
      const int low = hex4(p + 8);
      if (low >= 0xdc00 && low <= 0xdfff) {
        p += 12;
        continue;
      }
    }
    if (unit >= 0xd800 && unit <= 0xdfff) std::memcpy(p + 2, "fffd", 4);
    p += 6;
  }
}

// The first byte 0x1A..0x1F, or size: RapidJSON 1.1's vectorised string loop lets these control
// characters through.
size_t find_missed_control(const char* text, size_t size) {
  size_t at = 0;
#if defined(__SSE2__)
  for (; size - at >= 16; at += 16) {
    const __m128i v = _mm_sub_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text + at)),
                                   _mm_set1_epi8(0x1a));
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(5)), v)) != 0) break;
  }
#endif
  while (at < size && (text[at] < 0x1a || text[at] > 0x1f)) ++at;
  return at;
}

template <unsigned Flags>
Result<Value> parse_with(std::string_view text, Arena& arena, const Limits& limits,
                         Position* where) {
  if (text.size() > limits.max_bytes || text.size() > UINT32_MAX - kPadding) {
    return Error{ErrorKind::too_large,
                 "json_too_large",
                 "the JSON text exceeds " + std::to_string(limits.max_bytes) + " bytes",
                 {}};
  }
  if (!is_valid_utf8(text))
    return invalid_json("invalid UTF-8", text, first_invalid_utf8(text), where);
  auto* const copy = static_cast<char*>(arena.alloc(text.size() + kPadding, 1));
  const auto out_of_memory = [] {
    return Error{ErrorKind::too_large,
                 "json_too_large",
                 "the JSON document does not fit into the memory allowed for it",
                 {}};
  };
  if (copy == nullptr) return out_of_memory();
  if (!text.empty()) std::memcpy(copy, text.data(), text.size());
  std::memset(copy + text.size(), 0, kPadding);
  repair_surrogates(copy, text.size());

  Builder builder(arena, limits.max_depth);
  rapidjson::InsituStringStream stream(copy);
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<Flags>(stream, builder);
  if (builder.stop() == Builder::Stop::depth) {
    return json_too_deep(limits.max_depth);
  }
  if (builder.stop() == Builder::Stop::memory) return out_of_memory();
  if (result.IsError()) {
    const size_t offset = std::min(result.Offset(), text.size());
    return invalid_json(describe(result.Code()), text, offset, where);
  }
  // RapidJSON takes a NUL byte for the end of the text.
  if (const size_t at = find_missed_control(text.data(), text.size()); at < text.size()) {
    return invalid_json("invalid escape or control character in a string", text, at, where);
  }
  if (stream.Tell() < text.size())
    return invalid_json("unexpected NUL byte", text, stream.Tell(), where);
  return builder.result();
}

}  // namespace

Result<Value> parse(std::string_view text, Arena& arena, const Limits& limits) {
  return parse_with<kStrict>(text, arena, limits, nullptr);
}

Result<Value> parse_with_comments(std::string_view text, Arena& arena, Position* where) {
  return parse_with<kRelaxed>(text, arena, Limits{}, where);
}

std::string library_version() { return "rapidjson " RAPIDJSON_VERSION_STRING; }

}  // namespace gproxy::json
