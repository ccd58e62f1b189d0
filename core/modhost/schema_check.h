// Validates JSON against the subset of JSON Schema draft 4 that modules use for settings and
// credentials: type, properties, required, additionalProperties, items, enum, minLength, maxLength,
// minimum, maximum, minItems, maxItems, anyOf, oneOf, allOf, and $ref to #/definitions. Other keywords
// (title, description, default, format, x-…) are for forms and ignored. Pure; any thread.
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
  // An optional member whose value is an empty string (or null) counts as absent; a required one counts
  // as missing.
  std::string_view root = "$";  // how paths in errors start
};

// Error: kind invalid, code "invalid_settings"; param is the path ("$.dispatch.ops[3]").
Result<void> check_schema(const json::Value& schema, const json::Value& value,
                          const SchemaOptions& options);

// A copy of `value` without the optional members that count as absent (empty strings and nulls), down
// to every level that the schema describes.
json::Value without_absent(const json::Value& schema, const json::Value& value, Arena& arena);

// Is the schema itself usable: an object, known types, patterns of the subset well-formed.
Result<void> check_schema_text(std::string_view schema_json);

}  // namespace gproxy::modhost
