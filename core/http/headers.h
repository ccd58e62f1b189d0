// Header lists as views. HeaderView has the very layout of the ABI's gp_header ({ptr,len} name,
// value; asserted in modhost), so handing a list to a module is handing over a pointer. The bytes
// live in the exchange's arena or in static storage. Names compare without case.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/strings.h"

namespace gproxy::http {

struct Text {
  const char* ptr = nullptr;
  size_t len = 0;
  Text() = default;
  Text(std::string_view view) : ptr(view.data()), len(view.size()) {}  // NOLINT: implicit
  Text(const char* text) : Text(std::string_view(text)) {}             // NOLINT: implicit
  operator std::string_view() const { return {ptr, len}; }             // NOLINT: implicit
};

struct HeaderView {
  Text name;
  Text value;
};

// The first value of that name, or an empty view with data() == nullptr.
std::string_view find(std::span<const HeaderView> headers, std::string_view name);
inline bool has(std::span<const HeaderView> headers, std::string_view name) {
  return find(headers, name).data() != nullptr;
}
// RFC 9110 hop-by-hop fields, which are never forwarded.
bool is_hop_by_hop(std::string_view name);
// True for a token (RFC 9110 5.6.2), and for a value without control characters.
bool is_token(std::string_view name);
bool is_field_value(std::string_view value);

using HeaderList = std::vector<HeaderView>;

}  // namespace gproxy::http
