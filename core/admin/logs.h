// The parameters of /admin/logs, for the list and for the tail. Pure.
#pragma once

#include "admin/parameters.h"
#include "storage/queries.h"

namespace gproxy::admin {

// kind and filters; no times, no page. Errors: invalid_kind, invalid_status_range,
// invalid_parameter.
Result<storage::LogQuery> log_filter(const Parameters& parameters);

}  // namespace gproxy::admin
