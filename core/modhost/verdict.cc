#include "modhost/verdict.h"

#include <algorithm>

#include "base/clock.h"
#include "base/json_scan.h"
#include "base/strings.h"
#include "gproxy/abi.h"

namespace gproxy::modhost {

std::string_view name(FailureKind kind) {
  switch (kind) {
    case FailureKind::status:
      return "status";
    case FailureKind::connect:
      return "connect";
    case FailureKind::dns:
      return "dns";
    case FailureKind::tls:
      return "tls";
    case FailureKind::connect_timeout:
      return "connect_timeout";
    case FailureKind::first_byte_timeout:
      return "first_byte_timeout";
    case FailureKind::idle_timeout:
      return "idle_timeout";
    case FailureKind::total_timeout:
      return "total_timeout";
    case FailureKind::reset:
      return "reset";
    case FailureKind::protocol:
      return "protocol";
    case FailureKind::too_large:
      return "too_large";
    case FailureKind::proxy:
      return "proxy";
    case FailureKind::other:
      return "other";
    case FailureKind::stream_error:
      return "stream_error";
  }
  return "other";
}

std::string_view name(Action action) {
  switch (action) {
    case Action::deliver:
      return "deliver";
    case Action::retry_same:
      return "retry_same";
    case Action::retry_patched:
      return "retry_patched";
    case Action::refresh:
      return "refresh";
    case Action::next:
      return "next";
    case Action::cool_down:
      return "cool_down";
    case Action::dead:
      return "dead";
  }
  return "deliver";
}

namespace {

constexpr int32_t kCauseRejected = 1;  // GP_CAUSE_REJECTED, asserted in call.cc

Verdict rate_limited(const Failure& failure, const CoolDownLimits& limits) {
  auto wait = retry_after_ms(failure.headers, failure.wall_ms).value_or(limits.rate_limit_ms);
  // A Retry-After of zero, or one in the past, must not become a loop over the same credential.
  wait = std::clamp(wait, limits.min_ms, limits.default_max_ms);
  // Lists and lookups name no model: what is limited then is this operation.
  auto scope = failure.model.empty() ? Scope::operation : Scope::model;
  return {Action::cool_down, scope, wait, "rate_limit", {}, 0};
}

// A single failure may be the request's own doing (a poison request would otherwise put every
// credential to rest, for everybody); several in a row are the credential's or the upstream's.
Verdict troubled(const Failure& failure, std::string_view reason, const CoolDownLimits& limits) {
  if (failure.consecutive + 1 < limits.server_errors) {
    return {Action::next, Scope::credential, 0, reason, {}, 0};
  }
  return {Action::cool_down,
          Scope::credential,
          std::max(limits.server_error_ms, limits.min_ms),
          reason,
          {},
          0};
}

int64_t doubled(int64_t base, int times, int64_t cap) {
  for (int i = 0; i < times && base < cap; ++i) base *= 2;
  return std::min(base, cap);
}

Verdict judge_status(const Failure& failure, const CoolDownLimits& limits) {
  if (failure.status == 429) return rate_limited(failure, limits);
  if (failure.status == 401) {
    if (failure.can_refresh)
      return {Action::refresh, Scope::credential, 0, "auth_invalid", {}, kCauseRejected};
    auto rest = std::max(doubled(limits.auth_ms, failure.same_status, limits.default_max_ms),
                         limits.min_ms);
    return {Action::cool_down, Scope::credential, rest, "auth_invalid", {}, 0};
  }
  if (failure.status == 402) {
    // Nothing helps before money comes; a look now and then costs nothing.
    const auto rest = retry_after_ms(failure.headers, failure.wall_ms).value_or(limits.billing_ms);
    return {Action::cool_down,
            Scope::credential,
            std::clamp(rest, limits.min_ms, limits.default_max_ms),
            "billing",
            {},
            0};
  }
  if (failure.status == 403) {
    // A 403 is often about the request (region, policy, access to one model).
    if (failure.same_status + 1 < limits.server_errors) {
      return {Action::next, Scope::credential, 0, "auth_invalid", {}, 0};
    }
    auto rest = doubled(limits.auth_ms, failure.same_status + 1 - limits.server_errors,
                        limits.default_max_ms);
    return {
        Action::cool_down, Scope::credential, std::max(rest, limits.min_ms), "auth_invalid", {}, 0};
  }
  if (failure.status == 408) return {Action::next, Scope::credential, 0, "timeout", {}, 0};
  if (failure.status == 501 || failure.status == 505) return {};
  if (failure.status < 500) return {};
  // Who says when to come back speaks of itself, not of the request.
  const auto asked = retry_after_ms(failure.headers, failure.wall_ms).value_or(0);
  if (asked <= 0) return troubled(failure, "upstream_5xx", limits);
  return {Action::cool_down,
          failure.model.empty() ? Scope::operation : Scope::model,
          std::clamp(asked, limits.min_ms, limits.default_max_ms),
          "upstream_5xx",
          {},
          0};
}

}  // namespace

Verdict give_up_on(const Failure& failure, Verdict verdict, const CoolDownLimits& limits) {
  if (limits.auth_failures <= 0 || failure.kind != FailureKind::status || failure.status != 401 ||
      verdict.action != Action::cool_down || verdict.scope != Scope::credential ||
      failure.auth_rests + 1 < limits.auth_failures) {
    return verdict;
  }
  return {Action::dead, Scope::credential, 0, "auth_invalid", {}, 0};
}

Verdict default_verdict(const Failure& failure, const CoolDownLimits& limits) {
  switch (failure.kind) {
    case FailureKind::status:
      return judge_status(failure, limits);
    case FailureKind::stream_error: {
      // An error event in a stream that began well names its kind in type or code.
      if (!json::validate(failure.body).ok()) return troubled(failure, "upstream_5xx", limits);
      for (auto member : {"type", "code", "status"}) {
        auto span = json::find(failure.body, {"error", member});
        if (!span.found || span.kind != json::Kind::string) continue;
        auto word = to_lower(json::decode_string(failure.body, span));
        if (word.find("rate_limit") != word.npos || word.find("exhausted") != word.npos) {
          return rate_limited(failure, limits);
        }
      }
      return troubled(failure, "upstream_5xx", limits);
    }
    case FailureKind::connect:
    case FailureKind::dns:
    case FailureKind::tls:
    case FailureKind::connect_timeout:
    case FailureKind::first_byte_timeout:
    case FailureKind::idle_timeout:
    case FailureKind::total_timeout:
      return troubled(failure, "timeout", limits);
    case FailureKind::reset:
    case FailureKind::protocol:
      return troubled(failure, "unknown", limits);
    case FailureKind::proxy:  // ours: no credential is to blame
    case FailureKind::too_large:
    case FailureKind::other:
      return {};
  }
  return {};
}

std::optional<int64_t> retry_after_ms(std::span<const http::HeaderView> headers, int64_t wall_ms) {
  // Case-insensitive look-up by hand: verdicts are rare and the list is short.
  std::string_view in_ms, plain;
  for (const auto& header : headers) {
    if (in_ms.data() == nullptr && iequals(header.name, "retry-after-ms")) in_ms = header.value;
    if (plain.data() == nullptr && iequals(header.name, "retry-after")) plain = header.value;
  }
  constexpr int64_t kMost = int64_t{1} << 50;
  if (auto ms = parse_uint(trim(in_ms)))
    return std::min<int64_t>(static_cast<int64_t>(std::min<uint64_t>(*ms, kMost)), kMost);
  plain = trim(plain);
  if (plain.empty()) return std::nullopt;
  // Some vendors send fractions of a second; the fraction is rounded up.
  auto dot = plain.find('.');
  auto whole = plain.substr(0, dot);
  if (auto seconds = parse_uint(whole)) {
    bool fraction = dot != plain.npos;
    if (fraction && !std::all_of(plain.begin() + static_cast<long>(dot) + 1, plain.end(),
                                 [](char c) { return c >= '0' && c <= '9'; })) {
      return std::nullopt;
    }
    auto bounded = static_cast<int64_t>(std::min<uint64_t>(*seconds, kMost / 1000));
    return (bounded + (fraction ? 1 : 0)) * 1000;
  }
  if (auto date = parse_http_date(plain)) return std::max<int64_t>(0, *date * 1000 - wall_ms);
  return std::nullopt;
}

int32_t abi_number(FailureKind kind) {
  switch (kind) {
    case FailureKind::status:
      return GP_FAILURE_HTTP;
    case FailureKind::stream_error:
      return GP_FAILURE_STREAM_ERROR;
    case FailureKind::connect:
      return GP_FAILURE_CONNECT;
    case FailureKind::dns:
      return GP_FAILURE_DNS;
    case FailureKind::tls:
      return GP_FAILURE_TLS;
    case FailureKind::connect_timeout:
      return GP_FAILURE_CONNECT_TIMEOUT;
    case FailureKind::first_byte_timeout:
      return GP_FAILURE_FIRST_BYTE_TIMEOUT;
    case FailureKind::idle_timeout:
      return GP_FAILURE_IDLE_TIMEOUT;
    case FailureKind::total_timeout:
      return GP_FAILURE_TOTAL_TIMEOUT;
    case FailureKind::reset:
      return GP_FAILURE_RESET;
    case FailureKind::protocol:
      return GP_FAILURE_PROTOCOL;
    case FailureKind::too_large:
      return GP_FAILURE_TOO_LARGE;
    case FailureKind::proxy:
      return GP_FAILURE_PROXY;
    case FailureKind::other:
      return GP_FAILURE_OTHER;
  }
  return GP_FAILURE_OTHER;
}

}  // namespace gproxy::modhost
