// Logging: one line = one write to stderr, as JSON or text. Facts with keys, once.
//   log::warn("upstream refused", {{"provider", name}, {"status", 429}});
// Thread-safe. Values are never secrets; log::is_secret_name() says which headers must not be
// shown.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/error.h"

namespace gproxy::log {

enum class Level : uint8_t { trace, debug, info, warn, error, off };
enum class Format : uint8_t { text, json };

struct Field {
  using Value = std::variant<std::string_view, int64_t, double, bool>;
  std::string_view key;
  Value value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <class I>
  requires std::is_integral_v<I> Field(std::string_view k, I v)
      : key(k), value(static_cast<int64_t>(v)) {}
};
using Fields = std::initializer_list<Field>;

void configure(Level level, Format format);
bool enabled(Level level);
bool parse_level(std::string_view text, Level& out);
// Where lines go: a file descriptor, 2 by default; tests set their own sink.
void set_sink(void (*sink)(std::string_view line, void* context), void* context);

// True for the names of headers and query parameters that carry credentials ("authorization",
// "x-api-key", "set-cookie", anything with token, secret or password in it …).
bool is_secret_name(std::string_view name);

void write(Level level, std::string_view message, Fields fields = {});
inline void trace(std::string_view m, Fields f = {}) {
  if (enabled(Level::trace)) write(Level::trace, m, f);
}
inline void debug(std::string_view m, Fields f = {}) {
  if (enabled(Level::debug)) write(Level::debug, m, f);
}
inline void info(std::string_view m, Fields f = {}) {
  write(Level::info, m, f);
}
inline void warn(std::string_view m, Fields f = {}) {
  write(Level::warn, m, f);
}
inline void error(std::string_view m, Fields f = {}) {
  write(Level::error, m, f);
}
inline void warn(std::string_view m, const Error& e) {
  write(Level::warn, m, {{"code", e.code}, {"error", e.message}});
}
inline void error(std::string_view m, const Error& e) {
  write(Level::error, m, {{"code", e.code}, {"error", e.message}});
}

}  // namespace gproxy::log
