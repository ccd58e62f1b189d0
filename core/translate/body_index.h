// One validating pass over a request body: where the top-level members that matter stand, so that
// policy, modules and upstream all see the same model and nobody parses the bytes again. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_scan.h"
#include "base/result.h"
#include "translate/protocol.h"

namespace gproxy::translate {

// Indexed members of all four protocols. The numbers up to service_tier are the ABI's (GP_FIELD_*).
enum class BodyField : uint8_t {
  root,
  model,
  stream,
  stream_options,
  include_usage,  // stream_options.include_usage
  messages,
  system,
  input,
  instructions,
  contents,
  tools,
  max_tokens,
  max_completion_tokens,
  max_output_tokens,
  temperature,
  top_p,
  top_k,
  store,
  include,
  metadata,
  prompt_cache_key,
  previous_response_id,
  service_tier,
  generate_content_request,  // ours: Gemini's countTokens; not told to modules
  count,
};
constexpr size_t kBodyFields = static_cast<size_t>(BodyField::count);
constexpr size_t kAbiBodyFields = static_cast<size_t>(BodyField::generate_content_request);
std::string_view name(BodyField field);

struct BodyIndex {
  std::array<json::Span, kBodyFields> spans{};
  std::string model_unescaped;  // only where the body spells the model with escapes
  std::string_view model;       // decoded; of the body, or of model_unescaped
  bool stream = false;          // `stream` is true

  const json::Span& operator[](BodyField field) const { return spans[static_cast<size_t>(field)]; }
  BodyIndex() = default;
  BodyIndex(BodyIndex&& other) noexcept { *this = std::move(other); }
  BodyIndex& operator=(BodyIndex&& other) noexcept;
};

// Validates `body` (a JSON object within `limits`) and fills `out`. A member listed above that
// occurs twice is an error; an escaped spelling of its name is the same member. `model` must be a
// string and `stream` a boolean where they are present; `model_required` tells where they must be.
enum class ModelRule : uint8_t { in_body, elsewhere };
Result<BodyIndex> index_body(std::string_view body, ModelRule rule,
                             const json::Limits& limits = {});

}  // namespace gproxy::translate
