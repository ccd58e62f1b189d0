// Time as a seam: Clock is real in the server and fake in tests. now_ms is for deadlines
// (monotonic), wall_us for records (UTC microseconds since 1970).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gproxy {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t now_ms() const = 0;   // monotonic
  virtual int64_t now_us() const = 0;   // monotonic
  virtual int64_t wall_us() const = 0;  // UTC
  int64_t wall_ms() const { return wall_us() / 1000; }

  static Clock& system();
};

class FakeClock final : public Clock {
 public:
  int64_t now_ms() const override { return mono_us_ / 1000; }
  int64_t now_us() const override { return mono_us_; }
  int64_t wall_us() const override { return wall_us_; }
  void advance_ms(int64_t ms) {
    mono_us_ += ms * 1000;
    wall_us_ += ms * 1000;
  }
  void set_wall_us(int64_t us) { wall_us_ = us; }

 private:
  int64_t mono_us_ = 1'000'000'000;
  int64_t wall_us_ = 1'767'225'600'000'000;  // 2026-01-01T00:00:00Z
};

// RFC 3339 in UTC with microseconds ("2026-01-01T00:00:00.000000Z"); parse accepts any offset and
// fraction. RFC 9110 dates for Retry-After.
std::string rfc3339(int64_t wall_us);
std::optional<int64_t> parse_rfc3339(std::string_view text);
std::optional<int64_t> parse_http_date(std::string_view text);  // UTC seconds

// UUIDs: v4 random, v7 time-ordered (trace ids), hyphenated lower case.
std::string uuid4();
std::string uuid7(int64_t wall_ms);

}  // namespace gproxy
