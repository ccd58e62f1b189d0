#include "gateway/recent_decisions.h"

#include <cstdlib>
#include <cstring>

#include "gateway/decision_json.h"

namespace gproxy::gateway {
namespace {

using Word = std::atomic_ref<uint64_t>;

}  // namespace

DecisionRing::DecisionRing() : slots_(static_cast<Slot*>(std::calloc(kSlots, sizeof(Slot)))) {}

DecisionRing::~DecisionRing() {
  std::free(slots_);
}

// A reader that sees a word of this record sees the odd number before it, and at the end an even
// one that is not the one it began with.
void DecisionRing::put(const DecisionRecord& decision) {
  if (slots_ == nullptr) return;
  const auto written = written_.load(std::memory_order_relaxed);
  auto& slot = slots_[written % kSlots];
  const auto sequence = Word(slot.sequence).load(std::memory_order_relaxed);
  Word(slot.sequence).store(sequence + 1, std::memory_order_relaxed);
  const auto* from = reinterpret_cast<const unsigned char*>(&decision);
  const size_t words = decision.used_bytes() / 8;
  for (size_t i = 0; i < words; ++i) {
    uint64_t word = 0;
    std::memcpy(&word, from + 8 * i, 8);
    Word(slot.words[i]).store(word, std::memory_order_release);
  }
  Word(slot.sequence).store(sequence + 2, std::memory_order_release);
  written_.store(written + 1, std::memory_order_release);
}

bool DecisionRing::read(size_t at, DecisionRecord& out) const {
  auto& slot = slots_[at];
  const auto before = Word(slot.sequence).load(std::memory_order_acquire);
  if (before == 0 || before % 2 != 0) return false;
  auto* to = reinterpret_cast<unsigned char*>(&out);
  for (size_t i = 0; i < kWords; ++i) {
    const uint64_t word = Word(slot.words[i]).load(std::memory_order_acquire);
    std::memcpy(to + 8 * i, &word, 8);
  }
  return Word(slot.sequence).load(std::memory_order_relaxed) == before &&
         out.skips <= DecisionRecord::kSkips;
}

DecisionRing& RecentDecisions::open() {
  std::lock_guard lock(mutex_);
  rings_.push_back(std::make_unique<DecisionRing>());
  return *rings_.back();
}

void RecentDecisions::keep(std::string_view trace_id, std::string_view request_id,
                           std::string_view json) {
  Told told{std::string(trace_id), std::string(request_id), std::string(json)};
  std::lock_guard lock(mutex_);
  told_bytes_ += told.bytes();
  told_.push_back(std::move(told));
  while (told_.size() > kMostTold || (told_bytes_ > kMostBytes && told_.size() > 1)) {
    told_bytes_ -= told_.front().bytes();
    told_.pop_front();
  }
}

std::optional<std::string> RecentDecisions::find(std::string_view id) const {
  if (id.empty()) return std::nullopt;
  ShortText<64> cut;  // as records keep it
  cut.set(id);
  std::lock_guard lock(mutex_);
  for (const bool by_trace : {true, false}) {
    for (auto told = told_.rbegin(); told != told_.rend(); ++told) {
      if ((by_trace ? told->trace_id : told->request_id) == id) return told->json;
    }
    const auto is = [&](const DecisionRecord& d) {
      return by_trace ? d.trace_id.view() == id : d.request_id.view() == cut.view();
    };
    DecisionRecord found;
    for (const auto& ring : rings_) {
      if (!ring->find(is, found)) continue;
      std::string json;
      write_decision(json, found, nullptr);
      return json;
    }
  }
  return std::nullopt;
}

}  // namespace gproxy::gateway
