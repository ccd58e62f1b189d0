// A module's own reading of token usage (gproxy.usage/1), for answers that carry it in a place of
// their own. Without the extension the host reads usage by protocol. Runs on the exchange's loop.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "translate/protocol.h"

namespace gproxy::modhost {

class Provider;

// Counts as the module tells them; -1 = not told. The last value stays over the pieces of an
// answer.
struct ModuleUsage {
  int64_t input_tokens = -1;   // cached parts included
  int64_t output_tokens = -1;  // reasoning included
  int64_t cached_read_tokens = -1;
  int64_t cached_write_tokens = -1;
  int64_t reasoning_tokens = -1;
};

bool has_usage_hook(const Provider& provider);
// `bytes` is the data of one event, or a whole answer. True if `usage` changed. REQUIRES:
// has_usage_hook(provider).
Result<bool> extract_usage(const Provider& provider, translate::Protocol protocol,
                           std::string_view bytes, ModuleUsage& usage);

}  // namespace gproxy::modhost
