#include "modhost/spans.h"

#include <algorithm>

#include "gproxy/abi.h"

namespace gproxy::modhost {

using translate::BodyField;

static_assert(static_cast<int>(BodyField::root) == GP_FIELD_ROOT &&
              static_cast<int>(BodyField::model) == GP_FIELD_MODEL &&
              static_cast<int>(BodyField::stream) == GP_FIELD_STREAM &&
              static_cast<int>(BodyField::stream_options) == GP_FIELD_STREAM_OPTIONS &&
              static_cast<int>(BodyField::include_usage) == GP_FIELD_INCLUDE_USAGE &&
              static_cast<int>(BodyField::messages) == GP_FIELD_MESSAGES &&
              static_cast<int>(BodyField::system) == GP_FIELD_SYSTEM &&
              static_cast<int>(BodyField::input) == GP_FIELD_INPUT &&
              static_cast<int>(BodyField::instructions) == GP_FIELD_INSTRUCTIONS &&
              static_cast<int>(BodyField::contents) == GP_FIELD_CONTENTS &&
              static_cast<int>(BodyField::tools) == GP_FIELD_TOOLS &&
              static_cast<int>(BodyField::max_tokens) == GP_FIELD_MAX_TOKENS &&
              static_cast<int>(BodyField::max_completion_tokens) ==
                  GP_FIELD_MAX_COMPLETION_TOKENS &&
              static_cast<int>(BodyField::max_output_tokens) == GP_FIELD_MAX_OUTPUT_TOKENS &&
              static_cast<int>(BodyField::temperature) == GP_FIELD_TEMPERATURE &&
              static_cast<int>(BodyField::top_p) == GP_FIELD_TOP_P &&
              static_cast<int>(BodyField::top_k) == GP_FIELD_TOP_K &&
              static_cast<int>(BodyField::store) == GP_FIELD_STORE &&
              static_cast<int>(BodyField::include) == GP_FIELD_INCLUDE &&
              static_cast<int>(BodyField::metadata) == GP_FIELD_METADATA &&
              static_cast<int>(BodyField::prompt_cache_key) == GP_FIELD_PROMPT_CACHE_KEY &&
              static_cast<int>(BodyField::previous_response_id) == GP_FIELD_PREVIOUS_RESPONSE_ID &&
              static_cast<int>(BodyField::service_tier) == GP_FIELD_SERVICE_TIER);

static_assert(sizeof(FieldSpan) == sizeof(gp_span) &&
              offsetof(FieldSpan, field) == offsetof(gp_span, field) &&
              offsetof(FieldSpan, flags) == offsetof(gp_span, flags) &&
              offsetof(FieldSpan, at) == offsetof(gp_span, at) &&
              offsetof(FieldSpan, len) == offsetof(gp_span, len));

std::span<const FieldSpan> spans_of(const translate::BodyIndex& index, Arena& arena) {
  auto out = arena.array<FieldSpan>(translate::kAbiBodyFields);
  if (out.empty()) return {};
  size_t count = 0;
  for (size_t i = 0; i < translate::kAbiBodyFields; ++i) {
    const auto& span = index.spans[i];
    if (!span.found) continue;
    auto flags = static_cast<uint32_t>(span.kind) | (span.escaped ? GP_SPAN_ESCAPED : 0u);
    out[count++] = {static_cast<int32_t>(i), flags, span.at, span.len};
  }
  auto found = out.first(count);
  std::sort(found.begin(), found.end(), [](const FieldSpan& a, const FieldSpan& b) {
    return a.at != b.at ? a.at < b.at : a.field < b.field;
  });
  return found;
}

}  // namespace gproxy::modhost
