#include "gateway/login.h"

#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strings.h"
#include "gateway/account_call.h"
#include "gateway/account_store.h"
#include "gateway/local_reply.h"
#include "gateway/login_flow.h"
#include "gateway/login_query.h"
#include "gateway/step_runner.h"

namespace gproxy::gateway {
namespace {

constexpr int64_t kFlowLifeUs = int64_t{600} * 1'000'000;

std::string new_state() {
  std::string bytes(kLoginStateBytes, '\0');
  random_bytes(bytes.data(), bytes.size());
  return base64url_encode(bytes);
}

Error refused(std::string_view code, std::string message, int status) {
  Error error{ErrorKind::invalid, code, std::move(message)};
  error.status = status;
  return error;
}

modhost::FlowRequest person_of(const AccountCall& call, std::string_view state) {
  modhost::FlowRequest person;
  person.query = call.query;
  person.state = state;
  person.headers = call.headers;
  return person;
}

StepRunner::Purpose purpose_of(const AccountCall& call, translate::Operation operation) {
  StepRunner::Purpose purpose;
  purpose.provider = call.provider;
  purpose.operation = operation;
  purpose.user_id = call.user_id;
  purpose.user_key_id = call.user_key_id;
  purpose.trace_id = call.trace_id;
  return purpose;
}

Error broken(const AccountCall& call, std::string_view rule) {
  auto error = call.provider->provider->breach("login", rule);
  error.status = 502;
  return error;
}

bool names_secret(std::string_view key) {
  const auto name = to_lower(key);
  return name.find("token") != std::string::npos || name.find("secret") != std::string::npos ||
         name.find("key") != std::string::npos || name.find("password") != std::string::npos;
}

bool any_secret_in(const json::Value& value, bool secret, std::string_view text) {
  constexpr size_t kShortestSecret = 8;
  if (value.is_string())
    return secret && value.str().size() >= kShortestSecret &&
           text.find(value.str()) != std::string_view::npos;
  for (const auto& item : value.items()) {
    if (any_secret_in(item, secret, text)) return true;
  }
  for (const auto& member : value.members()) {
    if (any_secret_in(member.value, secret || names_secret(member.key), text)) return true;
  }
  return false;
}

// {"credential_id", "created", "name", …}: what the module adds, and never a token.
std::string saved_json(const SavedLogin& saved, std::string_view more) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("credential_id", saved.credential_id);
  w.field("created", saved.created);
  w.key("name");
  saved.name.empty() ? w.null() : w.string(saved.name);
  Arena arena;
  if (const auto parsed = json::parse(more, arena); parsed.ok()) {
    for (const auto& member : parsed->members()) {
      if (member.key == "credential_id" || member.key == "created" || member.key == "name")
        continue;
      w.key(member.key);
      w.value(member.value);
    }
  }
  w.end_object();
  return out;
}

// Holds its place in the table of running callbacks until nobody knows it any more.
struct Callback {
  Callback(WorkerContext& at, AccountCallPtr asked, storage::FlowRow found)
      : context(at), running(at.shared.logins), call(std::move(asked)), row(std::move(found)) {}
  ~Callback() { running.leave(row.state); }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  WorkerContext& context;  // may be gone when the store answers; then nothing asks it
  LoginTable& running;     // outlives the workers
  AccountCallPtr call;
  storage::FlowRow row;
  LoginFlow flow;
};

void take_callback_step(const std::shared_ptr<Callback>& login, Result<modhost::Step> step,
                        const StepRunner& runner) {
  const auto& call = *login->call;
  auto& context = login->context;
  if (!step.ok()) return call.fail(step.error());
  switch (step->kind) {
    case modhost::StepKind::reply: {
      // Not there yet (a device flow's poll), or a wish of the module's: it may have moved on.
      if (!step->keep_flow) return call.reply(step->status, std::move(step->reply_json));
      auto row = login->row;
      login->flow.module = runner.flow();
      row.flow = login->flow.text();
      context.accounts->put_flow(
          std::move(row), context.loop,
          [login, status = step->status, json = std::move(step->reply_json)](Result<void> put) {
            put.ok() ? login->call->reply(status, json) : login->call->fail(put.error());
          });
      return;
    }
    case modhost::StepKind::done: {
      if (step->credential_json.empty())
        return call.fail(broken(call, "DONE without credential_json"));
      NewLogin made;
      made.provider_id = call.provider->id;
      made.state = login->row.state;
      made.identity = std::move(step->identity);
      made.name = std::move(step->name);
      made.settings_json = std::move(step->settings_json);
      std::string more = std::move(step->reply_json);
      if (holds_secret(more, step->credential_json.reveal())) {
        (void)broken(call, "a secret stands in reply_json");
        more.clear();
      }
      made.credential_json = std::move(step->credential_json);
      context.accounts->save_login(
          std::move(made), context.loop, [login, more = std::move(more)](Result<SavedLogin> saved) {
            const auto& answered = *login->call;
            if (!saved.ok()) return answered.fail(saved.error());
            log::info("account logged in", {{"provider", answered.provider->name},
                                            {"credential", saved->credential_id},
                                            {"created", saved->created}});
            answered.reply(200, saved_json(*saved, more));
          });
      return;
    }
    default:
      // The flow stays: another code, or another try, may do.
      call.reply(step->status, failure_json(step->code, step->message));
  }
}

}  // namespace

bool holds_secret(std::string_view reply_json, std::string_view credential_json) {
  Arena arena;
  const auto credential = json::parse(credential_json, arena);
  if (!credential.ok()) return true;
  // Under the tag, whose own name says nothing.
  for (const auto& member : credential->members()) {
    if (any_secret_in(member.value, /*secret=*/false, reply_json)) return true;
  }
  return false;
}

void start_login(WorkerContext& context, std::shared_ptr<HttpCall> given) {
  const auto call = open_account_call(std::move(given));
  if (call == nullptr) return;
  const auto state = new_state();
  auto person = person_of(*call, state);
  person.redirect_uri =
      own_callback(call->query, call->provider->name, call->call->request().headers);
  auto machine = modhost::StepMachine::oauth_start(call->provider->provider, std::move(person));
  if (!machine.ok()) return call->fail(machine.error());
  StepRunner::run(
      context, call->snapshot, std::move(*machine),
      purpose_of(*call, translate::Operation::oauth_start),
      [&context, call, state](Result<modhost::Step> step, const StepRunner& runner) {
        if (!step.ok()) return call->fail(step.error());
        if (step->kind == modhost::StepKind::fail)
          return call->reply(step->status, failure_json(step->code, step->message));
        if (step->kind != modhost::StepKind::reply)
          return call->fail(broken(*call, "start ends with DONE"));
        if (!step->keep_flow) return call->reply(step->status, std::move(step->reply_json));
        storage::FlowRow row;
        row.state = sha256(state);
        row.provider_id = call->provider->id;
        row.user_id = call->user_id;
        row.flow = LoginFlow{state, call->user_key_id, std::string(runner.flow())}.text();
        row.expires_at = context.clock.wall_us() + kFlowLifeUs;
        context.accounts->put_flow(
            std::move(row), context.loop,
            [call, status = step->status, json = std::move(step->reply_json)](Result<void> put) {
              put.ok() ? call->reply(status, json) : call->fail(put.error());
            });
      });
}

void finish_login(WorkerContext& context, std::shared_ptr<HttpCall> given) {
  const auto call = open_account_call(std::move(given));
  if (call == nullptr) return;
  const auto answer = read_callback(call->query);
  if (answer.error) return call->reply(400, failure_json(answer.error->substr(0, 512), {}));
  std::optional<Digest> state;
  if (answer.state) state = sha256(*answer.state);
  // A browser without a key can only go on with the login whose state it knows.
  if (call->by_state && !state) return call->fail(unauthorized());
  context.accounts->find_flow(
      call->provider->id, call->user_id, state, context.loop,
      [&context, call, state](Result<storage::FoundFlow> found) {
        // Nothing was spent yet; and a worker that has ended serves no call.
        if (!call->call->alive()) return;
        if (!found.ok()) return call->fail(found.error());
        if (found->pending == 0)
          return call->fail(
              refused("missing state", "no login of yours waits with this state", 400));
        if (found->pending > 1 && !state)
          return call->fail(refused("ambiguous_state", "several logins wait: give the state", 400));
        const auto& row = *found->row;
        auto flow = LoginFlow::read(row.flow.reveal());
        if (call->by_state &&
            !opener_may_finish(**call->snapshot, row.user_id, flow.key_id, context.clock.wall_us()))
          return call->fail(Error{ErrorKind::permission, "permission_denied",
                                  "the key that began this login may not finish it any more"});
        if (!context.shared.logins.enter(row.state))
          return call->fail(refused("login_in_progress", "this login is being finished", 409));
        auto login = std::make_shared<Callback>(context, call, row);
        login->flow = std::move(flow);
        auto machine = modhost::StepMachine::oauth_callback(
            call->provider->provider, person_of(*call, login->flow.state), login->flow.module);
        if (!machine.ok()) return call->fail(machine.error());
        auto purpose = purpose_of(*call, translate::Operation::oauth_callback);
        purpose.user_id = row.user_id;  // whoever opened it
        StepRunner::run(context, call->snapshot, std::move(*machine), purpose,
                        [login](Result<modhost::Step> step, const StepRunner& runner) {
                          take_callback_step(login, std::move(step), runner);
                        });
      });
}

}  // namespace gproxy::gateway
