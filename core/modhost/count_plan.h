// With what a module has a request's tokens counted (gproxy.count/1): asked for each request of a
// LOCAL count_tokens row, checked, and copied into the exchange's arena. On the exchange's loop.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "modhost/provider.h"

namespace gproxy::modhost {

struct CountPlan {
  enum class Source : uint8_t { estimate, encoding, file, url };
  Source source = Source::estimate;
  std::string_view name;    // encoding; path relative to the folder of tokenizers; absolute URL
  std::string_view bearer;  // url: for its own host only; never logged

  // REQUIRES: provider.can_count(). Views live as long as the request's arena. Errors as
  // Provider::prepare.
  static Result<CountPlan> ask(const Provider& provider, const CallRequest& request);
};

// A relative path of plain segments: no "..", no ".", no empty one, no backslash, no control
// character.
bool is_inner_path(std::string_view path);

}  // namespace gproxy::modhost
