// Exchange and the credential pool: which credential serves, waiting for one, and moving on when no
// content comes.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gateway/aggregate_list.h"
#include "gateway/cool_scope.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/local_reply.h"
#include "gateway/pool_wait.h"
#include "gateway/translation.h"

namespace gproxy::gateway {
namespace {

// How often a waiting request looks by itself: rests may end, and requests that began on an older
// snapshot give their credentials back to that one's pool.
constexpr int64_t kLookMs = 250;

}  // namespace

config::CredentialPool::Ask Exchange::ask() const {
  return {.model = model_,
          .operation = operation_scope(operation_),
          .tried = tried_,
          .conversation = conversation_,
          .pinned = pinned_,
          .loop = context_.number};
}

bool Exchange::take_credential() {
  auto lease = provider_->pool->pick(ask());
  if (!lease) return false;
  use(std::move(lease));
  return true;
}

void Exchange::use(config::Lease lease) {
  credential_ = &provider_->credentials[lease.position()];
  lease_ = std::move(lease);
  binding_ = lease_.binding();
  note_skips();
  budget_.same_tried = budget_.patched = budget_.refreshed = false;
}

void Exchange::drop_credential() {
  credential_ = nullptr;
  lease_.release();
}

// Nobody is left: the client learns why the last one failed, if one was tried.
void Exchange::refuse_without_credential() {
  note_skips();
  if (notes() != nullptr) notes_->problem = true;
  if (last_error_) {
    reply_error(*last_error_);
    return;
  }
  const auto wait = provider_->pool->wait_ms(model_, operation_scope(operation_));
  reply_error(no_active_credentials(provider_->name, wait));
}

// ---- waiting
// -------------------------------------------------------------------------------------

// False where nobody may wait, or it would be in vain.
bool Exchange::wait_for_credential() {
  const auto& pool = provider_->pool;
  const auto& settings = pool->settings();
  if (settings.queue_max == 0 || !pool->hope(ask())) return false;
  const auto now = context_.loop.now_ms();
  if (wait_until_ms_ == 0) {
    wait_until_ms_ = now + settings.queue_ms;
    if (budget_.deadline_ms != 0) wait_until_ms_ = std::min(wait_until_ms_, budget_.deadline_ms);
  }
  if (now >= wait_until_ms_) return false;
  if (phase_ != Phase::waiting) enter(Phase::waiting);
  waiting_ = std::make_shared<PoolWait>(
      context_.loop, pool, [this](config::Lease lease) { on_granted(std::move(lease)); });
  begin_pause(Pausing::queue);
  if (!pool->enqueue(waiting_, ask())) {
    std::exchange(waiting_, nullptr)->forget();
    note_wait("queue_full");
    end_pause();
    enter(Phase::attempt);
    return false;
  }
  timer_.start(std::min(wait_until_ms_ - now, kLookMs));
  return true;
}

void Exchange::on_wait_timer() {
  const auto now = context_.loop.now_ms();
  waiting_->pool().serve();
  if (now < wait_until_ms_) {
    if (waiting_ != nullptr) timer_.start(std::min(wait_until_ms_ - now, kLookMs));
    return;
  }
  // What was granted meanwhile is on its way through the loop: it comes before this timer again.
  if (!waiting_->leave()) {
    timer_.start(kLookMs);
    return;
  }
  stop_waiting();
  note_wait("deadline");
  end_pause();
  refuse_without_credential();
}

void Exchange::on_granted(config::Lease lease) {
  waiting_ = nullptr;
  timer_.stop();
  if (phase_ != Phase::waiting) return;
  note_wait("granted");
  end_pause();
  use(std::move(lease));
  start_attempt();
}

void Exchange::stop_waiting() {
  if (waiting_ == nullptr) return;
  const auto waiting = std::exchange(waiting_, nullptr);
  waiting->forget();
  waiting->leave();
}

// ---- a first token that does not come
// ------------------------------------------------------------

void Exchange::watch_first_token() {
  const auto& pool = provider_->pool->settings();
  const auto ms = is_stream() ? pool.first_token_ms : pool.first_byte_ms;
  if (ms > 0) first_token_.start(ms);
}

// Only where there is another way, and an attempt left to go it: a slow answer is better than none.
void Exchange::on_first_token_late() {
  if (transfer_ == nullptr || budget_.content_sent) return;
  if (!is_stream() && upstream_bytes_ > 0) return;  // a whole answer that is kept back until its end
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  const auto again = context_.loop.now_ms() + settings().retry.max_backoff_ms;
  if (budget_.attempts - budget_.unbilled >= budget_.max_attempts ||
      (budget_.deadline_ms != 0 && again >= budget_.deadline_ms)) {
    return;
  }
  bool other_way = next_target_ready();
  if (!other_way && credential_ != nullptr) {
    tried_.push_back(credential_->id);
    other_way = static_cast<bool>(provider_->pool->pick(ask()));
    tried_.pop_back();
  }
  if (!other_way) return;
  log::info("first token is late", {{"id", trace_id_},
                                    {"provider", provider_->name},
                                    {"credential", credential_ != nullptr ? credential_->id : 0}});
  transfer_->abort();
  context_.loop.defer_delete(std::move(transfer_));
  modhost::Failure failure;
  failure.kind = modhost::FailureKind::first_byte_timeout;
  transport_kind_ = "ReadTimeout";
  fail_attempt(failure);
}

}  // namespace gproxy::gateway
