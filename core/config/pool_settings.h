// How a provider's credentials are used: the provider's `pool` object and the members of a
// credential's settings that concern it. Pure values; parsed and checked when they are written, and
// again when a snapshot is built (a row written by hand falls back to the defaults). Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gproxy::config {

enum class Strategy : uint8_t {
  round_robin,      // one after the other
  least_in_flight,  // the one with the fewest running requests
  weighted,         // in proportion to the credentials' weights
  sticky,           // a conversation stays with its credential; new ones go round
};
std::string_view name(Strategy strategy);

struct PoolSettings {
  Strategy strategy = Strategy::round_robin;
  // Running requests of one credential, over the whole process; 0 = no limit. A credential's own
  // `max_concurrent` counts instead.
  uint32_t max_concurrent = 0;
  // Requests that may wait for a credential instead of being answered 503 at once; 0 = none.
  uint32_t queue_max = 0;
  int64_t queue_ms = 10'000;  // the longest such wait
  // No content byte of a stream within it: the next credential; 0 = no deadline.
  int64_t first_token_ms = 0;
  // The same for whole answers, of which the first byte comes when all of it is made.
  int64_t first_byte_ms = 0;
  int64_t sticky_move_ms = 60'000;  // a rest longer than this moves a conversation for good

  bool operator==(const PoolSettings&) const = default;
};

// {"strategy": "sticky", "max_concurrent": 4, "queue": {"max": 100, "ms": 5000},
//  "first_token_ms": 20000, "first_byte_ms": 120000, "sticky_move_ms": 60000}, all optional.
// Error: invalid, param = the member's path.
Result<PoolSettings> parse_pool_settings(std::string_view json);
// With every member.
std::string to_json(const PoolSettings& settings);

struct MemberSettings {
  static constexpr uint32_t kMaxWeight = 100;
  uint32_t weight = 1;          // 1 .. kMaxWeight
  int64_t max_concurrent = -1;  // -1 = the provider's
};
// `weight` and `max_concurrent` of a credential's settings_json; other members are not its
// business.
Result<MemberSettings> parse_member_settings(std::string_view json);

}  // namespace gproxy::config
