// The document model's only door to RapidJSON.
#if defined(__SSE2__)
#define RAPIDJSON_SSE2  // in-situ strings are copied sixteen bytes at a time
#endif
#include <rapidjson/reader.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/json.h"
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

Error invalid_json(std::string_view what, std::string_view text, size_t offset, Position* where) {
  const Position position = position_of(text, offset);
  if (where != nullptr) *where = position;
  std::string message = "invalid JSON: ";
  message += what;
  message += " at byte " + std::to_string(offset) + " (line " + std::to_string(position.line) +
             ", column " + std::to_string(position.column) + ")";
  return Error{ErrorKind::invalid, "invalid_json", std::move(message), {}};
}

size_t first_invalid_utf8(std::string_view text) {
  // The longest valid prefix, by halving: this runs for an error message only.
  size_t good = 0, bad = text.size();
  while (bad - good > 4) {
    size_t middle = good + (bad - good) / 2;
    // Step back to the beginning of a sequence, so that the prefix is not cut inside of one.
    while (middle > good && (static_cast<unsigned char>(text[middle]) & 0xc0) == 0x80) --middle;
    if (middle == good) break;
    (is_valid_utf8(text.substr(good, middle - good)) ? good : bad) = middle;
  }
  while (good < bad) {
    size_t next = good + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xc0) == 0x80) ++next;
    if (!is_valid_utf8(text.substr(good, next - good))) break;
    good = next;
  }
  return good;
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
    return Error{ErrorKind::invalid,
                 "json_too_deep",
                 "the JSON text nests deeper than " + std::to_string(limits.max_depth) + " levels",
                 {}};
  }
  if (builder.stop() == Builder::Stop::memory) return out_of_memory();
  if (result.IsError()) {
    const size_t offset = std::min(result.Offset(), text.size());
    return invalid_json(describe(result.Code()), text, offset, where);
  }
  // RapidJSON takes a NUL byte for the end of the text.
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

Position position_of(std::string_view text, size_t offset) {
  Position position{1, 1};
  for (char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++position.line;
      position.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
      ++position.column;  // columns count characters
    }
  }
  return position;
}

}  // namespace gproxy::json
