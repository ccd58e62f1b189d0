// What an answer's headers say about a credential's limits, read by the module (gproxy.limits/1).
// Asked once for each answer of a module that has it, on the exchange's loop; nothing is allocated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/headers.h"
#include "modhost/verdict.h"
#include "translate/protocol.h"

namespace gproxy::modhost {

class OpenCredential;
class Provider;

inline constexpr size_t kMaxLimits = 16;

// One window. Views into the answer's headers, or static.
struct LimitWindow {
  std::string_view name, subject, unit;
  int64_t used_ppm = -1;  // -1 = not told
  int64_t limit = -1;
  int64_t remaining = -1;
  int64_t resets_at_ms = 0;  // UNIX time; 0 = not told
  Scope scope = Scope::credential;
  bool rest = false;  // used up: `scope` is of no use before resets_at_ms
};
using LimitList = std::array<LimitWindow, kMaxLimits>;

struct AnswerHead {
  int status = 0;
  translate::Protocol protocol = translate::Protocol::none;
  translate::Operation operation = translate::Operation::none;
  int64_t wall_ms = 0;
  std::string_view model;
  std::span<const http::HeaderView> headers;
  const OpenCredential* credential = nullptr;
};

// The windows told, in `room`; none where the headers say nothing, or the module's answer breaks
// the contract (logged, and counted against it). REQUIRES: provider.reads_limits(),
// head.credential.
std::span<const LimitWindow> read_limits(const Provider& provider, const AnswerHead& head,
                                         LimitList& room);

}  // namespace gproxy::modhost
