#include "base/clock.h"

#include <time.h>

#include <array>
#include <chrono>
#include <cstdio>

#include "base/base64.h"
#include "base/digest.h"
#include "base/strings.h"

namespace gproxy {
namespace {

int64_t read_clock_us(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000;
}

class SystemClock final : public Clock {
 public:
  int64_t now_ms() const override { return now_us() / 1000; }
  int64_t now_us() const override { return read_clock_us(CLOCK_MONOTONIC); }
  int64_t wall_us() const override { return read_clock_us(CLOCK_REALTIME); }
};

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Reads exactly `digits` digits off the front.
bool take_number(std::string_view& text, size_t digits, int& out) {
  if (text.size() < digits) return false;
  out = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, std::string_view literal) {
  if (text.substr(0, literal.size()) != literal) return false;
  text.remove_prefix(literal.size());
  return true;
}

bool take_month(std::string_view& text, int& out) {
  for (size_t i = 0; i < kMonths.size(); ++i) {
    if (take(text, kMonths[i])) {
      out = static_cast<int>(i) + 1;
      return true;
    }
  }
  return false;
}

struct CivilTime {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

std::optional<int64_t> to_unix_seconds(const CivilTime& t) {
  using namespace std::chrono;
  const year_month_day date{year{t.year}, month{static_cast<unsigned>(t.month)},
                            day{static_cast<unsigned>(t.day)}};
  // A leap second (60) is read as the second after it.
  if (!date.ok() || t.hour > 23 || t.minute > 59 || t.second > 60) return std::nullopt;
  const int64_t days = sys_days{date}.time_since_epoch().count();
  return days * 86400 + t.hour * 3600 + t.minute * 60 + t.second;
}

bool take_time(std::string_view& text, CivilTime& t) {
  return take_number(text, 2, t.hour) && take(text, ":") && take_number(text, 2, t.minute) &&
         take(text, ":") && take_number(text, 2, t.second);
}

std::string uuid_text(std::array<unsigned char, 16> bytes, int version) {
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | (version << 4));
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  std::string hex =
      hex_encode(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  for (size_t at : {8u, 13u, 18u, 23u}) hex.insert(at, 1, '-');
  return hex;
}

}  // namespace

Clock& Clock::system() {
  static SystemClock clock;
  return clock;
}

std::string rfc3339(int64_t wall_us) {
  using namespace std::chrono;
  const auto day = floor<days>(microseconds{wall_us});
  const year_month_day date{sys_days{day}};
  const int64_t us = wall_us - duration_cast<microseconds>(day).count();
  const int64_t s = us / 1'000'000;
  char text[64];
  const int n = std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
                              static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                              static_cast<unsigned>(date.day()), static_cast<int>(s / 3600),
                              static_cast<int>(s / 60 % 60), static_cast<int>(s % 60),
                              static_cast<int>(us % 1'000'000));
  return std::string(text, static_cast<size_t>(n));
}

std::optional<int64_t> parse_rfc3339(std::string_view text) {
  CivilTime t;
  if (!take_number(text, 4, t.year) || !take(text, "-") || !take_number(text, 2, t.month) ||
      !take(text, "-") || !take_number(text, 2, t.day)) {
    return std::nullopt;
  }
  if (!take(text, "T") && !take(text, "t") && !take(text, " ")) return std::nullopt;
  if (!take_time(text, t)) return std::nullopt;
  int64_t us = 0;
  if (take(text, ".")) {
    size_t digits = 0;
    for (int64_t unit = 100'000; !text.empty() && text[0] >= '0' && text[0] <= '9'; ++digits) {
      us += (text[0] - '0') * unit;
      unit /= 10;
      text.remove_prefix(1);
    }
    if (digits == 0) return std::nullopt;
  }
  int64_t offset_s = 0;
  if (!take(text, "Z") && !take(text, "z")) {
    if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    const int sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
    int hours = 0, minutes = 0;
    if (!take_number(text, 2, hours) || !take(text, ":") || !take_number(text, 2, minutes) ||
        hours > 23 || minutes > 59) {
      return std::nullopt;
    }
    offset_s = sign * (hours * 3600 + minutes * 60);
  }
  if (!text.empty()) return std::nullopt;
  const auto seconds = to_unix_seconds(t);
  if (!seconds) return std::nullopt;
  return (*seconds - offset_s) * 1'000'000 + us;
}

std::optional<int64_t> parse_http_date(std::string_view text) {
  CivilTime t;
  text = trim(text);
  const size_t comma = text.find(',');
  if (comma != std::string_view::npos) {
    text = trim(text.substr(comma + 1));
    if (!take_number(text, 2, t.day)) return std::nullopt;
    if (take(text, "-")) {  // RFC 850: 06-Nov-94
      if (!take_month(text, t.month) || !take(text, "-") || !take_number(text, 2, t.year)) {
        return std::nullopt;
      }
      t.year += t.year < 70 ? 2000 : 1900;
    } else if (!take(text, " ") || !take_month(text, t.month) || !take(text, " ") ||
               !take_number(text, 4, t.year)) {
      return std::nullopt;
    }
    if (!take(text, " ") || !take_time(text, t) || !take(text, " GMT") || !text.empty()) {
      return std::nullopt;
    }
    return to_unix_seconds(t);
  }
  // asctime: Sun Nov  6 08:49:37 1994
  if (text.size() < 4) return std::nullopt;
  text.remove_prefix(4);
  if (!take_month(text, t.month) || !take(text, " ")) return std::nullopt;
  if (take(text, " ") ? !take_number(text, 1, t.day) : !take_number(text, 2, t.day)) {
    return std::nullopt;
  }
  if (!take(text, " ") || !take_time(text, t) || !take(text, " ") ||
      !take_number(text, 4, t.year) || !text.empty()) {
    return std::nullopt;
  }
  return to_unix_seconds(t);
}

std::string uuid4() {
  std::array<unsigned char, 16> bytes;
  random_bytes(bytes.data(), bytes.size());
  return uuid_text(bytes, 4);
}

std::string uuid7(int64_t wall_ms) {
  std::array<unsigned char, 16> bytes;
  random_bytes(bytes.data() + 6, bytes.size() - 6);
  for (int i = 0; i < 6; ++i) {
    bytes[static_cast<size_t>(i)] = static_cast<unsigned char>(wall_ms >> (40 - 8 * i));
  }
  return uuid_text(bytes, 7);
}

}  // namespace gproxy
