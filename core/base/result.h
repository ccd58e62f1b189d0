// Result<T>: a value or an Error. [[nodiscard]]; g++ 12 has std::expected only in C++23 mode.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>
#include <variant>

#include "base/error.h"

namespace gproxy {

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok().
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

  T value_or(T other) && { return ok() ? std::move(*this).value() : std::move(other); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const {}
  void operator*() const {}
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

inline Result<void> ok() {
  return {};
}

}  // namespace gproxy

#define GP_CONCAT_(a, b) a##b
#define GP_CONCAT(a, b) GP_CONCAT_(a, b)

// GP_TRY(auto head, parse_head(bytes)); returns the error from the enclosing function.
#define GP_TRY(decl, expr) GP_TRY_(GP_CONCAT(gp_try_, __LINE__), decl, expr)
#define GP_TRY_(tmp, decl, expr)                \
  auto tmp = (expr);                            \
  if (!tmp.ok()) return std::move(tmp).error(); \
  decl = std::move(tmp).value()

// GP_CHECK(validate(x)); the same for Result<void>.
#define GP_CHECK(expr)                                                                 \
  do {                                                                                 \
    if (auto gp_check_ = (expr); !gp_check_.ok()) return std::move(gp_check_).error(); \
  } while (false)

// Asserts what we believe; never about module or network data. Aborts in debug builds; release
// builds carry on (callers still handle the case).
#ifdef NDEBUG
#define GP_ASSERT(cond) ((void)0)
#else
#define GP_ASSERT(cond)                                                                        \
  ((cond) ? (void)0                                                                            \
          : (std::fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #cond), \
             std::abort()))
#endif
