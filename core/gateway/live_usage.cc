#include "gateway/live_usage.h"

#include <utility>

#include "base/json.h"
#include "base/strings.h"
#include "gateway/account_call.h"
#include "gateway/credential_refresh.h"
#include "gateway/local_reply.h"
#include "gateway/login_query.h"
#include "gateway/quota_windows.h"
#include "gateway/step_runner.h"

namespace gproxy::gateway {
namespace {

struct LiveUsage {
  WorkerContext& context;
  AccountCallPtr call;
  const config::CredentialEntry& credential;
  bool normalized = false;
  bool refreshed = false;
};
using LiveUsagePtr = std::shared_ptr<LiveUsage>;

Error failure(ErrorKind kind, std::string_view code, std::string message, int status = 0) {
  Error error{kind, code, std::move(message)};
  error.status = status;
  return error;
}

Result<const config::CredentialEntry*> choose(const AccountCall& call) {
  const auto& all = call.provider->credentials;
  const auto wanted = query_parameter(call.query, "credential_id");
  const config::CredentialEntry* found = nullptr;
  if (wanted) {
    const auto id = parse_int(*wanted);
    if (!id) return invalid_error("must be an integer", "credential_id");
    for (const auto& one : all) {
      if (one.id == *id) found = &one;
    }
    if (found == nullptr)
      return failure(ErrorKind::not_found, "credential_not_found",
                     "the provider has no such credential");
    if (!found->enabled)
      return failure(ErrorKind::conflict, "credential_disabled", "the credential is disabled");
  } else {
    for (const auto& one : all) {
      if (found == nullptr && one.enabled && one.slot != nullptr && one.fault.empty()) found = &one;
    }
    if (found == nullptr) return no_active_credentials(call.provider->name, 0);
  }
  if (found->slot == nullptr || !found->fault.empty())
    return failure(ErrorKind::server, "credential_decode_failed", found->fault, 500);
  return found;
}

void ask(const LiveUsagePtr& usage);

// The vendor's own failure, as it came where that is possible.
void tell_failure(const LiveUsage& usage, const modhost::Step& step, const StepRunner& runner) {
  const int status = runner.status();
  Arena arena;
  const bool vendor = !usage.normalized && status >= 400 && json::parse(runner.body(), arena).ok();
  // The client's key is good: a 401 would say the opposite.
  const int told = vendor ? status : step.status;
  usage.call->reply(told == 401 ? 502 : told,
                    vendor ? std::string(runner.body()) : failure_json(step.code, step.message));
}

// {"provider", "credential_id", "windows", "observed"?}: live where the vendor can be asked, and
// what the headers of its answers have told.
std::string normalized(const LiveUsage& usage, std::string_view windows) {
  const auto& call = *usage.call;
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("provider", call.provider->name);
  w.field("credential_id", usage.credential.id);
  if (!windows.empty()) {
    w.key("windows");
    w.raw(windows);
  }
  if (call.provider->provider->reads_limits()) {
    w.key(windows.empty() ? "windows" : "observed");
    write_seen_limits(w, usage.credential.slot->limits(usage.context.clock.wall_ms()));
  }
  w.end_object();
  return out;
}

void take(const LiveUsagePtr& usage, const modhost::CredentialHandle& handle,
          Result<modhost::Step> step, const StepRunner& runner) {
  const auto& call = *usage->call;
  if (!step.ok()) return call.fail(step.error());
  if (step->kind == modhost::StepKind::done) {
    if (!usage->normalized) {
      return call.reply(200, step->reply_json.empty() ? "{}" : std::move(step->reply_json));
    }
    return call.reply(200, normalized(*usage, normalized_windows(step->windows_json)));
  }
  if (step->kind == modhost::StepKind::reply)
    return call.reply(step->status, std::move(step->reply_json));
  if (runner.status() == 401 && handle->refreshable() && !usage->refreshed) {
    usage->refreshed = true;
    refresh_credential(usage->context, call.snapshot,
                       {*call.provider, usage->credential, handle, modhost::kRefreshRejected,
                        RefreshWanted::Need::now, call.trace_id},
                       [usage, step = std::move(*step)](const Result<void>& done) {
                         if (done.ok()) return ask(usage);
                         usage->call->reply(502,
                                            failure_json("upstream_auth_failed", step.message));
                       });
    return;
  }
  tell_failure(*usage, *step, runner);
}

void ask(const LiveUsagePtr& usage) {
  // Nobody waits any more; a worker that has ended serves no call.
  if (!usage->call->call->alive()) return;
  auto& context = usage->context;
  const auto& call = *usage->call;
  auto opened = call.snapshot->credential(*call.provider, usage->credential);
  if (!opened.ok()) return call.fail(opened.error());
  auto handle = std::move(*opened);
  int32_t cause = 0;
  if (!usage->refreshed && needs_refresh(*handle, context.clock, cause)) {
    usage->refreshed = true;
    refresh_credential(
        context, call.snapshot,
        {*call.provider, usage->credential, handle, cause, RefreshWanted::Need::now, call.trace_id},
        [usage](const Result<void>& done) {
          done.ok() ? ask(usage) : usage->call->fail(done.error());
        });
    return;
  }
  auto machine = modhost::StepMachine::quota(call.provider->provider, handle,
                                             usage->credential.slot->secret());
  if (!machine.ok()) {
    auto error = machine.error();
    if (error.kind == ErrorKind::unsupported) error.code = "unsupported_operation";
    return call.fail(error);
  }
  StepRunner::Purpose purpose;
  purpose.provider = call.provider;
  purpose.operation = translate::Operation::usage;
  purpose.credential_id = usage->credential.id;
  purpose.user_id = call.user_id;
  purpose.user_key_id = call.user_key_id;
  purpose.trace_id = call.trace_id;
  StepRunner::run(context, call.snapshot, std::move(*machine), purpose,
                  [usage, handle](Result<modhost::Step> step, const StepRunner& runner) {
                    take(usage, handle, std::move(step), runner);
                  });
}

}  // namespace

void serve_live_usage(WorkerContext& context, std::shared_ptr<HttpCall> asked) {
  const auto call = open_account_call(std::move(asked));
  if (call == nullptr) return;
  const auto route =
      call->provider->provider->route(translate::Protocol::none, translate::Operation::usage);
  const auto given = query_parameter(call->query, "normalized");
  const bool normal = given && *given != "0" && *given != "false";
  // A vendor that cannot be asked may have told with its answers.
  const bool seen_only = !route.supported() && normal && call->provider->provider->reads_limits();
  if (!route.supported() && !seen_only)
    return call->fail(unsupported_operation(call->provider->name));
  const auto credential = choose(*call);
  if (!credential.ok()) return call->fail(credential.error());
  auto usage = std::make_shared<LiveUsage>(LiveUsage{context, call, **credential, normal});
  if (seen_only) return call->reply(200, normalized(*usage, {}));
  ask(std::move(usage));
}

}  // namespace gproxy::gateway
