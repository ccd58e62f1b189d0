// Exchange, towards the client: heads, bodies, pings, ends and rows.
#include <algorithm>
#include <charconv>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "gateway/aggregate_list.h"
#include "gateway/auth.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/record_text.h"
#include "gateway/route_plan.h"
#include "gateway/token_count.h"
#include "gateway/translation.h"
#include "translate/errors.h"
#include "translate/gemini_framing.h"

namespace gproxy::gateway {
namespace {

using translate::Protocol;

constexpr std::string_view kClaudePing = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
constexpr std::string_view kCommentPing = ": keepalive\n\n";

// Appends microseconds as milliseconds with three decimals.
char* put_ms(char* at, int64_t us) {
  us = std::max<int64_t>(us, 0);
  at = std::to_chars(at, at + 20, us / 1000).ptr;
  const auto fraction = static_cast<int>(us % 1000);
  *at++ = '.';
  *at++ = static_cast<char>('0' + fraction / 100);
  *at++ = static_cast<char>('0' + fraction / 10 % 10);
  *at++ = static_cast<char>('0' + fraction % 10);
  return at;
}

// "gproxy;dur=0.123, upstream;dur=45.678": milliseconds.
std::string_view timing(Arena& arena, int64_t own_us, int64_t upstream_us) {
  constexpr std::string_view kOwn = "gproxy;dur=", kUpstream = ", upstream;dur=";
  char text[96];
  char* at = std::copy(kOwn.begin(), kOwn.end(), text);
  at = put_ms(at, own_us);
  if (upstream_us >= 0) {
    at = std::copy(kUpstream.begin(), kUpstream.end(), at);
    at = put_ms(at, upstream_us);
  }
  return arena.copy(std::string_view(text, static_cast<size_t>(at - text)));
}

}  // namespace

// The upstream's headers that may go down, and ours.
std::span<const http::HeaderView> Exchange::answer_headers(
    std::span<const http::HeaderView> upstream) {
  // Only until begin_answer() has written them: a stream's arena need not hold them for minutes.
  const auto list = context_.header_list(upstream.size() + 11 + Admission::kHeaders);
  size_t n = 0;
  bool has_cache_control = false, has_buffering = false;
  for (const auto& header : upstream) {
    const std::string_view name = header.name;
    if (is_dropped_response_header(name)) continue;
    // The key's own limits are what its client must keep to.
    if (admission_ && name.size() > 12 && iequals(name.substr(0, 12), "x-ratelimit-")) continue;
    if (name.size() == 12 && iequals(name, "x-request-id")) {
      list[n++] = {"x-upstream-request-id", header.value};
      continue;
    }
    if (name.size() == 13) {
      if (iequals(name, "cache-control")) has_cache_control = true;
      if (iequals(name, "server-timing") || iequals(name, "x-gproxy-error")) continue;
    } else if (name.size() == 17 && iequals(name, "x-accel-buffering")) {
      has_buffering = true;
    }
    list[n++] = header;
  }
  if (sse_) {
    if (!has_cache_control) list[n++] = {"cache-control", "no-cache"};
    if (!has_buffering) list[n++] = {"x-accel-buffering", "no"};
  }
  if (!request_id_.empty()) list[n++] = {"x-request-id", request_id_};
  if (!dropped_.empty()) list[n++] = {"x-gproxy-dropped", dropped_};
  if (const auto& tell = settings().headers; budget_.attempts > 0) {
    if (tell.attempts)
      list[n++] = {"x-gproxy-attempts", arena_.copy(std::to_string(budget_.attempts))};
    if (tell.provider && provider_ != nullptr)
      list[n++] = {"x-gproxy-provider", std::string_view(provider_->name)};
    if (tell.credential && credential_ != nullptr)
      list[n++] = {"x-gproxy-credential", arena_.copy(std::to_string(credential_->id))};
  }
  if (admission_) n += admission_->headers(list.subspan(n), arena_, net::Loop::now_us());
  const int64_t total = net::Loop::now_us() - started_us_;
  const bool asked = budget_.attempts > 0;
  if (asked) overhead_us_ = std::max<int64_t>(total - upstream_us_, 0);
  list[n++] = {"server-timing", timing(arena_, total - upstream_us_, asked ? upstream_us_ : -1)};
  return list.first(n);
}

void Exchange::begin_answer(int status, std::span<const http::HeaderView> headers,
                            std::optional<uint64_t> content_length) {
  if (pinged_ || writer_.begun()) return;
  status_ = status;
  answer_length_ = content_length.value_or(UINT64_MAX);
  if (close_after_ || session_.draining()) writer_.close_after();
  if (held_head_.capacity() == 0) held_head_ = context_.take_string();
  if (auto begun = writer_.begin(status, headers, content_length, held_head_); !begun.ok()) {
    // An upstream's header that would split the answer: it goes down without any of them.
    log::warn("response header refused", begun.error());
    const http::HeaderView type{"content-type", sse_ ? "text/event-stream" : "application/json"};
    if (!writer_.begin(status, {&type, 1}, content_length, held_head_).ok()) close_after_ = true;
  }
}

void Exchange::on_answer(std::string_view bytes) {
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  if (phase_ == Phase::attempt) enter(Phase::streaming);
  const auto pieces = writer_.piece(bytes);
  std::array<std::string_view, 4> all;
  size_t n = 0;
  if (!held_head_.empty()) all[n++] = held_head_;
  for (const auto piece : pieces.span()) all[n++] = piece;
  answer_bytes_ += bytes.size();
  // The client may have all of its answer after this write: what it used is on the books first.
  if (attempt_open_ && answer_bytes_ >= answer_length_) {
    record_usage(storage::Outcome::ok, /*final=*/true);
  }
  if (logged_ != nullptr) keep_beginning(logged_->response, bytes);
  session_.write(std::span(all.data(), n));
  if (!held_head_.empty()) context_.give_back(std::exchange(held_head_, {}));
  last_write_ms_ = context_.loop.now_ms();
}

void Exchange::end_answer() {
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  const auto tail = writer_.end();
  std::array<std::string_view, 2> all{held_head_, tail};
  session_.write(all);
  if (!held_head_.empty()) context_.give_back(std::exchange(held_head_, {}));
  ping_.stop();
  enter(Phase::draining);
  session_.notify_flushed();
}

void Exchange::on_flushed() {
  if (phase_ == Phase::draining) finish(outcome_);
}

void Exchange::on_output_full() {
  if (transfer_ != nullptr && !paused_upstream_) {
    paused_upstream_ = true;
    transfer_->pause(Pause::downstream_full);
  }
}

void Exchange::on_writable() {
  if (transfer_ != nullptr && paused_upstream_) {
    paused_upstream_ = false;
    transfer_->resume(Pause::downstream_full);
  }
  if (http_call_ != nullptr) http_call_->tell_writable();
}

// ---- gproxy's own answers
// ------------------------------------------------------------------------

void Exchange::reply_whole(int status, std::span<const http::HeaderView> headers,
                           std::string_view body) {
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  sse_ = false;
  begin_answer(status, answer_headers(headers), body.size());
  on_answer(body);
  end_answer();
}

void Exchange::reply_error(const Error& error) {
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  error_code_ = error.code;
  outcome_ = budget_.attempts > 0 ? storage::Outcome::failed : storage::Outcome::refused;
  take_back_head();
  if (writer_.begun() || pinged_) {
    interrupt_answer(error, outcome_);
    return;
  }
  auto reply = make_local_reply(match_.kind, match_.protocol, error, request_id_);
  // Gemini's clients without alt=sse read an array, whatever is in it.
  if (match_.protocol == Protocol::gemini &&
      match_.operation == translate::Operation::stream_generate &&
      translate::gemini_framing(query_) == translate::GeminiFraming::array) {
    reply.body = "[" + reply.body + "]";
  }
  auto list = arena_.array<http::HeaderView>(6);
  size_t n = 0;
  if (list.size() == 6) {
    if (!reply.content_type.empty()) list[n++] = {"content-type", reply.content_type};
    if (!reply.code.empty()) list[n++] = {"x-gproxy-error", reply.code};
    if (reply.retry_after_s > 0)
      list[n++] = {"retry-after", arena_.copy(std::to_string(reply.retry_after_s))};
    if (error.http() == 405 && !match_.allow.empty()) list[n++] = {"allow", match_.allow};
    // RFC 9110 15.5.16: a 415 about the coding says which ones are taken.
    if (error.http() == 415) list[n++] = {"accept-encoding", "identity"};
    if (match_.protocol == Protocol::claude) list[n++] = {"request-id", request_id_};
  }
  reply_whole(reply.status, list.first(n), reply.body);
}

bool Exchange::begin_stream(int status, std::span<const http::HeaderView> headers) {
  if (phase_ == Phase::done || phase_ == Phase::draining || writer_.begun()) return false;
  begin_answer(status, answer_headers(headers), std::nullopt);
  streamed_ = true;
  context_.metrics.open_streams.add();
  return true;
}

bool Exchange::write_stream(std::string_view bytes) {
  if (phase_ == Phase::done || phase_ == Phase::draining) return false;
  on_answer(bytes);
  return !session_.output_full();
}

void Exchange::end_stream() {
  end_answer();
}

// A head that was made but not sent is forgotten.
void Exchange::take_back_head() {
  if (pinged_ || !writer_.begun() || held_head_.empty()) return;
  held_head_.clear();
  writer_ = http::ResponseWriter(http::RequestTraits(*head_));
  sse_ = false;
}

// The answer cannot be completed: the client is told in its protocol where that is still possible,
// and never sees a success marker.
void Exchange::interrupt_answer(const Error& error, storage::Outcome outcome) {
  error_code_ = error.code;
  outcome_ = outcome;
  if (path_ && path_->fail(error)) {  // the translator knows what went down
    end_answer();
    return;
  }
  const bool events = sse_ || pinged_;
  const auto* scan = path_ ? &path_->scan() : nullptr;
  translate::StreamState state;
  if (scan != nullptr && translation_ == nullptr) state.created = scan->created();
  if (events) {
    std::string text;
    // A broken event is ended first, so that the error stands in one of its own.
    if (scan != nullptr && path_->open() && !path_->at_boundary()) text = "\n\n";
    text += translate::encode_stream_error(match_.protocol, error, state);
    on_answer(text);
    end_answer();
    return;
  }
  if (is_stream() && match_.protocol == Protocol::gemini && scan != nullptr && scan->in_array() &&
      scan->between_elements()) {
    state.gemini_array = true;
    state.array_has_items = !scan->awaits_element();
    auto text = translate::encode_stream_error(match_.protocol, error, state);
    if (scan->awaits_element())
      text.erase(0, 1);  // the bracket or comma before it went out already
    on_answer(text);
    end_answer();
    return;
  }
  // A whole answer that breaks off: only the connection can say so.
  finish(outcome);
}

// ---- pings
// ---------------------------------------------------------------------------------------

bool Exchange::pings_possible() const {
  return is_stream() && match_.protocol != Protocol::gemini && settings().pings &&
         settings().timeouts.ping_after_ms > 0 && match_.kind == RouteKind::llm;
}

void Exchange::arm_ping() {
  last_write_ms_ = context_.loop.now_ms();
  if (pings_possible()) ping_.start(settings().timeouts.ping_after_ms);
}

void Exchange::on_ping() {
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  const auto after = settings().timeouts.ping_after_ms;
  const auto silent = context_.loop.now_ms() - last_write_ms_;
  if (silent < after) {
    ping_.start(after - silent);
    return;
  }
  ping_.start(after);
  // Somebody who does not read needs no sign of life.
  if (session_.output_full()) return;
  if (!writer_.begun()) {
    // Nothing came yet: the stream begins without the upstream. Attempts go on behind it.
    sse_ = true;
    const http::HeaderView type{"content-type", "text/event-stream"};
    begin_answer(200, answer_headers({&type, 1}), std::nullopt);
    pinged_ = true;
  } else if (!sse_ || (path_ && !path_->at_boundary())) {
    return;
  }
  const auto pieces =
      writer_.piece(match_.protocol == Protocol::claude ? kClaudePing : kCommentPing);
  std::array<std::string_view, 4> all;
  size_t n = 0;
  if (!held_head_.empty()) all[n++] = held_head_;
  for (const auto piece : pieces.span()) all[n++] = piece;
  session_.write(std::span(all.data(), n));
  if (!held_head_.empty()) context_.give_back(std::exchange(held_head_, {}));
  last_write_ms_ = context_.loop.now_ms();
  context_.metrics.pings.add();
}

// ---- ends
// ----------------------------------------------------------------------------------------

void Exchange::cancel(Cancel reason) {
  if (phase_ == Phase::done) return;
  if (reason == Cancel::shutdown) {
    close_after_ = true;
    switch (phase_) {
      case Phase::draining:
        finish(outcome_);
        return;
      case Phase::streaming:
      case Phase::local:
        if (writer_.begun()) {
          if (transfer_ != nullptr) transfer_->abort();
          interrupt_answer(shutting_down(), storage::Outcome::cancelled);
          return;
        }
        [[fallthrough]];
      default:
        if (head_ == nullptr) {
          finish(storage::Outcome::cancelled);
          return;
        }
        if (transfer_ != nullptr) transfer_->abort();
        reply_error(shutting_down());
        return;
    }
  }
  context_.metrics.client_gone.add();
  error_code_ = reason == Cancel::stalled ? "client_stalled" : "client_gone";
  if (phase_ != Phase::draining || reason == Cancel::stalled)
    outcome_ = storage::Outcome::cancelled;
  close_after_ = true;
  finish(outcome_);
}

void Exchange::finish(storage::Outcome outcome) {
  if (phase_ == Phase::done) return;
  outcome_ = outcome;
  timer_.stop();
  ping_.stop();
  first_token_.stop();
  stop_waiting();
  if (transfer_ != nullptr) {
    transfer_->abort();
    context_.loop.defer_delete(std::move(transfer_));
  }
  if (attempt_open_) end_attempt(outcome, /*final=*/true, nullptr);
  lease_.release();
  if (self_ != nullptr) *self_ = nullptr;
  translating_.cancel();
  counting_.reset();
  if (http_call_ != nullptr) std::exchange(http_call_, nullptr)->detach();
  list_.reset();
  local_.reset();
  if (admission_) admission_->leave(net::Loop::now_us());
  if (head_ != nullptr) {
    record_decision(outcome);
    record_request(outcome);
  }
  release_request_body();
  const bool answered = phase_ == Phase::draining && writer_.ended();
  enter(Phase::done);
  --context_.exchanges;
  context_.metrics.in_flight.add(-1);
  if (streamed_) context_.metrics.open_streams.add(-1);
  using After = Session::After;
  const auto after = !answered                               ? After::reset
                     : writer_.keep_alive() && !close_after_ ? After::keep_alive
                                                             : After::close;
  // Last: deletes this, deferred.
  session_.exchange_finished(after);
}

void Exchange::record_request(storage::Outcome outcome) {
  const int64_t now = net::Loop::now_us();
  const int64_t duration = now - started_us_;
  const int64_t first = first_byte_us_ > 0 ? first_byte_us_ - started_us_ : -1;
  const std::string_view provider =
      provider_ != nullptr ? std::string_view(provider_->name) : std::string_view();
  const int status = outcome == storage::Outcome::cancelled && !writer_.begun() ? 499 : status_;
  if (match_.kind == RouteKind::llm) {
    GatewayMetrics::Request ended;
    ended.protocol = match_.protocol;
    ended.operation = operation_;
    ended.provider = provider;
    ended.model = provider_ != nullptr && budget_.attempts > 0 ? model_ : std::string_view();
    if (provider_ != nullptr && provider_->provider != nullptr) {
      ended.gen_ai_name = provider_->provider->kind_info().gen_ai_name;
    }
    ended.status = status;
    ended.duration_us = duration;
    ended.first_byte_us = first;
    ended.overhead_us = overhead_us_;
    if (usage_row_) ended.usage = attempt_usage(outcome).usage;  // what the row says
    context_.metrics.request_ended(ended);
  }
  if (context_.recorder == nullptr || !settings().request_log) return;
  if (match_.kind != RouteKind::llm && match_.kind != RouteKind::oauth_start &&
      match_.kind != RouteKind::oauth_callback && match_.kind != RouteKind::usage) {
    return;
  }
  const auto headers = redacted_headers_json(head_->headers);
  const auto query = redacted_query(query_, arena_);
  const auto client = session_.peer().host();
  storage::RequestRow row;
  row.at = started_wall_us_;
  row.trace_id = trace_id_;
  if (key_ != nullptr) {
    row.user_id = key_->user_id;
    row.user_key_id = key_->id;
  }
  row.method = head_->method;
  row.path = head_->path;
  row.query = query;
  row.request_headers_json = headers;
  row.client = client;
  row.provider = provider;
  row.model = model_;
  row.error_code = error_code_;
  row.protocol = static_cast<int32_t>(match_.protocol);
  row.operation = static_cast<int32_t>(operation_);
  row.status = status;
  row.attempts = static_cast<int32_t>(budget_.attempts);
  row.stream = is_stream();
  row.outcome = outcome;
  row.request_bytes = static_cast<int64_t>(head_->content_length.value_or(body_.size()));
  row.response_bytes = static_cast<int64_t>(answer_bytes_);
  row.ttft_us = first;
  row.duration_us = duration;
  context_.recorder->request(row);
  if (logged_ != nullptr) record_bodies();
}

}  // namespace gproxy::gateway
