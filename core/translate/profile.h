// What a model accepts, as data (config/model_profiles.json, the operator's overrides, --profile):
// no model's name stands in code. A Profile is a value, made once per published configuration or per
// request; ProfileSet is immutable after parse() and shared between threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "translate/model.h"

namespace gproxy::translate {

// A set of Effort words.
struct EffortSet {
  uint16_t bits = 0;
  bool has(Effort effort) const { return (bits >> static_cast<int>(effort) & 1) != 0; }
  void add(Effort effort) { bits = static_cast<uint16_t>(bits | 1u << static_cast<int>(effort)); }
  bool empty() const { return bits == 0; }
  static EffortSet of(std::initializer_list<Effort> efforts) {
    EffortSet set;
    for (auto effort : efforts) set.add(effort);
    return set;
  }
};

struct Profile {
  // Claude Messages (cl.*)
  std::string cl_version = "2023-06-01";  // cl.version: outbound anthropic-version
  bool cl_sampling = true;                // cl.sampling: temperature, top_p, top_k accepted
  bool cl_sampling_both = true;           // cl.sampling_both: temperature and top_p together
  struct ClThinking {                     // cl.thinking: which types
    bool enabled = true, adaptive = false, disabled = true, between_tools = false;
  } cl_thinking;
  EffortSet cl_effort =                   // cl.effort: output_config.effort values
      EffortSet::of({Effort::low, Effort::medium, Effort::high});
  bool cl_display = false;                // cl.display: thinking.display "omitted" is known
  bool cl_mid_system = false;             // cl.mid_system
  bool cl_prefill = false;                // cl.prefill
  bool cl_structured = true;              // cl.structured: output_config.format
  bool cl_strict_tools = true;            // cl.strict_tools
  bool cl_schema_limits = true;           // cl.schema_limits: numeric and length limits in schemas
  int64_t cl_default_max_tokens = 8192;   // cl.default_max_tokens
  int64_t cl_max_tokens = 0;              // cl.max_tokens: cap, 0 = none
  // Gemini (gm.*)
  std::string gm_api = "v1beta";          // gm.api
  enum class GmThinking : uint8_t { none, budget, level };
  GmThinking gm_thinking = GmThinking::budget;  // gm.thinking
  EffortSet gm_levels =                   // gm.levels
      EffortSet::of({Effort::minimal, Effort::low, Effort::medium, Effort::high});
  int64_t gm_budget_min = 0;              // gm.budget_min
  int64_t gm_budget_max = 24576;          // gm.budget_max
  bool gm_can_disable = true;             // gm.can_disable
  bool gm_signatures = false;             // gm.signatures: thoughtSignature is required
  bool gm_json_schema = true;             // gm.schema: json_schema | openapi
  bool gm_fn_media = false;               // gm.fn_media: functionResponse.parts
  bool gm_search_with_functions = true;   // gm.search_with_functions
  bool gm_media_resolution = false;       // gm.media_resolution: per part
  bool gm_labels = false;                 // gm.labels: labels accepted (Vertex)
  std::string gm_voice;                   // gm.voice: prebuilt voice for audio answers
  // OpenAI, both protocols (oa.*)
  int8_t oa_reasoning = -1;               // oa.reasoning: -1 unknown
  EffortSet oa_effort =                   // oa.effort
      EffortSet::of({Effort::none, Effort::minimal, Effort::low, Effort::medium, Effort::high,
                     Effort::xhigh, Effort::max});
  bool oa_sampling = true;                // oa.sampling
  bool oa_max_completion_tokens = true;   // oa.max_field: max_completion_tokens | max_tokens
  bool oa_developer_role = true;          // oa.developer_role: keep | system
  bool oa_stream_usage = true;            // oa.stream_usage
  bool oa_reasoning_replay = false;       // oa.reasoning_replay
  bool oa_explicit_cache = false;         // oa.explicit_cache
  bool oa_single_system = false;          // oa.single_system
  bool oa_custom_tools = true;            // oa.custom_tools: false = function shim
  bool oa_allowed_tools = true;           // oa.allowed_tools: tool_choice allowed_tools
  std::string family;                     // family: for signatures that do not transfer

  // Sets one key from text ("true", "adaptive,disabled", "8192") or from JSON. Errors name the key.
  Result<void> set(std::string_view key, std::string_view value);
  Result<void> set(std::string_view key, const json::Value& value);
};

// Rules in order; every rule that matches is applied, later ones win.
//   {"profiles":[{"match":["gpt-5*"],"kind":"openai","protocol":"gemini","set":{"oa.effort":[…]}}]}
// `match` holds prefixes or globs (`*`, `?`), case-insensitive, tried on the whole model name and on
// what follows its last slash; `kind` (provider kind) and `protocol` (upstream's) narrow the rule
// when given. A `not` list takes models out.
class ProfileSet {
 public:
  static Result<ProfileSet> parse(std::string_view text);
  // The list alone, as the setting `translation.model_profiles` has it.
  static Result<ProfileSet> parse_rules(std::string_view list);
  // The rules compiled from config/model_profiles.json.
  static const ProfileSet& builtin();

  // Rules of `other` come after mine.
  void append(const ProfileSet& other);
  Profile find(std::string_view model, Protocol upstream, std::string_view kind = {}) const;

 private:
  struct Rule {
    std::vector<std::string> match, exclude;
    std::string kind;
    Protocol protocol = Protocol::none;
    std::vector<std::pair<std::string, std::string>> set;
  };
  static Result<ProfileSet> read_rules(const json::Value& list);

  std::vector<Rule> rules_;
};

bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace gproxy::translate
