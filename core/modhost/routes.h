// The route table of one provider instance: which (protocol, operation) it serves natively, by
// translation or locally. Pure and immutable; any thread; owned by its Provider.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "modhost/info.h"

namespace gproxy::modhost {

// What a request for (protocol, operation) comes to.
struct Resolved {
  RouteMode mode = RouteMode::unsupported;    // native, translate, local or unsupported
  RouteMode served = RouteMode::unsupported;  // how the target is served: native or local
  translate::Protocol target_protocol = translate::Protocol::none;  // what the module is asked in
  translate::Operation target_operation = translate::Operation::none;

  bool supported() const { return mode != RouteMode::unsupported; }
  // A streamed request served by a whole answer, or the other way round: the host bridges.
  bool bridged(translate::Operation asked) const { return target_operation != asked; }
};

class RouteTable {
 public:
  RouteTable() = default;  // serves nothing
  // Checks: known protocols and operations that go together, no row twice, TRANSLATE ends at a row
  // that is native or local (after the stream fallback), LOCAL only where the module can.
  struct Abilities {
    bool local = false;  // gproxy.local/1
    bool count = false;  // gproxy.count/1: LOCAL rows of count_tokens
  };
  static Result<RouteTable> make(std::vector<Route> rows, Abilities can);

  // Generate and stream_generate fall back to each other, here and at a translation's target.
  Resolved resolve(translate::Protocol protocol, translate::Operation operation) const;
  std::span<const Route> rows() const { return rows_; }

 private:
  static constexpr size_t kProtocols = 6;
  static constexpr size_t kOperations = 15;
  std::vector<Route> rows_;
  // Answers for every pair, computed once: resolve() is on the path of every request.
  std::array<std::array<Resolved, kOperations>, kProtocols> resolved_{};
};

}  // namespace gproxy::modhost
