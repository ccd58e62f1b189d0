// What can be configured, as plain values with their defaults. Every limit of the process stands
// here. Values are made on the main thread and then read anywhere as part of a Snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "config/bounds.h"
#include "config/model_route.h"
#include "config/origin.h"

namespace gproxy::config {

// Bounds. A name ends with its unit.
struct Limits {
  // Open client connections of the process; beyond: closed at once.
  size_t max_connections = 16'384;
  // Of one client address; 0 = only max_connections (a reverse proxy is one address).
  size_t max_connections_per_address = 0;
  size_t max_request_line_bytes = 16 * 1024;  // 414 above this
  // All header fields of a request together; 431 above this.
  size_t max_header_bytes = 64 * 1024;
  size_t max_header_count = 128;                // 431 above this
  size_t max_request_bytes = 50 * 1024 * 1024;  // a request's body; 413 above this
  size_t max_json_depth = 256;                  // containers inside each other; 400 above this
  // A body that comes slower for body_ms is given up with 408.
  size_t min_body_bytes_per_second = 500;
  size_t pipeline_bytes = 16 * 1024;  // read ahead behind a running request
  // Unsent answer bytes of a connection at which the upstream is paused.
  size_t output_high_bytes = 256 * 1024;
  size_t output_low_bytes = 128 * 1024;  // and at which it goes on
  // Of an upstream's error, for judging and passing on.
  size_t max_error_body_bytes = 64 * 1024;
  // Of a whole answer that must be collected (translated, edited); 502 above this.
  size_t max_buffered_bytes = 64 * 1024 * 1024;
  size_t max_event_bytes = 16 * 1024 * 1024;      // of one event in a stream that must be read
  size_t max_upstream_header_bytes = 256 * 1024;  // of an upstream's response head
  // Of an answer that comes compressed though we ask for identity.
  size_t max_decompress_ratio = 100;
  size_t max_exchange_bytes = 256 * 1024 * 1024;  // memory of one exchange: the arena's bound
  // Request bodies and answers in hand, whole process; 503 above this.
  size_t memory_budget_bytes = size_t{2} << 30;
  size_t max_admin_body_bytes = 2 * 1024 * 1024;  // of an admin request; 413 above this
};

// Times in milliseconds; 0 = none.
struct Timeouts {
  // From the first byte of a request to the end of its head; 408.
  int64_t header_ms = 15'000;
  // Without a byte of the body, and the window of min_body_bytes_per_second; 408.
  int64_t body_ms = 30'000;
  int64_t idle_ms = 75'000;               // a new connection without any request
  int64_t keep_alive_ms = 75'000;         // a connection between two requests
  int64_t downstream_stall_ms = 120'000;  // a client that takes no byte of a waiting answer
  int64_t budget_wait_ms = 5'000;         // a request waiting for memory_budget_bytes; then 503
  int64_t connect_ms = 10'000;            // to an upstream: name, TCP and TLS
  // From the request sent to the upstream's head: models think.
  int64_t first_byte_ms = 600'000;
  int64_t stream_idle_ms = 300'000;       // between two pieces of an upstream's answer
  int64_t attempt_deadline_ms = 900'000;  // no new attempt after this
  int64_t list_ms = 10'000;               // per provider in an aggregate model list
  int64_t step_ms = 30'000;               // one fetch of a login, refresh or quota flow
  // Running answers at shutdown; then each ends with its protocol's error.
  int64_t drain_ms = 30'000;
  // Silence in a stream before a keep-alive ping, and between pings.
  int64_t ping_after_ms = 15'000;
};

struct Retry {
  size_t max_attempts = 8;   // of one request, over all credentials
  int64_t backoff_ms = 200;  // doubled per attempt, with jitter
  int64_t max_backoff_ms = 2'000;
  // Cooldown of (credential, model) after a 429 without Retry-After.
  int64_t rate_limit_ms = 30'000;
  // Cooldown of a credential after several server errors in a row.
  int64_t server_error_ms = 10'000;
  size_t server_errors = 3;              // that many
  // Rests after a 401, one after the other without a success, before the credential is given up as
  // dead; 0 = never.
  size_t auth_failures = 5;
  int64_t billing_ms = 600'000;          // rest of a credential after a 402 that names no time
  int64_t min_cool_down_ms = 1'000;      // of any rest
  int64_t max_cool_down_ms = 3'600'000;  // what a Retry-After may cause
};

// A JSON list of rules about models (docs/model-profiles.md), checked when it is set; empty = none.
struct ModelProfiles {
  std::string json;
};

struct Translation {
  bool lossless = false;         // a translation that loses something is a 400
  ModelProfiles model_profiles;  // after the built-in ones
};

// What answers say of how they came to be.
struct AnswerHeaders {
  bool attempts = false;    // x-gproxy-attempts
  bool provider = false;    // x-gproxy-provider
  bool credential = false;  // x-gproxy-credential: its id
};

// What housekeeping deletes. 0 = kept for ever.
struct RetentionSettings {
  int64_t usage_days = 0;   // rows of usage; their sums are kept
  int64_t log_days = 30;    // rows of requests and attempts, events
  int64_t body_days = 7;
  int64_t audit_days = 365;
  int64_t log_megabytes = 0;  // about, of logs alone; the oldest go above this
};

enum class UpstreamHttp : uint8_t { automatic, http1, http2 };

struct Settings {
  std::string host = "0.0.0.0";
  uint16_t port = 8787;
  Secret admin_key;                       // empty = generated at the first start
  std::string proxy;                      // URL for upstream traffic; empty = none
  bool event_redact_sensitive = true;     // keys and bodies out of stored events
  size_t workers = 0;                     // loops; 0 = one per core
  std::vector<std::string> modules_dirs;  // empty = the installed folder, or the build tree's
  Secret metrics_token;                   // lets a scraper read /metrics besides the admin key
  std::string log_level = "info";         // trace, debug, info, warn, error, off
  std::string log_format = "text";        // text, json
  std::string upstream_http = "auto";     // auto, 1.1, 2
  // False accepts any certificate: for measuring and closed networks only.
  bool upstream_tls_verify = true;
  bool request_log = true;  // keep a row per request and attempt
  // Whose decisions are stored: none, problems (failures, fallbacks, waits), all.
  std::string decision_log = "problems";
  // With event_redact_sensitive off: keep the bodies as well, up to 64 KiB of each.
  bool log_bodies = true;
  std::string prices_file;  // of the operator, before the built-in table; empty = none
  RetentionSettings retention;
  bool pings = true;        // keep-alive pings in silent streams
  Limits limits;
  Timeouts timeouts;
  Retry retry;
  Translation translation;
  AnswerHeaders headers;

  // Of the settings that were set, by dotted name ("limits.max_request_bytes"); absent = default.
  std::map<std::string, Origin, std::less<>> origins;
  Origin origin_of(std::string_view setting) const {
    auto at = origins.find(setting);
    return at == origins.end() ? Origin::db : at->second;
  }
  UpstreamHttp upstream_version() const {
    return upstream_http == "1.1" ? UpstreamHttp::http1
           : upstream_http == "2" ? UpstreamHttp::http2
                                  : UpstreamHttp::automatic;
  }
};

// Ids are the store's; 0 = not stored yet (an entry just read from a file).

struct CredentialConfig {
  int64_t id = 0;
  std::string name;    // may be empty for rows made by the admin API
  Secret secret_json;  // {"<tag>": {…}}
  std::string settings_json = "{}";
  bool enabled = true;
  Origin origin = Origin::db;
  // Counts the secret's changes in the store, so that an unchanged secret keeps its opened version.
  uint64_t revision = 0;
};

struct ProviderConfig {
  int64_t id = 0;
  std::string name;
  std::string kind;
  std::string settings_json = "{}";  // the kind's channel_settings
  std::string pool_json = "{}";      // pool_settings.h
  bool enabled = true;
  Origin origin = Origin::db;
  std::vector<CredentialConfig> credentials;
};

// What a key may do besides proxied requests, which every key may.
struct Permissions {
  bool oauth = false;  // start and finish logins: GET /{provider}/oauth…
  bool quota = false;  // read the vendor's quota of any credential: GET /{provider}/usage
  bool operator==(const Permissions&) const = default;
};
inline constexpr Permissions kAllPermissions{true, true};

struct KeyConfig {
  int64_t id = 0;
  int64_t user_id = 0;
  std::string label;
  Secret key;          // only where it was just read from a file or variable
  std::string digest;  // 32 bytes (KeyHasher::digest) where it came from the store
  // Of the text before the last rotation, which is taken until then; empty = none.
  std::string previous_digest;
  int64_t previous_until_us = 0;
  bool enabled = true;
  bool keep_copy = false;  // of a new one: it can be shown again
  Permissions permissions;
  Bounds bounds;
  Origin origin = Origin::db;
};

struct UserConfig {
  int64_t id = -1;  // user0 has 0; -1 = not stored yet
  std::string name;
  bool enabled = true;
  Bounds bounds;  // of all its keys together
  Origin origin = Origin::db;
  std::vector<KeyConfig> keys;
};

// Everything a file declares, or everything the store holds.
struct Declared {
  std::vector<ProviderConfig> providers;
  std::vector<UserConfig> users;
  std::vector<RouteConfig> routes;
};

}  // namespace gproxy::config
