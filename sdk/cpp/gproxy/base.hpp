// SPDX-License-Identifier: MIT
//
// Words that the rest of the C++ SDK speaks: views, the arena, Status. Header-only, C++20, standard
// library only. Nothing here has a state of its own; thread and lifetime are those of the C ABI
// (gproxy/abi.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "gproxy/abi.h"

namespace gp {

constexpr gp_str str(std::string_view text) {
  return {text.data(), text.size()};
}
constexpr std::string_view view(gp_str text) {
  return text.len == 0 ? std::string_view() : std::string_view(text.ptr, text.len);
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

// A growing structure, zeroed and stamped.
template <class T>
constexpr T stamped() {
  T value{};
  value.size = sizeof(T);
  return value;
}

// What a hook answers. Texts must be literals or live in the arena.
struct Status {
  gp_status code = GP_OK;
  std::string_view message{};
  std::string_view param{};  // the field at fault
  int32_t cause = 0;         // with credential_expired

  bool ok() const { return code == GP_OK; }
};

inline Status ok() {
  return {};
}
inline Status invalid(std::string_view message, std::string_view param = {}) {
  return {GP_ERR_INVALID, message, param};
}
inline Status unsupported(std::string_view message, std::string_view param = {}) {
  return {GP_ERR_UNSUPPORTED, message, param};
}
inline Status not_found(std::string_view message) {
  return {GP_ERR_NOT_FOUND, message};
}
inline Status internal(std::string_view message) {
  return {GP_ERR_INTERNAL, message};
}
inline Status credential_expired(int32_t cause = 0) {
  return {GP_ERR_CREDENTIAL_EXPIRED, "the credential has expired", {}, cause};
}

// The host's arena. Running out of it throws std::bad_alloc, which the trampolines turn into
// GP_ERR_NO_MEMORY.
class Arena {
 public:
  Arena(const gp_host* host, gp_arena* arena) : host_(host), arena_(arena) {}

  void* bytes(size_t count, size_t align = 8) const {
    void* memory = host_->alloc(arena_, count == 0 ? 1 : count, align);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  // Zeroed. For types that need no destructor.
  template <class T>
  T* array(size_t count) const {
    static_assert(std::is_trivially_destructible_v<T>);
    T* items = static_cast<T*>(bytes(count * sizeof(T), alignof(T)));
    for (size_t i = 0; i < count; ++i) new (items + i) T();
    return items;
  }
  std::string_view copy(std::string_view text) const { return concat({text}); }
  std::string_view concat(std::initializer_list<std::string_view> parts) const {
    return concat(std::span<const std::string_view>(parts.begin(), parts.size()));
  }
  std::string_view concat(std::span<const std::string_view> parts) const {
    size_t total = 0;
    for (auto part : parts) total += part.size();
    char* out = static_cast<char*>(bytes(total, 1));
    size_t at = 0;
    for (auto part : parts) {
      if (part.empty()) continue;
      std::memcpy(out + at, part.data(), part.size());
      at += part.size();
    }
    return {out, total};
  }

  const gp_host* host() const { return host_; }
  gp_arena* handle() const { return arena_; }

 private:
  const gp_host* host_;
  gp_arena* arena_;
};

// The first value of that name; data() is null where there is none.
inline std::string_view find_header(std::span<const gp_header> headers, std::string_view name) {
  for (const gp_header& header : headers) {
    if (equals_ignoring_case(view(header.name), name)) {
      return header.value.len == 0 ? std::string_view("", 0) : view(header.value);
    }
  }
  return {};
}

// For secrets: overwrites before the memory goes.
inline void wipe(std::string& secret) {
  volatile char* p = secret.data();
  for (size_t i = 0; i < secret.size(); ++i) p[i] = 0;
  secret.clear();
}

}  // namespace gp
