// Token counts of an attempt whose upstream did not tell them all: estimates take their place, and
// the row says so. Pure.
#pragma once

#include <cstdint>

#include "storage/records.h"
#include "translate/usage_scan.h"

namespace gproxy::gateway {

struct AttemptUsage {
  translate::Usage usage;  // -1 = neither told nor estimated
  bool estimated = false;  // at least one of the counts is ours
};

// What the answer said so far, and what is missing:
// - an answer that ended properly tells its usage; an upstream that never does (some say only the
//   one or the other) gets the missing counts estimated;
// - one that was cut off, by whoever, tells at most what its beginning said (Claude: message_start,
//   which has one output token): its output is what passed, if that is more. Gemini tells its
//   counts with every event and is believed; so are Responses, whose counts come with the last event
//   alone, response.failed's too.
// - of an answer that failed before anything passed nothing is estimated: nobody was billed.
// `told`: the counts so far, the scan's or the module's. `passed`: something of the answer was
// taken for good. `input_estimate`: the request's tokens, about; -1 = unknown.
AttemptUsage settle_usage(const translate::UsageScan& scan, const translate::Usage& told,
                          translate::Protocol protocol, storage::Outcome outcome, bool passed,
                          int64_t input_estimate);

}  // namespace gproxy::gateway
