#include "admin/parameters.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/strings.h"

namespace gproxy::admin {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;

// Codes live as long as the process: an Error holds a view of its code.
struct Codes {
  std::string_view name, code;
};
constexpr Codes kCodes[] = {
    {"from", "invalid_from"},
    {"to", "invalid_to"},
    {"cursor_at", "invalid_cursor_at"},
    {"cursor_id", "invalid_cursor"},
    {"status_min", "invalid_status_range"},
    {"status_max", "invalid_status_range"},
};

Error invalid(std::string_view name, std::string message) {
  std::string_view code = "invalid_parameter";
  for (const auto& row : kCodes) {
    if (row.name == name) code = row.code;
  }
  return Error{ErrorKind::invalid, code, std::move(message), std::string(name)};
}

}  // namespace

std::optional<std::string> Parameters::text(std::string_view name) const {
  for (const auto part : split(query_, '&')) {
    const size_t eq = part.find('=');
    if (eq == std::string_view::npos || part.substr(0, eq) != name) continue;
    const auto value = percent_decode(part.substr(eq + 1), true);
    if (!value) continue;
    const auto trimmed = trim(*value);
    if (!trimmed.empty()) return std::string(trimmed);
  }
  return std::nullopt;
}

Result<std::optional<int64_t>> Parameters::integer(std::string_view name, int64_t least,
                                                   int64_t most) const {
  const auto given = text(name);
  if (!given) return std::optional<int64_t>();
  const auto value = parse_int(*given);
  if (!value || *value < least || *value > most) {
    return invalid(
        name, "must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

Result<bool> Parameters::flag(std::string_view name) const {
  const auto given = text(name);
  if (!given || *given == "false" || *given == "0") return false;
  if (*given == "true" || *given == "1") return true;
  return invalid(name, "must be true or false");
}

Result<std::optional<int64_t>> Parameters::time(std::string_view name) const {
  const auto given = text(name);
  if (!given) return std::optional<int64_t>();
  auto at = parse_rfc3339(*given);
  // A plus sign that was not escaped has become a space.
  if (!at && given->find(' ') != std::string::npos) {
    std::string repaired = *given;
    repaired[repaired.rfind(' ')] = '+';
    at = parse_rfc3339(repaired);
  }
  if (!at) return invalid(name, "must be an RFC 3339 time, as in 2026-01-31T08:00:00Z");
  return at;
}

Result<TimeRange> time_range(const Parameters& parameters, Ends ends, int64_t now_us) {
  GP_TRY(const auto from, parameters.time("from"));
  GP_TRY(const auto to, parameters.time("to"));
  if (ends == Ends::required) {
    if (!from) return invalid("from", "is required");
    if (!to) return invalid("to", "is required");
  }
  TimeRange range;
  range.to = to.value_or(now_us);
  range.from = from.value_or((to ? *to : now_us) - kDayUs);
  if (range.to < range.from) {
    return Error{ErrorKind::invalid, "invalid_range", "`to` must be >= `from`"};
  }
  return range;
}

}  // namespace gproxy::admin
