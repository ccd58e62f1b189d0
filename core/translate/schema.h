// Schemas of tools and structured output between JSON Schema and Gemini's OpenAPI subset
// (wire-formats 2.0.6). Pure; results live in the arena and may share unchanged parts of the input.
#pragma once

#include "base/arena.h"
#include "base/json.h"

namespace gproxy::translate {

// JSON Schema without $schema and $id at its top, for Gemini's JSON Schema fields.
json::Value without_schema_ids(const json::Value& schema, Arena& arena);
// JSON Schema -> Gemini's Schema. Null when nothing is left to say (an object without properties).
// A property that is called like a keyword survives.
json::Value to_openapi(const json::Value& schema, Arena& arena);
// Gemini's Schema -> JSON Schema.
json::Value from_openapi(const json::Value& schema, Arena& arena);

// additionalProperties:false on every object that lacks it (Claude's structured output and strict
// tools). `changed` tells whether anything was added.
json::Value closed(const json::Value& schema, Arena& arena, bool* changed = nullptr);
// Without numeric and length limits.
json::Value without_limits(const json::Value& schema, Arena& arena);
// Every object closed and all its properties required: what OpenAI's strict mode demands.
bool strict_ready(const json::Value& schema);
// At least {"type":"object"}: every other keyword stays.
json::Value as_object_schema(const json::Value& schema, Arena& arena);

}  // namespace gproxy::translate
