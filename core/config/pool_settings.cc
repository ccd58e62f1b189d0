#include "config/pool_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/arena.h"
#include "base/json.h"
#include "base/strings.h"

namespace gproxy::config {
namespace {

constexpr int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::array kStrategies = {Strategy::round_robin, Strategy::least_in_flight,
                                    Strategy::weighted, Strategy::sticky};

Result<void> known(const json::Value& object, std::string_view prefix,
                   std::vector<std::string_view> names) {
  if (!object.is_object()) return invalid_error("must be an object", std::string(prefix));
  for (const auto& member : object.members()) {
    if (std::find(names.begin(), names.end(), member.key) != names.end()) continue;
    const auto near = nearest(member.key, names);
    auto path = prefix.empty() ? std::string(member.key) : fmt::format("{}.{}", prefix, member.key);
    return invalid_error(near.empty() ? std::string("unknown member")
                                      : fmt::format("unknown member, did you mean `{}`?", near),
                         std::move(path));
  }
  return ok();
}

// Leaves `out` as it is where the member is absent.
template <class I>
Result<void> number(const json::Value& object, std::string_view key, std::string_view prefix,
                    int64_t min, int64_t max, I& out) {
  const auto* value = object.find(key);
  if (value == nullptr || value->is_null()) return ok();
  const auto n = value->as_int();
  if (!n || *n < min || *n > max) {
    return invalid_error(fmt::format("must be a whole number from {} to {}", min, max),
                         prefix.empty() ? std::string(key) : fmt::format("{}.{}", prefix, key));
  }
  out = static_cast<I>(*n);
  return ok();
}

}  // namespace

std::string_view name(Strategy strategy) {
  switch (strategy) {
    case Strategy::round_robin:
      return "round_robin";
    case Strategy::least_in_flight:
      return "least_in_flight";
    case Strategy::weighted:
      return "weighted";
    case Strategy::sticky:
      return "sticky";
  }
  return "round_robin";
}

Result<PoolSettings> parse_pool_settings(std::string_view text) {
  PoolSettings out;
  if (trim(text).empty()) return out;
  Arena arena;
  auto parsed = json::parse(text, arena);
  if (!parsed.ok()) return invalid_error("must be a JSON object", "");
  const auto& root = *parsed;
  GP_CHECK(known(root, "",
                 {"strategy", "max_concurrent", "queue", "first_token_ms", "first_byte_ms",
                  "sticky_move_ms"}));
  if (const auto* strategy = root.find("strategy"); strategy != nullptr && !strategy->is_null()) {
    bool found = false;
    for (const auto candidate : kStrategies) {
      if (!strategy->is_string() || strategy->str() != name(candidate)) continue;
      out.strategy = candidate;
      found = true;
    }
    if (!found) {
      return invalid_error("must be one of round_robin, least_in_flight, weighted, sticky",
                           "strategy");
    }
  }
  GP_CHECK(number(root, "max_concurrent", "", 0, 1'000'000, out.max_concurrent));
  GP_CHECK(number(root, "first_token_ms", "", 0, kDayMs, out.first_token_ms));
  GP_CHECK(number(root, "first_byte_ms", "", 0, kDayMs, out.first_byte_ms));
  GP_CHECK(number(root, "sticky_move_ms", "", 0, kDayMs, out.sticky_move_ms));
  if (const auto* queue = root.find("queue"); queue != nullptr && !queue->is_null()) {
    GP_CHECK(known(*queue, "queue", {"max", "ms"}));
    GP_CHECK(number(*queue, "max", "queue", 0, 1'000'000, out.queue_max));
    GP_CHECK(number(*queue, "ms", "queue", 1, kDayMs, out.queue_ms));
  }
  return out;
}

std::string to_json(const PoolSettings& settings) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("strategy", name(settings.strategy));
  w.field("max_concurrent", int64_t{settings.max_concurrent});
  w.key("queue");
  w.begin_object();
  w.field("max", int64_t{settings.queue_max});
  w.field("ms", settings.queue_ms);
  w.end_object();
  w.field("first_token_ms", settings.first_token_ms);
  w.field("first_byte_ms", settings.first_byte_ms);
  w.field("sticky_move_ms", settings.sticky_move_ms);
  w.end_object();
  return out;
}

Result<MemberSettings> parse_member_settings(std::string_view text) {
  MemberSettings out;
  if (text.find("\"weight\"") == text.npos && text.find("\"max_concurrent\"") == text.npos)
    return out;
  Arena arena;
  auto parsed = json::parse(text, arena);
  if (!parsed.ok() || !parsed->is_object()) return invalid_error("must be a JSON object", "");
  GP_CHECK(number(*parsed, "weight", "", 1, MemberSettings::kMaxWeight, out.weight));
  GP_CHECK(number(*parsed, "max_concurrent", "", 0, 1'000'000, out.max_concurrent));
  return out;
}

}  // namespace gproxy::config
