// The JSON pieces of a Claude message, shared by its streamed and its whole form. Internal.
#pragma once

#include <string_view>

#include "base/json.h"
#include "translate/model.h"

namespace gproxy::translate::claude {

// stop_reason of a finish.
std::string_view stop_reason(FinishReason reason, Protocol origin);
void write_stop_details(json::Writer& w, FinishReason reason, std::string_view category,
                        std::string_view explanation);

}  // namespace gproxy::translate::claude
