// Exchange: the bodies that the log keeps, where redaction is off: the client's request and answer,
// and those of each attempt, each cut at what a row holds. gproxy's own calls (logins, refreshes,
// quota) have none: they carry secrets and nothing else.
#include "gateway/aggregate_list.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/record_text.h"
#include "gateway/route_plan.h"
#include "gateway/token_count.h"
#include "gateway/translation.h"

namespace gproxy::gateway {

void Exchange::begin_logging_bodies() {
  if (context_.recorder == nullptr || !settings().request_log || !settings().log_bodies) return;
  logged_ = std::make_unique<LoggedBodies>();
  logged_->request_bytes = body_.size();
  keep_beginning(logged_->request, body_.view());
}

void Exchange::begin_logging_attempt() {
  const auto& prepared = call_.upstream();
  logged_->up_request.clear();
  logged_->up_response.clear();
  logged_->up_request_bytes = prepared.body_bytes;
  for (const auto piece : prepared.body) keep_beginning(logged_->up_request, piece);
}

void Exchange::record_attempt_bodies() {
  storage::BodyRow row;
  row.at = attempt_wall_us_;
  row.trace_id = trace_id_;
  row.attempt_no = static_cast<int32_t>(budget_.attempts);
  row.total_bytes = static_cast<int64_t>(logged_->up_request_bytes);
  row.body = logged_->up_request;
  if (!row.body.empty()) context_.recorder->body(row);
  row.direction = storage::BodyRow::Direction::response;
  row.total_bytes = static_cast<int64_t>(upstream_bytes_);
  row.body = logged_->up_response;
  if (!row.body.empty()) context_.recorder->body(row);
}

void Exchange::record_bodies() {
  storage::BodyRow row;
  row.at = started_wall_us_;
  row.trace_id = trace_id_;
  row.total_bytes = static_cast<int64_t>(logged_->request_bytes);
  row.body = logged_->request;
  if (!row.body.empty()) context_.recorder->body(row);
  row.direction = storage::BodyRow::Direction::response;
  row.total_bytes = static_cast<int64_t>(answer_bytes_);
  row.body = logged_->response;
  if (!row.body.empty()) context_.recorder->body(row);
}

}  // namespace gproxy::gateway
