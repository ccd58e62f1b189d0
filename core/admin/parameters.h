// The query string of an admin request: blank parameters are absent, values are trimmed. Errors
// carry the code that the route's contract names for the parameter. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gproxy::admin {

class Parameters {
 public:
  explicit Parameters(std::string_view query) : query_(query) {}  // must outlive this

  std::optional<std::string> text(std::string_view name) const;
  // Error "invalid_<name>".
  Result<std::optional<int64_t>> integer(std::string_view name, int64_t least, int64_t most) const;
  Result<bool> flag(std::string_view name) const;  // true, false, 1, 0; absent = false
  // RFC 3339, as microseconds.
  Result<std::optional<int64_t>> time(std::string_view name) const;

 private:
  std::string_view query_;
};

// from and to of a request; absent ones are the last 24 hours. Errors: invalid_from, invalid_to,
// invalid_range.
struct TimeRange {
  int64_t from;
  int64_t to;
};
enum class Ends : uint8_t { required, last_day };
Result<TimeRange> time_range(const Parameters& parameters, Ends ends, int64_t now_us);

// What both lists have: limit (1 to 500, 100), status_min and status_max, cursor_at with cursor_id.
// An offset is refused: pages that move under the reader would show rows twice.
template <class Query>
Result<void> read_page(const Parameters& p, Query& query) {
  GP_TRY(const auto low, p.integer("status_min", 0, 999));
  GP_TRY(const auto high, p.integer("status_max", 0, 999));
  if (low) query.status_min = static_cast<int32_t>(*low);
  if (high) query.status_max = static_cast<int32_t>(*high);
  if (low && high && *low > *high) {
    return Error{ErrorKind::invalid, "invalid_status_range", "status_min is above status_max"};
  }
  GP_TRY(const auto limit, p.integer("limit", INT64_MIN, INT64_MAX));
  query.limit = static_cast<size_t>(std::clamp<int64_t>(limit.value_or(100), 1, 500));
  GP_TRY(const auto offset, p.integer("offset", INT64_MIN, INT64_MAX));
  if (offset.value_or(0) != 0) {
    return Error{ErrorKind::invalid, "offset_not_supported", "use cursor_at and cursor_id"};
  }
  GP_TRY(const auto at, p.time("cursor_at"));
  GP_TRY(const auto id, p.integer("cursor_id", 0, INT64_MAX));
  if (at.has_value() != id.has_value()) {
    return Error{ErrorKind::invalid, "invalid_cursor", "cursor_at and cursor_id go together"};
  }
  if (at) query.before = {*at, *id};
  return ok();
}

}  // namespace gproxy::admin
