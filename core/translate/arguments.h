// Tool arguments and results as JSON, digits intact. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/json.h"
#include "translate/model.h"

namespace gproxy::translate {

// A tool call's argument text as an object: "" -> {}; a valid object as it is; another valid value
// -> {"value": v}; no JSON -> {"_raw_arguments": "<text>"}. Numbers keep their text.
json::Value args_object(std::string_view text, Arena& arena);
json::Value args_object(const Call& call, Arena& arena);
// The same as JSON text, for writers; an object is copied compactly only where it must be.
std::string args_text(const json::Value& object);
// The argument text of a call for protocols that carry it as a string: "" becomes "{}".
std::string_view args_or_empty(std::string_view text);

// {"input": "<text>"}: a custom tool's text as function arguments, and back. `unwrap` gives the
// text as it is when it is not that shape.
json::Value wrap_input(std::string_view text, Arena& arena);
std::string unwrap_input(std::string_view args, Arena& arena);

}  // namespace gproxy::translate
