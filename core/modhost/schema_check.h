// Validates JSON against the subset of JSON Schema draft 4 that modules use for settings and
// credentials: type, properties, required, additionalProperties, items, enum, minLength, maxLength,
// minimum, maximum, minItems, maxItems, anyOf, oneOf, allOf, and $ref to #/definitions. Other
// keywords (title, description, default, format, x-…) are for forms and ignored. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace gproxy::modhost {

// What an object does with members that its schema does not name and additionalProperties does not
// speak about: settings refuse them with a did-you-mean, credentials keep and ignore them.
enum class UnknownMembers { refuse, ignore };

struct SchemaOptions {
  UnknownMembers unknown = UnknownMembers::refuse;
  std::string_view root = {};                  // how paths in errors start
  std::string_view code = "invalid_settings";  // of the error; static
};

// A member whose value is an empty string or null counts as absent unless its schema allows that
// very value. Error: kind invalid; param is the path ("dispatch.ops[3]").
Result<void> check_schema(const json::Value& schema, const json::Value& value,
                          const SchemaOptions& options);

// A copy of `value` without the members that count as absent, down to every level that the schema
// describes. The strings are not copied.
json::Value without_absent(const json::Value& schema, const json::Value& value, Arena& arena);

// Parses a schema and checks that it is one of the subset. An empty text is the schema of an object
// without members.
Result<json::Value> parse_schema(std::string_view schema_json, Arena& arena);

}  // namespace gproxy::modhost
