#include "gateway/credential_action.h"

#include <algorithm>
#include <utility>

#include "base/arena.h"
#include "base/json.h"
#include "gateway/credential_refresh.h"
#include "gateway/fetch_log.h"
#include "gateway/local_reply.h"
#include "gateway/model_list.h"
#include "modhost/call.h"
#include "translate/errors.h"

namespace gproxy::gateway {
namespace {

constexpr int32_t kCauseExpiring = 0;    // GP_CAUSE_EXPIRING
constexpr size_t kKeptBody = 16 * 1024;  // of an answer: for its error message

Error gone() {
  return Error{ErrorKind::not_found, "credential_not_found", "no credential has this id"};
}

struct Found {
  config::LoopSnapshotPtr snapshot;
  const config::ProviderEntry* provider = nullptr;
  const config::CredentialEntry* credential = nullptr;
  modhost::CredentialHandle handle;
};

Result<Found> find(WorkerContext& context, int64_t id) {
  Found out;
  out.snapshot = context.snapshots.current();
  out.provider = (*out.snapshot)->provider_of_credential(id);
  out.credential = (*out.snapshot)->find_credential(id);
  if (out.provider == nullptr || out.credential == nullptr) return gone();
  if (out.provider->provider == nullptr) return provider_unavailable(out.provider->name);
  GP_TRY(out.handle, out.snapshot->credential(*out.provider, *out.credential));
  return out;
}

// One model list asked for; keeps itself until the transfer has ended.
class Test final : public upstream::TransferSink, public std::enable_shared_from_this<Test> {
 public:
  Test(std::shared_ptr<WorkerContext> context, Found found, CredentialActionDone done)
      : context_(std::move(context)), found_(std::move(found)), done_(std::move(done)) {}

  Result<void> start() {
    auto& provider = *found_.provider->provider;
    using translate::Protocol;
    modhost::Resolved route;
    for (const auto protocol : {Protocol::openai, Protocol::claude, Protocol::gemini}) {
      route = provider.route(protocol, translate::Operation::model_list);
      if (route.mode == modhost::RouteMode::native) {
        protocol_ = protocol;
        break;
      }
    }
    if (protocol_ == Protocol::none) return unsupported_operation(found_.provider->name);
    modhost::CallRequest request;
    request.protocol = protocol_;
    request.operation = translate::Operation::model_list;
    request.client_protocol = protocol_;
    request.method = "GET";
    request.path = protocol_ == Protocol::gemini ? "/v1beta/models" : "/v1/models";
    request.query = first_page_query(protocol_);
    request.credential = found_.handle.get();
    request.arena = &arena_;
    GP_TRY(call_, provider.prepare(request));
    const auto& up = call_.upstream();
    const auto& settings = (*found_.snapshot)->settings();
    upstream::Request send;
    send.method = up.method;
    send.url = up.url;
    send.secret_query = up.secret_query;
    send.headers = up.headers;
    send.body = up.body;
    send.has_body = up.has_body;
    send.proxy = settings.proxy;
    send.timeouts = {settings.timeouts.connect_ms, settings.timeouts.list_ms,
                     settings.timeouts.list_ms, settings.timeouts.list_ms};
    started_us_ = net::Loop::now_us();
    started_wall_us_ = context_->clock.wall_us();
    self_ = shared_from_this();
    transfer_ = context_->client.start(send, *this);
    return ok();
  }

 private:
  void on_head(const upstream::Head& head) override { status_ = head.status; }
  void on_data(std::string_view bytes) override {
    received_ += bytes.size();
    body_.append(bytes.substr(0, kKeptBody - std::min(body_.size(), kKeptBody)));
  }
  void on_complete(const upstream::Completion& completion) override {
    context_->loop.defer_delete(std::move(transfer_));
    log(completion.failure);
    call_.release();
    const bool good = completion.failure == upstream::FailureKind::none && status_ < 300;
    std::string out;
    json::Writer w(out);
    w.begin_object();
    w.field("ok", good);
    w.key("status");
    status_ > 0 ? w.integer(status_) : w.null();
    w.field("duration_ms", (net::Loop::now_us() - started_us_) / 1000);
    w.key("error");
    if (good) {
      w.null();
    } else if (status_ > 0) {
      w.string(translate::decode_error(protocol_, status_, body_).message);
    } else {
      w.string(translate::redact_message(completion.message));
    }
    w.end_object();
    done_(std::move(out));
    // This object ends with the turn: its caller is still on the stack.
    context_->loop.defer([self = std::move(self_)]() mutable { self.reset(); });
  }

  void log(upstream::FailureKind failure) {
    const auto& up = call_.upstream();
    FetchLog row;
    row.provider = found_.provider;
    row.credential_id = found_.credential->id;
    row.user_id = 0;  // the operator
    row.protocol = protocol_;
    row.operation = translate::Operation::model_list;
    row.internal = true;
    row.method = up.method;
    row.url = up.url;
    row.headers = up.headers;
    row.request_bytes = up.body_bytes;
    row.status = status_;
    row.response_bytes = received_;
    row.failure = failure;
    row.began_wall_us = started_wall_us_;
    row.began_us = started_us_;
    log_fetch(*context_, (*found_.snapshot)->settings(), row);
  }

  std::shared_ptr<WorkerContext> context_;
  Found found_;
  CredentialActionDone done_;
  Arena arena_;
  modhost::Call call_;
  std::unique_ptr<upstream::Transfer> transfer_;
  std::shared_ptr<Test> self_;
  translate::Protocol protocol_ = translate::Protocol::none;
  std::string body_;
  int status_ = 0;
  uint64_t received_ = 0;
  int64_t started_us_ = 0;
  int64_t started_wall_us_ = 0;
};

}  // namespace

void refresh_now(WorkerContext& context, int64_t credential_id, CredentialActionDone done) {
  auto found = find(context, credential_id);
  if (!found.ok()) return done(std::move(found).error());
  if (!found->handle->refreshable()) {
    return done(Error{ErrorKind::conflict, "not_refreshable",
                      "credentials of this kind, or this one, cannot be renewed"});
  }
  refresh_credential(context, found->snapshot,
                     {*found->provider, *found->credential, found->handle, kCauseExpiring},
                     [done = std::move(done)](const Result<void>& refreshed) {
                       if (refreshed.ok()) return done(std::string(R"({"ok":true})"));
                       Error error = refreshed.error();
                       if (error.http() < 500) error.status = 502;
                       done(std::move(error));
                     });
}

void test_now(const std::shared_ptr<WorkerContext>& context, int64_t credential_id,
              CredentialActionDone done) {
  auto found = find(*context, credential_id);
  if (!found.ok()) return done(std::move(found).error());
  auto test = std::make_shared<Test>(context, std::move(*found), done);
  if (auto started = test->start(); !started.ok()) done(std::move(started).error());
}

}  // namespace gproxy::gateway
