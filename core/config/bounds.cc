#include "config/bounds.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"

namespace gproxy::config {
namespace {

constexpr size_t kMaxListed = 1000;
constexpr size_t kMaxText = 256;
constexpr int64_t kMaxPerMinute = 1'000'000'000;
constexpr int64_t kMaxConcurrent = 1'000'000;

constexpr std::array<std::string_view, 6> kNames = {"expires_at",        "allowed_providers",
                                                    "allowed_models",    "requests_per_minute",
                                                    "tokens_per_minute", "concurrent_requests"};

Result<void> apply_number(int64_t& slot, int64_t max, std::string_view name,
                          const json::Value& value) {
  if (value.is_null()) {
    slot = 0;
    return ok();
  }
  const auto number = value.as_int();
  if (!number || *number < 1 || *number > max) {
    return invalid_error(fmt::format("must be null or a number from 1 to {}", max),
                         std::string(name));
  }
  slot = *number;
  return ok();
}

Result<void> apply_list(std::vector<std::string>& slot, std::string_view name,
                        const json::Value& value) {
  if (value.is_null()) {
    slot.clear();
    return ok();
  }
  // An empty list could mean "none" or "all": it is refused rather than guessed.
  if (!value.is_array() || value.empty() || value.size() > kMaxListed) {
    return invalid_error(fmt::format("must be null or a list of 1 to {} names", kMaxListed),
                         std::string(name));
  }
  std::vector<std::string> out;
  for (size_t i = 0; i < value.size(); ++i) {
    const auto text = trim(value[i].str());
    const bool printable = std::none_of(text.begin(), text.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (text.empty() || text.size() > kMaxText || !printable || !is_valid_utf8(text)) {
      return invalid_error(fmt::format("must be a text of 1 to {} bytes", kMaxText),
                           fmt::format("{}[{}]", name, i));
    }
    if (std::find(out.begin(), out.end(), text) == out.end()) out.emplace_back(text);
  }
  slot = std::move(out);
  return ok();
}

}  // namespace

const std::array<std::string_view, 6>& bound_names() {
  return kNames;
}

bool is_bound(std::string_view name) {
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

Result<void> apply_bound(Bounds& bounds, std::string_view name, const json::Value& value) {
  if (name == "allowed_providers") return apply_list(bounds.providers, name, value);
  if (name == "allowed_models") return apply_list(bounds.models, name, value);
  if (name == "requests_per_minute")
    return apply_number(bounds.requests_per_minute, kMaxPerMinute, name, value);
  if (name == "tokens_per_minute")
    return apply_number(bounds.tokens_per_minute, kMaxPerMinute, name, value);
  if (name == "concurrent_requests")
    return apply_number(bounds.concurrent_requests, kMaxConcurrent, name, value);
  if (name != "expires_at") return invalid_error("is no bound", std::string(name));
  if (value.is_null()) {
    bounds.expires_at_us = 0;
    return ok();
  }
  const auto at = parse_rfc3339(value.str());
  if (!at || *at <= 0) {
    return invalid_error("must be null or a time as 2026-01-31T12:00:00Z", std::string(name));
  }
  bounds.expires_at_us = *at;
  return ok();
}

void write_bounds(json::Writer& w, const Bounds& bounds) {
  const auto list = [&](std::string_view name, const std::vector<std::string>& texts) {
    w.key(name);
    if (texts.empty()) return w.null();
    w.begin_array();
    for (const auto& text : texts) w.string(text);
    w.end_array();
  };
  const auto number = [&](std::string_view name, int64_t value) {
    w.key(name);
    value > 0 ? w.integer(value) : w.null();
  };
  w.key("expires_at");
  bounds.expires_at_us > 0 ? w.string(rfc3339(bounds.expires_at_us)) : w.null();
  list("allowed_providers", bounds.providers);
  list("allowed_models", bounds.models);
  number("requests_per_minute", bounds.requests_per_minute);
  number("tokens_per_minute", bounds.tokens_per_minute);
  number("concurrent_requests", bounds.concurrent_requests);
}

std::string stored_bounds(const Bounds& bounds) {
  std::string all;
  json::Writer w(all);
  w.begin_object();
  write_bounds(w, bounds);
  w.end_object();
  Arena arena;
  auto value = json::parse(all, arena);
  if (!value.ok()) return "{}";
  for (const auto name : kNames) {
    if ((*value)[name].is_null()) value->remove(name);
  }
  return json::write(*value);
}

Bounds read_bounds(std::string_view stored) {
  Bounds out;
  Arena arena;
  const auto value = json::parse(stored, arena);
  if (!value.ok()) return out;
  for (const auto& member : value->members()) {
    if (is_bound(member.key)) static_cast<void>(apply_bound(out, member.key, member.value).ok());
  }
  return out;
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  // The last star is where a mismatch goes back to: linear for one star, and bounded by the product
  // of two short lengths for more.
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool allows_provider(const Bounds& bounds, std::string_view provider) {
  return bounds.providers.empty() || std::find(bounds.providers.begin(), bounds.providers.end(),
                                               provider) != bounds.providers.end();
}

bool allows_model(const Bounds& bounds, std::string_view provider, std::string_view model) {
  if (bounds.models.empty()) return true;
  // Gemini's paths say models/x for x.
  if (model.starts_with("models/")) model.remove_prefix(7);
  for (const auto& pattern : bounds.models) {
    if (matches_pattern(pattern, model)) return true;
    const std::string_view whole = pattern;
    const size_t slash = whole.find('/');
    if (slash != whole.npos && whole.substr(0, slash) == provider &&
        matches_pattern(whole.substr(slash + 1), model)) {
      return true;
    }
  }
  return false;
}

}  // namespace gproxy::config
