#include "modhost/step_machine.h"

#include <fmt/format.h>

#include "gproxy/ext/credential.h"
#include "gproxy/ext/oauth.h"
#include "gproxy/ext/quota.h"
#include "modhost/abi_text.h"
#include "modhost/credential_text.h"

namespace gproxy::modhost {
namespace {

constexpr size_t kMaxRequestBytes = size_t{1} << 20;
static_assert(kRefreshExpiring == GP_CAUSE_EXPIRING && kRefreshRejected == GP_CAUSE_REJECTED &&
              kRefreshIncomplete == GP_CAUSE_INCOMPLETE);

Error lacking(const Provider& provider, std::string_view extension) {
  return Error{ErrorKind::unsupported,
               "provider_unsupported",
               fmt::format("kind {} has no {}", provider.kind(), extension),
               {},
               501};
}

// 0 = a response came, whatever its status.
int32_t failure_number(const StepReply& reply) {
  const bool answered =
      reply.failure == FailureKind::status || reply.failure == FailureKind::stream_error;
  return answered ? 0 : abi_number(reply.failure);
}

// A JSON text of the module's, bounded and valid; empty stays empty.
Result<std::string> json_text(gp_str text, const char* field) {
  if (!is_sound(text)) return invalid_error(fmt::format("{} has a length and no bytes", field));
  if (text.len > StepMachine::kMaxJsonBytes)
    return invalid_error(
        fmt::format("{} is longer than {} bytes", field, StepMachine::kMaxJsonBytes));
  if (text.len == 0) return std::string();
  Arena arena;
  if (!json::parse(view(text), arena).ok())
    return invalid_error(fmt::format("{} is not valid JSON", field));
  return std::string(view(text));
}

int http_status_or(int32_t status, int otherwise) {
  return status >= 200 && status <= 599 ? status : otherwise;
}

StepKind step_kind(int32_t kind) {
  switch (kind) {
    case GP_STEP_FETCH:
      return StepKind::fetch;
    case GP_STEP_WAIT:
      return StepKind::wait;
    case GP_STEP_COMPUTE:
      return StepKind::compute;
    case GP_STEP_REPLY:
      return StepKind::reply;
    case GP_STEP_DONE:
      return StepKind::done;
    default:
      return StepKind::fail;
  }
}

// Copies and checks what the module filled. Errors name the broken rule.
Result<Step> read_step(const gp_step& from, const Provider& provider, Arena& arena) {
  auto broken = [](std::string rule) { return invalid_error(std::move(rule)); };
  Step step;
  step.kind = step_kind(from.kind);
  switch (step.kind) {
    case StepKind::fetch: {
      if (from.fetch == nullptr) return broken("FETCH without a request");
      GP_TRY(step.fetch, check_upstream(*from.fetch, {"GET", {}}, arena, {kMaxRequestBytes}));
      if (step.fetch.stream) return broken("FETCH cannot stream");
      break;
    }
    case StepKind::wait:
      if (from.wait_ms < 1 || from.wait_ms > StepMachine::kMaxWaitMs) {
        return broken(
            fmt::format("wait_ms is {}, must be 1 to {}", from.wait_ms, StepMachine::kMaxWaitMs));
      }
      step.wait_ms = from.wait_ms;
      break;
    case StepKind::compute:
      break;
    case StepKind::reply: {
      step.status = http_status_or(from.status, 200);
      step.keep_flow = (from.flags & GP_STEP_KEEP_FLOW) != 0;
      GP_TRY(step.reply_json, json_text(from.reply_json, "reply_json"));
      break;
    }
    case StepKind::done: {
      GP_TRY(step.reply_json, json_text(from.reply_json, "reply_json"));
      GP_TRY(step.settings_json, json_text(from.settings_json, "settings_json"));
      GP_TRY(step.windows_json, json_text(from.windows_json, "windows_json"));
      if (!is_sound(from.credential_json) ||
          from.credential_json.len > StepMachine::kMaxJsonBytes) {
        return broken("credential_json is too long or has no bytes");
      }
      if (from.credential_json.len > 0) {
        if (auto fits = provider.check_credential(view(from.credential_json)); !fits.ok()) {
          return broken(
              fmt::format("credential_json: {} {}", fits.error().message, fits.error().param));
        }
        step.credential_json = Secret(view(from.credential_json));
      }
      auto identity = plain_text(from.identity, 256), name = plain_text(from.name, 256);
      if (!identity || !name) return broken("identity or name is not a text of at most 256 bytes");
      step.identity = std::move(*identity);
      step.name = std::move(*name);
      break;
    }
    case StepKind::fail: {
      step.status = http_status_or(from.status, 502);
      step.definitive = (from.flags & GP_STEP_DEFINITIVE) != 0;
      auto code = plain_text(from.code, 64);
      step.code = code && !code->empty() ? std::move(*code) : "provider_error";
      step.message = message_text(from.message, "the provider gives no reason");
      break;
    }
  }
  return step;
}

}  // namespace

Result<StepMachine> StepMachine::refresh(std::shared_ptr<const Provider> provider,
                                         CredentialHandle credential, Secret credential_json,
                                         int32_t cause) {
  if (provider->module().extensions().credential == nullptr)
    return lacking(*provider, GP_EXT_CREDENTIAL);
  StepMachine machine;
  machine.what_ = What::refresh;
  machine.credential_json_ = tagged_credential(*provider, credential_json);
  machine.provider_ = std::move(provider);
  machine.credential_ = std::move(credential);
  machine.cause_ = cause;
  return machine;
}

Result<StepMachine> StepMachine::quota(std::shared_ptr<const Provider> provider,
                                       CredentialHandle credential, Secret credential_json) {
  bool routed = provider->route(translate::Protocol::none, translate::Operation::usage).supported();
  if (provider->module().extensions().quota == nullptr || !routed)
    return lacking(*provider, GP_EXT_QUOTA);
  StepMachine machine;
  machine.what_ = What::quota;
  machine.credential_json_ = tagged_credential(*provider, credential_json);
  machine.provider_ = std::move(provider);
  machine.credential_ = std::move(credential);
  return machine;
}

Result<StepMachine> StepMachine::oauth_start(std::shared_ptr<const Provider> provider,
                                             FlowRequest person) {
  bool routed =
      provider->route(translate::Protocol::none, translate::Operation::oauth_start).supported();
  if (provider->module().extensions().oauth == nullptr || !routed)
    return lacking(*provider, GP_EXT_OAUTH);
  StepMachine machine;
  machine.what_ = What::oauth_start;
  machine.provider_ = std::move(provider);
  machine.person_ = std::move(person);
  return machine;
}

Result<StepMachine> StepMachine::oauth_callback(std::shared_ptr<const Provider> provider,
                                                FlowRequest person, std::string flow) {
  bool routed =
      provider->route(translate::Protocol::none, translate::Operation::oauth_callback).supported();
  if (provider->module().extensions().oauth == nullptr || !routed)
    return lacking(*provider, GP_EXT_OAUTH);
  StepMachine machine;
  machine.what_ = What::oauth_callback;
  machine.provider_ = std::move(provider);
  machine.person_ = std::move(person);
  machine.flow_ = std::move(flow);
  return machine;
}

StepMachine::StepFunction StepMachine::function() const {
  const auto& extensions = provider_->module().extensions();
  bool first = steps_ == 0;
  switch (what_) {
    case What::refresh:
      return first ? extensions.credential->refresh : extensions.credential->resume;
    case What::quota:
      return first ? extensions.quota->start : extensions.quota->resume;
    case What::oauth_start:
      return first ? extensions.oauth->start : extensions.oauth->resume;
    case What::oauth_callback:
      return first ? extensions.oauth->callback : extensions.oauth->resume;
  }
  return nullptr;
}

Result<Step> StepMachine::next(Arena& arena, const StepReply* last) {
  if (finished_) return internal_error("a finished step machine was asked for more");
  finished_ = true;  // until this step turns out to have a successor
  auto now = provider_->clock().now_ms();
  if (steps_ == 0) started_ms_ = now;
  if (steps_ >= kMaxSteps)
    return provider_->breach("step", fmt::format("more than {} steps", kMaxSteps));
  if (now - started_ms_ > kMaxDurationMs) {
    return Error{ErrorKind::timeout,
                 "provider_error",
                 fmt::format("the flow took more than {} s", kMaxDurationMs / 1000),
                 {}};
  }
  auto function_ptr = function();
  if (function_ptr == nullptr) return provider_->breach("step", "resume is null");

  gp_reply reply{};
  gp_step_in in{};
  in.size = sizeof in;
  in.step = static_cast<uint32_t>(steps_);
  in.provider = provider_->handle();
  in.credential = credential_ ? credential_->handle() : nullptr;
  in.credential_json = to_gp(credential_json_.reveal());
  in.flow = to_gp(flow_);
  if (last != nullptr) {
    in.failure = failure_number(*last);
    if (in.failure == 0) {
      reply.size = sizeof reply;
      reply.status = last->status;
      reply.headers = reinterpret_cast<const gp_header*>(last->headers.data());
      reply.header_count = last->headers.size();
      reply.body = to_gp(last->body);
      reply.arena = reinterpret_cast<gp_arena*>(&arena);
      in.reply = &reply;
    }
  }
  in.cause = cause_;
  in.query = to_gp(person_.query);
  in.state = to_gp(person_.state);
  in.redirect_uri = to_gp(person_.redirect_uri);
  in.headers = reinterpret_cast<const gp_header*>(person_.headers.data());
  in.header_count = person_.headers.size();
  in.arena = reinterpret_cast<gp_arena*>(&arena);
  gp_step out{};
  out.size = sizeof out;
  ++steps_;
  auto started = provider_->clock().now_us();
  auto status = function_ptr(&in, &out);
  // A step that follows COMPUTE runs on the thread pool and may take its time.
  if (!computing_) provider_->note_duration("step", started);
  computing_ = false;
  if (status != GP_OK) return provider_->breach("step", fmt::format("failed ({})", status));
  auto step = read_step(out, *provider_, arena);
  if (!step.ok()) {
    if (step.error().code == "memory_limit") return std::move(step).error();
    return provider_->breach("step", step.error().message);
  }
  if (what_ == What::refresh && step->kind == StepKind::done && step->credential_json.empty()) {
    return provider_->breach("step", "a refresh is DONE without credential_json");
  }
  bool goes_on = step->kind == StepKind::fetch || step->kind == StepKind::wait ||
                 step->kind == StepKind::compute;
  if (goes_on || step->keep_flow) {
    if (!is_sound(out.flow) || out.flow.len > kMaxFlowBytes) {
      return provider_->breach("step", fmt::format("flow is longer than {} bytes", kMaxFlowBytes));
    }
    flow_.assign(view(out.flow));
  }
  computing_ = step->kind == StepKind::compute;
  finished_ = !goes_on;
  return std::move(*step);
}

}  // namespace gproxy::modhost
