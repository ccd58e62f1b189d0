// SPDX-License-Identifier: MIT
//
// Reading failures of HTTP APIs: how long to stay away, and for what. A module looks at its
// vendor's error words first and leaves the rest to the host: as_usual().
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "gproxy/base.hpp"
#include "gproxy/request.hpp"

namespace gp {

constexpr int64_t kSecond = 1000;
constexpr int64_t kMinute = 60 * kSecond;

// Digits, with an optional fraction: "37", "0.25". Nullopt for anything else.
inline std::optional<int64_t> decimal_ms(std::string_view text, int64_t unit_ms) {
  if (text.empty() || text.size() > 12) return std::nullopt;
  int64_t whole = 0, fraction = 0, scale = 1;
  bool point = false, digits = false;
  for (char c : text) {
    if (c == '.' && !point) {
      point = true;
    } else if (c < '0' || c > '9') {
      return std::nullopt;
    } else if (!point) {
      whole = whole * 10 + (c - '0');
      digits = true;
    } else if (scale < 1000) {
      fraction = fraction * 10 + (c - '0');
      scale *= 10;
    }
  }
  if (!digits) return std::nullopt;
  return whole * unit_ms + fraction * unit_ms / scale;
}

// "6m0s", "1.5s", "250ms", "1h2m3s": the way some vendors write durations.
inline std::optional<int64_t> duration_ms(std::string_view text) {
  int64_t total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    std::string_view rest = text.substr(digits);
    int64_t unit = 0;
    size_t taken = 1;
    if (rest.starts_with("ms")) {
      unit = 1;
      taken = 2;
    } else if (rest.starts_with('s')) {
      unit = kSecond;
    } else if (rest.starts_with('m')) {
      unit = kMinute;
    } else if (rest.starts_with('h')) {
      unit = 60 * kMinute;
    }
    const auto part = decimal_ms(text.substr(0, digits), unit);
    if (unit == 0 || !part) return std::nullopt;
    total += *part;
    text = rest.substr(taken);
  }
  return total;
}

// "Sun, 06 Nov 1994 08:49:37 GMT" as UNIX time in ms.
inline std::optional<int64_t> http_date_ms(std::string_view text) {
  if (text.size() != 29 || text.substr(25) != " GMT") return std::nullopt;
  auto number = [&](size_t at, size_t len) -> int64_t {
    int64_t value = 0;
    for (char c : text.substr(at, len)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  const size_t month_at =
      std::string_view("JanFebMarAprMayJunJulAugSepOctNovDec").find(text.substr(8, 3));
  const int64_t day = number(5, 2), year = number(12, 4), hour = number(17, 2),
                minute = number(20, 2), second = number(23, 2);
  if (month_at == std::string_view::npos || month_at % 3 != 0 || day < 1 || year < 1970 ||
      hour < 0 || minute < 0 || second < 0) {
    return std::nullopt;
  }
  // Days since 1970-01-01 of the proleptic Gregorian calendar, years beginning in March.
  const int64_t month = static_cast<int64_t>(month_at / 3) + 1;
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = y / 400, of_era = y - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
  return ((days * 24 + hour) * 60 + minute) * kMinute + second * kSecond;
}

// RFC 3339 in UTC: "2026-01-02T03:04:05Z", fraction ignored. As UNIX time in ms.
inline std::optional<int64_t> rfc3339_ms(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() < 20 || text[4] != '-' || text[10] != 'T' || text.back() != 'Z')
    return std::nullopt;
  const int month = (text[5] - '0') * 10 + (text[6] - '0');
  if (month < 1 || month > 12) return std::nullopt;
  char date[30] = "Sun, 00 Jan 0000 00:00:00 GMT";
  std::memcpy(date + 5, text.data() + 8, 2);
  std::memcpy(date + 8, kMonths.data() + 3 * (month - 1), 3);
  std::memcpy(date + 12, text.data(), 4);
  std::memcpy(date + 17, text.data() + 11, 8);
  return http_date_ms({date, 29});
}

// How long the upstream asks to be left alone: retry-after-ms, retry-after (seconds or a date).
// Nullopt if it does not say.
inline std::optional<int64_t> retry_after_ms(const Failure& failure) {
  if (auto ms = decimal_ms(trim(failure.header("retry-after-ms")), 1)) return ms;
  const std::string_view text = trim(failure.header("retry-after"));
  if (auto ms = decimal_ms(text, kSecond)) return ms;
  if (auto date = http_date_ms(text)) return std::max<int64_t>(0, *date - failure.now_ms());
  return std::nullopt;
}

// Rests what `scope` names for as long as the upstream asks, else for `otherwise_ms`; never less
// than a second, which would hammer it. Without either (kHostsTime) the host knows the operator's
// wish.
inline constexpr int64_t kHostsTime = 0;
inline void cool_down_for(const Failure& failure, Verdict& verdict, int32_t scope,
                          std::optional<int64_t> asked_ms, int64_t otherwise_ms,
                          std::string_view reason) {
  if (!asked_ms && otherwise_ms == kHostsTime) return verdict.cool_down(scope, 0, reason);
  const int64_t wait =
      std::clamp<int64_t>(asked_ms.value_or(otherwise_ms), kSecond, 24 * 60 * kMinute);
  verdict.cool_down(scope, failure.now_ms() + wait, reason);
}

// What a classify hook returns that has nothing to add: the host's own rule counts, which knows how
// often the credential has failed in a row and how long the operator lets it rest (gproxy/abi.h).
inline Status as_usual() {
  return unsupported("as usual");
}

}  // namespace gp
