#include "translate/profile.h"

#include "base/strings.h"
#include "model_profiles.inc"
#include "translate/effort.h"

namespace gproxy::translate {

namespace {

Error bad_profile(std::string_view key, std::string_view expected) {
  return invalid_error("model profile: " + std::string(key) + " must be " + std::string(expected),
                       std::string(key));
}

struct BoolKey {
  std::string_view key;
  bool Profile::*member;
};
constexpr BoolKey kBools[] = {
    {"cl.sampling", &Profile::cl_sampling},
    {"cl.sampling_both", &Profile::cl_sampling_both},
    {"cl.display", &Profile::cl_display},
    {"cl.mid_system", &Profile::cl_mid_system},
    {"cl.prefill", &Profile::cl_prefill},
    {"cl.structured", &Profile::cl_structured},
    {"cl.strict_tools", &Profile::cl_strict_tools},
    {"cl.schema_limits", &Profile::cl_schema_limits},
    {"gm.can_disable", &Profile::gm_can_disable},
    {"gm.signatures", &Profile::gm_signatures},
    {"gm.fn_media", &Profile::gm_fn_media},
    {"gm.search_with_functions", &Profile::gm_search_with_functions},
    {"gm.media_resolution", &Profile::gm_media_resolution},
    {"gm.labels", &Profile::gm_labels},
    {"oa.sampling", &Profile::oa_sampling},
    {"oa.stream_usage", &Profile::oa_stream_usage},
    {"oa.reasoning_replay", &Profile::oa_reasoning_replay},
    {"oa.explicit_cache", &Profile::oa_explicit_cache},
    {"oa.single_system", &Profile::oa_single_system},
    {"oa.custom_tools", &Profile::oa_custom_tools},
    {"oa.allowed_tools", &Profile::oa_allowed_tools},
};

struct IntKey {
  std::string_view key;
  int64_t Profile::*member;
};
constexpr IntKey kInts[] = {
    {"cl.default_max_tokens", &Profile::cl_default_max_tokens},
    {"cl.max_tokens", &Profile::cl_max_tokens},
    {"gm.budget_min", &Profile::gm_budget_min},
    {"gm.budget_max", &Profile::gm_budget_max},
};

struct TextKey {
  std::string_view key;
  std::string Profile::*member;
};
constexpr TextKey kTexts[] = {
    {"cl.version", &Profile::cl_version},
    {"gm.api", &Profile::gm_api},
    {"gm.voice", &Profile::gm_voice},
    {"family", &Profile::family},
};

std::optional<bool> parse_bool(std::string_view text) {
  if (iequals(text, "true") || text == "1" || iequals(text, "yes") || iequals(text, "on")) {
    return true;
  }
  if (iequals(text, "false") || text == "0" || iequals(text, "no") || iequals(text, "off")) {
    return false;
  }
  return std::nullopt;
}

// "a,b" or "[a, b]" or "a b" as words, quotes and brackets taken off.
std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (char c : text) {
    if (c == ',' || c == ' ' || c == '[' || c == ']' || c == '"' || c == '{' || c == '}' ||
        c == '|' || c == '+' || c == ';') {
      if (!word.empty()) out.push_back(to_lower(word));
      word.clear();
    } else {
      word += c;
    }
  }
  if (!word.empty()) out.push_back(to_lower(word));
  return out;
}

Result<EffortSet> parse_efforts(std::string_view key, std::string_view value) {
  EffortSet set;
  for (const auto& word : words(value)) {
    auto effort = parse_effort(word);
    if (!effort) {
      return bad_profile(key, "a list of none, minimal, low, medium, high, xhigh, max");
    }
    set.add(*effort);
  }
  return set;
}

}  // namespace

Result<void> Profile::set(std::string_view key, std::string_view value) {
  value = trim(value);
  for (const auto& entry : kBools) {
    if (entry.key != key) continue;
    auto flag = parse_bool(value);
    if (!flag) return bad_profile(key, "true or false");
    this->*entry.member = *flag;
    return ok();
  }
  for (const auto& entry : kInts) {
    if (entry.key != key) continue;
    auto number = parse_int(value);
    if (!number || *number < 0) return bad_profile(key, "a non-negative integer");
    this->*entry.member = *number;
    return ok();
  }
  for (const auto& entry : kTexts) {
    if (entry.key != key) continue;
    if (key == "gm.api" && value != "v1" && value != "v1beta") {
      return bad_profile(key, "v1 or v1beta");
    }
    this->*entry.member = std::string(value);
    return ok();
  }
  if (key == "cl.thinking") {
    ClThinking set{false, false, false, false};
    for (const auto& word : words(value)) {
      if (word == "enabled") {
        set.enabled = true;
      } else if (word == "adaptive") {
        set.adaptive = true;
      } else if (word == "disabled") {
        set.disabled = true;
      } else if (word == "between_tools") {
        set.between_tools = true;
      } else if (word != "none") {
        return bad_profile(key, "a list of enabled, adaptive, disabled, between_tools");
      }
    }
    cl_thinking = set;
    return ok();
  }
  if (key == "cl.effort" || key == "oa.effort" || key == "gm.levels") {
    GP_TRY(auto set, parse_efforts(key, value));
    (key == "cl.effort" ? cl_effort : key == "oa.effort" ? oa_effort : gm_levels) = set;
    return ok();
  }
  if (key == "gm.thinking") {
    if (value == "none") {
      gm_thinking = GmThinking::none;
    } else if (value == "budget") {
      gm_thinking = GmThinking::budget;
    } else if (value == "level") {
      gm_thinking = GmThinking::level;
    } else {
      return bad_profile(key, "none, budget or level");
    }
    return ok();
  }
  if (key == "gm.schema") {
    if (value != "json_schema" && value != "openapi") {
      return bad_profile(key, "json_schema or openapi");
    }
    gm_json_schema = value == "json_schema";
    return ok();
  }
  if (key == "oa.reasoning") {
    auto flag = parse_bool(value);
    if (!flag) return bad_profile(key, "true or false");
    oa_reasoning = *flag ? 1 : 0;
    return ok();
  }
  if (key == "oa.max_field") {
    if (value != "max_completion_tokens" && value != "max_tokens") {
      return bad_profile(key, "max_completion_tokens or max_tokens");
    }
    oa_max_completion_tokens = value == "max_completion_tokens";
    return ok();
  }
  if (key == "oa.developer_role") {
    if (value != "keep" && value != "system") return bad_profile(key, "keep or system");
    oa_developer_role = value == "keep";
    return ok();
  }
  return invalid_error("unknown model profile key " + std::string(key), std::string(key));
}

Result<void> Profile::set(std::string_view key, const json::Value& value) {
  if (value.is_string()) return set(key, value.str());
  return set(key, std::string_view(json::write(value)));
}

bool glob_match(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<ProfileSet> ProfileSet::parse(std::string_view text) {
  Arena arena;
  json::Position where;
  GP_TRY(auto parsed, json::parse_with_comments(text, arena, &where));
  return read_rules(parsed["profiles"]);
}

Result<ProfileSet> ProfileSet::parse_rules(std::string_view list) {
  Arena arena;
  GP_TRY(auto parsed, json::parse(list, arena));
  return read_rules(parsed);
}

Result<ProfileSet> ProfileSet::read_rules(const json::Value& list) {
  if (!list.is_array()) return invalid_error("model profiles: expected an array", "profiles");
  ProfileSet result;
  size_t index = 0;
  for (const auto& entry : list.items()) {
    std::string at = "profiles[" + std::to_string(index++) + "]";
    if (!entry.is_object()) return invalid_error("model profiles: expected an object", at);
    for (const auto& member : entry.members()) {
      const auto& key = member.key;
      if (key != "match" && key != "not" && key != "kind" && key != "protocol" && key != "set") {
        return invalid_error("model profiles: unknown member", at + "." + std::string(key));
      }
    }
    Rule rule;
    auto read_list = [&](std::string_view key, std::vector<std::string>& out) -> Result<void> {
      const auto* value = entry.find(key);
      if (value == nullptr) return ok();
      if (value->is_string()) {
        out.emplace_back(value->str());
        return ok();
      }
      if (!value->is_array()) {
        return invalid_error("model profiles: expected a list of patterns",
                             at + "." + std::string(key));
      }
      for (const auto& pattern : value->items()) {
        if (!pattern.is_string() || pattern.str().empty()) {
          return invalid_error("model profiles: expected a pattern", at + "." + std::string(key));
        }
        out.emplace_back(pattern.str());
      }
      return ok();
    };
    GP_CHECK(read_list("match", rule.match));
    GP_CHECK(read_list("not", rule.exclude));
    rule.kind = std::string(entry["kind"].str());
    if (const auto* word = entry.find("protocol")) {
      auto protocol = parse_protocol(word->str());
      if (!protocol) {
        return invalid_error("model profiles: unknown protocol", at + ".protocol");
      }
      rule.protocol = *protocol;
    }
    Profile probe;
    for (const auto& member : entry["set"].members()) {
      auto checked = probe.set(member.key, member.value);
      if (!checked) {
        return std::move(checked).error().with_param(at + ".set." + std::string(member.key));
      }
      rule.set.emplace_back(std::string(member.key), member.value.is_string()
                                                         ? std::string(member.value.str())
                                                         : json::write(member.value));
    }
    result.rules_.push_back(std::move(rule));
  }
  return result;
}

const ProfileSet& ProfileSet::builtin() {
  static const ProfileSet set = [] {
    auto parsed = parse(kBuiltinModelProfiles);
    GP_ASSERT(parsed.ok());
    return parsed.ok() ? std::move(parsed).value() : ProfileSet();
  }();
  return set;
}

void ProfileSet::append(const ProfileSet& other) {
  rules_.insert(rules_.end(), other.rules_.begin(), other.rules_.end());
}

Profile ProfileSet::find(std::string_view model, Protocol upstream, std::string_view kind) const {
  Profile profile;
  auto slash = model.rfind('/');
  auto tail = slash == std::string_view::npos ? model : model.substr(slash + 1);
  auto matches = [&](const std::vector<std::string>& patterns) {
    for (const auto& pattern : patterns) {
      if (glob_match(pattern, model) || glob_match(pattern, tail)) return true;
      // A pattern without wildcards is a prefix.
      if (pattern.find_first_of("*?") == std::string::npos &&
          (iequals(model.substr(0, pattern.size()), pattern) ||
           iequals(tail.substr(0, pattern.size()), pattern))) {
        return true;
      }
    }
    return false;
  };
  for (const auto& rule : rules_) {
    if (rule.protocol != Protocol::none && rule.protocol != upstream) continue;
    if (!rule.kind.empty() && rule.kind != kind) continue;
    if (!rule.match.empty() && !matches(rule.match)) continue;
    if (matches(rule.exclude)) continue;
    for (const auto& [key, value] : rule.set) {
      auto checked = profile.set(key, std::string_view(value));
      GP_ASSERT(checked.ok());
    }
  }
  return profile;
}

}  // namespace gproxy::translate
