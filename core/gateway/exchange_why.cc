// Exchange, what it remembers of its own way: the record that every request leaves, and the notes
// of those that did not go straight through (decision.h).
#include <algorithm>
#include <array>
#include <utility>

#include "gateway/aggregate_list.h"
#include "gateway/cool_scope.h"
#include "gateway/decision_json.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/route_plan.h"
#include "gateway/translation.h"

namespace gproxy::gateway {
namespace {

// Looked at for one request. Finding them costs a lock each.
constexpr size_t kSkipsAtFirst = DecisionRecord::kSkips;
constexpr size_t kSkipsLater = 16;

template <class T>
uint8_t small(T number) {
  return static_cast<uint8_t>(std::min<size_t>(static_cast<size_t>(number), 255));
}

}  // namespace

// Null only when the exchange's memory is used up.
DecisionNotes* Exchange::notes() {
  if (notes_ != nullptr) return notes_;
  notes_ = arena_.make<DecisionNotes>();
  // The record tells of one provider alone: what it was going to tell belongs to this one.
  if (notes_ != nullptr) {
    for (const auto& skip : std::exchange(skips_, {})) note_skip(skip, 1);
  }
  return notes_;
}

DecisionSkip Exchange::describe(const config::CredentialPool::Skip& from) const {
  using Why = config::CredentialPool::Skip::Why;
  const auto& member = provider_->pool->members()[from.index];
  const auto& credential = provider_->credentials[member.position];
  DecisionSkip skip;
  skip.credential_id = credential.id;
  skip.name.set(credential.name);
  skip.why = from.why == Why::full   ? DecisionSkip::Why::full
             : from.why == Why::dead ? DecisionSkip::Why::dead
                                     : DecisionSkip::Why::rests;
  if (from.why != Why::full) {
    skip.reason.set(from.rest.reason());
    skip.scope = static_cast<uint8_t>(from.rest.scope);
  }
  if (from.why == Why::rests) {
    skip.until_ms = context_.clock.wall_ms() + from.rest.until_ms - context_.clock.now_ms();
  }
  return skip;
}

// Who was passed over when a credential was taken, or when none was left. The first time the few
// that the record has room for; when things have gone wrong already, more of them.
void Exchange::note_skips() {
  const auto& pool = *provider_->pool;
  skipped_ = static_cast<uint32_t>(pool.skipped(ask(), {}));
  if (skipped_ == 0) return;
  note_who_was_skipped();
}

void Exchange::note_who_was_skipped() {
  const bool later = notes_ != nullptr || credential_ == nullptr;
  std::array<config::CredentialPool::Skip, kSkipsLater> found;
  const size_t room = later ? kSkipsLater : kSkipsAtFirst;
  skipped_ = static_cast<uint32_t>(provider_->pool->skipped(ask(), std::span(found).first(room)));
  const std::span all(found.data(), std::min<size_t>(skipped_, room));
  if (!later) skips_ = arena_.array<DecisionSkip>(all.size());
  size_t n = 0;
  for (const auto& one : all) {
    const auto skip = describe(one);
    // The one that was just taken may have become full by that.
    if (credential_ != nullptr && skip.credential_id == credential_->id) {
      --skipped_;
    } else if (later) {
      note_skip(skip, budget_.attempts + 1);
    } else if (n < skips_.size()) {
      skips_[n++] = skip;
    }
  }
  if (!later) skips_ = skips_.first(n);
}

// `attempt`: the one it might have served.
void Exchange::note_skip(const DecisionSkip& skip, size_t attempt) {
  auto* all = notes();
  if (all == nullptr) return;
  for (const auto* one = all->skips.first; one != nullptr; one = one->next) {
    if (one->skip.credential_id == skip.credential_id && one->skip.why == skip.why) return;
  }
  if (all->skips.full()) return all->skips.add(nullptr);
  auto* made = arena_.make<SkipNote>();
  if (made != nullptr) {
    made->provider = provider_->name;
    made->attempt = static_cast<uint32_t>(attempt);
    made->skip = skip;
  }
  all->skips.add(made);
}

// The credential in hand is of no use: its secret does not open, or the module cannot use it.
void Exchange::note_unusable(std::string_view why) {
  if (credential_ == nullptr) return;
  DecisionSkip skip;
  skip.credential_id = credential_->id;
  skip.name.set(credential_->name);
  skip.why = DecisionSkip::Why::unusable;
  skip.reason.set(why);
  note_skip(skip, budget_.attempts + 1);
  if (notes_ != nullptr) notes_->problem = true;
}

uint8_t Exchange::tier_of(const config::RouteTarget* target) const {
  size_t tier = 0;
  for (const auto& one : plan_->route->tiers) {
    ++tier;
    if (!one.empty() && target >= one.data() && target < one.data() + one.size())
      return small(tier);
  }
  return 0;
}

uint8_t Exchange::tier() const {
  return plan_ == nullptr || plan_->next == 0 ? uint8_t{0} : tier_of(plan_->order[plan_->next - 1]);
}

void Exchange::note_target(const config::RouteTarget& target, std::string_view why) {
  auto* all = notes();
  if (all == nullptr) return;
  // What was never meant to serve this request is no trouble.
  if (why != kNotAllowed && why != kNotServed) all->problem = true;
  if (all->targets.full()) return all->targets.add(nullptr);
  all->targets.add(arena_.make<TargetNote>(nullptr, std::string_view(target.provider),
                                           std::string_view(target.model), why, tier_of(&target)));
}

// What was made of a failed attempt. note_attempt() puts it into its place.
void Exchange::note_verdict(const modhost::Failure& failure, const modhost::Verdict& verdict,
                            std::string_view then, int64_t backoff_ms) {
  auto* all = notes();
  if (all == nullptr) return;
  auto& judged = all->judged;
  judged = {};
  if (failure.kind != modhost::FailureKind::status) judged.failure = modhost::name(failure.kind);
  judged.verdict = modhost::name(verdict.action);
  judged.reason = verdict.reason;
  if (verdict.action == modhost::Action::cool_down) {
    judged.rest_ms = verdict.cool_down_ms;
    judged.scope = verdict.scope == modhost::Scope::model       ? model_
                   : verdict.scope == modhost::Scope::operation ? operation_scope(operation_)
                                                                : std::string_view("credential");
  }
  judged.then = then;
  judged.backoff_ms = backoff_ms;
}

// An attempt has ended. The first that goes well leaves nothing but the record.
void Exchange::note_attempt(storage::Outcome outcome, const Error* error) {
  const int64_t now = net::Loop::now_us();
  mark_us_ = now;
  ended_us_ = now;
  mark_paused_us_ = paused_us_[0] + paused_us_[1] + paused_us_[2];
  const bool failed = outcome == storage::Outcome::failed || outcome == storage::Outcome::truncated;
  last_failed_ = outcome == storage::Outcome::failed;
  if (notes_ == nullptr && !failed) return;
  auto* all = notes();
  if (all == nullptr) return;
  if (failed) {
    all->problem = true;
    // What broke off in the middle is told by its phases.
    if (outcome == storage::Outcome::failed) failed_us_ += now - std::max(sent_us_, attempt_us_);
  }
  if (all->attempts.full()) return all->attempts.add(nullptr);
  auto* made = arena_.make<AttemptNote>(all->judged);
  all->judged = {};
  if (made == nullptr) return all->attempts.add(nullptr);
  made->provider = provider_->name;
  if (credential_ != nullptr) {
    made->credential = credential_->name;
    made->credential_id = credential_->id;
  }
  made->model = model_;
  made->began_us = attempt_us_ - started_us_;
  made->connect_us = connect_us_;
  if (first_byte_us_ >= attempt_us_) made->first_byte_us = first_byte_us_ - attempt_us_;
  made->duration_us = now - attempt_us_;
  made->status = upstream_status_;
  made->tier = tier();
  made->protocol = static_cast<uint8_t>(resolved_.target_protocol);
  made->outcome = storage::name(outcome);
  if (error != nullptr) made->error_code = arena_.copy(error->code);
  all->attempts.add(made);
}

void Exchange::note_wait(std::string_view ended) {
  context_.metrics.pool_wait(provider_->name, ended);
  auto* all = notes();
  if (all == nullptr) return;
  all->problem = true;
  if (all->waits.full()) return all->waits.add(nullptr);
  const auto waited = pause_ == Pausing::queue ? net::Loop::now_us() - pause_began_us_ : 0;
  all->waits.add(arena_.make<WaitNote>(nullptr, std::string_view(provider_->name), ended, waited));
}

// ---- time that passes between attempts
// -----------------------------------------------------------

void Exchange::begin_pause(Pausing what) {
  end_pause();
  pause_ = what;
  pause_began_us_ = net::Loop::now_us();
}

void Exchange::end_pause() {
  if (pause_ == Pausing::no) return;
  paused_us_[static_cast<size_t>(pause_) - 1] += net::Loop::now_us() - pause_began_us_;
  pause_ = Pausing::no;
}

void Exchange::note_sent() {
  sent_us_ = net::Loop::now_us();
  const auto paused = paused_us_[0] + paused_us_[1] + paused_us_[2];
  prepare_us_ += sent_us_ - mark_us_ - (paused - mark_paused_us_);
  connect_us_ = -1;
}

void Exchange::note_connection(const upstream::Completion& completion) {
  if (completion.total_us == 0 && !completion.head_received) return;  // nothing is known
  connect_us_ = completion.reused ? 0 : std::max(completion.connect_us, completion.tls_us);
}

// ---- the record
// ----------------------------------------------------------------------------------

void Exchange::fill_decision(DecisionRecord& d, storage::Outcome outcome) const {
  const int64_t now = net::Loop::now_us();
  d.trace_id.set(trace_id_);
  d.at_us = started_wall_us_;
  if (request_id_.data() != trace_id_.data()) d.request_id.set(request_id_);
  if (key_ != nullptr) {
    d.user_id = key_->user_id;
    d.user_key_id = key_->id;
  }
  d.outcome = static_cast<uint8_t>(outcome);
  d.status = outcome == storage::Outcome::cancelled && !writer_.begun() ? 499 : status_;
  d.error_code.set(error_code_);
  d.protocol = static_cast<uint8_t>(match_.protocol);
  d.operation = static_cast<uint8_t>(operation_);
  d.stream = is_stream();
  d.total_us = now - started_us_;
  if (run_us_ != 0) d.receive_us = run_us_ - started_us_;
  d.queue_us = paused_us_[0];
  d.backoff_us = paused_us_[1];
  d.refresh_us = paused_us_[2];
  d.prepare_us = prepare_us_;
  d.failed_us = failed_us_;
  d.attempts = sent_us_ == 0 ? 0 : static_cast<uint32_t>(budget_.attempts);
  const bool gathered = match_.aggregate && match_.operation == translate::Operation::model_list;
  d.way = gathered && run_us_ != 0                         ? DecisionRecord::Way::gathered
          : provider_ == nullptr || !resolved_.supported() ? DecisionRecord::Way::refused
          : resolved_.served == modhost::RouteMode::local  ? DecisionRecord::Way::local
          : d.attempts == 0                                ? DecisionRecord::Way::refused
          : resolved_.mode == modhost::RouteMode::translate || resolved_.bridged(operation_)
              ? DecisionRecord::Way::translated
              : DecisionRecord::Way::native;
  if (plan_ != nullptr) {
    d.route.set(plan_->route->name);
    d.asked.set(plan_->asked);
    d.tier = tier();
    d.target = small(plan_->next);
    d.targets = small(plan_->order.size());
  }
  if (provider_ == nullptr) return;
  d.provider.set(provider_->name);
  d.provider_id = provider_->id;
  d.model.set(model_);
  d.target_protocol = static_cast<uint8_t>(resolved_.target_protocol);
  if (credential_ != nullptr) {
    d.credential.set(credential_->name);
    d.credential_id = credential_->id;
  }
  d.pinned = pinned_;
  d.strategy = static_cast<uint8_t>(provider_->pool->settings().strategy);
  d.credentials = static_cast<uint32_t>(provider_->pool->size());
  d.skipped = skipped_;
  d.binding = static_cast<uint8_t>(binding_);
  d.skips = small(std::min(skips_.size(), DecisionRecord::kSkips));
  std::copy_n(skips_.begin(), d.skips, d.skip.begin());
  if (d.attempts == 0) return;
  d.upstream_status = upstream_status_;
  if (last_failed_) return;
  d.connect_us = connect_us_;
  const int64_t sent = sent_us_ >= attempt_us_ ? sent_us_ : attempt_us_;
  if (first_byte_us_ >= sent) {
    d.first_byte_us =
        std::max<int64_t>(first_byte_us_ - sent - std::max<int64_t>(connect_us_, 0), 0);
    d.stream_us = std::max<int64_t>(ended_us_ - first_byte_us_, 0);
  }
}

// Once per request, at its end. A request that went straight through costs a copy into the loop's
// ring.
void Exchange::record_decision(storage::Outcome outcome) {
  if (match_.kind != RouteKind::llm) return;
  if (pause_ == Pausing::queue) note_wait("cancelled");
  end_pause();
  DecisionRecord decision;
  fill_decision(decision, outcome);
  const auto& wanted = settings().decision_log;
  const bool problem = notes_ != nullptr && notes_->problem;
  const bool store = wanted == "all" || (wanted == "problems" && problem);
  if (notes_ == nullptr && !store) {
    context_.decisions.put(decision);
    return;
  }
  auto json = context_.take_string();
  write_decision(json, decision, notes_);
  const auto own_name = request_id_ != trace_id_ ? request_id_ : std::string_view();
  context_.shared.decisions.keep(trace_id_, own_name, json);
  if (store && context_.recorder != nullptr) {
    storage::DecisionRow row;
    row.at = started_wall_us_;
    row.trace_id = trace_id_;
    row.request_id = own_name;
    row.decision_json = json;
    context_.recorder->decision(row);
  }
  context_.give_back(std::move(json));
}

}  // namespace gproxy::gateway
