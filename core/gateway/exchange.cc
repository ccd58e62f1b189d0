#include "gateway/exchange.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "base_version.h"
#include "gateway/aggregate_list.h"
#include "gateway/auth.h"
#include "gateway/http_call.h"
#include "gateway/live_usage.h"
#include "gateway/login.h"
#include "gateway/login_query.h"
#include "gateway/model_list.h"
#include "gateway/overload.h"
#include "gateway/pool_metrics.h"
#include "gateway/pool_wait.h"
#include "gateway/request_id.h"
#include "gateway/route_plan.h"
#include "gateway/translation.h"

namespace gproxy::gateway {
namespace {

constexpr size_t kArenaBlock = 3584;
constexpr size_t kDirectRead = 16 * 1024;   // with less to come, a copy is cheaper than two reads
constexpr size_t kLongestRead = 256 * 1024;
constexpr size_t kTrustedLength = 8 << 20;  // room made ahead for a body on its word
// A refused request's body is read and dropped up to here, so that the connection can go on.
constexpr uint64_t kDroppedBody = 64 * 1024;

bool has_json_body(translate::Operation operation) {
  using enum translate::Operation;
  switch (operation) {
    case none:  // generate, by the body's `stream`
    case generate:
    case stream_generate:
    case count_tokens:
    case response_compact:
    case memory_trace_summarize:
      return true;
    default:
      return false;
  }
}

bool needs_key(RouteKind kind) {
  switch (kind) {
    case RouteKind::llm:
    case RouteKind::unknown_operation:
    case RouteKind::oauth_start:
    case RouteKind::oauth_callback:
    case RouteKind::usage:
      return true;
    default:
      return false;
  }
}

}  // namespace

Exchange::Exchange(WorkerContext& context, Session& session, config::LoopSnapshotPtr snapshot)
    : context_(context),
      session_(session),
      snapshot_(std::move(snapshot)),
      arena_(kArenaBlock, (*snapshot_)->settings().limits.max_exchange_bytes),
      timer_(context.loop, [this] { on_timer(); }),
      ping_(context.loop, [this] { on_ping(); }),
      first_token_(context.loop, [this] { on_first_token_late(); }) {
  ++context_.exchanges;
  context_.metrics.in_flight.add();
}

Exchange::~Exchange() {
  stop_waiting();
  if (self_ != nullptr) *self_ = nullptr;
  if (phase_ !=
      Phase::done) {  // the session died without an end; only a destroyed worker does that
    --context_.exchanges;
    context_.metrics.in_flight.add(-1);
  }
  if (charged_ > 0) context_.shared.memory.give_back(charged_);
  context_.give_back(std::move(held_head_));
}

// Exchanges are too big for malloc's quick lists; each loop keeps some of its own.
namespace {

struct Spare {
  static constexpr size_t kMost = 64;
  std::vector<void*> blocks;
  ~Spare() {
    for (void* block : blocks) ::operator delete(block);
  }
};
thread_local Spare spare;

}  // namespace

void* Exchange::operator new(size_t bytes) {
  if (bytes != sizeof(Exchange) || spare.blocks.empty()) return ::operator new(bytes);
  void* block = spare.blocks.back();
  spare.blocks.pop_back();
  return block;
}

void Exchange::operator delete(void* block) {
  if (spare.blocks.size() < Spare::kMost) {
    spare.blocks.push_back(block);
  } else {
    ::operator delete(block);
  }
}

void Exchange::enter(Phase next) {
  GP_ASSERT(phase_ != Phase::done);
  if (log::enabled(log::Level::trace)) {
    log::trace(
        "exchange",
        {{"id", request_id_}, {"from", static_cast<int>(phase_)}, {"to", static_cast<int>(next)}});
  }
  phase_ = next;
}

// ---- the head
// ------------------------------------------------------------------------------------

http::Action Exchange::on_head(const http::RequestHead& head) {
  head_ = &head;
  started_us_ = net::Loop::now_us();
  started_wall_us_ = context_.clock.wall_us();
  ++context_.requests;
  enter(Phase::body);
  writer_ = http::ResponseWriter(http::RequestTraits(head));
  match_ = route(head.method, head.path, arena_);
  trace_id_ =
      make_request_id(arena_, started_wall_us_ / 1000, context_.random(), context_.random());
  const auto given = head.header("x-request-id");
  request_id_ = is_sane_request_id(given) ? given : trace_id_;
  check_head();

  if (refusal_) {
    // The answer is known: the body is dropped if it is small, else not even read.
    const bool small = !head.chunked && head.content_length.value_or(0) <= kDroppedBody;
    if (head.has_body() && (!small || head.expect_continue)) {
      stop_after_head_ = close_after_ = true;
      return http::Action::stop;
    }
    return http::Action::proceed;
  }
  if (!head.has_body()) return http::Action::proceed;
  const auto length = static_cast<size_t>(head.content_length.value_or(0));
  if (length > kUnchargedBytes) {
    if (!context_.shared.memory.take(length, settings().limits.memory_budget_bytes)) {
      return http::Action::pause;
    }
    charged_ = length;
  }
  if (head.expect_continue) session_.write(http::kContinue);
  body_.reserve(std::min(length, kTrustedLength));
  return http::Action::proceed;
}

Exchange::Memory Exchange::retry_memory(int64_t waited_ms) {
  const auto length = static_cast<size_t>(head_->content_length.value_or(0));
  if (context_.shared.memory.take(length, settings().limits.memory_budget_bytes)) {
    charged_ = length;
    if (head_->expect_continue) session_.write(http::kContinue);
    return Memory::granted;
  }
  if (waited_ms < settings().timeouts.budget_wait_ms) return Memory::wait;
  context_.metrics.refused.add();
  refusal_ = overloaded_error("memory for requests is used up", 1000);
  close_after_ = true;
  return Memory::refused;
}

void Exchange::check_head() {
  const auto& head = *head_;
  query_ = head.query;
  if (match_.kind == RouteKind::admin || match_.kind == RouteKind::ui ||
      match_.kind == RouteKind::metrics) {
    presented_ = find_key(head.headers, head.query, arena_);
    query_ = without_key(head.query, arena_);
    if (match_.kind == RouteKind::admin &&
        head.content_length.value_or(0) > settings().limits.max_admin_body_bytes) {
      refusal_ = Error{ErrorKind::too_large, "request_too_large", "the request body is too large"};
    }
    return;
  }
  const bool protocol_path = match_.protocol != translate::Protocol::none;
  if (!needs_key(match_.kind) && !(match_.kind == RouteKind::method_not_allowed && protocol_path)) {
    if (match_.kind == RouteKind::not_found) refusal_ = unknown_path(head.method, head.path);
    if (match_.kind == RouteKind::method_not_allowed) refusal_ = method_not_allowed(head.method);
    return;
  }
  presented_ = find_key(head.headers, head.query, arena_);
  settle_protocol(match_, http::has(head.headers, "anthropic-version"), presented_.source);
  query_ = without_key(head.query, arena_);
  const auto check = [&]() -> Result<void> {
    GP_CHECK(authenticate());
    if (match_.kind == RouteKind::method_not_allowed) return method_not_allowed(head.method);
    if (match_.kind == RouteKind::unknown_operation) return unknown_path(head.method, match_.path);
    if (match_.bad_verb) return bad_gemini_action();
    if (const auto encoding = head.header("content-encoding");
        !encoding.empty() && !iequals(encoding, "identity")) {
      return unsupported_content_encoding();
    }
    if (auto admitted = admit(context_, settings()); !admitted.ok()) {
      context_.metrics.refused.add();
      return admitted;
    }
    if (match_.kind == RouteKind::llm && !match_.aggregate) GP_CHECK(find_provider());
    if (match_.kind == RouteKind::llm && key_->limited) return admit_key();
    return ok();
  };
  if (auto checked = check(); !checked.ok()) refusal_ = std::move(checked).error();
}

Result<void> Exchange::authenticate() {
  const bool account = match_.kind == RouteKind::oauth_start ||
                       match_.kind == RouteKind::oauth_callback || match_.kind == RouteKind::usage;
  if (account && is_admin()) return ok();
  if (presented_.key.empty()) {
    by_state_ = match_.kind == RouteKind::oauth_callback && brings_login_state(query_);
    return by_state_ ? ok() : unauthorized();
  }
  key_ = session_.find_key(snapshot_, presented_.key);
  if (key_ == nullptr || !key_->usable(started_wall_us_)) return unauthorized();
  return ok();
}

// The administrator's key in the admin API's header; as a bearer it is user 0's own key.
bool Exchange::is_admin() const {
  const auto key = trim(http::find(head_->headers, "x-admin-key"));
  return !key.empty() && context_.hasher != nullptr &&
         constant_time_equal(digest_view(context_.hasher->digest(key)),
                             digest_view((*snapshot_)->admin_key_digest()));
}

// The limits of the key and its user. Tokens are expected from the length of the request: four
// bytes make about one, and what the answer will take nobody knows yet.
Result<void> Exchange::admit_key() {
  using enum translate::Operation;
  constexpr uint64_t kBytesPerToken = 4;
  const auto operation = match_.operation;
  int64_t expected = 0;
  if (operation == none || operation == generate || operation == stream_generate) {
    expected = static_cast<int64_t>(head_->content_length.value_or(0) / kBytesPerToken) + 1;
  }
  admission_.emplace(*key_);
  auto entered = admission_->enter(expected, started_us_);
  if (!entered.ok()) context_.metrics.rate_limited.add();
  return entered;
}

Result<void> Exchange::check_allowed(std::string_view provider, std::string_view model) const {
  if (key_ == nullptr || !key_->restricted) return ok();
  for (const auto* bounds : {key_->bounds.get(), key_->user_bounds.get()}) {
    if (!config::allows_provider(*bounds, provider)) return provider_not_allowed(provider);
    if (!model.empty() && !config::allows_model(*bounds, provider, model)) {
      return model_not_allowed(model);
    }
  }
  return ok();
}

bool Exchange::filters_models() const {
  return operation_ == translate::Operation::model_list && !match_.aggregate && key_ != nullptr &&
         key_->restricted;
}

std::string Exchange::allowed_models(std::string_view list) const {
  return keep_models(list, [this](std::string_view id) {
    return check_allowed(provider_->name, id).ok();
  });
}

Result<void> Exchange::find_provider() {
  const auto name = match_.provider;
  GP_CHECK(check_allowed(name, {}));
  provider_ = (*snapshot_)->find_provider(name);
  if (provider_ == nullptr) return provider_not_found(name);
  if (!provider_->enabled) return provider_disabled(name);
  if (provider_->provider == nullptr) return provider_unavailable(name);
  return ok();
}

// ---- the body
// ------------------------------------------------------------------------------------

void Exchange::on_body(std::string_view bytes) {
  if (refusal_) return;
  if (match_.kind == RouteKind::admin &&
      body_.size() + bytes.size() > settings().limits.max_admin_body_bytes) {
    refusal_ = Error{ErrorKind::too_large, "request_too_large", "the request body is too large"};
    close_after_ = true;
    return;
  }
  // A chunked body is charged as it comes.
  if (body_.size() + bytes.size() > std::max(charged_, kUnchargedBytes)) {
    const size_t more = body_.size() + bytes.size() - charged_;
    if (!context_.shared.memory.take(more, settings().limits.memory_budget_bytes)) {
      context_.metrics.refused.add();
      refusal_ = overloaded_error("memory for requests is used up", 1000);
      close_after_ = true;
      return;
    }
    charged_ += more;
  }
  if (!body_.append(bytes)) {
    refusal_ = overloaded_error("memory is out", 1000);
    close_after_ = true;
  }
}

std::span<char> Exchange::body_room() {
  if (refusal_ || match_.kind == RouteKind::admin || !head_->content_length) return {};
  // Never beyond this body: what follows on the connection is another request's.
  const auto left = static_cast<size_t>(*head_->content_length) - body_.size();
  return left < kDirectRead ? std::span<char>() : body_.room(std::min(left, kLongestRead));
}

void Exchange::release_request_body() {
  body_.release();
  if (plan_ != nullptr) {  // nothing is asked of a further target from here on
    plan_->client_body.release();
    plan_->charged = 0;
    plan_->stuck = true;
  }
  if (charged_ > 0) context_.shared.memory.give_back(std::exchange(charged_, 0));
}

void Exchange::fail_request(const Error& error, const http::RequestHead* head,
                            const http::RequestLine& line) {
  close_after_ = true;
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  if (head_ == nullptr) {
    started_us_ = net::Loop::now_us();
    started_wall_us_ = context_.clock.wall_us();
    trace_id_ =
        make_request_id(arena_, started_wall_us_ / 1000, context_.random(), context_.random());
    request_id_ = trace_id_;
    enter(Phase::body);
    head_ = head;
    if (!line.path.empty()) {
      match_ = route(line.method, line.path, arena_);
      query_ = without_key(line.query, arena_);
      settle_protocol(match_, head != nullptr && http::has(head->headers, "anthropic-version"),
                      KeySource::none);
      http::RequestTraits traits = head != nullptr ? *head : http::RequestTraits();
      traits.is_head = line.method == "HEAD";
      writer_ = http::ResponseWriter(traits);
    }
  }
  refusal_ = error;
  reply_error(error);
}

void Exchange::run() {
  if (phase_ == Phase::done) return;
  run_us_ = mark_us_ = net::Loop::now_us();
  if (refusal_) {
    reply_error(*refusal_);
    return;
  }
  if (match_.kind != RouteKind::llm) {
    answer_local_route();
    return;
  }
  if (!settings().event_redact_sensitive) begin_logging_bodies();
  start();
}

std::span<const http::HeaderView> Exchange::client_headers() {
  if (!client_headers_made_) {
    client_headers_ = without_private(head_->headers, arena_);
    client_headers_made_ = true;
  }
  return client_headers_;
}

// One pass over the body: where its members stand, and what it says of the model and of streaming.
Result<void> Exchange::index_body(translate::ModelRule rule, size_t max_bytes, std::string_view* body_model) {
  GP_TRY(const auto index, translate::index_body(body_.view(), rule,
                                                 {.max_depth = settings().limits.max_json_depth, .max_bytes = max_bytes}));
  if (operation_ == translate::Operation::none) {
    operation_ = index.stream ? translate::Operation::stream_generate : translate::Operation::generate;
  }
  model_differs_ = false;
  if (body_model != nullptr) {
    // Rows and metrics need it when the body has long been let go.
    *body_model = arena_.copy(index.model_unescaped.empty() ? index.model : std::string_view(index.model_unescaped));
    model_ = *body_model;
    model_differs_ = !index.model_unescaped.empty();
  }
  spans_ = arena_.array<modhost::FieldSpan>(translate::kAbiBodyFields);
  size_t n = 0;
  for (size_t field = 0; field < translate::kAbiBodyFields; ++field) {
    const auto& span = index.spans[field];
    if (!span.found || n >= spans_.size()) continue;
    constexpr uint32_t kEscaped = 0x100;  // GP_SPAN_ESCAPED
    spans_[n++] = {static_cast<int32_t>(field),
                   static_cast<uint32_t>(span.kind) | (span.escaped ? kEscaped : 0), span.at, span.len};
  }
  spans_ = spans_.first(n);
  std::sort(spans_.begin(), spans_.end(), [](const auto& a, const auto& b) {
    return a.at != b.at ? a.at < b.at : a.field < b.field;
  });
  return ok();
}

// What the body says, then: which model, which operation, which provider.
Result<void> Exchange::index_request() {
  operation_ = match_.operation;
  model_ = match_.model;
  std::string_view body_model;
  if (has_json_body(match_.operation)) {
    const bool in_path = !match_.model.empty();
    const bool required = !in_path && match_.protocol != translate::Protocol::openai;
    GP_CHECK(index_body(required ? translate::ModelRule::in_body : translate::ModelRule::elsewhere,
                        settings().limits.max_request_bytes, in_path ? nullptr : &body_model));
  }
  if (match_.aggregate && !asks_for_kept()) {
    const auto split = split_provider_model(model_, arena_);
    if (split.ok()) {
      match_.provider = split.provider;
      model_ = split.model;
      if (!body_model.empty()) model_differs_ = true;
      GP_CHECK(find_provider());
    } else {
      GP_TRY(const bool routed, plan_route());
      if (!routed) return missing_provider_prefix();
    }
  }
  // A route is allowed by the name it is asked for; its targets by their providers.
  if (!match_.provider.empty()) {
    GP_CHECK(check_allowed(match_.provider, plan_ != nullptr ? plan_->asked : model_));
  }
  usage_row_ = translate::is_generate(operation_);
  return ok();
}

// ---- what gproxy answers itself
// ------------------------------------------------------------------

void Exchange::answer_local_route() {
  switch (match_.kind) {
    case RouteKind::healthz:
      reply_whole(200, {}, "ok\n");
      break;
    case RouteKind::readyz: {
      const auto& readiness = context_.shared.readiness;
      const http::HeaderView json{"content-type", "application/json"};
      reply_whole(readiness.ready() ? 200 : 503, {&json, 1}, readiness.to_json());
      break;
    }
    case RouteKind::version: {
      const http::HeaderView json{"content-type", "application/json"};
      reply_whole(200, {&json, 1}, R"({"name":"gproxy","version":")" GPROXY_VERSION R"("})");
      break;
    }
    case RouteKind::favicon:
      reply_whole(204, {}, {});
      break;
    case RouteKind::probe:
      if (!match_.provider.empty() && (*snapshot_)->find_provider(match_.provider) == nullptr) {
        match_.protocol = translate::Protocol::none;
        reply_error(provider_not_found(match_.provider));
      } else {
        reply_whole(200, {}, {});
      }
      break;
    case RouteKind::metrics:
      serve_metrics();
      break;
    case RouteKind::oauth_start:
    case RouteKind::oauth_callback:
    case RouteKind::usage:
      serve_account();
      break;
    default:
      serve_handler();
  }
}

// Logins and quotas: answered here on the loop, by way of the module.
void Exchange::serve_account() {
  if (context_.accounts == nullptr) {
    reply_error(unsupported_operation(match_.provider));
    return;
  }
  enter(Phase::local);
  operation_ = match_.operation;
  http_call_ =
      std::make_shared<ExchangeCall>(*this, presented_.key, key_, body_.view(), session_.peer());
  // The answer may come at once: nothing may follow this.
  const auto call = http_call_;
  switch (match_.kind) {
    case RouteKind::oauth_start:
      start_login(context_, call);
      break;
    case RouteKind::oauth_callback:
      finish_login(context_, call);
      break;
    default:
      serve_live_usage(context_, call);
  }
}

void Exchange::serve_metrics() {
  const auto& snapshot = **snapshot_;
  const auto& token = snapshot.settings().metrics_token;
  // What a proxy on this machine passes on comes from loopback, too, and from anywhere.
  const bool passed_on =
      http::has(head_->headers, "x-forwarded-for") || http::has(head_->headers, "forwarded");
  const bool allowed = (session_.peer().is_loopback() && !passed_on) ||
                       (!token.empty() && token.equals(presented_.key)) ||
                       (!presented_.key.empty() && context_.hasher != nullptr &&
                        constant_time_equal(digest_view(context_.hasher->digest(presented_.key)),
                                            digest_view(snapshot.admin_key_digest())));
  if (!allowed) {
    match_.kind = RouteKind::admin;
    reply_error(unauthorized());
    return;
  }
  Metrics process;
  if (context_.shared.on_scrape) context_.shared.on_scrape(process);
  pool_gauges(process, snapshot, context_.clock.now_ms());
  auto parts = context_.shared.metrics;
  parts.push_back(&process);
  const http::HeaderView type{"content-type", "text/plain; version=0.0.4; charset=utf-8"};
  reply_whole(200, {&type, 1}, Metrics::render(parts));
}

void Exchange::serve_handler() {
  if (context_.handler == nullptr) {
    reply_error(unknown_path(head_->method, head_->path));
    return;
  }
  enter(Phase::local);
  http_call_ =
      std::make_shared<ExchangeCall>(*this, presented_.key, key_, body_.view(), session_.peer());
  // The handler may reply at once: nothing may follow this call.
  const auto call = http_call_;
  context_.handler->handle(call);
}

}  // namespace gproxy::gateway
