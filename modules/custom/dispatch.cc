#include "dispatch.h"

#include <array>
#include <optional>
#include <string>

namespace gproxy_custom {
namespace {

// The table's order is part of stored configurations.
struct Row {
  int32_t protocol, operation;
  const char* name;
};
constexpr std::array<Row, 17> kRows = {{
    {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, "claude_generate"},
    {GP_PROTOCOL_CLAUDE, GP_OP_STREAM_GENERATE, "claude_generate_stream"},
    {GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS, "claude_count_tokens"},
    {GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST, "claude_models_list"},
    {GP_PROTOCOL_CLAUDE, GP_OP_MODEL_GET, "claude_models_get"},
    {GP_PROTOCOL_GEMINI, GP_OP_GENERATE, "gemini_generate"},
    {GP_PROTOCOL_GEMINI, GP_OP_STREAM_GENERATE, "gemini_generate_stream"},
    {GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS, "gemini_count_tokens"},
    {GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST, "gemini_models_list"},
    {GP_PROTOCOL_GEMINI, GP_OP_MODEL_GET, "gemini_models_get"},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, "openai_chat_generate"},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, "openai_chat_generate_stream"},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_GENERATE, "openai_response_generate"},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE, "openai_response_generate_stream"},
    {GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS, "openai_input_tokens"},
    {GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST, "openai_models_list"},
    {GP_PROTOCOL_OPENAI, GP_OP_MODEL_GET, "openai_models_get"},
}};
constexpr size_t kEntries =
    20;  // the last three: login, its callback, live usage; this kind has none

bool generates(int32_t operation) {
  return operation == GP_OP_GENERATE || operation == GP_OP_STREAM_GENERATE;
}

// Generation has four protocols and the basic operations three: the two OpenAI ones share theirs.
// Stored tables name either, so the family decides.
int32_t in_family(int32_t protocol, int32_t operation) {
  if (generates(operation))
    return protocol == GP_PROTOCOL_OPENAI ? GP_PROTOCOL_OPENAI_CHAT : protocol;
  const bool openai =
      protocol == GP_PROTOCOL_OPENAI_CHAT || protocol == GP_PROTOCOL_OPENAI_RESPONSE;
  return openai ? GP_PROTOCOL_OPENAI : protocol;
}

struct Rule {
  int32_t mode = GP_ROUTE_UNSUPPORTED;
  int32_t target = 0;
  bool said = false;  // by the operator, not a default
};

Rule translate_to(const Row& row, int32_t protocol) {
  const int32_t target = in_family(protocol, row.operation);
  if (target == row.protocol) return {GP_ROUTE_NATIVE, 0};
  return {GP_ROUTE_TRANSLATE, target};
}

std::string_view entry_name(const gp::Arena& arena, size_t index) {
  return arena.concat({"dispatch.ops[", arena.copy(std::to_string(index)), "]"});
}

// Nullopt with `error` set if the entry is none of the three forms.
std::optional<Rule> read_rule(const gp::Json& entry, size_t index, const gp::Arena& arena,
                              gp::Status& error) {
  const auto value = entry.get("");
  if (value.is_string() && value.text == "native") return Rule{GP_ROUTE_NATIVE, 0, true};
  if (value.is_string() && value.text == "unsupported") return Rule{GP_ROUTE_UNSUPPORTED, 0, true};
  if (const auto target = entry.get("/transform/target"); value.is_object() && target.is_string()) {
    const int32_t protocol = protocol_named(target.text);
    if (protocol != GP_PROTOCOL_NONE) {
      if (index >= kRows.size()) return Rule{GP_ROUTE_UNSUPPORTED, 0, true};
      Rule rule = translate_to(kRows[index], protocol);
      rule.said = true;
      return rule;
    }
    error = gp::invalid(
        "the transform's target must be claude, gemini, openai_chat, openai_response or openai",
        entry_name(arena, index));
    return std::nullopt;
  }
  error = gp::invalid(
      R"(an entry must be "native", "unsupported" or {"transform":{"target":"<protocol>"}})",
      entry_name(arena, index));
  return std::nullopt;
}

}  // namespace

int32_t protocol_named(std::string_view name) {
  static constexpr std::pair<std::string_view, int32_t> kNames[] = {
      {"claude", GP_PROTOCOL_CLAUDE},
      {"openai_chat", GP_PROTOCOL_OPENAI_CHAT},
      {"openai_response", GP_PROTOCOL_OPENAI_RESPONSE},
      {"gemini", GP_PROTOCOL_GEMINI},
      {"openai", GP_PROTOCOL_OPENAI},
  };
  for (const auto& [known, protocol] : kNames) {
    if (known == name) return protocol;
  }
  return GP_PROTOCOL_NONE;
}

gp::Status read_dispatch(const gp::Json& settings, int32_t proto, const gp::Arena& arena,
                         std::vector<gp_route>& out) {
  std::array<Rule, kEntries> rules;
  for (size_t i = 0; i < kRows.size(); ++i) rules[i] = translate_to(kRows[i], proto);

  const auto ops = settings.get("/dispatch/ops");
  if (ops.found && ops.type != GP_JSON_NULL && !ops.is_array()) {
    return gp::invalid("dispatch.ops must be an array", "dispatch.ops");
  }
  gp::Status error;
  size_t index = 0;
  if (ops.is_array()) {
    settings.each(settings.node("/dispatch/ops"), [&](const gp_json_member& entry) {
      if (index >= kEntries) {
        error = gp::invalid("dispatch.ops has more than 20 entries", "dispatch.ops");
        return false;
      }
      if (entry.value.type != GP_JSON_NULL) {
        const auto rule = read_rule(settings.inside(entry.value), index, arena, error);
        if (!rule) return false;
        rules[index] = *rule;
      }
      ++index;
      return true;
    });
    if (!error.ok()) return error;
  }

  // Generation may lead to the other stream mode: the host bridges.
  auto serves = [&](int32_t protocol, int32_t operation) {
    for (size_t i = 0; i < kRows.size(); ++i) {
      const bool same = kRows[i].operation == operation ||
                        (generates(kRows[i].operation) && generates(operation));
      if (kRows[i].protocol == protocol && same && rules[i].mode == GP_ROUTE_NATIVE) return true;
    }
    return false;
  };
  for (size_t i = 0; i < kRows.size(); ++i) {
    Rule rule = rules[i];
    if (rule.mode == GP_ROUTE_TRANSLATE && !serves(rule.target, kRows[i].operation)) {
      if (rule.said) {
        return gp::invalid(
            arena.concat({kRows[i].name, ": the entry that it is translated to is not native"}),
            entry_name(arena, i));
      }
      rule = {};  // a default that leads nowhere, because the operator has changed its target
    }
    if (rule.mode != GP_ROUTE_UNSUPPORTED) {
      out.push_back({kRows[i].protocol, kRows[i].operation, rule.mode, rule.target});
    }
  }
  if (out.empty()) return gp::invalid("dispatch leaves no operation", "dispatch.ops");
  return gp::ok();
}

}  // namespace gproxy_custom
