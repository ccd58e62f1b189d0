// Credentials as operators have them, in bulk: JSON documents one after the other, arrays of them,
// or one key per line. Pure; main thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "modhost/info.h"

namespace gproxy::admin {

struct ImportItem {
  std::string name;         // may be empty
  std::string secret_json;  // tagged; empty with an error
  std::string error;        // why this one cannot be taken
};

// A text: what begins with a brace or bracket is read as JSON documents, anything else as lines of
// keys; blank lines are skipped. Error: invalid, "Invalid JSON document", for an unbalanced text.
Result<std::vector<ImportItem>> import_text(const modhost::KindInfo& kind, std::string_view text);
// One entry of a list: a text is a key; an object is tagged, or holds the fields themselves, of
// which placeholders (`<required…`, `<optional…`) are left out.
ImportItem import_value(const modhost::KindInfo& kind, const json::Value& value, Arena& arena);

}  // namespace gproxy::admin
