// The body index in the ABI's form: spans by ascending position, the root first. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/arena.h"
#include "translate/body_index.h"

namespace gproxy::modhost {

// Where a member of the body stands; layout and numbers of gp_span.
struct FieldSpan {
  int32_t field = 0;
  uint32_t flags = 0;
  size_t at = 0;
  size_t len = 0;
};

// In the arena. Members that modules are not told about are left out.
std::span<const FieldSpan> spans_of(const translate::BodyIndex& index, Arena& arena);

}  // namespace gproxy::modhost
