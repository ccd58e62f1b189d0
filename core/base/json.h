// JSON: a small document model in an Arena, a limited parser (RapidJSON behind json.cc alone) and a
// writer. Numbers keep their source text, members keep their order, unknown members survive.
// Values are cheap to copy (24 bytes, shallow); everything they point at lives in the Arena.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/arena.h"
#include "base/result.h"

namespace gproxy::json {

enum class Kind : uint8_t { null, boolean, number, string, array, object };

struct Member;

class Value {
 public:
  constexpr Value() = default;  // null
  static Value boolean(bool value);
  static Value integer(Arena& arena, int64_t value);
  static Value number_text(std::string_view text);  // source text of a JSON number, not copied
  static Value number(Arena& arena, double value);  // shortest text that reads back equal
  static Value string(std::string_view text);       // not copied: must outlive the value
  static Value array();
  static Value object();

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::null; }
  bool is_bool() const { return kind_ == Kind::boolean; }
  bool is_number() const { return kind_ == Kind::number; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_array() const { return kind_ == Kind::array; }
  bool is_object() const { return kind_ == Kind::object; }

  // Reading never fails: a value of another kind gives the default.
  bool as_bool(bool otherwise = false) const { return is_bool() ? size_ != 0 : otherwise; }
  std::string_view str(std::string_view otherwise = {}) const {
    return is_string() ? std::string_view(static_cast<const char*>(data_), size_) : otherwise;
  }
  // Source text of a number, else empty.
  std::string_view number_text() const {
    return is_number() ? std::string_view(static_cast<const char*>(data_), size_)
                       : std::string_view();
  }
  // Integers (also written 1.0 or 1e3) in range, else nothing.
  std::optional<int64_t> as_int() const;
  int64_t int_or(int64_t otherwise) const { return as_int().value_or(otherwise); }
  double as_double(double otherwise = 0) const;

  // Elements of an array or members of an object; 0 for others.
  size_t size() const { return is_array() || is_object() ? size_ : 0; }
  bool empty() const { return size() == 0; }
  std::span<const Value> items() const;  // empty unless an array
  std::span<Value> items();
  std::span<const Member> members() const;  // empty unless an object
  std::span<Member> members();

  // The last member of that name (as RFC 8259 parsers commonly read duplicates), or null.
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  bool has(std::string_view key) const { return find(key) != nullptr; }
  // The member, or a static null value: v["a"]["b"].str().
  const Value& operator[](std::string_view key) const;
  const Value& operator[](size_t index) const;

  // Building. Keys and texts are not copied (arena.copy() them first where needed).
  void push(Arena& arena, Value item);                         // REQUIRES: is_array()
  Value& add(Arena& arena, std::string_view key, Value item);  // appends; REQUIRES: is_object()
  Value& set(Arena& arena, std::string_view key, Value item);  // replaces in place or appends
  bool remove(std::string_view key);                           // keeps the order of the rest

  // Structural equality: members in any order, numbers by text (after normalising nothing).
  bool equals(const Value& other) const;

 private:
  friend class Builder;
  Kind kind_ = Kind::null;
  uint32_t size_ = 0;  // bytes, elements, or the boolean
  uint32_t capacity_ = 0;
  const void* data_ = nullptr;
};

struct Member {
  std::string_view key;
  Value value;
};

struct Limits {
  size_t max_depth = 256;  // containers inside each other
  size_t max_bytes = size_t{64} << 20;
};

// Parses one JSON text. Strings and numbers are copied into the arena. Errors: kind invalid, code
// "invalid_json", message with what was wrong and where; depth or size beyond the limits is kind
// invalid ("json_too_deep") or too_large. A lone surrogate escape becomes U+FFFD; a number beyond
// the range of a double is refused.
Result<Value> parse(std::string_view text, Arena& arena, const Limits& limits = {});
// The same for JSON with // and /* */ comments and trailing commas (configuration files). `where`
// receives line and column on error when not null.
struct Position {
  size_t line = 0, column = 0;
};
Result<Value> parse_with_comments(std::string_view text, Arena& arena, Position* where);
// Line and column (from 1) of a byte offset.
Position position_of(std::string_view text, size_t offset);

// Compact text. Non-ASCII stays UTF-8; control characters, `"` and `\` are escaped.
std::string write(const Value& value);
void write_to(const Value& value, std::string& out);
std::string write_pretty(const Value& value);
// Appends `text` as a JSON string with its quotes.
void write_string(std::string_view text, std::string& out);

// A writer for output that needs no document. Commas are its business.
//   Writer w(out); w.begin_object(); w.key("a"); w.string("x"); w.end_object();
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  void begin_object() {
    comma();
    out_ += '{';
    fresh_ = true;
  }
  void end_object() {
    out_ += '}';
    fresh_ = false;
  }
  void begin_array() {
    comma();
    out_ += '[';
    fresh_ = true;
  }
  void end_array() {
    out_ += ']';
    fresh_ = false;
  }
  void key(std::string_view name) {
    comma();
    write_string(name, out_);
    out_ += ':';
    fresh_ = true;
  }
  void string(std::string_view text) {
    comma();
    write_string(text, out_);
  }
  void integer(int64_t value) {
    comma();
    out_ += std::to_string(value);
  }
  void raw(std::string_view json_text) {
    comma();
    out_ += json_text;
  }  // a whole JSON value
  void number(double value);
  void boolean(bool value) {
    comma();
    out_ += value ? "true" : "false";
  }
  void null() {
    comma();
    out_ += "null";
  }
  void value(const Value& v) {
    comma();
    write_to(v, out_);
  }
  // Shorthands for members.
  void field(std::string_view name, std::string_view text) {
    key(name);
    string(text);
  }
  void field(std::string_view name, const char* text) {
    key(name);
    string(text);
  }
  void field(std::string_view name, const std::string& text) {
    key(name);
    string(text);
  }
  void field(std::string_view name, bool v) {
    key(name);
    boolean(v);
  }
  template <class I>
  requires(std::is_integral_v<I> && !std::is_same_v<I, bool>) void field(std::string_view name,
                                                                         I v) {
    key(name);
    integer(static_cast<int64_t>(v));
  }
  void field(std::string_view name, double v) {
    key(name);
    number(v);
  }

 private:
  void comma() {
    if (!fresh_) out_ += ',';
    fresh_ = false;
  }
  std::string& out_;
  bool fresh_ = true;
};

// The RapidJSON that is compiled in, for --version.
std::string library_version();

}  // namespace gproxy::json
