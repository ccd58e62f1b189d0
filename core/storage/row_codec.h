// Journal rows as ring frames and back. A published layout never changes: a new field means a new
// frame type beside the old one, because rows written by an older gproxy may still wait in a ring.
// Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "storage/records.h"
#include "storage/ring.h"

namespace gproxy::storage {

enum class FrameType : uint32_t {
  usage_1 = 1,
  request_1 = 2,
  upstream_1 = 3,
  event_1 = 4,
  response_1 = 5,
  body_1 = 6,
  decision_1 = 7,
};

// Publishes the row; false when the ring is full. Text over its bound is cut at a character's
// border, header lists over theirs are left out.
bool push(Ring& ring, const UsageRow& row);
bool push(Ring& ring, const RequestRow& row);
bool push(Ring& ring, const UpstreamRequestRow& row);
bool push(Ring& ring, const InternalEvent& row);
bool push(Ring& ring, const ResponseRow& row);
bool push(Ring& ring, const BodyRow& row);
bool push(Ring& ring, const DecisionRow& row);

// Views point into `payload`. False when it is no such row.
bool decode(std::string_view payload, UsageRow& out);
bool decode(std::string_view payload, RequestRow& out);
bool decode(std::string_view payload, UpstreamRequestRow& out);
bool decode(std::string_view payload, InternalEvent& out);
bool decode(std::string_view payload, ResponseRow& out);
bool decode(std::string_view payload, BodyRow& out);
bool decode(std::string_view payload, DecisionRow& out);

}  // namespace gproxy::storage
