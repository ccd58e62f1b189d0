// Exchange, when an attempt has failed or is over: verdicts, what the client is told, new secrets,
// rows.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gateway/aggregate_list.h"
#include "gateway/credential_refresh.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/record_text.h"
#include "gateway/route_plan.h"
#include "gateway/translation.h"
#include "gateway/verdicts.h"
#include "translate/errors.h"
#include "translate/request.h"

namespace gproxy::gateway {
namespace {

using modhost::Failure;
using storage::Outcome;

std::string_view path_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return url;
  const auto slash = url.find('/', scheme + 3);
  return slash == std::string_view::npos ? std::string_view("/") : url.substr(slash);
}

bool looks_json(std::string_view body) {
  const auto first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (body[first] == '{' || body[first] == '[');
}

std::string_view word(Decision::Next next) {
  using Next = Decision::Next;
  switch (next) {
    case Next::same:
      return "same";
    case Next::patch:
      return "patch";
    case Next::refresh:
      return "refresh";
    case Next::other:
      return "other";
    case Next::deliver:
      break;
  }
  return "deliver";
}

// Failures that no credential is to blame for, after which a route goes on to its next target.
constexpr size_t kTargetFailures = 2;

}  // namespace

// ---- failures
// ------------------------------------------------------------------------------------

Error Exchange::attempt_error(const Failure& failure) const {
  if (path_ && path_->translator_error() != nullptr &&
      failure.kind != modhost::FailureKind::status) {
    auto error = *path_->translator_error();
    if (error.kind == ErrorKind::auth) error = translate::as_gateway_fault(std::move(error));
    return error;
  }
  if (failure.kind == modhost::FailureKind::status ||
      failure.kind == modhost::FailureKind::stream_error) {
    const int status = failure.kind == modhost::FailureKind::stream_error ? 502 : failure.status;
    auto error = translate::decode_error(resolved_.target_protocol, status, collected_);
    // The gateway's own key was refused: that is no fault of the client's key.
    if (error.kind == ErrorKind::auth || failure.status == 401) {
      error = translate::as_gateway_fault(std::move(error));
      error.code = "upstream_auth_failed";
    }
    return error;
  }
  Error error{ErrorKind::server, "upstream_transport_error", "the upstream could not be reached"};
  error.status = 502;
  if (is_timeout(failure.kind)) {
    error.kind = ErrorKind::timeout;
    error.status = 504;
    error.message = "the upstream did not answer in time";
  } else if (failure.kind == modhost::FailureKind::too_large) {
    error.message = "the upstream's answer is too large";
  } else if (upstream_status_ >= 300 && failure.kind == modhost::FailureKind::protocol) {
    error.message = "the upstream answered with status " + std::to_string(upstream_status_);
  } else if (failure.kind == modhost::FailureKind::protocol) {
    error.message = "the upstream's answer is empty or broken";
  }
  return error;
}

void Exchange::fail_attempt(const Failure& what) {
  Failure failure = what;
  failure.bytes_sent_downstream = budget_.content_sent ? answer_bytes_ : 0;
  failure.headers = upstream_headers_;
  failure.body = collected_;
  failure.attempt = static_cast<uint32_t>(budget_.attempts);
  failure.protocol = resolved_.target_protocol;
  failure.operation = resolved_.target_operation;
  failure.model = model_;
  failure.credential = handle_.get();
  failure.wall_ms = context_.clock.wall_ms();
  failure.can_refresh =
      credential_ != nullptr && provider_->provider->can_refresh() && !budget_.refreshed;
  if (credential_ != nullptr) {
    const auto row = credential_->slot->record_failure(failure.status, context_.clock.now_ms());
    failure.consecutive = row.consecutive;
    failure.same_status = row.same_status;
    failure.auth_rests = credential_->slot->auth_rests(context_.clock.now_ms());
  }
  const auto& retry = settings().retry;
  const auto verdict = call_.classify(failure, cool_down_limits(retry));
  if (credential_ != nullptr)
    apply_verdict(context_, *provider_, *credential_,
                  {verdict, failure.status, model_, operation_});
  if (is_unbilled(failure)) ++budget_.unbilled;
  budget_.now_ms = context_.loop.now_ms();
  auto decision = decide(verdict, failure, budget_, retry, context_.jitter());

  take_back_head();  // one that went out with a ping stays
  config::Lease next;
  bool over = false;  // to the next target of the route
  if (plan_ != nullptr && (failure.kind != modhost::FailureKind::status || failure.status >= 500))
    ++plan_->failures;
  if (decision.next == Decision::Next::other) {
    if (credential_ != nullptr) {
      tried_.push_back(credential_->id);
      next = provider_->pool->pick(ask());
    }
    // Where nobody is free, one may become so.
    const bool may_wait = credential_ != nullptr && provider_->pool->settings().queue_max > 0 &&
                          provider_->pool->hope(ask());
    over = has_next_target() && (!next || plan_->failures >= kTargetFailures);
    if (over) next.release();
    if (!next && !may_wait && !over) decision.next = Decision::Next::deliver;
  } else if (decision.next == Decision::Next::deliver && failure.status == 404 &&
             plan_ != nullptr) {
    // This one does not know the model.
    over = !budget_.content_sent && budget_.attempts < budget_.max_attempts && has_next_target();
  }
  const auto error = attempt_error(failure);
  const bool final = decision.next == Decision::Next::deliver && !over;
  std::string patched(verdict.credential_json);
  const auto used = handle_;  // the version that failed: another may be in force by now
  note_verdict(failure, verdict, over ? std::string_view("target") : word(decision.next),
               decision.delay_ms);
  end_attempt(Outcome::failed, final, &error);
  if (final) {
    deliver_failure(failure);
    return;
  }
  last_error_ = error;
  first_byte_us_ = 0;  // of an error: the answer is still to come
  if (over) {
    if (phase_ != Phase::waiting) enter(Phase::waiting);
    if (fail_over()) {
      enter_target();
    } else {
      deliver_failure(failure);
    }
    return;
  }
  if (decision.next == Decision::Next::other) {
    drop_credential();
    if (next) use(std::move(next));
  }
  enter(Phase::waiting);
  switch (decision.next) {
    case Decision::Next::same:
      budget_.same_tried = true;
      break;
    case Decision::Next::patch:
      budget_.patched = true;
      handle_ = used;
      patch(patched);
      return;
    case Decision::Next::refresh:
      budget_.refreshed = true;
      handle_ = used;
      refresh(verdict.cause);
      return;
    default:
      break;
  }
  attempt_again(decision);
}

void Exchange::attempt_again(const Decision& decision) {
  if (decision.delay_ms > 0) {
    begin_pause(Pausing::backoff);
    timer_.start(decision.delay_ms);
  } else {
    start_attempt();
  }
}

void Exchange::on_timer() {
  if (waiting_ != nullptr) {
    on_wait_timer();
  } else if (phase_ == Phase::waiting) {
    start_attempt();
  } else if (phase_ == Phase::local || phase_ == Phase::streaming) {
    next_local_piece();
  }
}

// The client gets the last failure: as the upstream told it where both speak the same protocol and
// it is fit to be passed on, else in the client's own words.
void Exchange::deliver_failure(const Failure& failure) {
  outcome_ = Outcome::failed;
  auto error = attempt_error(failure);
  if (const auto hint = modhost::retry_after_ms(failure.headers, context_.clock.wall_ms());
      hint && error.retry_after_ms == 0) {
    error.retry_after_ms = *hint;
  }
  const bool same =
      resolved_.mode == modhost::RouteMode::native && failure.kind == modhost::FailureKind::status;
  if (same && !pinged_ && error.code == translate::kUpstreamError && looks_json(collected_)) {
    error_code_ = error.code;
    begin_answer(upstream_status_, answer_headers(upstream_headers_), collected_.size());
    on_answer(collected_);
    end_answer();
    return;
  }
  // An upstream's own status is kept where its body had to be rewritten.
  if (same && error.status == 0 && error.code == translate::kUpstreamError)
    error.status = upstream_status_;
  reply_error(error);
}

// ---- the secret
// ----------------------------------------------------------------------------------

void Exchange::refresh(int32_t cause) {
  if (phase_ != Phase::waiting) enter(Phase::waiting);
  begin_pause(Pausing::refresh);
  if (self_ == nullptr) self_ = std::make_shared<Exchange*>(this);
  refresh_credential(
      context_, snapshot_,
      {*provider_, *credential_, handle_, cause, RefreshWanted::Need::now, std::string(trace_id_)},
      [self = self_](const Result<void>& done) {
        Exchange* exchange = *self;
        if (exchange == nullptr || exchange->phase_ != Phase::waiting) return;
        if (!done.ok()) {
          // This credential is of no use now; the next one may be.
          exchange->note_unusable("refresh_failed");
          exchange->tried_.push_back(exchange->credential_->id);
          exchange->drop_credential();
        }
        exchange->start_attempt();
      });
}

void Exchange::patch(std::string_view credential_json) {
  begin_pause(Pausing::refresh);
  if (self_ == nullptr) self_ = std::make_shared<Exchange*>(this);
  patch_credential(context_, snapshot_, {*provider_, *credential_, handle_},
                   Secret(credential_json), [self = self_](const Result<void>& done) {
                     Exchange* exchange = *self;
                     if (exchange == nullptr || exchange->phase_ != Phase::waiting) return;
                     if (!done.ok()) log::warn("changed credential not stored", done.error());
                     exchange->start_attempt();
                   });
}

// ---- accounts
// ------------------------------------------------------------------------------------

std::unique_ptr<ModuleUsageReader> Exchange::usage_reader(translate::Framing framing) const {
  if (!usage_row_) return nullptr;
  return ModuleUsageReader::of(*provider_->provider, resolved_.target_protocol, framing,
                               settings().limits.max_buffered_bytes);
}

AttemptUsage Exchange::attempt_usage(Outcome outcome) const {
  // Without an answer's head the upstream may never have begun.
  if (!path_ || upstream_status_ < 200 || upstream_status_ >= 300) return {};
  const auto told = path_->usage();
  int64_t input = input_estimate_;
  if (translation_ != nullptr) {
    input = translation_->request().estimate;
  } else if (told.input < 0 && input < 0 && body_.size() > 0) {
    input = translate::estimate_body_tokens(body_.view());
  }
  return settle_usage(path_->scan(), told, resolved_.target_protocol, outcome, path_->open(),
                      input);
}

void Exchange::record_usage(Outcome outcome, bool final) {
  if (!usage_row_ || usage_recorded_ || context_.recorder == nullptr) return;
  usage_recorded_ = true;
  const int64_t now = net::Loop::now_us();
  const int64_t first = first_byte_us_ >= attempt_us_ ? first_byte_us_ - attempt_us_ : -1;
  storage::UsageRow row;
  row.at = attempt_wall_us_;
  row.trace_id = trace_id_;
  row.attempt_no = static_cast<int32_t>(budget_.attempts);
  row.final = final;
  row.provider = provider_->name;
  row.provider_id = provider_->id;
  if (credential_ != nullptr) row.credential_id = credential_->id;
  if (key_ != nullptr) {
    row.user_id = key_->user_id;
    row.user_key_id = key_->id;
  }
  row.model = model_;
  row.protocol = static_cast<int32_t>(match_.protocol);
  row.operation = static_cast<int32_t>(operation_);
  row.status = upstream_status_;
  row.outcome = outcome;
  if (const auto [usage, estimated] = attempt_usage(outcome); usage.any()) {
    row.has_usage = true;
    row.estimated = estimated;
    row.input = std::max<int64_t>(usage.input, 0);
    row.output = std::max<int64_t>(usage.output, 0);
    row.cache_read = std::max<int64_t>(usage.cache_read, 0);
    row.cache_write = std::max<int64_t>(usage.cache_write, 0);
    row.cache_write_1h = std::max<int64_t>(usage.cache_write_1h, 0);
    row.reasoning = std::max<int64_t>(usage.reasoning, 0);
  }
  row.ttft_us = first;
  row.duration_us = now - attempt_us_;
  context_.recorder->usage(row);
}

void Exchange::end_attempt(Outcome outcome, bool final, const Error* error) {
  if (!attempt_open_) return;
  attempt_open_ = false;
  note_attempt(outcome, error);
  context_.metrics.attempt_ended(provider_->name, outcome);
  if (admission_ && usage_row_) {
    const auto usage = attempt_usage(outcome).usage;  // what the row says
    const auto part = [](int64_t tokens) { return std::max<int64_t>(tokens, 0); };
    admission_->use(
        part(usage.input) + part(usage.output) + part(usage.cache_read) + part(usage.cache_write),
        usage.any() || outcome == Outcome::failed);
  }
  if (context_.recorder != nullptr) {
    const int64_t now = net::Loop::now_us();
    const int64_t first = first_byte_us_ >= attempt_us_ ? first_byte_us_ - attempt_us_ : -1;
    const bool wanted = settings().request_log;
    record_usage(outcome, final);
    usage_recorded_ = false;  // the next attempt has a row of its own
    if (wanted) {
      const auto& prepared = call_.upstream();
      const auto target = path_of(prepared.url);
      const auto question = target.find('?');
      const auto headers = redacted_headers_json(prepared.headers);
      storage::UpstreamRequestRow row;
      row.at = attempt_wall_us_;
      row.trace_id = trace_id_;
      if (key_ != nullptr) {
        row.user_id = key_->user_id;
        row.user_key_id = key_->id;
      }
      row.provider = provider_->name;
      row.provider_id = provider_->id;
      if (credential_ != nullptr) row.credential_id = credential_->id;
      row.model = model_;
      row.method = prepared.method;
      row.path = target.substr(0, question);
      if (question != std::string_view::npos)
        row.query = redacted_query(target.substr(question + 1), arena_);
      row.request_headers_json = headers;
      if (error != nullptr) {
        row.error_kind = upstream_status_ >= 400 ? "http" : error->code;
        row.error_message = error->message;
        row.transport_kind = transport_kind_;
      }
      row.protocol = static_cast<int32_t>(resolved_.target_protocol);
      row.operation = static_cast<int32_t>(resolved_.target_operation);
      row.status = upstream_status_;
      row.attempt_no = static_cast<int32_t>(budget_.attempts);
      row.stream = is_stream();
      row.outcome = outcome;
      row.request_bytes = static_cast<int64_t>(prepared.body_bytes);
      row.response_bytes = static_cast<int64_t>(upstream_bytes_);
      row.ttft_us = first;
      row.duration_us = now - attempt_us_;
      context_.recorder->upstream(row);
      if (logged_ != nullptr) record_attempt_bodies();
    }
  }
  call_.release();
  handle_.reset();
}

}  // namespace gproxy::gateway
