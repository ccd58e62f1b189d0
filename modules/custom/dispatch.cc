#include "dispatch.h"

#include <array>
#include <string>
#include <utility>

namespace gproxy_custom {
namespace {

// The order of the first seventeen is part of stored configurations: rules stand there by position.
struct Row {
  int32_t protocol, operation;
  std::string_view name;
};
constexpr std::array<Row, 23> kRows = {{
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
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET, "openai_response_get"},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_DELETE, "openai_response_delete"},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_CANCEL, "openai_response_cancel"},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_INPUT_ITEMS, "openai_response_input_items"},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_COMPACT, "openai_response_compact"},
    {GP_PROTOCOL_OPENAI, GP_OP_MEMORY_TRACE_SUMMARIZE, "openai_memory_trace_summarize"},
}};
constexpr size_t kPlaced = 17;  // rows that the array has a place for
// Its last three places, and their names: login, its callback, live usage; this kind has none.
constexpr std::array<std::string_view, 3> kWithout = {"oauth_start", "oauth_callback", "usage"};
constexpr size_t kPlaces = kPlaced + kWithout.size();

// Other names of the sub-resources, as logs and the routes call them.
constexpr std::pair<std::string_view, int32_t> kOtherNames[] = {
    {"response_get", GP_OP_RESPONSE_GET},
    {"response_delete", GP_OP_RESPONSE_DELETE},
    {"response_cancel", GP_OP_RESPONSE_CANCEL},
    {"response_input_items", GP_OP_RESPONSE_INPUT_ITEMS},
    {"response_list_input_items", GP_OP_RESPONSE_INPUT_ITEMS},
    {"openai_response_list_input_items", GP_OP_RESPONSE_INPUT_ITEMS},
    {"response_compact", GP_OP_RESPONSE_COMPACT},
    {"memory_trace_summarize", GP_OP_MEMORY_TRACE_SUMMARIZE},
    {"memories_trace_summarize", GP_OP_MEMORY_TRACE_SUMMARIZE},
    {"openai_memories_trace_summarize", GP_OP_MEMORY_TRACE_SUMMARIZE},
};

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
  std::string_view said{};  // where the operator says so; empty: a default
};

// What an upstream that speaks `proto` does for a row if nobody says otherwise.
Rule default_rule(size_t row, int32_t proto) {
  const int32_t operation = kRows[row].operation;
  if (row >= kPlaced) {
    // Stored responses belong to the Responses API; summaries are one vendor's own.
    const bool stored =
        proto == GP_PROTOCOL_OPENAI_RESPONSE && operation != GP_OP_MEMORY_TRACE_SUMMARIZE;
    return {stored ? GP_ROUTE_NATIVE : GP_ROUTE_UNSUPPORTED, 0};
  }
  const int32_t target = in_family(proto, operation);
  if (target == kRows[row].protocol) return {GP_ROUTE_NATIVE, 0};
  return {GP_ROUTE_TRANSLATE, target};
}

class Reader {
 public:
  Reader(const gp::Json& settings, int32_t proto, const gp::Arena& arena)
      : settings_(settings), arena_(arena) {
    for (size_t i = 0; i < kRows.size(); ++i) rules_[i] = default_rule(i, proto);
  }

  gp::Status read() {
    const gp_json_node dispatch = settings_.node("/dispatch");
    if ((dispatch.flags & GP_NODE_FOUND) == 0 || dispatch.type == GP_JSON_NULL) return gp::ok();
    if (dispatch.type == GP_JSON_ARRAY) return by_place(dispatch, "dispatch");
    if (dispatch.type != GP_JSON_OBJECT)
      return gp::invalid("dispatch must be an object or an array", "dispatch");
    return by_name(dispatch, "dispatch");
  }

  // The rows, in the order of kRows.
  gp::Status rows(std::vector<gp_route>& out) const {
    for (size_t i = 0; i < kRows.size(); ++i) {
      Rule rule = rules_[i];
      if (rule.mode == GP_ROUTE_TRANSLATE && !serves(rule.target, kRows[i].operation)) {
        if (!rule.said.empty()) {
          return gp::invalid(
              arena_.concat({kRows[i].name, ": the entry that it is translated to is not native"}),
              rule.said);
        }
        rule = {};  // a default that leads nowhere, because the operator has changed its target
      }
      if (rule.mode != GP_ROUTE_UNSUPPORTED)
        out.push_back({kRows[i].protocol, kRows[i].operation, rule.mode, rule.target});
    }
    if (out.empty()) return gp::invalid("dispatch leaves no operation", "dispatch");
    return gp::ok();
  }

 private:
  gp::Status by_place(const gp_json_node& list, std::string_view path) {
    gp::Status status;
    size_t place = 0;
    settings_.each(list, [&](const gp_json_member& entry) {
      if (place >= kPlaces) {
        status = gp::invalid("has more than 20 entries", path);
        return false;
      }
      const std::string position = std::to_string(place);
      status = take(place, entry.value, arena_.concat({path, "[", position, "]"}));
      ++place;
      return status.ok();
    });
    return status;
  }

  gp::Status by_name(const gp_json_node& object, std::string_view path) {
    gp::Status status;
    settings_.each(object, [&](const gp_json_member& member) {
      const std::string_view name = settings_.decode(member.key);
      const std::string_view at = arena_.concat({path, ".", name.substr(0, 64)});
      if (name == "ops" && path == "dispatch") {
        if (member.value.type == GP_JSON_ARRAY) {
          status = by_place(member.value, at);
        } else if (member.value.type == GP_JSON_OBJECT) {
          status = by_name(member.value, at);
        } else if (member.value.type != GP_JSON_NULL) {
          status = gp::invalid("dispatch.ops must be an array or an object", at);
        }
      } else if (const size_t row = row_named(name); row < kRows.size() + kWithout.size()) {
        status = take(row, member.value, at);
      } else {
        status = gp::invalid("is not the name of an operation", at);
      }
      return status.ok();
    });
    return status;
  }

  // A row's index; kRows.size() and more for the operations that this kind does not have; past
  // those for unknown names.
  static size_t row_named(std::string_view name) {
    for (size_t i = 0; i < kRows.size(); ++i) {
      if (kRows[i].name == name) return i;
    }
    for (size_t i = 0; i < kWithout.size(); ++i) {
      if (kWithout[i] == name) return kRows.size() + i;
    }
    for (const auto& [other, operation] : kOtherNames) {
      if (other != name) continue;
      for (size_t i = kPlaced; i < kRows.size(); ++i) {
        if (kRows[i].operation == operation) return i;
      }
    }
    return kRows.size() + kWithout.size();
  }

  // Sets a row's rule. By place, 17 to 19 are what this kind does not have; by name, kRows.size()
  // and on. Either way it is only checked that the rule is one.
  gp::Status take(size_t row, const gp_json_node& node, std::string_view at) {
    if (node.type == GP_JSON_NULL) return gp::ok();
    const bool by_place = at.ends_with(']');
    const bool without = by_place ? row >= kPlaced : row >= kRows.size();
    const gp::Json entry = settings_.inside(node);
    const auto value = entry.get("");
    Rule rule;
    rule.said = at;
    if (value.is_string() && value.text == "native") {
      rule.mode = GP_ROUTE_NATIVE;
    } else if (value.is_object()) {
      const auto target = entry.get("/transform/target");
      const int32_t protocol = protocol_named(target.or_empty());
      if (!target.is_string()) return wrong_form(at);
      if (protocol == GP_PROTOCOL_NONE) {
        return gp::invalid(
            "the transform's target must be claude, gemini, openai_chat, openai_response or openai",
            at);
      }
      if (!without && row >= kPlaced)
        return gp::invalid("is not translated: it must be \"native\" or \"unsupported\"", at);
      if (!without) {
        const int32_t family = in_family(protocol, kRows[row].operation);
        rule.mode = family == kRows[row].protocol ? GP_ROUTE_NATIVE : GP_ROUTE_TRANSLATE;
        rule.target = rule.mode == GP_ROUTE_NATIVE ? 0 : family;
      }
    } else if (!value.is_string() || value.text != "unsupported") {
      return wrong_form(at);
    }
    if (!without) rules_[row] = rule;
    return gp::ok();
  }

  static gp::Status wrong_form(std::string_view at) {
    return gp::invalid(
        R"(an entry must be "native", "unsupported" or {"transform":{"target":"<protocol>"}})", at);
  }

  // Generation may lead to the other stream mode: the host bridges.
  bool serves(int32_t protocol, int32_t operation) const {
    for (size_t i = 0; i < kRows.size(); ++i) {
      const bool same = kRows[i].operation == operation ||
                        (generates(kRows[i].operation) && generates(operation));
      if (kRows[i].protocol == protocol && same && rules_[i].mode == GP_ROUTE_NATIVE) return true;
    }
    return false;
  }

  const gp::Json& settings_;
  const gp::Arena& arena_;
  std::array<Rule, kRows.size()> rules_;
};

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
  Reader reader(settings, proto, arena);
  if (const auto status = reader.read(); !status.ok()) return status;
  return reader.rows(out);
}

}  // namespace gproxy_custom
