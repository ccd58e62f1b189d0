#include "gateway/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace gproxy::gateway {
namespace {

constexpr int64_t kBusyRetryMs = 1000;

Error limited(std::string message, int64_t wait_us) {
  Error error{ErrorKind::rate, "rate_limit_exceeded", std::move(message)};
  error.retry_after_ms = std::max<int64_t>((wait_us + 999) / 1000, 1);
  return error;
}

std::string_view owner(int side) {
  return side == 0 ? "key" : "user";
}

// As OpenAI writes it: "120ms", "7.5s", "1m30s".
std::string duration(int64_t us) {
  const int64_t ms = (us + 999) / 1000;
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 60'000) {
    return ms % 1000 == 0 ? fmt::format("{}s", ms / 1000)
                          : fmt::format("{}.{:03}s", ms / 1000, ms % 1000);
  }
  return fmt::format("{}m{}s", ms / 60'000, (ms % 60'000 + 999) / 1000);
}

}  // namespace

Admission::Side Admission::side(int i) const {
  return i == 0 ? Side{key_->bounds.get(), key_->rate.get()}
                : Side{key_->user_bounds.get(), key_->user_rate.get()};
}

Result<void> Admission::enter(int64_t expected_tokens, int64_t now_us) {
  // What was taken before a refusal is put back, the last first.
  int running = 0, requests = 0, tokens = 0;
  const auto take = [&]() -> Result<void> {
    for (; running < 2; ++running) {
      const auto [bounds, slot] = side(running);
      const int64_t limit = bounds->concurrent_requests;
      if (limit > 0 && !slot->enter(limit)) {
        return limited(
            fmt::format("the {} may have {} requests running at a time", owner(running), limit),
            kBusyRetryMs * 1000);
      }
    }
    for (; requests < 2; ++requests) {
      const auto [bounds, slot] = side(requests);
      const int64_t limit = bounds->requests_per_minute;
      if (limit <= 0) continue;
      if (const int64_t wait = slot->requests.take(1, limit, now_us); wait > 0) {
        return limited(fmt::format("the {} may make {} requests a minute", owner(requests), limit),
                       wait);
      }
    }
    for (; tokens < 2 && expected_tokens > 0; ++tokens) {
      const auto [bounds, slot] = side(tokens);
      const int64_t limit = bounds->tokens_per_minute;
      if (limit <= 0) continue;
      if (const int64_t wait = slot->tokens.take(expected_tokens, limit, now_us); wait > 0) {
        return limited(fmt::format("the {} may use {} tokens a minute", owner(tokens), limit),
                       wait);
      }
    }
    return ok();
  };
  auto taken = take();
  if (taken.ok()) {
    inside_ = true;
    reserved_ = expected_tokens;
    return taken;
  }
  for (int i = 0; i < 2; ++i) {
    const auto [bounds, slot] = side(i);
    if (i < running && bounds->concurrent_requests > 0) slot->leave();
    if (i < requests && bounds->requests_per_minute > 0)
      slot->requests.adjust(-1, bounds->requests_per_minute, now_us);
    if (i < tokens && bounds->tokens_per_minute > 0) {
      const int64_t limit = bounds->tokens_per_minute;
      slot->tokens.adjust(-std::min(expected_tokens, limit), limit, now_us);
    }
  }
  return taken;
}

void Admission::use(int64_t tokens, bool known) {
  used_ += std::max<int64_t>(tokens, 0);
  unknown_ = unknown_ || !known;
}

void Admission::leave(int64_t now_us) {
  if (!inside_) return;
  inside_ = false;
  for (int i = 0; i < 2; ++i) {
    const auto [bounds, slot] = side(i);
    if (bounds->concurrent_requests > 0) slot->leave();
    const int64_t limit = bounds->tokens_per_minute;
    if (limit <= 0 || reserved_ <= 0) continue;
    const int64_t held = std::min(reserved_, limit);
    const int64_t used = unknown_ ? std::max(used_, held) : used_;
    slot->tokens.adjust(used - held, limit, now_us);
  }
}

size_t Admission::headers(std::span<http::HeaderView> out, Arena& arena, int64_t now_us) const {
  size_t n = 0;
  const auto write = [&](int64_t config::Bounds::*limit_of,
                         config::MinuteMeter config::RateSlot::*meter, std::string_view limit_name,
                         std::string_view remaining_name, std::string_view reset_name) {
    int64_t limit = 0, remaining = 0, reset = 0;
    for (int i = 0; i < 2; ++i) {
      const auto [bounds, slot] = side(i);
      const int64_t own = bounds->*limit_of;
      if (own <= 0) continue;
      const int64_t left = (slot->*meter).remaining(own, now_us);
      if (limit > 0 && left >= remaining) continue;
      limit = own;
      remaining = left;
      reset = (slot->*meter).reset_us(now_us);
    }
    if (limit == 0 || n + 3 > out.size()) return;
    out[n++] = {limit_name, arena.copy(std::to_string(limit))};
    out[n++] = {remaining_name, arena.copy(std::to_string(remaining))};
    out[n++] = {reset_name, arena.copy(duration(reset))};
  };
  write(&config::Bounds::requests_per_minute, &config::RateSlot::requests,
        "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests");
  write(&config::Bounds::tokens_per_minute, &config::RateSlot::tokens, "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens");
  int64_t limit = 0, remaining = 0;
  for (int i = 0; i < 2; ++i) {
    const auto [bounds, slot] = side(i);
    const int64_t own = bounds->concurrent_requests;
    if (own <= 0) continue;
    const int64_t left = std::max<int64_t>(own - slot->running(), 0);
    if (limit > 0 && left >= remaining) continue;
    limit = own;
    remaining = left;
  }
  if (limit > 0 && n + 2 <= out.size()) {
    out[n++] = {"x-ratelimit-limit-concurrent-requests", arena.copy(std::to_string(limit))};
    out[n++] = {"x-ratelimit-remaining-concurrent-requests", arena.copy(std::to_string(remaining))};
  }
  return n;
}

}  // namespace gproxy::gateway
