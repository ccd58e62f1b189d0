#include "gateway/fetch_log.h"

#include "base/arena.h"
#include "gateway/record_text.h"
#include "gateway/request_id.h"
#include "gateway/verdicts.h"

namespace gproxy::gateway {
namespace {

std::string_view path_and_query(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return url;
  const auto slash = url.find('/', scheme + 3);
  return slash == std::string_view::npos ? std::string_view("/") : url.substr(slash);
}

}  // namespace

void log_fetch(WorkerContext& context, const config::Settings& settings, const FetchLog& fetch) {
  if (context.recorder == nullptr || !settings.request_log) return;
  Arena arena;
  const auto target = path_and_query(fetch.url);
  const auto question = target.find('?');
  const auto headers = redacted_headers_json(fetch.headers);
  storage::UpstreamRequestRow row;
  row.at = fetch.began_wall_us;
  row.trace_id = !fetch.trace_id.empty()
                     ? fetch.trace_id
                     : make_request_id(arena, row.at / 1000, context.random(), context.random());
  row.user_id = fetch.user_id;
  row.user_key_id = fetch.user_key_id;
  row.credential_id = fetch.credential_id;
  if (fetch.provider != nullptr) {
    row.provider = fetch.provider->name;
    row.provider_id = fetch.provider->id;
  }
  row.method = fetch.method;
  row.path = target.substr(0, question);
  if (question != std::string_view::npos)
    row.query = redacted_query(target.substr(question + 1), arena);
  row.request_headers_json = headers;
  row.protocol = static_cast<int32_t>(fetch.protocol);
  row.operation = static_cast<int32_t>(fetch.operation);
  row.status = fetch.status;
  row.attempt_no = fetch.attempt_no;
  row.internal = fetch.internal;
  if (fetch.failure == upstream::FailureKind::aborted) {
    row.outcome = storage::Outcome::cancelled;
  } else if (fetch.failure != upstream::FailureKind::none) {
    row.outcome = storage::Outcome::failed;
    row.error_kind = modhost::name(failure_kind(fetch.failure));
  } else if (fetch.status >= 400) {
    row.outcome = storage::Outcome::failed;
    row.error_kind = "http";
  }
  row.request_bytes = static_cast<int64_t>(fetch.request_bytes);
  row.response_bytes = static_cast<int64_t>(fetch.response_bytes);
  row.duration_us = net::Loop::now_us() - fetch.began_us;
  context.recorder->upstream(row);
}

}  // namespace gproxy::gateway
