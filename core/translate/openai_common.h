// What Chat Completions and Responses requests have in common. Internal to translate; pure.
#pragma once

#include <string_view>

#include "translate/codec.h"
#include "translate/wire.h"

namespace gproxy::translate::openai {

// temperature, top_p, user, metadata, cache keys and the like into request.params.
Result<void> decode_params(const json::Value& body, Request& request, DecodeContext& context);
// And back; `responses` leaves out what only Chat has. Losses for what has no place.
enum class Flavour : uint8_t { chat, responses };
void encode_params(const Request& request, Flavour flavour, json::Value& body,
                   EncodeContext& context);

// {"type":"json_schema","name":…,"schema":…}: `object` is what holds name and schema.
Result<OutputFormat> decode_format(const json::Value& object, const json::Value& schema_holder,
                                   const Path* at, DecodeContext& context);
// The members name, schema, strict, description of a json_schema format.
void encode_schema_format(const Request& request, json::Value& out, EncodeContext& context);

// Reasoning words. `at` is the word's path.
Result<void> decode_effort(const json::Value& word, const Path* at, Request& request);

// {"url":…} or an id of an image; file parts of both protocols.
Result<Part> decode_image_url(std::string_view url, std::string_view detail, const Path* at,
                              Arena& arena);
// file_data (data URL or bare base64), file_url, file_id and filename.
Result<Part> decode_file(const json::Value& file, const Path* at, DecodeContext& context);
// The cache marker of a part or tool: prompt_cache_breakpoint, or cache_control as some clients send.
json::Value decode_cache(const json::Value& object, Arena& arena);
// prompt_cache_breakpoint where the model knows it, else a loss.
void encode_cache(const json::Value& marker, const Path* at, json::Value& out,
                  EncodeContext& context);

// A document part as file or text: what both protocols can take. `file_url_ok` for Responses.
struct FileForm {
  enum class Kind : uint8_t { text, data_url, url } kind = Kind::text;
  std::string_view text;      // text
  std::string_view value;     // data URL or URL
  std::string_view filename;  // empty: none
};
enum class FileUrls : uint8_t { no, yes };
Result<FileForm> file_form(const Part& part, FileUrls urls, EncodeContext& context);

// Flat user_location of a web search, both ways around `approximate`.
json::Value flat_location(const json::Value& location, Arena& arena);

// Whether `strict: true` can be sent: always for tools of OpenAI origin, else when the schema
// satisfies strict mode.
bool strict_allowed(const Tool& tool, Protocol origin);

// The schema of a tool as JSON Schema (null when it has none).
json::Value json_schema_of(const Tool& tool, Arena& arena);

// user / safety_identifier from Claude's metadata.user_id: at most 64 characters.
std::string_view short_user(std::string_view user, Arena& arena);

// Text of a tool result for protocols without an error flag.
std::string_view with_error_prefix(std::string_view text, bool error, Arena& arena);

}  // namespace gproxy::translate::openai
