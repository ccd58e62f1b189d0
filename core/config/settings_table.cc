#include "config/settings_table.h"

#include <fmt/format.h>

#include <limits>

#include "base/strings.h"
#include "config/sanitize.h"
#include "translate/profile.h"

namespace gproxy::config {
namespace {

constexpr int64_t kMiB = 1024 * 1024;
constexpr int64_t kGiB = 1024 * kMiB;
constexpr int64_t kDayMs = 24LL * 3600 * 1000;
constexpr int64_t kMany = 1'000'000;

// A row whose value is a member of Settings, by its path there.
#define GP_SETTING(name, member, min, max, words, applies, help)                               \
  {                                                                                            \
    name, [](Settings& s) -> SettingSlot { return &s.member; }, min, max, words, applies, help \
  }
#define GP_LIMIT(member, min, max, help) \
  GP_SETTING("limits." #member, limits.member, min, max, "", Applies::at_once, help)
#define GP_LIMIT_AT_START(member, min, max, help) \
  GP_SETTING("limits." #member, limits.member, min, max, "", Applies::restart, help)
#define GP_TIMEOUT(member, help) \
  GP_SETTING("timeouts." #member, timeouts.member, 0, kDayMs, "", Applies::at_once, help)
#define GP_RETRY(member, min, max, help) \
  GP_SETTING("retry." #member, retry.member, min, max, "", Applies::at_once, help)

// clang-format off: one row, one line
const SettingRow kRows[] = {
    GP_SETTING("host", host, 0, 0, "", Applies::at_once, "address to listen on"),
    GP_SETTING("port", port, 0, 65535, "", Applies::at_once, "port to listen on; 0 = any free one"),
    GP_SETTING("admin_key", admin_key, 0, 0, "", Applies::at_once,
               "key of the admin API; generated at the first start when not set"),
    GP_SETTING("proxy", proxy, 0, 0, "", Applies::at_once,
               "proxy for upstream traffic: http, https, socks5 or socks5h URL"),
    GP_SETTING("event_redact_sensitive", event_redact_sensitive, 0, 0, "", Applies::at_once,
               "keep keys and bodies out of stored events"),
    GP_SETTING("workers", workers, 0, 256, "", Applies::restart, "event loops; 0 = one per core"),
    GP_SETTING("modules_dirs", modules_dirs, 0, 0, "", Applies::restart,
               "folders with modules, absolute; empty = the installed one"),
    GP_SETTING("metrics_token", metrics_token, 0, 0, "", Applies::at_once,
               "bearer token that may read /metrics"),
    GP_SETTING("log_level", log_level, 0, 0, "trace debug info warn error off", Applies::at_once,
               "least level of log lines"),
    GP_SETTING("log_format", log_format, 0, 0, "text json", Applies::at_once, "form of log lines"),
    GP_SETTING("upstream_tls_verify", upstream_tls_verify, 0, 0, "", Applies::restart,
               "check the certificates of upstreams"),
    GP_SETTING("upstream_http", upstream_http, 0, 0, "auto 1.1 2", Applies::at_once,
               "HTTP version towards upstreams"),
    GP_SETTING("request_log", request_log, 0, 0, "", Applies::at_once,
               "keep a row per request and attempt"),
    GP_SETTING(
        "decision_log", decision_log, 0, 0, "none problems all", Applies::at_once,
        "whose decisions are stored: of requests with a failure, a fallback or a wait, or all"),
    GP_SETTING("log_bodies", log_bodies, 0, 0, "", Applies::at_once,
               "keep bodies in the log, while event_redact_sensitive is off"),
    GP_SETTING("prices_file", prices_file, 0, 0, "", Applies::at_once,
               "prices of tokens that go before the built-in ones"),
    GP_SETTING("retention.usage_days", retention.usage_days, 0, 36500, "", Applies::at_once,
               "usage rows older than this are deleted, their sums stay; 0 = never"),
    GP_SETTING("retention.log_days", retention.log_days, 0, 36500, "", Applies::at_once,
               "rows of requests older than this are deleted; 0 = never"),
    GP_SETTING("retention.body_days", retention.body_days, 0, 36500, "", Applies::at_once,
               "logged bodies older than this are deleted; 0 = never"),
    GP_SETTING("retention.audit_days", retention.audit_days, 0, 36500, "", Applies::at_once,
               "rows of the audit log older than this are deleted; 0 = never"),
    GP_SETTING("retention.log_megabytes", retention.log_megabytes, 0, kMany, "", Applies::at_once,
               "size above which the oldest rows of requests are deleted; 0 = no bound"),
    GP_SETTING("pings", pings, 0, 0, "", Applies::at_once, "keep-alive pings in silent streams"),

    GP_LIMIT_AT_START(max_connections, 1, kMany, "open client connections of the process"),
    GP_LIMIT_AT_START(max_connections_per_address, 0, kMany,
                      "open connections of one client address; 0 = no limit of its own"),
    GP_LIMIT(max_request_line_bytes, 1024, kMiB, "request line; 414 above this"),
    GP_LIMIT(max_header_bytes, 4096, kMiB, "header fields of a request together; 431 above this"),
    GP_LIMIT(max_header_count, 16, 4096, "header fields of a request; 431 above this"),
    GP_LIMIT(max_request_bytes, 1024, 2 * kGiB, "request body; 413 above this"),
    GP_LIMIT(max_json_depth, 8, 1024, "containers inside each other in a request; 400 above this"),
    GP_LIMIT(min_body_bytes_per_second, 0, kGiB,
             "a slower request body is given up with 408; 0 = any speed"),
    GP_LIMIT(pipeline_bytes, 1024, kMiB, "read ahead behind a running request"),
    GP_LIMIT_AT_START(output_high_bytes, 16 * 1024, 64 * kMiB,
                      "unsent answer bytes of a connection at which its upstream is paused"),
    GP_LIMIT_AT_START(output_low_bytes, 0, 64 * kMiB, "unsent answer bytes at which it goes on"),
    GP_LIMIT(max_error_body_bytes, 1024, 16 * kMiB,
             "of an upstream's error, for judging it and passing it on"),
    GP_LIMIT(max_buffered_bytes, 64 * 1024, 2 * kGiB,
             "of an answer that must be collected whole; 502 above this"),
    GP_LIMIT(max_event_bytes, 4096, kGiB, "of one event of a stream that must be read"),
    GP_LIMIT_AT_START(max_upstream_header_bytes, 4096, 16 * kMiB, "of an upstream's response head"),
    GP_LIMIT_AT_START(max_decompress_ratio, 2, 10'000,
                      "of an answer that comes compressed though identity was asked for"),
    GP_LIMIT(max_exchange_bytes, kMiB, 4 * kGiB, "memory of one exchange"),
    GP_LIMIT(memory_budget_bytes, 16 * kMiB, 1024 * kGiB,
             "bodies in hand, whole process; 503 above this"),
    GP_LIMIT(max_admin_body_bytes, 4096, 256 * kMiB, "body of an admin request; 413 above this"),

    GP_TIMEOUT(header_ms, "from a request's first byte to the end of its head; 408"),
    GP_TIMEOUT(body_ms,
               "without a byte of the request body, and the window of the minimum rate; 408"),
    GP_TIMEOUT(idle_ms, "a new connection without any request"),
    GP_TIMEOUT(keep_alive_ms, "a connection between two requests"),
    GP_TIMEOUT(downstream_stall_ms, "a client that takes no byte of a waiting answer"),
    GP_TIMEOUT(budget_wait_ms, "a request that waits for memory; then 503"),
    GP_TIMEOUT(connect_ms, "to an upstream: name, TCP and TLS"),
    GP_TIMEOUT(first_byte_ms, "from the request sent to the upstream's head"),
    GP_TIMEOUT(stream_idle_ms, "between two pieces of an upstream's answer"),
    GP_TIMEOUT(attempt_deadline_ms, "no new attempt at a request after this"),
    GP_TIMEOUT(list_ms, "per provider in an aggregate model list"),
    GP_TIMEOUT(step_ms, "one fetch of a login, refresh or quota flow"),
    GP_TIMEOUT(drain_ms, "running answers at shutdown"),
    GP_TIMEOUT(ping_after_ms, "silence in a stream before a keep-alive ping"),

    GP_SETTING("headers.attempts", headers.attempts, 0, 0, "", Applies::at_once,
               "tell clients how many attempts were made: x-gproxy-attempts"),
    GP_SETTING("headers.provider", headers.provider, 0, 0, "", Applies::at_once,
               "tell clients which provider answered: x-gproxy-provider"),
    GP_SETTING("headers.credential", headers.credential, 0, 0, "", Applies::at_once,
               "tell clients which credential answered, by its id: x-gproxy-credential"),

    GP_RETRY(max_attempts, 1, 64, "of one request, over all credentials"),
    GP_RETRY(backoff_ms, 0, 60'000, "before the second attempt, doubled for each further one"),
    GP_RETRY(max_backoff_ms, 0, 600'000, "longest wait between two attempts"),
    GP_RETRY(rate_limit_ms, 1'000, kDayMs,
             "rest of a credential for a model after a 429 that names no time"),
    GP_RETRY(server_error_ms, 1'000, kDayMs,
             "rest of a credential after several server errors in a row"),
    GP_RETRY(server_errors, 1, 100, "server errors in a row that make a credential rest"),
    GP_RETRY(
        auth_failures, 0, 1000,
        "rests after a 401 without a success between them, before a credential is dead; 0 = never"),
    GP_RETRY(billing_ms, 1'000, kDayMs, "rest of a credential after a 402 that names no time"),
    GP_RETRY(min_cool_down_ms, 100, kDayMs, "shortest rest of a credential"),
    GP_RETRY(max_cool_down_ms, 1'000, 30 * kDayMs, "longest rest that a Retry-After may cause"),

    GP_SETTING("translation.lossless", translation.lossless, 0, 0, "", Applies::at_once,
               "refuse requests of which a translation would lose something"),
    GP_SETTING("translation.model_profiles", translation.model_profiles, 0, 0, "", Applies::at_once,
               "rules about what models accept, after the built-in ones"),
};
// clang-format on

Error wrong(const SettingRow& row, std::string what) {
  return Error{ErrorKind::invalid, "invalid_setting", std::move(what), std::string(row.name)};
}

bool is_word(const SettingRow& row, std::string_view text) {
  if (row.words.empty()) return true;
  for (auto word : split(row.words, ' ')) {
    if (word == text) return true;
  }
  return false;
}

Result<int64_t> in_range(const SettingRow& row, std::optional<int64_t> number,
                         std::string_view shown) {
  if (number && *number >= row.min && *number <= row.max) return *number;
  return wrong(row,
               fmt::format("must be a whole number from {} to {}, is {}", row.min, row.max, shown));
}

Result<void> check_profiles(const SettingRow& row, std::string_view rules) {
  auto parsed = translate::ProfileSet::parse_rules(rules);
  if (parsed.ok()) return ok();
  const auto& error = parsed.error();
  return wrong(row, error.param.empty() ? error.message : error.message + " at " + error.param);
}

struct Store {
  const SettingRow& row;
  const json::Value& value;

  Result<void> operator()(bool* at) const {
    if (!value.is_bool()) return wrong(row, "must be true or false");
    *at = value.as_bool();
    return ok();
  }
  Result<void> operator()(std::string* at) const {
    if (!value.is_string()) return wrong(row, "must be a string");
    if (!is_word(row, value.str()))
      return wrong(row, fmt::format("must be one of {}, is `{}`", row.words, value.str()));
    *at = std::string(trim(value.str()));
    return ok();
  }
  Result<void> operator()(Secret* at) const {
    if (!value.is_string()) return wrong(row, "must be a string");
    *at = Secret(trim(value.str()));
    return ok();
  }
  Result<void> operator()(std::vector<std::string>* at) const {
    if (!value.is_array()) return wrong(row, "must be a list of strings");
    std::vector<std::string> list;
    for (const auto& item : value.items()) {
      if (!item.is_string() || item.str().empty()) return wrong(row, "must be a list of strings");
      list.emplace_back(item.str());
    }
    *at = std::move(list);
    return ok();
  }
  Result<void> operator()(ModelProfiles* at) const {
    if (!value.is_array()) return wrong(row, "must be a list of rules");
    auto text = json::write(value);
    GP_CHECK(check_profiles(row, text));
    at->json = value.empty() ? std::string() : std::move(text);
    return ok();
  }
  template <class I>
  Result<void> operator()(I* at) const {
    GP_TRY(auto number, in_range(row, value.as_int(), json::write(value)));
    *at = static_cast<I>(number);
    return ok();
  }
};

struct StoreText {
  const SettingRow& row;
  std::string_view text;

  Result<void> operator()(bool* at) const {
    auto flag = parse_bool(text);
    if (!flag)
      return wrong(
          row, fmt::format("must be one of true, false, yes, no, on, off, 1, 0, is `{}`", text));
    *at = *flag;
    return ok();
  }
  Result<void> operator()(std::string* at) const {
    if (!is_word(row, text))
      return wrong(row, fmt::format("must be one of {}, is `{}`", row.words, text));
    *at = text;
    return ok();
  }
  Result<void> operator()(Secret* at) const {
    *at = Secret(text);
    return ok();
  }
  Result<void> operator()(std::vector<std::string>* at) const {
    at->clear();
    for (auto part : split(text, ':')) {
      if (!trim(part).empty()) at->emplace_back(trim(part));
    }
    return ok();
  }
  Result<void> operator()(ModelProfiles* at) const {
    GP_CHECK(check_profiles(row, text));
    at->json = text;
    return ok();
  }
  template <class I>
  Result<void> operator()(I* at) const {
    GP_TRY(auto number, in_range(row, parse_int(text), fmt::format("`{}`", text)));
    *at = static_cast<I>(number);
    return ok();
  }
};

struct Show {
  json::Writer& w;
  void operator()(const bool* at) const { w.boolean(*at); }
  void operator()(const std::string* at) const { w.string(*at); }
  void operator()(const Secret*) const { w.null(); }
  void operator()(const ModelProfiles* at) const {
    at->json.empty() ? w.raw("[]") : w.raw(at->json);
  }
  void operator()(const std::vector<std::string>* at) const {
    w.begin_array();
    for (const auto& item : *at) w.string(item);
    w.end_array();
  }
  template <class I>
  void operator()(const I* at) const {
    w.integer(static_cast<int64_t>(*at));
  }
};

Error unknown(std::string_view name) {
  auto near = nearest_setting(name);
  return Error{ErrorKind::invalid, "invalid_setting",
               near.empty() ? fmt::format("unknown setting `{}`", name)
                            : fmt::format("unknown setting `{}`, did you mean `{}`?", name, near),
               std::string(name)};
}

}  // namespace

std::span<const SettingRow> setting_rows() {
  return kRows;
}

const SettingRow* find_setting(std::string_view name) {
  for (const auto& row : kRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::string_view nearest_setting(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& row : kRows) names.push_back(row.name);
  if (auto near = nearest(name, names); !near.empty()) return near;
  // A right word in the wrong group ("max_request_bytes" without "limits.") is as near.
  auto last = name.substr(name.rfind('.') + 1);
  for (const auto& row : kRows) {
    if (row.name.substr(row.name.rfind('.') + 1) == last) return row.name;
  }
  return {};
}

Result<void> apply_setting(Settings& settings, std::string_view name, const json::Value& value,
                           Origin origin) {
  const auto* row = find_setting(name);
  if (row == nullptr) return unknown(name);
  GP_CHECK(std::visit(Store{*row, value}, row->slot(settings)));
  settings.origins[std::string(name)] = origin;
  return ok();
}

Result<void> apply_setting_text(Settings& settings, std::string_view name, std::string_view text,
                                Origin origin) {
  const auto* row = find_setting(name);
  if (row == nullptr) return unknown(name);
  auto clean = sanitize(text);
  if (!clean) return ok();
  GP_CHECK(std::visit(StoreText{*row, *clean}, row->slot(settings)));
  settings.origins[std::string(name)] = origin;
  return ok();
}

std::string setting_json(const Settings& settings, const SettingRow& row) {
  std::string out;
  json::Writer w(out);
  // slot() gives a way to write; here it is only read.
  std::visit(Show{w}, row.slot(const_cast<Settings&>(settings)));
  return out;
}

}  // namespace gproxy::config
