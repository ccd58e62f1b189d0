// What bounds a user or one of its keys: until when, which providers and models, how much a minute.
// One reader and one writer for the configuration file, the admin API and the store. Pure; any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace gproxy::config {

// Absent (zero or empty) = no bound. A request must satisfy its key's bounds and its user's.
struct Bounds {
  int64_t expires_at_us = 0;           // UTC; from then on the key is refused
  std::vector<std::string> providers;  // names
  // Models, as the provider names them or as "provider/model"; `*` stands for any text.
  std::vector<std::string> models;
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t concurrent_requests = 0;

  bool operator==(const Bounds&) const = default;
  bool limits_rate() const {
    return requests_per_minute > 0 || tokens_per_minute > 0 || concurrent_requests > 0;
  }
};

// Their names in every JSON: expires_at (RFC 3339), allowed_providers, allowed_models,
// requests_per_minute, tokens_per_minute, concurrent_requests.
const std::array<std::string_view, 6>& bound_names();
bool is_bound(std::string_view name);

// Sets one from JSON; null takes it away. Error: invalid, param = the name (and index).
Result<void> apply_bound(Bounds& bounds, std::string_view name, const json::Value& value);

// Members of an open object: all of them, null where there is no bound.
void write_bounds(json::Writer& w, const Bounds& bounds);
// As stored: an object of those that are set.
std::string stored_bounds(const Bounds& bounds);
// What stored_bounds() gave; what a later version wrote and this one does not know is left out.
Bounds read_bounds(std::string_view stored);

// Does `text` match the pattern, in which each `*` stands for any text? Case counts.
bool matches_pattern(std::string_view pattern, std::string_view text);
bool allows_provider(const Bounds& bounds, std::string_view provider);
bool allows_model(const Bounds& bounds, std::string_view provider, std::string_view model);

}  // namespace gproxy::config
