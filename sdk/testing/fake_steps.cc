// SPDX-License-Identifier: MIT
#include "testing/fake_steps.h"

#include "gproxy/ext/credential.h"
#include "gproxy/ext/quota.h"
#include "testing/conformance.h"
#include "testing/fake_json.h"

namespace gp::testing {
namespace {

std::string_view view_of(gp_str s) {
  return s.len == 0 ? std::string_view("") : std::string_view(s.ptr, s.len);
}
gp_str str_of(std::string_view s) {
  return {s.data(), s.size()};
}

std::vector<gp_header> views_of(const Headers& headers) {
  std::vector<gp_header> out;
  for (const auto& [name, value] : headers) out.push_back({str_of(name), str_of(value)});
  return out;
}

Sent seen_fetch(const gp_upstream& up) {
  Sent sent;
  sent.flags = up.flags;
  sent.method = up.method.len > 0 ? std::string(view_of(up.method)) : "GET";
  sent.url = view_of(up.url);
  sent.secret_query = view_of(up.secret_query);
  sent.body = view_of(up.body);
  sent.has_body = up.body.ptr != nullptr;
  for (size_t i = 0; i < up.header_count; ++i)
    sent.headers.emplace_back(view_of(up.headers[i].name), view_of(up.headers[i].value));
  return sent;
}

template <class Table>
const Table* table_of(FakeHost& host, const Module& module, const char* id) {
  const auto* table = static_cast<const Table*>(module.extension(id));
  if (table == nullptr) host.breach(std::string("the module does not offer ") + id);
  return table;
}

}  // namespace

StepMachine StepMachine::oauth_start(FakeHost& host, const Module& module, const Instance& provider,
                                     PersonSpec person) {
  StepMachine machine(host, provider);
  machine.person_ = std::move(person);
  if (const auto* table = table_of<gp_oauth_ext>(host, module, GP_EXT_OAUTH)) {
    machine.resume_ = table->resume;
    machine.run(table->start, nullptr, 0);
  }
  return machine;
}

StepMachine StepMachine::oauth_callback(FakeHost& host, const Module& module,
                                        const Instance& provider, PersonSpec person,
                                        std::string flow) {
  StepMachine machine(host, provider);
  machine.person_ = std::move(person);
  machine.flow_ = std::move(flow);
  if (const auto* table = table_of<gp_oauth_ext>(host, module, GP_EXT_OAUTH)) {
    machine.resume_ = table->resume;
    machine.run(table->callback, nullptr, 0);
  }
  return machine;
}

StepMachine StepMachine::refresh(FakeHost& host, const Module& module, const Instance& provider,
                                 const Credential* credential, std::string credential_json,
                                 int32_t cause) {
  StepMachine machine(host, provider);
  machine.credential_ = credential;
  machine.credential_json_ = std::move(credential_json);
  machine.cause_ = cause;
  if (const auto* table = table_of<gp_credential_ext>(host, module, GP_EXT_CREDENTIAL)) {
    machine.resume_ = table->resume;
    machine.run(table->refresh, nullptr, 0);
  }
  return machine;
}

StepMachine StepMachine::quota(FakeHost& host, const Module& module, const Instance& provider,
                               const Credential* credential, std::string credential_json) {
  StepMachine machine(host, provider);
  machine.credential_ = credential;
  machine.credential_json_ = std::move(credential_json);
  if (const auto* table = table_of<gp_quota_ext>(host, module, GP_EXT_QUOTA)) {
    machine.resume_ = table->resume;
    machine.run(table->start, nullptr, 0);
  }
  return machine;
}

const StepSeen& StepMachine::reply(int status, std::string body, const Headers& headers) {
  if (seen_.kind != GP_STEP_FETCH) host_->breach("a reply where the module asked for none");
  const std::vector<gp_header> views = views_of(headers);
  gp_reply reply{};
  reply.size = sizeof reply;
  reply.status = status;
  reply.headers = views.data();
  reply.header_count = views.size();
  reply.body = str_of(body);
  run(resume_, &reply, 0);
  return seen_;
}

const StepSeen& StepMachine::broken(int32_t failure) {
  run(resume_, nullptr, failure);
  return seen_;
}

const StepSeen& StepMachine::go_on() {
  if (seen_.kind != GP_STEP_WAIT && seen_.kind != GP_STEP_COMPUTE)
    host_->breach("the machine goes on only after WAIT and COMPUTE");
  run(resume_, nullptr, 0);
  return seen_;
}

void StepMachine::run(Hook hook, const gp_reply* reply, int32_t failure) {
  seen_ = {};
  if (hook == nullptr) return host_->breach("the machine has no such hook");
  if (steps_ >= 32) return host_->breach("more than 32 steps");
  // Copies that die with the step.
  const std::string credential_json = credential_json_, flow = flow_;
  const PersonSpec person = person_;
  const std::vector<gp_header> headers = views_of(person.headers);
  FakeArena arena;
  gp_reply given{};
  gp_step_in in{};
  in.size = sizeof in;
  in.step = steps_++;
  in.provider = provider_->handle();
  in.credential = credential_ != nullptr ? credential_->handle() : nullptr;
  in.credential_json = str_of(credential_json);
  in.flow = str_of(flow);
  if (reply != nullptr) {
    given = *reply;
    given.arena = arena.handle();
    in.reply = &given;
  }
  in.failure = failure;
  in.cause = cause_;
  in.query = str_of(person.query);
  in.state = str_of(person.state);
  in.redirect_uri = str_of(person.redirect_uri);
  in.headers = headers.data();
  in.header_count = headers.size();
  in.arena = arena.handle();
  gp_step step{};
  step.size = sizeof step;
  seen_.status = hook(&in, &step);
  if (step.size != sizeof step) host_->breach("gp_step.size was changed");
  if (seen_.status != GP_OK) {
    host_->breach("a step's hook failed");
    return;
  }
  seen_.kind = step.kind;
  seen_.wait_ms = step.wait_ms;
  seen_.http_status = step.status;
  seen_.flags = step.flags;
  seen_.flow = view_of(step.flow);
  seen_.reply_json = view_of(step.reply_json);
  seen_.credential_json = view_of(step.credential_json);
  seen_.identity = view_of(step.identity);
  seen_.name = view_of(step.name);
  seen_.settings_json = view_of(step.settings_json);
  seen_.windows_json = view_of(step.windows_json);
  seen_.code = view_of(step.code);
  seen_.message = view_of(step.message);
  if (step.kind == GP_STEP_FETCH) {
    if (step.fetch == nullptr) {
      host_->breach("FETCH without a request");
    } else {
      check_upstream(*step.fetch, "", [&](std::string what) { host_->breach(std::move(what)); });
      seen_.fetch = seen_fetch(*step.fetch);
    }
  }
  flow_ = seen_.flow;
  check();
}

void StepMachine::check() const {
  if (seen_.flow.size() > GP_MAX_FLOW) host_->breach("the flow is longer than GP_MAX_FLOW");
  if (seen_.kind == GP_STEP_WAIT && (seen_.wait_ms < 1 || seen_.wait_ms > 60'000))
    host_->breach("wait_ms is not 1 to 60,000");
  if (seen_.kind == GP_STEP_FAIL && (seen_.code.empty() || seen_.message.empty()))
    host_->breach("FAIL without a code or a message");
  for (const std::string* text :
       {&seen_.reply_json, &seen_.credential_json, &seen_.settings_json, &seen_.windows_json}) {
    if (!text->empty() && !json_valid(*text)) host_->breach("a step's JSON text is not valid JSON");
  }
  // What the person gets holds no secret: neither of the new credential nor of the old one.
  for (const std::string* secret : {&seen_.credential_json, &credential_json_}) {
    const gp_json_node root = json_node(*secret, "");
    if (root.type != GP_JSON_OBJECT) continue;
    gp_json_member tag{};
    if (fake_json()->first(str_of(*secret), &root, &tag) != GP_OK) continue;
    const std::string inner = secret->substr(tag.value.at, tag.value.len);
    for (const char* member : {"/access_token", "/refresh_token", "/id_token", "/api_key",
                               "/private_key", "/client_secret"}) {
      const std::string value = json_at(inner, member);
      if (value.size() < 4) continue;
      for (const std::string* text : {&seen_.reply_json, &seen_.message, &seen_.name}) {
        if (text->find(value) != std::string::npos)
          host_->breach(std::string("a secret is shown: ") + member);
      }
    }
  }
}

}  // namespace gp::testing
