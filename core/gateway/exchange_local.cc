// Exchange: answers that the module makes itself (LOCAL routes), whole or in pieces with delays.
#include <utility>

#include "gateway/aggregate_list.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/route_plan.h"
#include "gateway/translation.h"

namespace gproxy::gateway {
namespace {

constexpr int64_t kSlowReaderMs = 10;

}  // namespace

void Exchange::start_local() {
  enter(Phase::local);
  attempt_us_ = net::Loop::now_us();
  attempt_wall_us_ = started_wall_us_;
  budget_.attempts = 1;
  note_sent();
  auto answer = modhost::LocalAnswer::respond(*provider_->provider, call_request());
  upstream_us_ += net::Loop::now_us() - attempt_us_;
  if (!answer.ok()) {
    reply_error(answer.error());
    return;
  }
  local_ = std::make_unique<modhost::LocalAnswer>(std::move(*answer));
  attempt_open_ = true;
  const auto& reply = local_->reply();
  upstream_status_ = reply.status;
  if (translates()) {
    start_translated_local();
    return;
  }
  const auto type = http::find(reply.headers, "content-type");
  const bool events = type.starts_with("text/event-stream");
  ResponsePath::Options options;
  options.protocol = resolved_.target_protocol;
  options.framing = events ? translate::Framing::sse : translate::Framing::json;
  if (match_.aggregate && usage_row_ && match_.protocol != translate::Protocol::gemini) {
    options.model_provider = provider_->name;
  }
  options.usage = usage_reader(options.framing);
  path_.emplace(std::move(options), static_cast<ResponsePath::Receiver&>(*this));
  sse_ = events;
  if (local_->streamed()) {
    streamed_ = true;
    context_.metrics.open_streams.add();
    begin_answer(reply.status, answer_headers(reply.headers), std::nullopt);
    arm_ping();
    next_local_piece();
    return;
  }
  std::string_view body = reply.body;
  std::string edited;
  if (match_.aggregate && operation_ == translate::Operation::model_get && reply.status < 300) {
    edited = prefix_model_field(
        body, match_.protocol == translate::Protocol::gemini ? "name" : "id", provider_->name);
    body = edited;
  } else if (filters_models() && reply.status < 300) {
    edited = allowed_models(body);
    body = edited;
  } else if (!path_->scan_is_sse() && !options.model_provider.empty()) {
    edited = prefix_model_field(body, "model", provider_->name);
    body = edited;
  }
  first_byte_us_ = net::Loop::now_us();
  begin_answer(reply.status, answer_headers(reply.headers),
               path_->scan_is_sse() ? std::nullopt : std::optional<uint64_t>(body.size()));
  if (!path_->feed(body).ok() || !path_->finish().ok()) close_after_ = true;
  outcome_ = reply.status < 400 ? storage::Outcome::ok : storage::Outcome::failed;
  end_attempt(outcome_, /*final=*/true, nullptr);
  end_answer();
}

void Exchange::next_local_piece() {
  while (phase_ == Phase::local || phase_ == Phase::streaming) {
    // A client that does not keep up is waited for; the pieces keep their order, not their pace.
    if (session_.output_full()) {
      timer_.start(kSlowReaderMs);
      return;
    }
    if (!local_waits_) {
      auto piece = local_->next();
      if (!piece.ok()) {
        const bool begun = answer_bytes_ > 0;
        end_attempt(begun ? storage::Outcome::truncated : storage::Outcome::failed, /*final=*/true,
                    &piece.error());
        if (begun) {
          interrupt_answer(piece.error(), storage::Outcome::truncated);
        } else {
          reply_error(piece.error());
        }
        return;
      }
      local_piece_ = *piece;
      if (piece->delay_ms > 0) {
        local_waits_ = true;  // its bytes stay valid until the next call of next()
        timer_.start(piece->delay_ms);
        return;
      }
    }
    local_waits_ = false;
    if (first_byte_us_ == 0) first_byte_us_ = net::Loop::now_us();
    if (auto fed = path_->feed(local_piece_.bytes); !fed.ok()) {
      if (translation_ != nullptr) {
        fail_translated(fed.error());
        return;
      }
      close_after_ = true;
    }
    if (local_piece_.last) {
      if (translation_ != nullptr) {
        finish_translated();
        return;
      }
      if (!path_->finish().ok()) close_after_ = true;
      outcome_ = storage::Outcome::ok;
      end_attempt(outcome_, /*final=*/true, nullptr);
      end_answer();
      return;
    }
  }
}

}  // namespace gproxy::gateway
