// GET /admin/usage…: what was used, summed and row by row. Asked on the main thread, answered on a
// reader's.
#include "admin/api.h"
#include "admin/parameters.h"
#include "translate/protocol.h"

namespace gproxy::admin {
namespace {

using storage::UsageQuery;

// A path segment of the reference's routes names the model; `model_contains` may narrow it.
struct TokenScope {
  std::string_view name;
  std::optional<std::string> provider, model;
  std::optional<int64_t> credential_id;
};

void put_id(json::Writer& w, std::string_view name, int64_t id) {
  w.key(name);
  if (id < 0) {
    w.null();
  } else {
    w.integer(id);
  }
}

void put_tokens(json::Writer& w, const storage::UsageSums& sums) {
  w.field("input_tokens", sums.input);
  w.field("output_tokens", sums.output);
  w.field("cache_read_input_tokens", sums.cache_read);
  w.field("cache_creation_input_tokens", sums.cache_write);
  w.field("reasoning_tokens", sums.reasoning);
  w.field("total_tokens", sums.total());
}

void put_times(json::Writer& w, std::string_view name, const storage::Histogram& times) {
  w.key(name);
  w.begin_object();
  w.field("count", static_cast<int64_t>(times.count()));
  for (const auto& [key, share] : {std::pair<std::string_view, double>{"p50", 0.5},
                                   {"p90", 0.9},
                                   {"p95", 0.95},
                                   {"p99", 0.99}}) {
    w.key(key);
    if (times.count() == 0) {
      w.null();
    } else {
      w.number(static_cast<double>(times.percentile(share)) / 1000);
    }
  }
  w.end_object();
}

std::string tokens_json(const TokenScope& scope, const std::string& from, const std::string& to,
                        const storage::UsageSums& sums) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("scope", scope.name);
  if (scope.provider) w.field("provider", *scope.provider);
  if (scope.credential_id) w.field("credential_id", *scope.credential_id);
  if (scope.model) w.field("model", *scope.model);
  w.field("from", from);
  w.field("to", to);
  w.field("matched_rows", sums.with_usage);
  w.field("call_count", sums.with_usage);
  put_tokens(w, sums);
  w.end_object();
  return out;
}

void answer_tokens(const ContextPtr& c, TokenScope scope) {
  const Parameters parameters(c->request.query);
  const auto range = time_range(parameters, Ends::required, c->plane.clock().wall_us());
  if (!range.ok()) return c->respond(error_response(range.error()));
  UsageQuery query;
  query.filter.from = range->from;
  query.filter.to = range->to;
  query.filter.provider = scope.provider;
  query.filter.credential_id = scope.credential_id;
  query.filter.model = scope.model;
  query.filter.model_contains = parameters.text("model_contains");
  const auto from = *parameters.text("from"), to = *parameters.text("to");
  c->query([query, scope, from, to](storage::Reader& reader) -> Result<std::string> {
    GP_TRY(const auto report, reader.usage_report(query));
    const bool any = !report.groups.empty();
    return tokens_json(scope, from, to, any ? report.groups.front().sums : storage::UsageSums());
  });
}

Result<storage::UsageFilter> filter_of(const Parameters& p, int64_t now_us) {
  storage::UsageFilter filter;
  GP_TRY(const auto range, time_range(p, Ends::last_day, now_us));
  filter.from = range.from;
  filter.to = range.to;
  filter.provider = p.text("provider");
  filter.model = p.text("model");
  filter.model_contains = p.text("model_contains");
  GP_TRY(filter.credential_id, p.integer("credential_id", 0, INT64_MAX));
  GP_TRY(filter.user_id, p.integer("user_id", 0, INT64_MAX));
  GP_TRY(filter.user_key_id, p.integer("user_key_id", 0, INT64_MAX));
  return filter;
}

struct GroupName {
  std::string_view name;
  UsageQuery::By by;
  std::string_view field;  // of a group in the answer
};
constexpr GroupName kGroups[] = {
    {"none", UsageQuery::By::nothing, ""},
    {"provider", UsageQuery::By::provider, "provider"},
    {"model", UsageQuery::By::model, "model"},
    {"credential", UsageQuery::By::credential, "credential_id"},
    {"user", UsageQuery::By::user, "user_id"},
    {"key", UsageQuery::By::key, "user_key_id"},
};
struct BucketName {
  std::string_view name;
  int64_t us;
};
constexpr BucketName kBuckets[] = {
    {"none", 0},
    {"5m", storage::kFiveMinutesUs},
    {"15m", 3 * storage::kFiveMinutesUs},
    {"1h", storage::kHourUs},
    {"6h", 6 * storage::kHourUs},
    {"1d", storage::kDayUs},
};

template <class Row, size_t N>
Result<const Row*> choose(const Row (&rows)[N], const std::optional<std::string>& given,
                          std::string_view parameter) {
  std::string all;
  for (const Row& row : rows) {
    if (given.value_or("none") == row.name) return &row;
    all.append(all.empty() ? "" : ", ").append(row.name);
  }
  return Error{ErrorKind::invalid, "invalid_parameter", "must be one of " + all,
               std::string(parameter)};
}

std::string report_json(const UsageQuery& query, const GroupName& by, std::string_view bucket,
                        const storage::UsageReport& report) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("from", rfc3339(query.filter.from));
  w.field("to", rfc3339(query.filter.to));
  w.field("group_by", by.name);
  w.field("bucket", bucket);
  w.key("groups");
  w.begin_array();
  for (const auto& group : report.groups) {
    const auto& sums = group.sums;
    w.begin_object();
    if (query.bucket_us > 0) w.field("bucket", rfc3339(group.bucket));
    if (query.by == UsageQuery::By::provider || query.by == UsageQuery::By::model) {
      w.field(by.field, group.name);
    } else if (query.by != UsageQuery::By::nothing) {
      put_id(w, by.field, group.id);
    }
    w.field("requests", sums.requests);
    w.field("attempts", sums.attempts);
    w.field("failures", sums.failures);
    w.field("failed_attempts", sums.failed_attempts);
    w.field("cancelled", sums.cancelled);
    w.field("with_usage", sums.with_usage);
    w.field("estimated", sums.estimated);
    put_tokens(w, sums);
    w.field("cost_nanousd", sums.cost_nanousd);
    w.field("priced", sums.priced);
    put_times(w, "duration_ms", sums.duration);
    put_times(w, "ttft_ms", sums.ttft);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

std::string page_json(const storage::UsageListQuery& query, const storage::UsagePage& page) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("from", rfc3339(query.filter.from));
  w.field("to", rfc3339(query.filter.to));
  w.field("limit", static_cast<int64_t>(query.limit));
  w.field("has_more", page.more);
  w.key("next_cursor_at");
  if (page.more) {
    w.string(rfc3339(page.rows.back().at));
    w.field("next_cursor_id", page.rows.back().id);
  } else {
    w.null();
    w.key("next_cursor_id");
    w.null();
  }
  w.key("rows");
  w.begin_array();
  for (const auto& r : page.rows) {
    w.begin_object();
    w.field("id", r.id);
    w.field("at", rfc3339(r.at));
    w.field("trace_id", r.trace_id);
    w.field("attempt_no", int64_t{r.attempt_no});
    w.field("final", r.final);
    w.field("has_usage", r.has_usage);
    w.field("estimated", r.estimated);
    w.field("provider", r.provider);
    put_id(w, "credential_id", r.credential_id);
    put_id(w, "user_id", r.user_id);
    put_id(w, "user_key_id", r.user_key_id);
    w.field("model", r.model);
    w.field("protocol", translate::name(static_cast<translate::Protocol>(r.protocol)));
    w.field("operation", translate::name(static_cast<translate::Operation>(r.operation)));
    put_id(w, "status", r.status == 0 ? -1 : r.status);
    w.field("outcome", storage::name(r.outcome));
    w.field("input_tokens", r.input);
    w.field("output_tokens", r.output);
    w.field("cache_read_input_tokens", r.cache_read);
    w.field("cache_creation_input_tokens", r.cache_write);
    w.field("reasoning_tokens", r.reasoning);
    w.field("total_tokens", r.total);
    put_id(w, "ttft_us", r.ttft_us);
    w.field("duration_us", r.duration_us);
    put_id(w, "cost_nanousd", r.cost_nanousd);
    put_id(w, "price_revision", r.price_revision);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

}  // namespace

void usage_of_provider(ContextPtr c) {
  answer_tokens(c, {"provider", c->parameters[0], std::nullopt, std::nullopt});
}
void usage_of_provider_model(ContextPtr c) {
  answer_tokens(c, {"provider_model", c->parameters[0], c->parameters[1], std::nullopt});
}
void usage_of_credential(ContextPtr c) {
  answer_tokens(c, {"credential", std::nullopt, std::nullopt, c->id(0)});
}
void usage_of_credential_model(ContextPtr c) {
  answer_tokens(c, {"credential_model", std::nullopt, c->parameters[1], c->id(0)});
}

void usage_aggregate(ContextPtr c) {
  const Parameters p(c->request.query);
  auto query = std::make_shared<UsageQuery>();
  const GroupName* by = nullptr;
  const BucketName* bucket = nullptr;
  auto parse = [&]() -> Result<void> {
    GP_TRY(query->filter, filter_of(p, c->plane.clock().wall_us()));
    GP_TRY(by, choose(kGroups, p.text("group_by"), "group_by"));
    GP_TRY(bucket, choose(kBuckets, p.text("bucket"), "bucket"));
    query->by = by->by;
    query->bucket_us = bucket->us;
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  c->query([query, by, bucket](storage::Reader& reader) -> Result<std::string> {
    GP_TRY(const auto report, reader.usage_report(*query));
    return report_json(*query, *by, bucket->name, report);
  });
}

void list_usage(ContextPtr c) {
  const Parameters p(c->request.query);
  auto query = std::make_shared<storage::UsageListQuery>();
  auto parse = [&]() -> Result<void> {
    GP_TRY(query->filter, filter_of(p, c->plane.clock().wall_us()));
    query->trace_id = p.text("trace_id");
    GP_CHECK(read_page(p, *query));
    if (const auto outcome = p.text("outcome")) {
      for (int i = 0; i <= static_cast<int>(storage::Outcome::refused); ++i) {
        if (storage::name(static_cast<storage::Outcome>(i)) == *outcome) {
          query->outcome = static_cast<storage::Outcome>(i);
        }
      }
      if (!query->outcome) {
        return Error{ErrorKind::invalid, "invalid_parameter",
                     "must be ok, failed, cancelled, truncated or refused", "outcome"};
      }
    }
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  c->query([query](storage::Reader& reader) -> Result<std::string> {
    GP_TRY(const auto page, reader.list_usage(*query));
    return page_json(*query, page);
  });
}

}  // namespace gproxy::admin
