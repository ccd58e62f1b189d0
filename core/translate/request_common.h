// Rules of request encoders that more than one target needs. Internal to translate; pure.
#pragma once

#include <string_view>
#include <unordered_set>

#include "translate/codec.h"
#include "translate/wire.h"

namespace gproxy::translate::common {

// ---- tools ----

// A forced tool that is not among the tools is an error; so is a forced built-in without a twin.
Result<void> check_choice(const Request& request);
// Targets without allowed_tools: the tools are filtered and the choice becomes auto, any or one.
void apply_subset(Request& request, LossLog& losses);
// A built-in tool without a twin upstream: a loss, or an error when the choice forces it.
Result<void> drop_builtin(const Request& request, const Tool& tool, LossLog& losses);
bool is_custom(const Request& request, std::string_view tool_name);
// For lists of names. Views of the request.
std::unordered_set<std::string_view> custom_names(const Request& request);
bool forces_tool(const Request& request);
bool has_history_calls(const Request& request);
// Custom tools for targets without them: {"input": string}, the grammar in the description.
std::string_view custom_description(const Tool& tool, Arena& arena);
json::Value custom_schema(Arena& arena);
// input_examples, defer_loading and the like, which no other protocol has; `kept` is one that the
// target does have.
void report_tool_extras(const Tool& tool, LossLog& losses, std::string_view kept = {});
// A forced built-in tool, for targets that cannot force theirs.
void report_forced_builtin(const Request& request, LossLog& losses);

// ---- content ----

void report_document_extras(const Part& part, LossLog& losses);
// The path of an image part itself: Chat's parts point at its URL.
const Path* image_path(const Part& part);

// ---- parameters ----

Result<void> check_prewarm(const Request& request, const EncodeContext& context);
Result<void> check_cached_content(const Request& request);
// Stop sequences as a list of at most `max`, without entries of white space where `drop_blank`.
enum class BlankStops : uint8_t { keep, drop };
json::Value stop_list(const Request& request, size_t max, EncodeContext& context,
                      BlankStops blanks = BlankStops::keep);
// Several candidates where the target has one only.
Result<void> check_candidates(const Request& request, const EncodeContext& context);
// Whether the answer shall be audio; errors for images where the target makes none.
Result<bool> wants_audio(const Request& request, const EncodeContext& context);
Result<json::Value> chat_audio(const Request& request, Arena& arena);
// The Gemini-only and OpenAI-only parameters as losses.
void report_openai_only(const Request& request, LossLog& losses);
void report_gemini_only(const Request& request, LossLog& losses);
void report_penalties(const Request& request, LossLog& losses);
// The word that was sent for an effort that was asked for.
void report_effort(const Request& request, std::string_view sent, LossLog& losses);

// Output formats told in words: appends system text where the target has no such setting.
enum class Emulate : uint8_t { choice_only, json_object, everything };
void emulate_format(Request& request, Emulate what, EncodeContext& context);

}  // namespace gproxy::translate::common
