// What readers are asked, and what they answer: sums of usage and pages of rows. Owned text,
// because answers outlive the statement. Ranges are inclusive at both ends, in UTC microseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/records.h"
#include "storage/rollup.h"

namespace gproxy::storage {

// All parts that are given must hold. `model_contains` ignores the case of ASCII letters.
struct UsageFilter {
  int64_t from = 0;
  int64_t to = INT64_MAX;
  std::optional<std::string> provider;
  std::optional<std::string> model;
  std::optional<std::string> model_contains;
  std::optional<int64_t> credential_id;
  std::optional<int64_t> user_id;
  std::optional<int64_t> user_key_id;
};

struct UsageQuery {
  UsageFilter filter;
  enum class By : uint8_t { nothing, provider, model, credential, user, key } by = By::nothing;
  // Width of buckets of time, a multiple of five minutes, aligned in UTC; 0 = one for all.
  int64_t bucket_us = 0;
  size_t max_groups = 10'000;  // more: error "too_many_groups"
};

struct UsageReport {
  struct Group {
    int64_t bucket = 0;  // its start; 0 without buckets
    std::string name;    // provider or model
    int64_t id = kNoId;  // credential, user or key
    UsageSums sums;
  };
  std::vector<Group> groups;  // by bucket, then most requests first
};

struct Cursor {
  int64_t at = 0;
  int64_t id = 0;
};

struct UsageListQuery {
  UsageFilter filter;
  std::optional<std::string> trace_id;
  std::optional<int32_t> status_min, status_max;
  std::optional<Outcome> outcome;
  size_t limit = 100;
  std::optional<Cursor> before;  // rows older than this one
};

struct UsageRecord {
  int64_t id = 0, at = 0;
  std::string trace_id;
  int32_t attempt_no = 1;
  bool final = false, has_usage = false, estimated = false;
  std::string provider;
  int64_t provider_id = kNoId, credential_id = kNoId, user_id = kNoId, user_key_id = kNoId;
  std::string model;
  int32_t protocol = 0, operation = 0, status = 0;
  Outcome outcome = Outcome::ok;
  int64_t input = 0, output = 0, cache_read = 0, cache_write = 0, reasoning = 0, total = 0;
  int64_t ttft_us = -1, duration_us = 0;
  int64_t cost_nanousd = -1, price_revision = -1;
};

struct UsagePage {
  std::vector<UsageRecord> rows;  // newest first
  bool more = false;
};

struct LogQuery {
  int64_t from = 0;
  int64_t to = INT64_MAX;
  bool upstream = true, downstream = true;  // which tables
  // Of upstream rows only.
  std::optional<std::string> provider;
  std::optional<int64_t> credential_id;
  std::optional<int32_t> operation;
  // Of both.
  std::optional<int64_t> user_id, user_key_id;
  std::optional<std::string> trace_id;
  std::optional<std::string> path_contains;  // case counts
  std::optional<int32_t> status_min, status_max;
  size_t limit = 100;
  std::optional<Cursor> before;
};

struct LogRecord {
  int64_t id = 0, at = 0;
  bool upstream = false;
  std::string trace_id, provider, model, method, path;
  int64_t credential_id = kNoId, user_id = kNoId, user_key_id = kNoId;
  int32_t attempt_no = 0;  // 0 for downstream rows
  int32_t protocol = 0, operation = 0, status = 0;
  bool internal = false, stream = false;
  Outcome outcome = Outcome::ok;
  std::string error_kind, error_message;
  int64_t request_bytes = 0, response_bytes = 0, ttft_us = -1, duration_us = 0;
};

struct LogPage {
  std::vector<LogRecord> rows;  // newest first
  bool more = false;
};

struct LogBody {
  int32_t attempt_no = 0;
  BodyRow::Direction direction = BodyRow::Direction::request;
  int64_t total_bytes = 0;
  std::string body;
  bool truncated() const { return static_cast<int64_t>(body.size()) < total_bytes; }
};

}  // namespace gproxy::storage
