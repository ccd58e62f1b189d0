#include "modhost/host_table.h"

#include <type_traits>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base_version.h"
#include "modhost/abi_text.h"
#include "modhost/host_api.h"

namespace gproxy::modhost {
namespace {

void* host_alloc(gp_arena* arena, size_t bytes, size_t align) {
  if (arena == nullptr || align == 0 || align > 16 || (align & (align - 1)) != 0) return nullptr;
  return reinterpret_cast<Arena*>(arena)->alloc(bytes, align);
}

int64_t host_now_ms() {
  return Clock::system().wall_ms();
}

const void* host_extension_by_id(const gp_host*, gp_str id) {
  return is_sound(id) ? host_extension(view(id)) : nullptr;
}

}  // namespace

HostTable::HostTable(std::string module_id) : id_(std::move(module_id)) {
  static_assert(std::is_standard_layout_v<Bound>);
  auto& host = bound_.host;
  host.size = sizeof host;
  host.abi_major = GP_ABI_MAJOR;
  host.abi_minor = GP_ABI_MINOR;
  host.version = to_gp(GPROXY_VERSION);
  host.user_agent = to_gp("gproxy/" GPROXY_VERSION);
  host.alloc = host_alloc;
  host.log = on_log;
  host.now_ms = host_now_ms;
  host.extension = host_extension_by_id;
  bound_.owner = this;
}

void HostTable::on_log(const gp_host* self, int32_t level, gp_str message) {
  if (self == nullptr) return;
  reinterpret_cast<const Bound*>(self)->owner->log(level, message);
}

bool HostTable::may_log(int64_t now_ms) {
  if (now_ms < muted_until_.load(std::memory_order_relaxed)) return false;
  auto second = now_ms / 1000;
  if (second_.exchange(second, std::memory_order_relaxed) != second)
    lines_.store(0, std::memory_order_relaxed);
  if (lines_.fetch_add(1, std::memory_order_relaxed) < kLinesPerSecond) return true;
  auto until = now_ms + kMuteMs;
  if (muted_until_.exchange(until, std::memory_order_relaxed) < now_ms) {
    log::warn("module logs too much, muted", {{"module", id_}, {"for_ms", kMuteMs}});
  }
  return false;
}

void HostTable::log(int32_t level, gp_str message) {
  auto to = level == GP_LOG_DEBUG   ? log::Level::debug
            : level == GP_LOG_WARN  ? log::Level::warn
            : level == GP_LOG_ERROR ? log::Level::error
                                    : log::Level::info;
  if (!log::enabled(to) || !may_log(Clock::system().now_ms())) return;
  constexpr size_t kMaxLine = 1024;
  if (message.len > kMaxLine) message.len = kMaxLine;
  if (!is_sound(message)) return;
  log::write(to, view(message), {{"module", id_}});
}

}  // namespace gproxy::modhost
