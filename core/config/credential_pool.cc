#include "config/credential_pool.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>
#include <utility>

namespace gproxy::config {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

uint64_t key_of(std::string_view scope) {
  return std::hash<std::string_view>{}(scope) | 1;  // 0 is an empty place
}

// A min-heap of (until, index).
template <class Heap, class Rest>
void push(Heap& heap, Rest rest) {
  heap.push_back(rest);
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}
template <class Heap>
auto pop(Heap& heap) {
  std::pop_heap(heap.begin(), heap.end(), std::greater<>());
  auto rest = heap.back();
  heap.pop_back();
  return rest;
}

}  // namespace

// ---- Lease
// ---------------------------------------------------------------------------------------

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  index_ = other.index_;
  loop_ = other.loop_;
  binding_ = other.binding_;
  return *this;
}

void Lease::release() {
  if (pool_ != nullptr) std::exchange(pool_, nullptr)->give_back(index_, loop_);
}

size_t Lease::position() const {
  return pool_->members_[index_].position;
}
CredentialSlot& Lease::slot() const {
  return *pool_->members_[index_].slot;
}

// ---- The pool
// ------------------------------------------------------------------------------------

CredentialPool::CredentialPool(PoolSettings settings, std::vector<Member> members,
                               const Clock& clock, const CredentialPool* before)
    : settings_(settings),
      members_(std::move(members)),
      clock_(clock),
      words_((members_.size() + 63) / 64),
      affinity_(before != nullptr ? before->affinity_ : std::make_shared<Affinity>()),
      ready_(std::make_unique<Word[]>(words_)) {
  for (uint32_t i = 0; i < members_.size(); ++i) {
    by_id_.emplace(members_[i].slot->id(), i);
    // Rests that began earlier are found like any other.
    set_ready(i);
  }
  if (!members_.empty()) {
    signal_ = members_[0].slot->signal();
    seen_.store(signal_->restored.load(std::memory_order_acquire), kRelaxed);
  }
  if (settings_.strategy != Strategy::weighted) return;
  uint32_t divisor = 0, most = 1;
  for (const auto& member : members_) divisor = std::gcd(divisor, member.weight);
  for (const auto& member : members_) most = std::max(most, member.weight / divisor);
  levels_.assign(most, std::vector<uint64_t>(words_));
  for (uint32_t i = 0; i < members_.size(); ++i) {
    for (uint32_t r = 0; r < members_[i].weight / divisor; ++r)
      levels_[r][i / 64] |= uint64_t{1} << (i % 64);
  }
}

CredentialPool::~CredentialPool() {
  for (auto& local : locals_) delete local.load(kRelaxed);
}

void CredentialPool::set_ready(uint32_t index) {
  ready_[index / 64].fetch_or(uint64_t{1} << (index % 64));
}

CredentialPool::Local& CredentialPool::local(uint32_t loop) {
  auto& place = locals_[loop % kLoops];
  if (auto* found = place.load(std::memory_order_acquire)) return *found;
  std::lock_guard lock(mutex_);
  if (auto* found = place.load(kRelaxed)) return *found;
  auto* made = new Local;
  made->running = std::make_unique<std::atomic<uint32_t>[]>(members_.size());
  // Loops begin apart, so that a few requests on each do not all meet the first credential.
  if (!members_.empty())
    made->cursor.store(
        static_cast<uint32_t>((loop * members_.size() / 2 + loop / 2) % members_.size()), kRelaxed);
  place.store(made, std::memory_order_release);
  return *made;
}

// ---- Which bits count
// ----------------------------------------------------------------------------

uint64_t CredentialPool::usable(size_t word, const Masks& masks) const {
  auto bits = ready_[word].load(kRelaxed);
  if (masks.model != nullptr) bits &= ~masks.model->blocked[word].load(kRelaxed);
  if (masks.operation != nullptr) bits &= ~masks.operation->blocked[word].load(kRelaxed);
  return bits;
}

CredentialPool::Masks CredentialPool::masks_for(const Ask& ask) const {
  Masks masks;
  const auto used = scopes_used_.load(std::memory_order_acquire);
  if (used == 0) return masks;
  const auto find = [&](std::string_view name) -> const Scope* {
    if (name.empty()) return nullptr;
    const auto key = key_of(name);
    for (uint32_t i = 0; i < used; ++i) {
      if (scope_keys_[i].load(std::memory_order_acquire) == key) return &scopes_[i];
    }
    return nullptr;
  };
  masks.model = find(ask.model);
  masks.operation = find(ask.operation);
  return masks;
}

// ---- Strategies
// ----------------------------------------------------------------------------------

// The first usable member behind `cursor`, going round once. `level` limits it further.
uint32_t CredentialPool::next_after(uint32_t cursor, const Masks& masks, const Ask& ask,
                                    const uint64_t* level) const {
  const auto n = static_cast<uint32_t>(members_.size());
  const auto first = cursor / 64;
  for (size_t step = 0; step <= words_; ++step) {
    const size_t word = (first + step) % words_;
    auto bits = usable(word, masks);
    if (level != nullptr) bits &= level[word];
    if (step == 0) bits &= ~uint64_t{0} << (cursor % 64);
    if (step == words_) bits &= (uint64_t{1} << (cursor % 64)) - 1;
    while (bits != 0) {
      const auto index =
          static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(bits)));
      if (index >= n) break;
      if (ask.tried.empty() || std::find(ask.tried.begin(), ask.tried.end(),
                                         members_[index].slot->id()) == ask.tried.end()) {
        return index;
      }
      bits &= bits - 1;
    }
  }
  return kNone;
}

// Rounds: in round r take part those whose weight is above r. What takes part in a round does so in
// all earlier ones, so an empty round means that the first comes next.
uint32_t CredentialPool::choose_weighted(Local& local, const Masks& masks, const Ask& ask) {
  const auto round = local.round.load(kRelaxed);
  const auto cursor = local.cursor.load(kRelaxed);
  const auto index = next_after(cursor, masks, ask, levels_[round].data());
  if (index != kNone && index >= cursor) return index;
  // The end of this round: the next one if somebody is in it.
  if (round + 1 < levels_.size()) {
    const auto next = next_after(0, masks, ask, levels_[round + 1].data());
    if (next != kNone) {
      local.round.store(round + 1, kRelaxed);
      return next;
    }
  }
  local.round.store(0, kRelaxed);
  return round == 0 ? index : next_after(0, masks, ask, levels_[0].data());
}

uint32_t CredentialPool::choose_least(Local& local, const Masks& masks, const Ask& ask) {
  std::array<const std::atomic<uint32_t>*, kLoops> counts;
  size_t loops = 0;
  for (const auto& place : locals_) {
    if (const auto* l = place.load(std::memory_order_acquire)) counts[loops++] = l->running.get();
  }
  const auto n = static_cast<uint32_t>(members_.size());
  const auto cursor = local.cursor.load(kRelaxed);
  uint32_t best = kNone, fewest = UINT32_MAX;
  for (size_t step = 0; step <= words_; ++step) {
    const size_t word = (cursor / 64 + step) % words_;
    auto bits = usable(word, masks);
    if (step == 0) bits &= ~uint64_t{0} << (cursor % 64);
    if (step == words_) bits &= (uint64_t{1} << (cursor % 64)) - 1;
    for (; bits != 0; bits &= bits - 1) {
      const auto index =
          static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(bits)));
      if (index >= n) break;
      uint32_t running = counts[0][index].load(kRelaxed);
      for (size_t l = 1; l < loops; ++l) running += counts[l][index].load(kRelaxed);
      if (running >= fewest) continue;
      if (!ask.tried.empty() && std::find(ask.tried.begin(), ask.tried.end(),
                                          members_[index].slot->id()) != ask.tried.end()) {
        continue;
      }
      best = index;
      fewest = running;
      if (running == 0) return best;  // nobody can have fewer
    }
  }
  return best;
}

uint32_t CredentialPool::choose(Local& local, const Masks& masks, const Ask& ask) {
  switch (settings_.strategy) {
    case Strategy::weighted:
      return choose_weighted(local, masks, ask);
    case Strategy::least_in_flight:
      return choose_least(local, masks, ask);
    default:
      return next_after(local.cursor.load(kRelaxed), masks, ask, nullptr);
  }
}

// ---- One pick
// ------------------------------------------------------------------------------------

Lease CredentialPool::lease(uint32_t index, uint32_t loop) {
  local(loop).running[index].fetch_add(1, kRelaxed);
  return Lease(*this, index, loop);
}

// The bitmaps are a hint; the slot knows.
CredentialPool::Verdict CredentialPool::take(uint32_t index, const Ask& ask, int64_t now) {
  const auto& member = members_[index];
  switch (member.slot->rests(now, ask.model, ask.operation)) {
    case CredentialSlot::Rests::all:
      return Verdict::rests;
    case CredentialSlot::Rests::scope:
      return Verdict::rests_in_scope;
    case CredentialSlot::Rests::no:
      break;
  }
  return member.slot->take(member.limit) ? Verdict::taken : Verdict::full;
}

Lease CredentialPool::pick(const Ask& ask) {
  if (members_.empty()) return {};
  // Who came earlier goes first.
  if (waiting_.load(std::memory_order_acquire) > 0) return {};
  return pick_now(ask, clock_.now_ms());
}

Lease CredentialPool::pick_now(const Ask& ask, int64_t now) {
  if (now >= wake_.load(kRelaxed) ||
      seen_.load(kRelaxed) != signal_->restored.load(std::memory_order_acquire)) {
    tidy(now, kTidyAtOnce);
  }
  // What belongs to one account is not found at another.
  if (ask.pinned != 0) return pick_known(ask.pinned, ask, now);
  using enum Lease::Binding;
  int64_t home = 0;
  bool bind = false;
  auto binding = none;
  if (settings_.strategy == Strategy::sticky && ask.conversation != 0) {
    home = affinity_->find(ask.conversation);
    if (home != 0) {
      if (auto found = pick_known(home, ask, now)) {
        found.binding_ = kept;
        return found;
      }
    }
    bind = home == 0 || moves_for_good(home, ask, now);
    binding = home == 0 ? made : bind ? moved : away;
  }
  auto& mine = local(ask.loop);
  for (size_t tries = 0; tries <= members_.size(); ++tries) {
    const auto masks = masks_for(ask);
    const auto index = choose(mine, masks, ask);
    if (index == kNone) break;
    const auto verdict = take(index, ask, now);
    if (verdict == Verdict::taken) {
      mine.cursor.store(
          index + 1 == members_.size() && settings_.strategy != Strategy::weighted ? 0 : index + 1,
          kRelaxed);
      if (bind) affinity_->bind(ask.conversation, members_[index].slot->id());
      auto taken = lease(index, ask.loop);
      taken.binding_ = binding;
      return taken;
    }
    note(index, verdict, ask, now);
  }
  auto found = pick_slowly(ask, now);
  found.binding_ = binding;
  if (found && bind) affinity_->bind(ask.conversation, found.slot().id());
  return found;
}

// The bitmaps have nobody. Before a request fails, every member is asked, and what the bitmaps had
// wrong is put right.
Lease CredentialPool::pick_slowly(const Ask& ask, int64_t now) {
  {
    std::lock_guard lock(mutex_);
    tidy_locked(now, SIZE_MAX);
  }
  const auto n = static_cast<uint32_t>(members_.size());
  const auto from = local(ask.loop).cursor.load(kRelaxed);
  for (uint32_t i = 0; i < n; ++i) {
    const auto index = (from + i) % n;
    const auto id = members_[index].slot->id();
    if (std::find(ask.tried.begin(), ask.tried.end(), id) != ask.tried.end()) continue;
    if (take(index, ask, now) != Verdict::taken) continue;
    set_ready(index);
    local(ask.loop).cursor.store(index + 1 == n ? 0 : index + 1, kRelaxed);
    return lease(index, ask.loop);
  }
  return {};
}

Lease CredentialPool::pick_known(int64_t id, const Ask& ask, int64_t now) {
  const auto at = by_id_.find(id);
  if (at == by_id_.end()) return {};
  if (std::find(ask.tried.begin(), ask.tried.end(), id) != ask.tried.end()) return {};
  const auto verdict = take(at->second, ask, now);
  if (verdict == Verdict::taken) return lease(at->second, ask.loop);
  note(at->second, verdict, ask, now);
  return {};
}

// A credential that is gone, or rests for long, loses its conversations; one that is busy or has a
// moment of weakness does not.
bool CredentialPool::moves_for_good(int64_t id, const Ask& ask, int64_t now) const {
  const auto at = by_id_.find(id);
  if (at == by_id_.end()) return true;
  const auto until = members_[at->second].slot->rests_until(now, ask.model, ask.operation);
  return until == INT64_MAX || until - now > settings_.sticky_move_ms;
}

// ---- Rests
// ---------------------------------------------------------------------------------------

bool CredentialPool::ready_now(uint32_t index, int64_t now) const {
  const auto& member = members_[index];
  return member.slot->until_ms() <= now &&
         (member.limit == 0 || member.slot->in_use() < member.limit);
}

// A pick has met somebody whose bit was wrong. Whatever ends the rest before its time is announced
// by the signal, and either the one who tidies after that finds the entry made here, or this looks
// at the slot after it.
void CredentialPool::note(uint32_t index, Verdict verdict, const Ask& ask, int64_t now) {
  auto& slot = *members_[index].slot;
  std::lock_guard lock(mutex_);
  if (verdict == Verdict::rests_in_scope) {
    for (const auto name : {ask.model, ask.operation}) {
      const auto until = name.empty() ? 0 : slot.scope_until(name);
      if (until <= now) continue;
      auto* scope = scope_for(name);
      const auto bit = uint64_t{1} << (index % 64);
      if ((scope->blocked[index / 64].fetch_or(bit) & bit) != 0) continue;
      push(scope->rests, Rest{until, index});
      wake_.store(std::min(wake_.load(kRelaxed), until), kRelaxed);
    }
    return;
  }
  const auto bit = uint64_t{1} << (index % 64);
  if ((ready_[index / 64].fetch_and(~bit) & bit) == 0) return;  // somebody was quicker
  // A full one comes back with the end of a request; the time is for requests that began on the
  // pool before this one.
  const auto until = verdict == Verdict::full ? now + kFullRecheckMs : slot.until_ms();
  push(rests_, Rest{until, index});
  wake_.store(std::min(wake_.load(kRelaxed), until), kRelaxed);
  if (ready_now(index, now)) set_ready(index);
}

CredentialPool::Scope* CredentialPool::scope_for(std::string_view name) {
  const auto key = key_of(name);
  const auto used = scopes_used_.load(kRelaxed);
  for (uint32_t i = 0; i < used; ++i) {
    if (scope_keys_[i].load(kRelaxed) == key) return &scopes_[i];
  }
  size_t at = used;
  if (used == kScopes) {
    // The one with the fewest rests gives way: its members are asked one by one again.
    at = 0;
    for (size_t i = 1; i < kScopes; ++i) {
      if (scopes_[i].rests.size() < scopes_[at].rests.size()) at = i;
    }
  }
  auto& scope = scopes_[at];
  scope_keys_[at].store(0, std::memory_order_release);
  if (scope.blocked == nullptr) scope.blocked = std::make_unique<Word[]>(words_);
  for (size_t w = 0; w < words_; ++w) scope.blocked[w].store(0, kRelaxed);
  scope.rests.clear();
  scope.name = name;
  scope_keys_[at].store(key, std::memory_order_release);
  if (at == used) scopes_used_.store(used + 1, std::memory_order_release);
  return &scope;
}

void CredentialPool::tidy(int64_t now, size_t most) {
  // Somebody else is at it: their work is ours.
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) tidy_locked(now, most);
}

void CredentialPool::tidy_locked(int64_t now, size_t most) {
  const auto restored = signal_->restored.load(std::memory_order_acquire);
  const bool all = restored != seen_.load(kRelaxed);
  if (all) most = SIZE_MAX;
  auto wake = INT64_MAX;
  std::vector<Rest> again;
  const auto go = [&](std::vector<Rest>& rests, auto&& until_of, auto&& back) {
    if (all) {
      // Somebody was given back before their time: look at each.
      again.swap(rests);
      for (const auto& rest : again) {
        const auto until = until_of(rest.second);
        if (until <= now) {
          back(rest.second);
        } else {
          push(rests, Rest{until, rest.second});
        }
      }
      again.clear();
    }
    while (!rests.empty() && rests.front().first <= now && most > 0) {
      --most;
      const auto index = pop(rests).second;
      const auto until = until_of(index);
      if (until <= now) {
        back(index);
      } else {
        push(rests, Rest{until, index});
      }
    }
    if (!rests.empty()) wake = std::min(wake, rests.front().first);
  };
  go(
      rests_,
      [&](uint32_t index) {
        const auto until = members_[index].slot->until_ms();
        return until <= now && !ready_now(index, now) ? now + kFullRecheckMs : until;
      },
      [&](uint32_t index) { set_ready(index); });
  const auto used = scopes_used_.load(kRelaxed);
  for (uint32_t i = 0; i < used; ++i) {
    auto& scope = scopes_[i];
    go(
        scope.rests, [&](uint32_t index) { return members_[index].slot->scope_until(scope.name); },
        [&](uint32_t index) {
          scope.blocked[index / 64].fetch_and(~(uint64_t{1} << (index % 64)));
        });
  }
  wake_.store(wake, kRelaxed);
  seen_.store(restored, kRelaxed);
}

void CredentialPool::give_back(uint32_t index, uint32_t loop) {
  local(loop).running[index].fetch_sub(1, kRelaxed);
  const auto& member = members_[index];
  if (member.slot->give_back(member.limit)) set_ready(index);
  if (waiting_.load(std::memory_order_acquire) > 0) serve();
}

// ---- The queue
// -----------------------------------------------------------------------------------

bool CredentialPool::enqueue(const std::shared_ptr<Waiter>& waiter, const Ask& ask) {
  {
    std::lock_guard lock(queue_mutex_);
    if (queue_.size() >= settings_.queue_max) return false;
    queue_.push_back({waiter,
                      std::string(ask.model),
                      std::string(ask.operation),
                      {ask.tried.begin(), ask.tried.end()},
                      ask.conversation,
                      ask.pinned,
                      ask.loop});
    waiting_.store(queue_.size(), std::memory_order_release);
  }
  // Between the pick that failed and now something may have come free.
  serve();
  return true;
}

bool CredentialPool::leave(const Waiter& waiter) {
  std::lock_guard lock(queue_mutex_);
  const auto at = std::find_if(queue_.begin(), queue_.end(),
                               [&](const auto& w) { return w.waiter.get() == &waiter; });
  if (at == queue_.end()) return false;
  queue_.erase(at);
  waiting_.store(queue_.size(), std::memory_order_release);
  return true;
}

void CredentialPool::serve() {
  std::vector<std::pair<std::shared_ptr<Waiter>, Lease>> granted;
  const auto now = clock_.now_ms();
  {
    std::lock_guard lock(queue_mutex_);
    // Where somebody who would take any credential got none, nobody else who wants the same does.
    std::vector<std::pair<std::string_view, std::string_view>> in_vain;
    for (auto at = queue_.begin(); at != queue_.end();) {
      const std::pair<std::string_view, std::string_view> wanted(at->model, at->operation);
      if (std::find(in_vain.begin(), in_vain.end(), wanted) != in_vain.end()) {
        ++at;
        continue;
      }
      const Ask ask{at->model, at->operation, at->tried, at->conversation, at->pinned, at->loop};
      auto lease = pick_now(ask, now);
      if (!lease) {
        if (at->tried.empty() && at->pinned == 0) in_vain.push_back(wanted);
        ++at;
        continue;
      }
      granted.emplace_back(std::move(at->waiter), std::move(lease));
      at = queue_.erase(at);
    }
    waiting_.store(queue_.size(), std::memory_order_release);
  }
  for (auto& [waiter, lease] : granted) waiter->granted(std::move(lease));
}

// ---- What is told
// --------------------------------------------------------------------------------

int64_t CredentialPool::wait_ms(std::string_view model, std::string_view operation) const {
  const auto now = clock_.now_ms();
  int64_t soonest = INT64_MAX;
  for (const auto& member : members_)
    soonest = std::min(soonest, member.slot->rests_until(now, model, operation));
  return soonest == INT64_MAX || soonest <= now ? 0 : soonest - now;
}

bool CredentialPool::hope(const Ask& ask) const {
  const auto now = clock_.now_ms();
  for (const auto& member : members_) {
    const auto id = member.slot->id();
    if (ask.pinned != 0 && ask.pinned != id) continue;
    if (member.slot->rests_until(now, ask.model, ask.operation) == INT64_MAX) continue;
    if (std::find(ask.tried.begin(), ask.tried.end(), id) == ask.tried.end()) return true;
  }
  return false;
}

size_t CredentialPool::skipped(const Ask& ask, std::span<Skip> out) const {
  const auto masks = masks_for(ask);
  size_t all = 0, told = 0;
  int64_t now = 0;
  for (size_t word = 0; word < words_; ++word) {
    auto away = ~usable(word, masks);
    if (const auto rest = members_.size() - word * 64; rest < 64) away &= (uint64_t{1} << rest) - 1;
    if (away == 0) continue;
    if (now == 0) now = clock_.now_ms();
    all += static_cast<size_t>(std::popcount(away));
    for (; away != 0 && told < out.size(); away &= away - 1) {
      const auto index = word * 64 + static_cast<size_t>(std::countr_zero(away));
      const auto& member = members_[index];
      const auto id = member.slot->id();
      auto& skip = out[told];
      skip.rest = member.slot->rest_note(now, ask.model, ask.operation);
      const bool rests = skip.rest.until_ms != 0;
      const bool full = !rests && member.limit != 0 && member.slot->in_use() >= member.limit;
      // A bit may be behind the times; and what this request has used up is told as an attempt.
      if ((!rests && !full) ||
          std::find(ask.tried.begin(), ask.tried.end(), id) != ask.tried.end()) {
        --all;
        continue;
      }
      skip.index = index;
      skip.why = full                              ? Skip::Why::full
                 : skip.rest.until_ms == INT64_MAX ? Skip::Why::dead
                                                   : Skip::Why::rests;
      ++told;
    }
  }
  return all;
}

uint32_t CredentialPool::in_flight(size_t index) const {
  uint32_t sum = 0;
  for (const auto& place : locals_) {
    if (const auto* l = place.load(std::memory_order_acquire))
      sum += l->running[index].load(kRelaxed);
  }
  return sum;
}

uint64_t CredentialPool::in_flight() const {
  uint64_t sum = 0;
  for (size_t i = 0; i < members_.size(); ++i) sum += in_flight(i);
  return sum;
}

size_t CredentialPool::away() const {
  size_t ready = 0;
  for (size_t w = 0; w < words_; ++w)
    ready += static_cast<size_t>(std::popcount(ready_[w].load(kRelaxed)));
  return members_.size() - ready;
}

}  // namespace gproxy::config
