// Why a request went the way it went. Every request leaves a DecisionRecord: it has a fixed size,
// is copied once and owns nothing. Only requests with more to tell (a failed attempt, a wait, a
// target passed over) make DecisionNotes, in their own arena. Plain values; on the exchange's loop.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace gproxy::gateway {

// Text inside a record, cut at a character's border.
template <size_t N>
class ShortText {
 public:
  static_assert(N > 1 && N <= 256);
  void set(std::string_view text) {
    size_t n = std::min(text.size(), N - 1);
    if (n < text.size()) {
      while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80) --n;
    }
    length_ = static_cast<uint8_t>(n);
    std::copy_n(text.begin(), n, bytes_);
  }
  std::string_view view() const { return {bytes_, length_}; }

 private:
  uint8_t length_ = 0;
  char bytes_[N - 1];  // the rest is left as it is
};

// A credential that was passed over.
struct DecisionSkip {
  enum class Why : uint8_t {
    rests,     // until_ms
    dead,      // until it is changed
    full,      // as many running requests as it may have
    unusable,  // its secret does not open, or the module cannot use it for this
  };
  int64_t credential_id = 0;
  int64_t until_ms = 0;  // wall clock; 0 = nothing is known
  Why why = Why::rests;
  uint8_t scope = 0;  // config::RestNote::Scope
  ShortText<32> reason;
  ShortText<30> name;
};

// Numbers stand in memory only: a record never outlives its process.
struct DecisionRecord {
  static constexpr size_t kSkips = 6;
  enum class Way : uint8_t {
    refused,     // by gproxy, before anybody was asked
    native,      // the upstream speaks the client's protocol
    translated,  // between two protocols, or between whole and streamed
    local,       // the module answered by itself
    gathered,    // a list from all providers
  };

  ShortText<40> trace_id;
  int64_t at_us = 0;  // wall clock
  int64_t user_id = -1, user_key_id = -1;
  int64_t provider_id = 0, credential_id = 0;  // of the last attempt; 0 = none
  int64_t pinned = 0;                          // the one credential that could serve this

  // Microseconds; -1 = did not happen. Together they make up the total, about.
  int64_t receive_us = -1;     // from the head to the last byte of the body
  int64_t queue_us = 0;        // in the pool's queue
  int64_t backoff_us = 0;      // between attempts
  int64_t refresh_us = 0;      // for a secret
  int64_t prepare_us = 0;      // gproxy's own work before an attempt is sent
  int64_t failed_us = 0;       // attempts that failed
  int64_t connect_us = -1;     // of the last attempt; 0 = on a kept connection
  int64_t first_byte_us = -1;  // from the connection to the first byte of the answer
  int64_t stream_us = -1;      // from there to the last
  int64_t total_us = 0;

  int32_t status = 0;           // the client's
  int32_t upstream_status = 0;  // of the last attempt
  uint32_t attempts = 0;
  uint32_t credentials = 0;  // of the pool
  uint32_t skipped = 0;      // of them, when the last one was chosen
  uint8_t protocol = 0, target_protocol = 0, operation = 0;  // of translate/
  uint8_t outcome = 0;                                       // storage::Outcome
  uint8_t strategy = 0;                                      // config::Strategy
  uint8_t binding = 0;                                       // config::Lease::Binding
  uint8_t tier = 0, target = 0, targets = 0;                 // of the route, from 1
  uint8_t skips = 0;                                         // in `skip`
  Way way = Way::refused;
  bool stream = false;
  ShortText<40> error_code;
  ShortText<48> provider;
  ShortText<48> credential;
  ShortText<80> model;       // as the upstream was asked for it
  ShortText<64> route;       // its name
  ShortText<80> asked;       // as the client wrote the model, where it is a route's name
  ShortText<64> request_id;  // the client's own, cut
  std::array<DecisionSkip, kSkips> skip;

  // What of it needs to be copied.
  size_t used_bytes() const {
    return offsetof(DecisionRecord, skip) + skips * sizeof(DecisionSkip);
  }
};
static_assert(std::is_trivially_copyable_v<DecisionRecord>);
static_assert(sizeof(DecisionRecord) % 8 == 0 && sizeof(DecisionSkip) % 8 == 0 &&
              offsetof(DecisionRecord, skip) % 8 == 0);

// ---- notes
// ---------------------------------------------------------------------------------------

// A list in an arena, with a bound; what comes after it is counted only.
template <class T, size_t kMost>
struct NoteList {
  T* first = nullptr;
  T* last = nullptr;
  uint32_t size = 0, left_out = 0;

  bool full() const { return size == kMost; }
  // Null: count it as left out.
  void add(T* one) {
    if (one == nullptr || full()) {
      ++left_out;
      return;
    }
    (last == nullptr ? first : last->next) = one;
    last = one;
    ++size;
  }
};

// Views of the exchange's snapshot or arena, or static.
struct AttemptNote {
  AttemptNote* next = nullptr;
  std::string_view provider, credential, model;
  int64_t credential_id = 0;
  int64_t began_us = 0;  // after the request
  int64_t connect_us = -1, first_byte_us = -1, duration_us = 0;
  int32_t status = 0;
  uint8_t tier = 0;
  uint8_t protocol = 0;
  std::string_view outcome;
  std::string_view failure;  // what kind, where no answer came
  std::string_view error_code;
  // What was made of it.
  std::string_view verdict, reason, scope;
  int64_t rest_ms = 0;
  std::string_view then;  // same, patch, refresh, other, target, deliver
  int64_t backoff_ms = 0;
};

struct SkipNote {
  SkipNote* next = nullptr;
  std::string_view provider;
  uint32_t attempt = 0;  // the one it might have served, from 1
  DecisionSkip skip;
};

// A target of the route that was passed over.
struct TargetNote {
  TargetNote* next = nullptr;
  std::string_view provider, model, why;
  uint8_t tier = 0;
};

struct WaitNote {
  WaitNote* next = nullptr;
  std::string_view provider;
  std::string_view ended;  // granted, deadline, queue_full, cancelled
  int64_t duration_us = 0;
};

struct DecisionNotes {
  bool problem = false;  // worth storing
  NoteList<AttemptNote, 64> attempts;
  NoteList<SkipNote, 32> skips;
  NoteList<TargetNote, 32> targets;
  NoteList<WaitNote, 16> waits;
  // Of the attempt that is about to end.
  AttemptNote judged;
};
static_assert(std::is_trivially_destructible_v<DecisionNotes>);

}  // namespace gproxy::gateway
