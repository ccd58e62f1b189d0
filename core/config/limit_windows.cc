#include "config/limit_windows.h"

#include <algorithm>
#include <tuple>

namespace gproxy::config {
namespace {

constexpr int64_t kWhole = 1'000'000;

// "<prefix><subject>" without making it.
bool spells(std::string_view text, std::string_view prefix, std::string_view subject) {
  return text.size() == prefix.size() + subject.size() && text.starts_with(prefix) &&
         text.ends_with(subject);
}

int64_t used_of(const modhost::LimitWindow& window) {
  if (window.used_ppm >= 0 || window.limit <= 0 || window.remaining < 0) return window.used_ppm;
  const double left = static_cast<double>(window.remaining) / static_cast<double>(window.limit);
  return std::max<int64_t>(0, kWhole - static_cast<int64_t>(left * kWhole));
}

}  // namespace

void LimitWindows::note(std::span<const modhost::LimitWindow> windows, std::string_view model,
                        std::string_view operation, int64_t wall_ms) {
  if (windows.empty()) return;
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  for (const auto& window : windows) {
    std::string_view prefix, subject = window.subject;
    if (subject.empty()) {
      const bool of_model = window.scope == modhost::Scope::model && !model.empty();
      prefix = of_model                                    ? "model:"
               : window.scope == modhost::Scope::operation ? "operation:"
                                                           : "account";
      if (of_model) subject = model.substr(0, kMaxModelBytes);
      if (window.scope == modhost::Scope::operation) subject = operation;
    }
    auto& to = entry(window, prefix, subject);
    to.unit.assign(window.unit);
    to.used_ppm = used_of(window);
    to.limit = window.limit;
    to.remaining = window.remaining;
    to.resets_at_ms = window.resets_at_ms;
    to.seen_at_ms = wall_ms;
  }
}

// The one of that name and scope; else a new one, in place of the one not seen for longest.
SeenLimit& LimitWindows::entry(const modhost::LimitWindow& window, std::string_view prefix,
                               std::string_view subject) {
  for (auto& seen : seen_) {
    if (seen.name == window.name && spells(seen.scope, prefix, subject)) return seen;
  }
  SeenLimit* to = nullptr;
  if (seen_.size() < kMost) {
    to = &seen_.emplace_back();
  } else {
    to = &*std::min_element(seen_.begin(), seen_.end(), [](const auto& a, const auto& b) {
      return a.seen_at_ms < b.seen_at_ms;
    });
  }
  to->name.assign(window.name);
  to->scope.assign(prefix).append(subject);
  return *to;
}

std::vector<SeenLimit> LimitWindows::list(int64_t wall_ms) const {
  std::vector<SeenLimit> out;
  {
    std::lock_guard lock(mutex_);
    out = seen_;
  }
  std::erase_if(out, [&](const auto& one) {
    return wall_ms - std::max(one.resets_at_ms, one.seen_at_ms) > kForgetMs;
  });
  for (auto& one : out) {
    if (one.resets_at_ms == 0 || one.resets_at_ms > wall_ms) continue;
    one.resets_at_ms = 0;
    one.used_ppm = 0;
    one.remaining = one.limit;
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.scope) < std::tie(b.name, b.scope);
  });
  return out;
}

void LimitWindows::clear() {
  std::lock_guard lock(mutex_);
  seen_.clear();
}

}  // namespace gproxy::config
