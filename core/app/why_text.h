// A decision, as GET /admin/requests/{trace_id}/why tells it, for people to read. Pure.
#pragma once

#include <string>

#include "base/json.h"

namespace gproxy::app {

// Lines of text, each with its end. What is not there is left out.
std::string why_text(const json::Value& decision);

}  // namespace gproxy::app
