// A row of /admin/logs as JSON: the list's and the tail's. Pure.
#pragma once

#include <span>
#include <string>

#include "base/json.h"
#include "storage/queries.h"

namespace gproxy::admin {

// `bodies`: those of the row's request and attempt; each is written as text, invalid bytes
// replaced, and ends with a mark where it was cut.
void put_log_row(json::Writer& w, const storage::LogRecord& row,
                 std::span<const storage::LogBody> bodies);

}  // namespace gproxy::admin
