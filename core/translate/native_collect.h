// A stream put together into the whole answer of its own protocol, for clients that asked for a
// whole answer of a provider that only streams (wire-formats 4.5): whatever the stream's members
// are called, they survive. Responses streams need none of this: their terminal event has the
// answer. Pure; one answer, on its loop.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "translate/protocol.h"

namespace gproxy::translate {

class NativeCollector {
 public:
  virtual ~NativeCollector() = default;
  // One event's data. What makes no sense here is for the decoder to refuse.
  virtual void take(const json::Value& event) = 0;
  // Appends the answer, with `model` in the protocol's member where it is not empty. False: too
  // large to be kept, or nothing came.
  virtual bool write(std::string_view model, std::string& out) = 0;
  virtual size_t held_bytes() const = 0;
};

// Null where the protocol needs none. Keeps no more than `max_bytes`.
std::unique_ptr<NativeCollector> make_native_collector(Protocol protocol, size_t max_bytes);

}  // namespace gproxy::translate
