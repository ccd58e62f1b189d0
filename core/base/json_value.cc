// The document model itself: reading, building, comparing. Parsing is json.cc, writing
// json_write.cc.
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/json.h"

namespace gproxy::json {
namespace {

const Value kNull;

// A decimal number as an integer, exactly: "1.50e1" is 15, "1.5" is nothing.
std::optional<int64_t> integer_of(std::string_view text) {
  int64_t plain = 0;
  const char* const end = text.data() + text.size();
  if (const auto [at, error] = std::from_chars(text.data(), end, plain);
      error == std::errc{} && at == end) {
    return plain;
  }
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  // Significant digits without the point, and the power of ten they are to be multiplied by.
  char digits[20];
  size_t count = 0;
  int64_t exponent = 0;
  bool after_point = false;
  size_t i = 0;
  int64_t pending_zeros = 0;  // zeros count only when a digit follows
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.') {
      after_point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    if (after_point) --exponent;
    if (c == '0') {
      if (count > 0) ++pending_zeros;
      continue;
    }
    if (count + static_cast<size_t>(pending_zeros) + 1 > sizeof digits) return std::nullopt;
    while (pending_zeros > 0) {
      digits[count++] = '0';
      --pending_zeros;
    }
    digits[count++] = c;
  }
  exponent += pending_zeros;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && text[i] == '+') ++i;
    int power = 0;
    const auto [at, error] = std::from_chars(text.data() + i, end, power);
    if (error != std::errc{} || at != end)
      return count == 0 ? std::optional<int64_t>(0) : std::nullopt;
    exponent += power;
    i = text.size();
  }
  if (i != text.size()) return std::nullopt;
  if (count == 0) return 0;
  if (exponent < 0 || exponent > 19) return std::nullopt;
  uint64_t value = 0;
  for (size_t d = 0; d < count + static_cast<size_t>(exponent); ++d) {
    const auto digit = static_cast<uint64_t>(d < count ? digits[d] - '0' : 0);
    if (value > (UINT64_MAX - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  const uint64_t limit = uint64_t{1} << 63;
  if (value > limit || (value == limit && !negative)) return std::nullopt;
  return static_cast<int64_t>(negative ? ~value + 1 : value);
}

// Doubles the room of an array or object; null when the arena is exhausted.
template <class T>
T* grow(Arena& arena, const T* old, uint32_t size, uint32_t& capacity) {
  const uint32_t wanted = capacity < 4 ? 4 : capacity * 2;
  if (wanted <= capacity) return nullptr;
  auto* fresh = static_cast<T*>(arena.alloc(wanted * sizeof(T)));
  if (fresh == nullptr) return nullptr;
  for (uint32_t i = 0; i < size; ++i) new (fresh + i) T(old[i]);
  capacity = wanted;
  return fresh;
}

}  // namespace

Value Value::boolean(bool value) {
  Value v;
  v.kind_ = Kind::boolean;
  v.size_ = value ? 1 : 0;
  return v;
}

Value Value::integer(Arena& arena, int64_t value) {
  char text[24];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return number_text(arena.copy({text, static_cast<size_t>(end - text)}));
}

Value Value::number_text(std::string_view text) {
  Value v;
  v.kind_ = Kind::number;
  v.data_ = text.data();
  v.size_ = static_cast<uint32_t>(text.size());
  return v;
}

Value Value::number(Arena& arena, double value) {
  if (!std::isfinite(value)) return Value();  // JSON has no words for these
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return number_text(arena.copy({text, static_cast<size_t>(end - text)}));
}

Value Value::string(std::string_view text) {
  Value v;
  v.kind_ = Kind::string;
  v.data_ = text.data();
  v.size_ = static_cast<uint32_t>(text.size());
  return v;
}

Value Value::array() {
  Value v;
  v.kind_ = Kind::array;
  return v;
}

Value Value::object() {
  Value v;
  v.kind_ = Kind::object;
  return v;
}

std::optional<int64_t> Value::as_int() const {
  if (!is_number()) return std::nullopt;
  return integer_of(number_text());
}

double Value::as_double(double otherwise) const {
  if (!is_number()) return otherwise;
  const std::string_view text = number_text();
  double value = otherwise;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} ? value : otherwise;
}

std::span<const Value> Value::items() const {
  if (!is_array()) return {};
  return {static_cast<const Value*>(data_), size_};
}
std::span<Value> Value::items() {
  if (!is_array()) return {};
  return {static_cast<Value*>(const_cast<void*>(data_)), size_};
}
std::span<const Member> Value::members() const {
  if (!is_object()) return {};
  return {static_cast<const Member*>(data_), size_};
}
std::span<Member> Value::members() {
  if (!is_object()) return {};
  return {static_cast<Member*>(const_cast<void*>(data_)), size_};
}

const Value* Value::find(std::string_view key) const {
  const auto all = members();
  for (size_t i = all.size(); i > 0; --i) {
    if (all[i - 1].key == key) return &all[i - 1].value;
  }
  return nullptr;
}
Value* Value::find(std::string_view key) {
  return const_cast<Value*>(static_cast<const Value*>(this)->find(key));
}

const Value& Value::operator[](std::string_view key) const {
  const Value* found = find(key);
  return found != nullptr ? *found : kNull;
}
const Value& Value::operator[](size_t index) const {
  const auto all = items();
  return index < all.size() ? all[index] : kNull;
}

void Value::push(Arena& arena, Value item) {
  GP_ASSERT(is_array());
  if (!is_array()) return;
  auto* all = static_cast<Value*>(const_cast<void*>(data_));
  if (size_ == capacity_) {
    all = grow(arena, all, size_, capacity_);
    if (all == nullptr) return;  // arena.exhausted() tells
    data_ = all;
  }
  new (all + size_) Value(item);
  ++size_;
}

Value& Value::add(Arena& arena, std::string_view key, Value item) {
  GP_ASSERT(is_object());
  // Where there is no room the caller still gets something to write to; arena.exhausted() tells.
  thread_local Value nowhere;
  nowhere = item;
  if (!is_object()) return nowhere;
  auto* all = static_cast<Member*>(const_cast<void*>(data_));
  if (size_ == capacity_) {
    all = grow(arena, all, size_, capacity_);
    if (all == nullptr) return nowhere;
    data_ = all;
  }
  auto* member = new (all + size_) Member{key, item};
  ++size_;
  return member->value;
}

Value& Value::set(Arena& arena, std::string_view key, Value item) {
  if (Value* found = find(key); found != nullptr) {
    *found = item;
    return *found;
  }
  return add(arena, key, item);
}

bool Value::remove(std::string_view key) {
  auto all = members();
  size_t kept = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].key == key) continue;
    if (kept != i) all[kept] = all[i];
    ++kept;
  }
  const bool removed = kept != all.size();
  if (removed) size_ = static_cast<uint32_t>(kept);
  return removed;
}

bool Value::equals(const Value& other) const {
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::null:
      return true;
    case Kind::boolean:
      return as_bool() == other.as_bool();
    case Kind::number:
      return number_text() == other.number_text();
    case Kind::string:
      return str() == other.str();
    case Kind::array: {
      const auto a = items(), b = other.items();
      if (a.size() != b.size()) return false;
      for (size_t i = 0; i < a.size(); ++i) {
        if (!a[i].equals(b[i])) return false;
      }
      return true;
    }
    case Kind::object: {
      const auto a = members(), b = other.members();
      if (a.size() != b.size()) return false;
      for (size_t i = 0; i < a.size(); ++i) {
        // Mostly the order is the same; the search is for the rest.
        if (a[i].key == b[i].key && a[i].value.equals(b[i].value)) continue;
        const Value* there = other.find(a[i].key);
        const Value* here = find(a[i].key);
        if (there == nullptr || !here->equals(*there) || !has(b[i].key)) return false;
      }
      return true;
    }
  }
  return false;
}

}  // namespace gproxy::json
