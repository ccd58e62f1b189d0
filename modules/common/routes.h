// Route tables by groups of rows: what a kind does with each protocol. constexpr.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "gproxy/module.hpp"

namespace gproxy_common {

// How rows are served.
struct Way {
  int32_t mode = GP_ROUTE_NATIVE;
  int32_t target = 0;
};
inline constexpr Way kNative{GP_ROUTE_NATIVE, 0};
inline constexpr Way kLocal{GP_ROUTE_LOCAL, 0};
constexpr Way into(int32_t protocol) {
  return {GP_ROUTE_TRANSLATE, protocol};
}

template <size_t... N>
constexpr auto joined(const std::array<gp_route, N>&... groups) {
  std::array<gp_route, (N + ...)> out{};
  size_t used = 0;
  const auto append = [&](const auto& group) {
    for (const gp_route& row : group) out[used++] = row;
  };
  (append(groups), ...);
  return out;
}

constexpr std::array<gp_route, 1> row(int32_t protocol, int32_t operation, Way way) {
  return {{{protocol, operation, way.mode, way.target}}};
}
// Whole and streamed.
constexpr std::array<gp_route, 2> generation(int32_t protocol, Way way) {
  return joined(row(protocol, GP_OP_GENERATE, way), row(protocol, GP_OP_STREAM_GENERATE, way));
}
constexpr std::array<gp_route, 1> counts(int32_t protocol, Way way) {
  return row(protocol, GP_OP_COUNT_TOKENS, way);
}
// The list and one of them.
constexpr std::array<gp_route, 2> models(int32_t protocol, Way way) {
  return joined(row(protocol, GP_OP_MODEL_LIST, way), row(protocol, GP_OP_MODEL_GET, way));
}
// Counts and models; of OpenAI's protocols they belong to GP_PROTOCOL_OPENAI.
constexpr std::array<gp_route, 3> lookups(int32_t protocol, Way way) {
  return joined(counts(protocol, way), models(protocol, way));
}
constexpr std::array<gp_route, 5> everything(int32_t protocol, Way way) {
  return joined(generation(protocol, way), lookups(protocol, way));
}
// Logins and quotas of accounts.
constexpr std::array<gp_route, 3> accounts() {
  return joined(row(GP_PROTOCOL_NONE, GP_OP_OAUTH_START, kNative),
                row(GP_PROTOCOL_NONE, GP_OP_OAUTH_CALLBACK, kNative),
                row(GP_PROTOCOL_NONE, GP_OP_USAGE, kNative));
}

}  // namespace gproxy_common
