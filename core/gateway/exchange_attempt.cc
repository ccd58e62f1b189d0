// Exchange, towards upstream: the attempts, their answers and failures.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/sse.h"
#include "gateway/aggregate_list.h"
#include "gateway/auth.h"
#include "gateway/conversation.h"
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
using translate::Operation;

// Large whole answers are read in larger pieces.
constexpr size_t kReceiveStream = 16 * 1024;
constexpr size_t kReceiveWhole = 64 * 1024;

// The reference's names of transport failures, for stored rows.
std::string_view transport_word(modhost::FailureKind kind) {
  using enum modhost::FailureKind;
  switch (kind) {
    case connect_timeout:
    case total_timeout:
      return "Timeout";
    case first_byte_timeout:
    case idle_timeout:
      return "ReadTimeout";
    case connect:
    case reset:
      return "Connect";
    case dns:
      return "Dns";
    case tls:
      return "Tls";
    case status:
    case stream_error:
      return {};
    default:
      return "Other";
  }
}

bool is_event_stream(std::string_view content_type) {
  constexpr std::string_view kType = "text/event-stream";
  return content_type.size() >= kType.size() &&
         iequals(content_type.substr(0, kType.size()), kType);
}

Failure broken_answer() {
  Failure failure;
  failure.kind = modhost::FailureKind::protocol;
  return failure;
}

std::span<const http::HeaderView> copy_headers(std::span<const http::HeaderView> headers,
                                               Arena& arena) {
  auto out = arena.array<http::HeaderView>(headers.size());
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = {arena.copy(headers[i].name), arena.copy(headers[i].value)};
  return out;
}

}  // namespace

// ---- what is asked of whom
// -----------------------------------------------------------------------

void Exchange::start() {
  if (match_.aggregate && match_.operation == Operation::model_list) {
    operation_ = match_.operation;
    enter(Phase::local);
    list_ = std::make_unique<AggregateList>(*this);
    list_->start();
    return;
  }
  if (asks_for_kept()) {
    find_owner(match_.resource);  // then begin()
  } else {
    begin();
  }
}

void Exchange::begin() {
  if (auto indexed = index_request(); !indexed.ok()) {
    reply_error(indexed.error());
    return;
  }
  if (plan_ != nullptr && operation_ == Operation::model_get) {
    reply_route_model();
    return;
  }
  enter_target();
}

// What is asked of this provider, and how.
void Exchange::enter_target() {
  const auto& provider = *provider_->provider;
  if (provider_->pool->settings().strategy == config::Strategy::sticky) {
    conversation_ = conversation_key(
        {.headers = head_->headers, .model = model_, .body = body_.view(), .spans = spans_});
  }
  resolved_ = provider.route(match_.protocol, operation_);
  if (!resolved_.supported()) {
    reply_error(unsupported_operation(provider_->name));
    return;
  }
  if (const auto previous = previous_response_id(); !previous.empty()) {
    find_owner(previous);  // then choose_way()
  } else {
    choose_way();
  }
}

void Exchange::choose_way() {
  const auto& provider = *provider_->provider;
  if (operation_ == Operation::count_tokens && resolved_.served == modhost::RouteMode::local &&
      provider.can_count()) {
    start_count();
  } else if (translates()) {
    start_translation();  // then serve()
  } else {
    serve();
  }
}

void Exchange::serve() {
  if (resolved_.served == modhost::RouteMode::local) {
    start_local();
    return;
  }
  const auto& retry = settings().retry;
  budget_.max_attempts = retry.max_attempts;
  const auto deadline = settings().timeouts.attempt_deadline_ms;
  if (budget_.deadline_ms == 0 && deadline > 0)
    budget_.deadline_ms = context_.loop.now_ms() + deadline;
  if (phase_ != Phase::attempt) enter(Phase::attempt);
  arm_ping();
  start_attempt();
}

modhost::CallRequest Exchange::call_request() {
  modhost::CallRequest request;
  request.protocol = resolved_.target_protocol;
  request.operation = resolved_.target_operation;
  request.client_protocol = match_.protocol;
  request.translated = resolved_.mode == modhost::RouteMode::translate;
  request.model_differs = model_differs_;
  request.attempt = static_cast<uint32_t>(budget_.attempts);
  request.method = head_->method == "HEAD" ? std::string_view("GET") : head_->method;
  request.path = match_.path;
  request.query = query_;
  request.model = model_;
  request.resource = match_.resource;
  request.body = body_.view();
  request.headers = client_headers();
  request.spans = spans_;
  request.request_id = trace_id_;
  request.credential = handle_.get();
  request.arena = &arena_;
  if (translates()) translate_call(request);
  return request;
}

// Picks a credential and asks the module what to send. Every way out either has a transfer running,
// waits, or has answered.
void Exchange::start_attempt() {
  if (phase_ == Phase::done) return;
  end_pause();
  if (phase_ == Phase::waiting) enter(Phase::attempt);
  const auto& provider = *provider_->provider;
  const bool needs_credential = !provider.kind_info().credential_tag.empty();
  for (;;) {
    handle_.reset();
    if (needs_credential && credential_ == nullptr) {
      if (!take_credential()) {
        if (has_next_target()) {
          note_skips();
          note_target(*plan_->order[plan_->next - 1], "no_credential");
        }
        if (fail_over()) {
          enter_target();
        } else if (!wait_for_credential()) {
          refuse_without_credential();
        }
        return;
      }
    }
    if (credential_ != nullptr) {
      auto opened = snapshot_->credential(*provider_, *credential_);
      if (!opened.ok()) {
        log::warn("credential does not open", {{"provider", provider_->name},
                                               {"credential", credential_->id},
                                               {"error", opened.error().message}});
        note_unusable("secret");
        tried_.push_back(credential_->id);
        drop_credential();
        continue;
      }
      handle_ = std::move(*opened);
      int32_t cause = 0;
      if (!budget_.refreshed && needs_refresh(*handle_, context_.clock, cause)) {
        budget_.refreshed = true;
        refresh(cause);
        return;
      }
    }
    ++budget_.attempts;
    if (budget_.attempts > 1 && pages_ == nullptr) context_.metrics.retries.add();
    attempt_us_ = net::Loop::now_us();
    attempt_wall_us_ = budget_.attempts == 1 ? started_wall_us_ : context_.clock.wall_us();
    int32_t cause = 0;
    auto prepared = provider.prepare(
        call_request(), &cause,
        {.max_body_bytes = settings().limits.max_request_bytes + (size_t{1} << 20)});
    if (prepared.ok()) {
      call_ = std::move(*prepared);
      break;
    }
    const auto& error = prepared.error();
    if (credential_ != nullptr && error.code == "credential_expired" && !budget_.refreshed) {
      budget_.refreshed = true;
      --budget_.attempts;
      refresh(cause);
      return;
    }
    if (credential_ != nullptr &&
        (error.code == "credential_expired" || error.code == "credential_unusable")) {
      note_unusable(error.code);
      tried_.push_back(credential_->id);
      drop_credential();
      if (tried_.size() < kMaxUnbilled) {
        --budget_.attempts;
        continue;
      }
    }
    if (error.code == "unsupported_operation" && translation_ != nullptr &&
        translation_->counts()) {
      reply_count();
      return;
    }
    // What this target does not offer the next one may.
    if (plan_ != nullptr && (error.code == "unsupported_operation" ||
                             error.code == "model_not_found" || error.code == "module_error")) {
      const Error why = error;
      note_target(*plan_->order[plan_->next - 1], arena_.copy(why.code));
      if (fail_over()) {
        last_error_ = why;
        enter_target();
        return;
      }
    }
    reply_error(error);
    return;
  }
  send();
}

void Exchange::send() {
  const auto& prepared = call_.upstream();
  const auto& times = settings().timeouts;
  upstream::Request request;
  request.method = prepared.method;
  request.url = prepared.url;
  request.secret_query = prepared.secret_query;
  request.headers = prepared.headers;
  request.body = prepared.body;
  request.has_body = prepared.has_body;
  request.proxy = settings().proxy;
  const auto version = settings().upstream_version();
  request.version = prepared.http1 || version == config::UpstreamHttp::http1
                        ? upstream::HttpVersion::http1
                    : version == config::UpstreamHttp::http2 ? upstream::HttpVersion::http2
                                                             : upstream::HttpVersion::automatic;
  const auto either = [](int64_t module, int64_t host) { return module > 0 ? module : host; };
  request.timeouts = {either(prepared.connect_ms, times.connect_ms),
                      either(prepared.first_byte_ms, times.first_byte_ms),
                      either(prepared.idle_ms, times.stream_idle_ms), prepared.total_ms};
  request.receive_buffer = is_stream() ? kReceiveStream : kReceiveWhole;

  attempt_open_ = true;
  mode_ = Mode::none;
  upstream_status_ = 0;
  transport_kind_ = {};
  upstream_headers_ = {};
  upstream_bytes_ = 0;
  collected_.clear();
  path_.reset();
  note_sent();
  if (logged_ != nullptr) begin_logging_attempt();
  transfer_ = context_.client.start(request, *this);
  watch_first_token();
  if (session_.output_full()) on_output_full();
}

// ---- the upstream's answer
// -----------------------------------------------------------------------

void Exchange::on_head(const upstream::Head& head) {
  if (phase_ == Phase::done) return;
  upstream_us_ += net::Loop::now_us() - attempt_us_;
  upstream_status_ = head.status;
  note_limits(head);
  // A redirect would send the client, with its key, to where the vendor's answer points; a 407 is
  // between the operator's proxy and us; numbers beyond the classes are no HTTP.
  if ((head.status >= 300 && head.status < 400) || head.status == 407 || head.status > 599) {
    drop_transfer();
    fail_attempt(broken_answer());
    return;
  }
  const bool ours_to_edit =
      (prefixes_model() && operation_ == Operation::model_get) || filters_models();
  const bool translated = translates();
  const bool read_whole = ours_to_edit || (translated && !translate::is_generate(operation_));
  if (head.status >= 400 || call_.upstream().buffer || read_whole) {
    mode_ = head.status >= 400 ? Mode::collect_error : Mode::collect_answer;
    upstream_headers_ = copy_headers(head.headers, arena_);
    return;
  }
  modhost::Reply down{.status = head.status, .headers = head.headers, .body = {}};
  if (call_.has_head()) {
    auto edited = call_.head(down);
    if (!edited.ok()) {
      transfer_->abort();
      end_attempt(Outcome::failed, /*final=*/true, &edited.error());
      reply_error(edited.error());
      return;
    }
    down = *edited;
  }
  const bool said_events = is_event_stream(http::find(down.headers, "content-type"));
  if (translated) {
    mode_ = Mode::relay;
    const auto kept =
        translation_->context().stream ? down.headers : copy_headers(down.headers, arena_);
    begin_translated(kept, said_events ? translate::Framing::sse : translate::Framing::json);
    return;
  }
  const bool generates = translate::is_generate(operation_);
  // What was asked for counts, not what the answer calls itself: some servers name no type or the
  // wrong one. A module that rewrites the answer says what it makes of it.
  const bool came_as_events =
      generates && !call_.has_data() ? expects_events(said_events) : said_events;
  if (pinged_ && !came_as_events) {  // events were promised already
    transfer_->abort();
    const auto error = attempt_error(broken_answer());
    end_attempt(Outcome::failed, /*final=*/true, &error);
    reply_error(error);
    return;
  }
  mode_ = Mode::relay;

  ResponsePath::Options options;
  options.protocol = resolved_.target_protocol;
  options.framing = came_as_events ? translate::Framing::sse : translate::Framing::json;
  options.gate_on_event = came_as_events && is_stream();
  options.expects = expected_answer(head.status, came_as_events);
  options.report_id = resolved_.target_protocol == translate::Protocol::openai_response;
  options.strip_usage_chunk = came_as_events && call_.upstream().usage_added;
  if (prefixes_model() && generates && match_.protocol != translate::Protocol::gemini) {
    options.model_provider = provider_->name;
  }
  if (call_.has_data()) options.call = &call_;
  options.usage = usage_reader(options.framing);
  std::optional<uint64_t> length;
  if (const auto text = http::find(down.headers, "content-length"); text.data() != nullptr)
    length = parse_uint(text);
  options.length_known = length.has_value();
  const bool edited =
      options.call != nullptr || options.strip_usage_chunk || !options.model_provider.empty();
  path_.emplace(std::move(options), static_cast<ResponsePath::Receiver&>(*this));
  if (edited || came_as_events || head.decoded) length.reset();
  if (pinged_) return;  // the stream has begun already
  sse_ = came_as_events;
  begin_answer(down.status, answer_headers(down.headers), length);
  if (is_stream() && !streamed_) {
    streamed_ = true;
    context_.metrics.open_streams.add();
  }
}

void Exchange::on_data(std::string_view bytes) {
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  if (first_byte_us_ == 0) first_byte_us_ = net::Loop::now_us();
  upstream_bytes_ += bytes.size();
  if (logged_ != nullptr) keep_beginning(logged_->up_response, bytes);
  switch (mode_) {
    case Mode::relay: {
      const bool was_open = path_->open();
      auto fed = path_->feed(bytes);
      if (!fed.ok()) {
        if (translation_ != nullptr) {
          fail_translated(fed.error());
          return;
        }
        transfer_->abort();
        end_attempt(Outcome::failed, /*final=*/true, &fed.error());
        reply_error(fed.error());
        return;
      }
      if (path_->garbage()) {
        fail_garbage(path_->held());
        return;
      }
      if (!was_open && path_->open()) {
        budget_.content_sent = true;
        first_token_.stop();
        // Nothing is tried again from here on. What the module may still look at stays.
        if (!call_.has_data() && transfer_ != nullptr && transfer_->body_taken()) {
          if (usage_row_) input_estimate_ = translate::estimate_body_tokens(body_.view());
          release_request_body();
        }
      }
      break;
    }
    case Mode::collect_error: {
      const size_t room = settings().limits.max_error_body_bytes -
                          std::min(collected_.size(), settings().limits.max_error_body_bytes);
      collected_.append(bytes.substr(0, room));
      if (bytes.size() > room) {  // an error may go on for ever; what is known will do
        drop_transfer();
        end_error_answer();
      }
      break;
    }
    case Mode::collect_answer:
      if (collected_.size() + bytes.size() > settings().limits.max_buffered_bytes) {
        drop_transfer();
        Failure failure;
        failure.kind = modhost::FailureKind::too_large;
        fail_attempt(failure);
        return;
      }
      collected_.append(bytes);
      break;
    case Mode::none:
      break;
  }
}

void Exchange::on_complete(const upstream::Completion& completion) {
  if (transfer_ != nullptr) context_.loop.defer_delete(std::move(transfer_));
  first_token_.stop();
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  note_connection(completion);
  // What breaks off after its end is complete.
  const bool failed = completion.failure != upstream::FailureKind::none &&
                      !(mode_ == Mode::relay && path_ && path_->translated_end());
  if (mode_ == Mode::none) upstream_us_ += net::Loop::now_us() - attempt_us_;
  if (!failed) {
    switch (mode_) {
      case Mode::relay:
        complete_answer();
        return;
      case Mode::collect_error:
        end_error_answer();
        return;
      case Mode::collect_answer:
        complete_collected();
        return;
      case Mode::none:
        break;
    }
  }
  Failure failure;
  failure.kind = failed ? failure_kind(completion.failure) : modhost::FailureKind::protocol;
  // An error whose body broke off is still that error.
  if (mode_ == Mode::collect_error) {
    failure.kind = modhost::FailureKind::status;
    failure.status = upstream_status_;
  }
  transport_kind_ = transport_word(failure.kind);
  if (!completion.message.empty()) {
    log::info("upstream failed", {{"id", trace_id_},
                                  {"provider", provider_->name},
                                  {"failure", modhost::name(failure.kind)},
                                  {"message", completion.message}});
  }
  if (mode_ == Mode::relay && (path_->open() || answer_bytes_ > 0)) {
    // Too late for another attempt.
    const auto error = attempt_error(failure);
    end_attempt(Outcome::truncated, /*final=*/true, &error);
    auto told = stream_interrupted();
    if (is_timeout(failure.kind))
      told.kind = ErrorKind::timeout, told.code = "timeout", told.status = 504;
    interrupt_answer(told, Outcome::truncated);
    return;
  }
  fail_attempt(failure);
}

// From inside its events, too: what comes next may start another.
void Exchange::drop_transfer() {
  if (transfer_ == nullptr) return;
  transfer_->abort();
  context_.loop.defer_delete(std::move(transfer_));
}

void Exchange::end_error_answer() {
  if (count_here()) {  // this upstream does not count
    const Error error{ErrorKind::unsupported, "unsupported_operation",
                      "the upstream does not count tokens"};
    end_attempt(Outcome::failed, /*final=*/true, &error);
    reply_count();
    return;
  }
  Failure failure;
  failure.status = upstream_status_;
  fail_attempt(failure);
}

// The last event that speaks of an error.
std::string Exchange::error_event(std::string_view events) {
  std::string found;
  sse::Reader reader;
  const auto take = [&](const sse::Event& event) {
    if (event.data.find("error") != std::string_view::npos) found = event.data;
    return true;
  };
  if (auto read = reader.feed(events, take); read.ok()) reader.finish(take);
  return found;
}

void Exchange::complete_answer() {
  if (translation_ != nullptr) {
    finish_translated();
    return;
  }
  if (auto done = path_->finish(); !done.ok()) {
    end_attempt(Outcome::failed, /*final=*/true, &done.error());
    reply_error(done.error());
    return;
  }
  if (path_->garbage()) {
    fail_garbage(path_->held());
    return;
  }
  if (path_->cut()) {  // too late for another attempt
    log_garbage(answer_bytes_);
    const auto error = stream_interrupted();
    end_attempt(Outcome::truncated, /*final=*/true, &error);
    interrupt_answer(error, Outcome::truncated);
    return;
  }
  const auto& scan = path_->scan();
  const bool events = path_->scan_is_sse() && is_stream();
  if (events && !path_->open()) {
    // A stream without an event, or with nothing but an error.
    Failure failure;
    failure.kind =
        scan.failed() ? modhost::FailureKind::stream_error : modhost::FailureKind::protocol;
    failure.status = scan.failed() ? upstream_status_ : 0;
    collected_ = error_event(path_->held());
    fail_attempt(failure);
    return;
  }
  if (events && !scan.finished() && !scan.failed()) {
    const auto error = stream_interrupted();
    end_attempt(Outcome::truncated, /*final=*/true, &error);
    interrupt_answer(error, Outcome::truncated);
    return;
  }
  if (credential_ != nullptr) credential_->slot->record_success();
  outcome_ = scan.failed() && events ? Outcome::failed : Outcome::ok;
  end_attempt(outcome_, /*final=*/true, nullptr);
  end_answer();
}

// A whole answer that the module or the host edits before it goes down.
void Exchange::complete_collected() {
  modhost::Reply reply{
      .status = upstream_status_, .headers = upstream_headers_, .body = collected_};
  if (call_.has_body()) {
    auto edited = call_.body(reply);
    if (!edited.ok()) {
      end_attempt(Outcome::failed, /*final=*/true, &edited.error());
      reply_error(edited.error());
      return;
    }
    reply = *edited;
  }
  if (translates()) {
    complete_translated(reply);
    return;
  }
  if (pinged_) {
    const auto error = attempt_error(broken_answer());
    end_attempt(Outcome::failed, /*final=*/true, &error);
    reply_error(error);
    return;
  }
  if (expected_answer(reply.status, false) != ResponsePath::Expects::anything &&
      !is_json_answer(reply.body)) {
    fail_garbage(reply.body);
    return;
  }
  std::string body(reply.body);
  if (prefixes_model() && operation_ == Operation::model_get && reply.status < 300) {
    body = prefix_model_field(body, match_.protocol == translate::Protocol::gemini ? "name" : "id",
                              provider_->name);
  } else if (filters_models() && reply.status < 300) {
    body = allowed_models(body);
  } else if (prefixes_model() && translate::is_generate(operation_) &&
             match_.protocol != translate::Protocol::gemini) {
    body = prefix_model_field(body, "model", provider_->name);
  }
  const bool keeps = resolved_.target_protocol == translate::Protocol::openai_response;
  path_.emplace(ResponsePath::Options{.protocol = resolved_.target_protocol,
                                      .report_id = keeps,
                                      .usage = usage_reader(translate::Framing::json)},
                static_cast<ResponsePath::Receiver&>(*this));
  if (credential_ != nullptr) credential_->slot->record_success();
  outcome_ = Outcome::ok;
  begin_answer(reply.status, answer_headers(reply.headers), body.size());
  if (auto fed = path_->feed(body); !fed.ok()) close_after_ = true;
  end_attempt(Outcome::ok, /*final=*/true, nullptr);
  end_answer();
}

}  // namespace gproxy::gateway
