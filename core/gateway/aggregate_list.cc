#include "gateway/aggregate_list.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gateway/cool_scope.h"
#include "gateway/exchange.h"
#include "gateway/fetch_log.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/route_plan.h"
#include "gateway/verdicts.h"
#include "translate/models.h"

namespace gproxy::gateway {
namespace {

constexpr int kMaxPages = 20;
constexpr size_t kMaxTries = 3;  // credentials of one provider

}  // namespace

// One provider's list, page after page.
class AggregateList::Fetch final : public upstream::TransferSink {
 public:
  Fetch(AggregateList& list, const config::ProviderEntry& provider)
      : list_(list), provider_(provider) {}
  ~Fetch() { stop(upstream::FailureKind::aborted); }

  void start() {
    auto& exchange = list_.exchange_;
    if (!provider_.enabled) return end(Ended::silent);
    if (!exchange.check_allowed(provider_.name, {}).ok()) return end(Ended::silent);
    if (provider_.provider == nullptr) return end(Ended::failed);
    const auto protocol = exchange.match().protocol;
    route_ = provider_.provider->route(protocol, translate::Operation::model_list);
    if (!route_.supported()) return end(Ended::silent);
    const bool takes_credential = !provider_.provider->kind_info().credential_tag.empty();
    const auto& all = provider_.credentials;
    // A table that needs no credential to be read still lists what nothing could be asked of.
    if (takes_credential && std::none_of(all.begin(), all.end(), [](const auto& c) {
          return c.enabled && c.fault.empty();
        })) {
      return end(Ended::silent);
    }
    takes_credential_ = takes_credential && route_.served != modhost::RouteMode::local;
    begin();
  }

  void stop(upstream::FailureKind why) {
    if (transfer_ != nullptr) {
      log(why);
      transfer_->abort();
      list_.exchange_.context().loop.defer_delete(std::move(transfer_));
    }
    call_.release();
    lease_.release();
  }
  bool running() const { return !ended_; }
  const std::string& name() const { return provider_.name; }

 private:
  // With the first credential, or the next one.
  void begin() {
    auto& exchange = list_.exchange_;
    while (takes_credential_) {
      lease_ = provider_.pool->pick({.operation = operation_scope(translate::Operation::model_list),
                                     .tried = tried_,
                                     .loop = exchange.context().number});
      if (!lease_) return end(tried_.empty() ? Ended::silent : Ended::failed);
      credential_ = &provider_.credentials[lease_.position()];
      auto opened = exchange.snapshot()->credential(provider_, *credential_);
      if (opened.ok()) {
        handle_ = std::move(*opened);
        break;
      }
      tried_.push_back(credential_->id);
    }
    ask(first_page_query(route_.target_protocol));
  }

  // Another credential may be luckier; a list that has begun is not begun anew.
  bool try_another(const upstream::Completion& completion) {
    if (credential_ == nullptr || pages_ > 0) return false;
    auto& context = list_.exchange_.context();
    modhost::Failure failure;
    failure.kind = failure_kind(completion.failure);
    failure.status = status_;
    failure.headers = headers_;
    failure.body = body_;
    failure.protocol = route_.target_protocol;
    failure.operation = translate::Operation::model_list;
    failure.credential = handle_.get();
    failure.wall_ms = context.clock.wall_ms();
    const auto row = credential_->slot->record_failure(failure.status, context.clock.now_ms());
    failure.consecutive = row.consecutive;
    failure.same_status = row.same_status;
    failure.auth_rests = credential_->slot->auth_rests(context.clock.now_ms());
    const auto verdict =
        call_.classify(failure, cool_down_limits(list_.exchange_.settings().retry));
    apply_verdict(context, provider_, *credential_,
                  {verdict, failure.status, {}, failure.operation});
    if (verdict.action == modhost::Action::deliver || tried_.size() + 1 >= kMaxTries) return false;
    tried_.push_back(credential_->id);
    call_.release();
    handle_.reset();
    begin();
    return true;
  }

  void ask(std::string_view query) {
    auto& exchange = list_.exchange_;
    modhost::CallRequest request;
    request.protocol = route_.target_protocol;
    request.operation = translate::Operation::model_list;
    request.client_protocol = exchange.match().protocol;
    request.translated = route_.mode == modhost::RouteMode::translate;
    request.method = "GET";
    request.path = exchange.match().path;
    if (request.translated) {
      request.path =
          route_.target_protocol == translate::Protocol::gemini ? "/v1beta/models" : "/v1/models";
    }
    request.query = exchange.arena().copy(query);
    request.headers = exchange.client_headers();
    request.request_id = exchange.request_id();
    request.credential = handle_.get();
    request.arena = &exchange.arena();
    if (route_.served == modhost::RouteMode::local) {
      auto answer = modhost::LocalAnswer::respond(*provider_.provider, request);
      if (!answer.ok() || answer->streamed() || answer->reply().status >= 300)
        return end(Ended::failed);
      body_ = answer->reply().body;
      return take_page(/*may_go_on=*/false);
    }
    auto prepared = provider_.provider->prepare(request);
    if (!prepared.ok()) {
      const bool silent = prepared.error().code == "unsupported_operation" ||
                          prepared.error().code == "no_active_credentials";
      return end(silent ? Ended::silent : Ended::failed);
    }
    call_ = std::move(*prepared);
    const auto& up = call_.upstream();
    const auto& settings = exchange.settings();
    upstream::Request send;
    send.method = up.method;
    send.url = up.url;
    send.secret_query = up.secret_query;
    send.headers = up.headers;
    send.body = up.body;
    send.has_body = up.has_body;
    send.proxy = settings.proxy;
    send.timeouts = {settings.timeouts.connect_ms, settings.timeouts.list_ms,
                     settings.timeouts.list_ms, 0};
    send.receive_buffer = 64 * 1024;
    body_.clear();
    status_ = 0;
    attempt_no_ = ++list_.attempts_;
    began_us_ = net::Loop::now_us();
    began_wall_us_ = exchange.context().clock.wall_us();
    transfer_ = exchange.context().client.start(send, *this);
  }

  void on_head(const upstream::Head& head) override {
    status_ = head.status;
    auto& arena = list_.exchange_.arena();
    headers_ = arena.array<http::HeaderView>(head.headers.size());
    for (size_t i = 0; i < headers_.size(); ++i) {
      headers_[i] = {arena.copy(head.headers[i].name), arena.copy(head.headers[i].value)};
    }
  }
  void on_data(std::string_view bytes) override {
    if (body_.size() + bytes.size() > list_.exchange_.settings().limits.max_buffered_bytes) {
      stop(upstream::FailureKind::too_large);
      end(Ended::failed);
      return;
    }
    body_.append(bytes);
  }
  void on_complete(const upstream::Completion& completion) override {
    list_.exchange_.context().loop.defer_delete(std::move(transfer_));
    if (ended_) return;
    log(completion.failure);
    if (completion.failure != upstream::FailureKind::none || status_ >= 300) {
      log::info(
          "model list failed",
          {{"provider", provider_.name}, {"status", status_}, {"message", completion.message}});
      if (!try_another(completion)) end(Ended::failed);
      return;
    }
    if (credential_ != nullptr) credential_->slot->record_success();
    if (call_.has_body()) {
      const modhost::Reply whole{.status = status_, .headers = headers_, .body = body_};
      auto edited = call_.body(whole);
      if (!edited.ok() || edited->status >= 300) return end(Ended::failed);
      if (edited->body.data() != body_.data()) body_ = std::string(edited->body);
    }
    take_page(/*may_go_on=*/true);
  }

  // Each page asked for has a row of its own beside the request's.
  void log(upstream::FailureKind failure) {
    auto& exchange = list_.exchange_;
    const auto& up = call_.upstream();
    FetchLog row;
    row.trace_id = exchange.trace_id();
    row.provider = &provider_;
    if (credential_ != nullptr) row.credential_id = credential_->id;
    if (const auto* key = exchange.key(); key != nullptr) {
      row.user_id = key->user_id;
      row.user_key_id = key->id;
    }
    row.protocol = route_.target_protocol;
    row.operation = translate::Operation::model_list;
    row.attempt_no = attempt_no_;
    row.method = up.method;
    row.url = up.url;
    row.headers = up.headers;
    row.request_bytes = up.body_bytes;
    row.status = status_;
    row.response_bytes = body_.size();
    row.failure = failure;
    row.began_wall_us = began_wall_us_;
    row.began_us = began_us_;
    log_fetch(exchange.context(), exchange.settings(), row);
  }

  void take_page(bool may_go_on) {
    if (route_.mode == modhost::RouteMode::translate) {
      take_translated_page(may_go_on);
      return;
    }
    auto page = read_model_page(list_.exchange_.match().protocol, body_, provider_.name);
    if (!page.ok()) return end(Ended::failed);
    for (auto& model : page->models) take(std::move(model));
    go_on(may_go_on ? std::string_view(page->next_query) : std::string_view());
  }

  // What the key may not use it need not see.
  void take(ListedModel model) {
    const auto bare = std::string_view(model.id).substr(
        model.id.starts_with(provider_.name + "/") ? provider_.name.size() + 1 : 0);
    if (list_.exchange_.check_allowed(provider_.name, bare).ok())
      list_.models_.push_back(std::move(model));
  }

  void take_translated_page(bool may_go_on) {
    const auto client = list_.exchange_.match().protocol;
    auto page = translate::read_models(route_.target_protocol, body_);
    if (!page.ok()) return end(Ended::failed);
    std::vector<ListedModel> models;
    for (auto& model : page->models) {
      if (client != translate::Protocol::gemini && !model.generates()) continue;
      if (!model.id.starts_with(provider_.name + "/")) model.id = provider_.name + "/" + model.id;
      models.push_back({model.id, translate::write_model(client, model, provider_.name)});
    }
    for (auto& model : models) take(std::move(model));
    std::string next(first_page_query(route_.target_protocol));
    if (!next.empty()) next += '&';
    next += page->next;
    go_on(may_go_on && !page->next.empty() ? std::string_view(next) : std::string_view());
  }

  void go_on(std::string_view query) {
    if (query.empty()) return end(Ended::well);
    if (++pages_ >= kMaxPages) return end(Ended::failed);
    call_.release();
    ask(query);
  }

  void end(Ended how) {
    if (ended_) return;
    ended_ = true;
    call_.release();
    lease_.release();
    body_ = {};
    list_.on_fetch_ended(how);
  }

  AggregateList& list_;
  const config::ProviderEntry& provider_;
  const config::CredentialEntry* credential_ = nullptr;
  config::Lease lease_;  // of credential_
  std::vector<int64_t> tried_;
  bool takes_credential_ = false;
  modhost::CredentialHandle handle_;
  modhost::Resolved route_;
  modhost::Call call_;
  std::unique_ptr<upstream::Transfer> transfer_;
  std::span<http::HeaderView> headers_;
  std::string body_;
  int status_ = 0;
  int pages_ = 0;
  int32_t attempt_no_ = 0;  // of all the list's
  int64_t began_us_ = 0;    // of the running page
  int64_t began_wall_us_ = 0;
  bool ended_ = false;
};

AggregateList::AggregateList(Exchange& exchange)
    : exchange_(exchange), deadline_(exchange.context().loop, [this] {
        for (const auto& fetch : fetches_) {
          if (!fetch->running()) continue;
          log::info("model list came too late", {{"provider", fetch->name()}});
          fetch->stop(upstream::FailureKind::total_timeout);
          partial_ = true;
        }
        finish();
      }) {}

AggregateList::~AggregateList() = default;

void AggregateList::start() {
  const auto& providers = (*exchange_.snapshot())->providers();
  fetches_.reserve(providers.size());
  running_ = providers.size();
  for (const auto& provider : providers) {
    fetches_.push_back(std::make_unique<Fetch>(*this, provider));
    fetches_.back()->start();
  }
  starting_ = false;
  if (running_ == 0) {
    finish();
  } else if (const auto ms = exchange_.settings().timeouts.list_ms; ms > 0) {
    deadline_.start(ms);
  }
}

void AggregateList::on_fetch_ended(Ended how) {
  if (how == Ended::failed) partial_ = true;
  --running_;
  if (running_ == 0 && !starting_) finish();
}

void AggregateList::finish() {
  if (done_) return;
  done_ = true;
  deadline_.stop();
  const auto& snapshot = **exchange_.snapshot();
  const auto client = exchange_.match().protocol;
  for (const auto& route : snapshot.routes().all()) {
    if (!route.enabled || !route.listed || !route_is_visible(route, snapshot, exchange_.key()))
      continue;
    const auto list = [&](const std::string& name) {
      translate::ModelInfo info;
      info.id = name;
      models_.push_back({name, translate::write_model(client, info, "gproxy")});
    };
    if (!route.is_pattern()) list(route.name);
    for (const auto& alias : route.aliases) list(alias);
  }
  auto page =
      write_model_page(exchange_.match().protocol, std::move(models_), exchange_.query(), partial_);
  if (!page.ok()) {
    exchange_.reply_error(page.error());
    return;
  }
  const http::HeaderView type{"content-type", "application/json"};
  exchange_.reply_whole(200, {&type, 1}, *page);
}

}  // namespace gproxy::gateway
