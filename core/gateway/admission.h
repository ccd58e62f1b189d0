// One request's part of its key's and its user's limits: taken when its head is read, settled with
// what it really used, given back at its end. A request's loop; owned by its Exchange.
#pragma once

#include <cstdint>
#include <span>

#include "base/arena.h"
#include "base/result.h"
#include "config/snapshot.h"
#include "http/headers.h"

namespace gproxy::gateway {

class Admission {
 public:
  static constexpr size_t kHeaders = 8;

  // `key` outlives this (the exchange's snapshot holds it).
  explicit Admission(const config::KeyEntry& key) : key_(&key) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission() { leave(0); }

  // `expected_tokens` are held until the real number is known; 0 = the request uses none. Error:
  // rate, 429, with the time to wait; nothing is taken then. Times are monotonic microseconds.
  Result<void> enter(int64_t expected_tokens, int64_t now_us);
  // What an attempt used; `known` false: an answer came without a count, the expectation stays.
  void use(int64_t tokens, bool known);
  // The end. Once.
  void leave(int64_t now_us);

  // x-ratelimit-{limit,remaining,reset}-{requests,tokens} and
  // x-ratelimit-{limit,remaining}-concurrent-requests of whichever of key and user has less left;
  // written into `out`, which has room for kHeaders. Returns how many.
  size_t headers(std::span<http::HeaderView> out, Arena& arena, int64_t now_us) const;

 private:
  struct Side {
    const config::Bounds* bounds;
    config::RateSlot* slot;
  };
  Side side(int i) const;

  const config::KeyEntry* key_;
  int64_t reserved_ = 0;
  int64_t used_ = 0;
  bool unknown_ = false;
  bool inside_ = false;
};

}  // namespace gproxy::gateway
