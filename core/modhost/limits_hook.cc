#include "modhost/limits_hook.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "gproxy/ext/limits.h"
#include "modhost/abi_text.h"
#include "modhost/provider.h"

namespace gproxy::modhost {
namespace {

static_assert(kMaxLimits == GP_MAX_LIMITS);

constexpr int64_t kMostPpm = 1'000'000'000;  // a thousand times the limit

// A header's piece is shown to people: printable, and short.
bool is_label(gp_str text) {
  if (!is_sound(text) || text.len > GP_MAX_LIMIT_TEXT) return false;
  const auto label = view(text);
  return std::all_of(label.begin(), label.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Scope scope_of(int32_t number) {
  return number == GP_SCOPE_MODEL       ? Scope::model
         : number == GP_SCOPE_OPERATION ? Scope::operation
                                        : Scope::credential;
}

std::span<const LimitWindow> broken(const Provider& provider, std::string_view rule) {
  log::warn("limits ignored", provider.breach("read", rule));
  return {};
}

}  // namespace

std::span<const LimitWindow> read_limits(const Provider& provider, const AnswerHead& head,
                                         LimitList& room) {
  gp_limits_in in{};
  in.size = sizeof in;
  in.status = head.status;
  in.protocol = static_cast<int32_t>(head.protocol);
  in.operation = static_cast<int32_t>(head.operation);
  in.now_ms = head.wall_ms;
  in.model = to_gp(head.model);
  in.headers = reinterpret_cast<const gp_header*>(head.headers.data());
  in.header_count = head.headers.size();
  in.credential = head.credential->handle();
  std::array<gp_limit, kMaxLimits> out{};
  size_t count = 0;
  const auto started = provider.clock().now_us();
  const auto status = provider.module().extensions().limits->read(provider.handle(), &in,
                                                                  out.data(), out.size(), &count);
  provider.note_duration("read", started);
  if (status == GP_ERR_NOT_FOUND) return {};
  if (status != GP_OK) return broken(provider, fmt::format("failed ({})", status));
  if (count > out.size()) return broken(provider, "tells of more windows than there is room for");
  for (size_t i = 0; i < count; ++i) {
    const auto& from = out[i];
    if (from.name.len == 0 || !is_label(from.name) || !is_label(from.subject) ||
        !is_label(from.unit)) {
      return broken(provider, "a window's text is not one of at most 48 printable bytes");
    }
    auto& to = room[i];
    to.name = view(from.name);
    to.subject = view(from.subject);
    to.unit = view(from.unit);
    to.used_ppm = std::clamp<int64_t>(from.used_ppm, -1, kMostPpm);
    to.limit = std::max<int64_t>(from.limit, -1);
    to.remaining = std::max<int64_t>(from.remaining, -1);
    to.resets_at_ms = std::max<int64_t>(from.resets_at_ms, 0);
    to.scope = scope_of(from.scope);
    to.rest = (from.flags & GP_LIMIT_REST) != 0;
  }
  return {room.data(), count};
}

}  // namespace gproxy::modhost
