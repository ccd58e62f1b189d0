// Reads an answer's token usage by its module's own hook (gproxy.usage/1) as the bytes pass: each
// event's data, or the whole answer. Only for modules that have the hook; everybody else's usage is
// read by protocol. Bounded; a hook that fails is logged with its module's name and not asked again
// for this answer. One per attempt, on its loop.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/sse.h"
#include "modhost/usage_hook.h"
#include "translate/protocol.h"
#include "translate/usage_scan.h"

namespace gproxy::gateway {

class ModuleUsageReader {
 public:
  // Null where the module has no hook. `provider` outlives the reader. An answer or event of more
  // than `max_bytes` is not read.
  static std::unique_ptr<ModuleUsageReader> of(const modhost::Provider& provider,
                                               translate::Protocol protocol,
                                               translate::Framing framing, size_t max_bytes);

  ModuleUsageReader(const modhost::Provider& provider, translate::Protocol protocol,
                    translate::Framing framing, size_t max_bytes);

  void feed(std::string_view bytes);
  // The answer is complete.
  void finish();
  // The module's counts so far; where it tells none, those of `told`.
  translate::Usage over(translate::Usage told);

 private:
  void extract(std::string_view bytes);

  const modhost::Provider& provider_;
  const translate::Protocol protocol_;
  const translate::Framing framing_;
  const size_t max_bytes_;
  sse::Reader events_;
  std::string whole_;
  modhost::ModuleUsage usage_;
  bool unread_ = false;  // whole_ has grown since the hook saw it
  bool stopped_ = false;
};

}  // namespace gproxy::gateway
