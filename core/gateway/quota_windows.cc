#include "gateway/quota_windows.h"

#include <algorithm>
#include <optional>

#include "base/clock.h"
#include "base/json.h"

namespace gproxy::gateway {
namespace {

std::optional<double> number(const json::Value& value) {
  if (!value.is_number()) return std::nullopt;
  return value.as_double();
}

void member(json::Writer& w, std::string_view name, const std::optional<double>& value) {
  w.key(name);
  value ? w.number(*value) : w.null();
}

void text(json::Writer& w, std::string_view name, const json::Value& value) {
  w.key(name);
  value.is_string() ? w.string(value.str()) : w.null();
}

void window(json::Writer& w, const json::Value& in) {
  const auto used = number(in["used"]), limit = number(in["limit"]);
  auto percent = number(in["used_percent"]);
  auto remaining = number(in["remaining"]);
  if (!remaining && used && limit) remaining = std::max(0.0, *limit - *used);
  if (!percent && limit && *limit > 0) {
    if (used) {
      percent = *used / *limit * 100;
    } else if (remaining) {
      percent = (*limit - *remaining) / *limit * 100;
    }
  }
  if (percent) percent = std::clamp(*percent, 0.0, 100.0);
  w.begin_object();
  text(w, "name", in["name"]);
  text(w, "scope", in["scope"]);
  member(w, "used_percent", percent);
  member(w, "remaining", remaining);
  w.key("reset_at");
  if (const auto reset = in["resets_at_ms"].as_int(); reset && *reset > 0) {
    w.string(rfc3339(*reset * 1000));
  } else {
    w.null();
  }
  if (in["unit"].is_string()) w.field("unit", in["unit"].str());
  if (used) w.field("used", *used);
  if (limit) w.field("limit", *limit);
  w.end_object();
}

}  // namespace

std::string normalized_windows(std::string_view windows_json) {
  Arena arena;
  std::string out;
  json::Writer w(out);
  w.begin_array();
  if (const auto parsed = json::parse(windows_json, arena); parsed.ok()) {
    for (const auto& item : parsed->items()) {
      if (item.is_object()) window(w, item);
    }
  }
  w.end_array();
  return out;
}

void write_seen_limits(json::Writer& w, std::span<const config::SeenLimit> limits) {
  const auto amount = [&](std::string_view name, int64_t value) {
    w.key(name);
    value >= 0 ? w.number(static_cast<double>(value)) : w.null();
  };
  w.begin_array();
  for (const auto& one : limits) {
    w.begin_object();
    w.field("name", one.name);
    w.field("scope", one.scope);
    w.key("used_percent");
    constexpr double kPpmPerPercent = 10'000;
    one.used_ppm >= 0
        ? w.number(std::min(static_cast<double>(one.used_ppm) / kPpmPerPercent, 100.0))
        : w.null();
    amount("remaining", one.remaining);
    w.key("reset_at");
    one.resets_at_ms > 0 ? w.string(rfc3339(one.resets_at_ms * 1000)) : w.null();
    if (!one.unit.empty()) w.field("unit", one.unit);
    if (one.limit >= 0) amount("limit", one.limit);
    w.field("seen_at", rfc3339(one.seen_at_ms * 1000));
    w.end_object();
  }
  w.end_array();
}

}  // namespace gproxy::gateway
