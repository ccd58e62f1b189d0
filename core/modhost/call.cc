#include "modhost/call.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "gproxy/abi.h"
#include "gproxy/ext/credential.h"
#include "modhost/abi_text.h"
#include "modhost/header_check.h"
#include "modhost/host_api.h"
#include "modhost/provider.h"

namespace gproxy::modhost {
namespace {

constexpr size_t kMaxReplyBytes = size_t{256} << 20;
constexpr size_t kMaxExpansion = 16;  // of what a data hook is given, beside Call's first allowance

gp_error fresh_error() {
  gp_error error{};
  error.size = sizeof error;
  return error;
}

// What gp_sink.ctx points at while a data hook runs.
struct SinkState {
  DataSink* sink;
  size_t room;            // what the hook may still write
  Result<void> refused;   // the reader's error, once it has one
  bool wrote_on = false;  // the hook wrote after it was told to stop
  bool unsound = false;   // bytes with a length and no pointer
  bool too_much = false;
};

gp_status sink_write(void* ctx, gp_str bytes) {
  auto& state = *static_cast<SinkState*>(ctx);
  if (!state.refused.ok() || state.too_much) {
    state.wrote_on = true;
    return GP_ERR_CANCELLED;
  }
  if (!is_sound(bytes)) {
    state.unsound = true;
    return GP_ERR_INVALID;
  }
  if (bytes.len == 0) return GP_OK;
  if (bytes.len > state.room) {
    state.too_much = true;
    return GP_ERR_CANCELLED;
  }
  state.room -= bytes.len;
  state.refused = state.sink->on_module_data(view(bytes));
  return state.refused.ok() ? GP_OK : GP_ERR_CANCELLED;
}

Action action_of(int32_t number) {
  switch (number) {
    case GP_ACTION_RETRY_SAME:
      return Action::retry_same;
    case GP_ACTION_RETRY_PATCHED:
      return Action::retry_patched;
    case GP_ACTION_REFRESH:
      return Action::refresh;
    case GP_ACTION_NEXT:
      return Action::next;
    case GP_ACTION_COOL_DOWN:
      return Action::cool_down;
    case GP_ACTION_DEAD:
      return Action::dead;
    default:
      return Action::deliver;
  }
}

Scope scope_of(int32_t number) {
  return number == GP_SCOPE_MODEL       ? Scope::model
         : number == GP_SCOPE_OPERATION ? Scope::operation
                                        : Scope::credential;
}

// How long the host's rule would let it rest, for a cooldown without an end.
int64_t default_rest(const Failure& failure, const CoolDownLimits& limits) {
  auto verdict = default_verdict(failure, limits);
  return verdict.action == Action::cool_down ? verdict.cool_down_ms : limits.server_error_ms;
}

// The module's verdict, bounded; an error names the broken rule.
Result<Verdict> check_verdict(const gp_verdict& from, const Provider& provider,
                              const Failure& failure, const CoolDownLimits& limits) {
  auto broken = [](std::string rule) { return invalid_error(std::move(rule)); };
  Verdict verdict;
  verdict.action = action_of(from.action);
  verdict.scope = scope_of(from.scope);
  if (!is_sound(from.reason) || from.reason.len > 64)
    return broken("reason is not a word of at most 64 bytes");
  verdict.reason = view(from.reason);
  for (char c : verdict.reason) {
    if (c <= 0x20 || c >= 0x7f) return broken("reason is not a word of at most 64 bytes");
  }
  switch (verdict.action) {
    case Action::cool_down: {
      if (from.until_ms < 0) return broken("until_ms is negative");
      auto rest =
          from.until_ms == 0 ? default_rest(failure, limits) : from.until_ms - failure.wall_ms;
      verdict.cool_down_ms = std::clamp(rest, limits.min_ms, limits.max_ms);
      if (verdict.scope == Scope::model && failure.model.empty()) verdict.scope = Scope::operation;
      break;
    }
    case Action::refresh:
      if (!provider.can_refresh())
        return broken("REFRESH without the extension " GP_EXT_CREDENTIAL);
      verdict.cause = from.cause;
      break;
    case Action::retry_patched: {
      if (!is_sound(from.credential_json))
        return broken("credential_json has a length and no bytes");
      verdict.credential_json = view(from.credential_json);
      if (auto fits = provider.check_credential(verdict.credential_json); !fits.ok()) {
        return broken("credential_json: " + fits.error().message);
      }
      break;
    }
    default:
      break;
  }
  return verdict;
}

}  // namespace

Call& Call::operator=(Call&& other) noexcept {
  if (this != &other) {
    release();
    provider_ = other.provider_;
    call_ = std::exchange(other.call_, nullptr);
    arena_ = other.arena_;
    upstream_ = other.upstream_;
    room_ = other.room_;
  }
  return *this;
}

void Call::release() {
  auto* call = std::exchange(call_, nullptr);
  if (call == nullptr) return;
  leave_call(call);
  auto started = provider_->clock().now_us();
  provider_->module().vt().release(call);
  provider_->note_duration("release", started);
}

bool Call::has_head() const {
  return provider_ != nullptr && provider_->module().vt().head != nullptr;
}
bool Call::has_data() const {
  return provider_ != nullptr && !upstream_.buffer && provider_->module().vt().data != nullptr;
}
bool Call::has_body() const {
  return provider_ != nullptr && upstream_.buffer;
}
bool Call::has_classify() const {
  return provider_ != nullptr && provider_->module().vt().classify != nullptr;
}

Result<Reply> Call::head(const Reply& in) {
  gp_head from{};
  from.size = sizeof from;
  from.status = in.status;
  from.headers = reinterpret_cast<const gp_header*>(in.headers.data());
  from.header_count = in.headers.size();
  from.arena = reinterpret_cast<gp_arena*>(arena_);
  gp_head to = from;
  auto started = provider_->clock().now_us();
  auto status = provider_->module().vt().head(call_, &from, &to);
  provider_->note_duration("head", started);
  if (status != GP_OK) return provider_->refusal("head", status, fresh_error(), *arena_);
  if (to.status < 200 || to.status > 599)
    return provider_->breach("head", fmt::format("the status {} is not 200 to 599", to.status));
  auto headers = check_headers(to.headers, to.header_count, Direction::down, *arena_);
  if (!headers.ok()) return provider_->breach("head", headers.error().message);
  return Reply{to.status, *headers, {}};
}

Result<void> Call::data(std::string_view in, Last last, DataSink& sink) {
  // A hook may hold bytes back and write them later, but not make a flood out of a trickle.
  room_ += in.size() * kMaxExpansion;
  SinkState state{&sink, room_, {}, false, false, false};
  gp_sink to{&state, sink_write};
  auto started = provider_->clock().now_us();
  auto status =
      provider_->module().vt().data(call_, to_gp(in), last == Last::yes ? GP_DATA_LAST : 0u, &to);
  provider_->note_duration("data", started);
  room_ = state.room;
  if (state.too_much) return provider_->breach("data", "wrote far more than it was given");
  if (state.unsound) return provider_->breach("data", "wrote bytes with a length and no pointer");
  if (!state.refused.ok()) {
    // The reader is gone or full either way; that the hook did not notice counts against it.
    if (state.wrote_on || status == GP_OK)
      return provider_->breach("data", "went on after the sink had refused");
    return std::move(state.refused).error();
  }
  if (status != GP_OK) return provider_->refusal("data", status, fresh_error(), *arena_);
  return ok();
}

Result<Reply> Call::body(const Reply& whole) {
  gp_reply from{};
  from.size = sizeof from;
  from.status = whole.status;
  from.headers = reinterpret_cast<const gp_header*>(whole.headers.data());
  from.header_count = whole.headers.size();
  from.body = to_gp(whole.body);
  from.arena = reinterpret_cast<gp_arena*>(arena_);
  gp_reply to = from;
  auto error = fresh_error();
  auto started = provider_->clock().now_us();
  auto status = provider_->module().vt().body(call_, &from, &to, &error);
  provider_->note_duration("body", started);
  if (status != GP_OK) return provider_->refusal("body", status, error, *arena_);
  if (to.status < 200 || to.status > 599)
    return provider_->breach("body", fmt::format("the status {} is not 200 to 599", to.status));
  auto headers = check_headers(to.headers, to.header_count, Direction::down, *arena_);
  if (!headers.ok()) return provider_->breach("body", headers.error().message);
  if (!is_sound(to.body) || to.body.len > kMaxReplyBytes)
    return provider_->breach("body", "the body has no bytes, or too many");
  return Reply{to.status, *headers, view(to.body)};
}

Verdict Call::classify(const Failure& failure, const CoolDownLimits& limits) {
  return modhost::classify(*provider_, call_, failure, *arena_, limits);
}

namespace {

Verdict judge(const Provider& provider, gp_call* call, const Failure& failure, Arena& arena,
              const CoolDownLimits& limits) {
  auto hook = provider.module().vt().classify;
  if (hook == nullptr) return default_verdict(failure, limits);
  gp_failure in{};
  in.size = sizeof in;
  in.kind = abi_number(failure.kind);
  in.status = failure.status;
  in.attempt = failure.attempt;
  in.protocol = static_cast<int32_t>(failure.protocol);
  in.operation = static_cast<int32_t>(failure.operation);
  in.bytes_sent_downstream = failure.bytes_sent_downstream;
  in.headers = reinterpret_cast<const gp_header*>(failure.headers.data());
  in.header_count = failure.headers.size();
  in.body = to_gp(failure.body);
  in.model = to_gp(failure.model);
  in.credential = failure.credential != nullptr ? failure.credential->handle() : nullptr;
  in.arena = reinterpret_cast<gp_arena*>(&arena);
  gp_verdict out{};
  out.size = sizeof out;
  auto started = provider.clock().now_us();
  auto status = hook(provider.handle(), call, &in, &out);
  provider.note_duration("classify", started);
  if (status != GP_OK) return default_verdict(failure, limits);  // the hook's way to say "as usual"
  auto verdict = check_verdict(out, provider, failure, limits);
  if (verdict.ok()) return *verdict;
  // Counted and logged here, since the answer to the client is the upstream's either way.
  log::warn("module verdict ignored", provider.breach("classify", verdict.error().message));
  return default_verdict(failure, limits);
}

}  // namespace

Verdict classify(const Provider& provider, gp_call* call, const Failure& failure, Arena& arena,
                 const CoolDownLimits& limits) {
  return give_up_on(failure, judge(provider, call, failure, arena, limits), limits);
}

static_assert(GP_CAUSE_REJECTED == 1, "verdict.cc hands this number to the refresh machine");

}  // namespace gproxy::modhost
