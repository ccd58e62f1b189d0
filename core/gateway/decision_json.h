// Decisions as GET /admin/requests/{trace_id}/why tells them. Pure.
#pragma once

#include <string>

#include "gateway/decision.h"

namespace gproxy::gateway {

// One JSON object; `notes` may be null.
void write_decision(std::string& out, const DecisionRecord& decision, const DecisionNotes* notes);

}  // namespace gproxy::gateway
