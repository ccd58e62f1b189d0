#include "translate/effort.h"

#include <algorithm>

namespace gproxy::translate {

namespace {

constexpr std::string_view kNames[] = {"",       "none", "minimal", "low",
                                       "medium", "high", "xhigh",   "max"};

// Preferences of 0.5: what to try, in order, for each wanted effort.
Effort first_allowed(std::initializer_list<Effort> wishes, EffortSet allowed) {
  for (auto wish : wishes) {
    if (allowed.has(wish)) return wish;
  }
  return Effort::unset;
}

int64_t claude_budget(Effort effort) {
  switch (effort) {
    case Effort::minimal:
      return 1024;
    case Effort::low:
      return 2048;
    case Effort::medium:
      return 8192;
    case Effort::high:
      return 24576;
    case Effort::xhigh:
      return 32768;
    case Effort::max:
      return 49152;
    default:
      return 8192;
  }
}

int64_t gemini_budget(Effort effort, const Profile& profile) {
  switch (effort) {
    case Effort::minimal:
    case Effort::low:
      return 1024;
    case Effort::medium:
      return 8192;
    case Effort::high:
      return 24576;
    default:
      return profile.gm_budget_max;
  }
}

Effort wanted_effort(const Reasoning& reasoning) {
  if (reasoning.effort != Effort::unset) return reasoning.effort;
  if (reasoning.budget > 0) return effort_of_budget(reasoning.budget);
  return Effort::unset;
}

}  // namespace

std::optional<Effort> parse_effort(std::string_view word) {
  for (size_t i = 1; i < std::size(kNames); ++i) {
    if (kNames[i] == word) return static_cast<Effort>(i);
  }
  return std::nullopt;
}

std::string_view name(Effort effort) {
  return kNames[static_cast<size_t>(effort)];
}

Effort effort_of_budget(int64_t tokens) {
  if (tokens <= 4096) return Effort::low;
  if (tokens <= 16384) return Effort::medium;
  if (tokens <= 32768) return Effort::high;
  return Effort::xhigh;
}

Effort nearest_allowed(Effort wanted, EffortSet allowed) {
  if (wanted == Effort::unset) return Effort::unset;
  int at = static_cast<int>(wanted);
  // Never silently to "none": that would switch reasoning off.
  for (int i = at; i >= static_cast<int>(Effort::minimal); --i) {
    if (allowed.has(static_cast<Effort>(i))) return static_cast<Effort>(i);
  }
  for (int i = at + 1; i <= static_cast<int>(Effort::max); ++i) {
    if (allowed.has(static_cast<Effort>(i))) return static_cast<Effort>(i);
  }
  return Effort::unset;
}

std::string_view openai_effort(const Reasoning& reasoning, const Profile& profile) {
  if (profile.oa_reasoning == 0) return {};
  auto wanted = wanted_effort(reasoning);
  const auto& allowed = profile.oa_effort;
  Effort chosen = Effort::unset;
  switch (wanted) {
    case Effort::unset:
      return {};
    case Effort::none:
      chosen = first_allowed({Effort::none, Effort::minimal, Effort::low, Effort::medium,
                              Effort::high, Effort::xhigh, Effort::max},
                             allowed);
      break;
    case Effort::minimal:
      chosen = first_allowed({Effort::minimal, Effort::low}, allowed);
      break;
    case Effort::xhigh:
      chosen = first_allowed({Effort::xhigh, Effort::high}, allowed);
      break;
    case Effort::max:
      chosen = first_allowed({Effort::max, Effort::xhigh, Effort::high}, allowed);
      break;
    default:
      break;
  }
  if (chosen == Effort::unset) chosen = nearest_allowed(wanted, allowed);
  return name(chosen);
}

ClaudeThinking claude_thinking(const Reasoning& reasoning, const Profile& profile,
                               const ClaudeThinkingFacts& facts) {
  using Type = ClaudeThinking::Type;
  ClaudeThinking result;
  result.max_tokens = facts.max_tokens;
  auto allowed = profile.cl_thinking;
  auto wanted = wanted_effort(reasoning);
  auto effort_word = [&](Effort effort) -> std::string_view {
    if (effort == Effort::minimal) effort = Effort::low;
    return name(nearest_allowed(effort, profile.cl_effort));
  };

  if (wanted == Effort::none) {
    if (allowed.disabled) {
      result.type = Type::disabled;
    } else {
      result.effort = effort_word(Effort::low);
    }
    return result;
  }
  if (wanted == Effort::unset && !reasoning.dynamic) return result;

  if (allowed.adaptive) {
    result.type = Type::adaptive;
    result.effort = effort_word(wanted);
    if (reasoning.visible) {
      result.display = "summarized";
    } else if (profile.cl_display) {
      result.display = "omitted";
    }
    return result;
  }
  if (!allowed.enabled) {
    result.effort = effort_word(wanted);
    return result;
  }

  // Manual thinking. A forced tool is a functional contract, thinking is quality.
  if (facts.forced_tool) return result;
  if (facts.tool_turn_without_thinking) {
    if (allowed.disabled) result.type = Type::disabled;
    return result;
  }
  int64_t budget = reasoning.budget > 0      ? reasoning.budget
                   : wanted == Effort::unset ? int64_t{8192}
                                             : claude_budget(wanted);
  int64_t room = facts.max_tokens_given ? 1024 : std::max<int64_t>(facts.max_tokens, 1024);
  int64_t cap = profile.cl_max_tokens;
  if (facts.max_tokens <= budget + 1024) {
    if (cap > 0 || !facts.max_tokens_given) {
      int64_t raised = budget + room;
      if (cap > 0) raised = std::min(raised, cap);
      result.max_tokens = std::max(result.max_tokens, raised);
    }
  }
  budget = std::min(budget, result.max_tokens - 1);
  if (budget < 1024) {
    result.max_tokens = facts.max_tokens;
    return result;
  }
  result.type = Type::enabled;
  result.budget = budget;
  if (!reasoning.visible && profile.cl_display) result.display = "omitted";
  return result;
}

GeminiThinking gemini_thinking(const Reasoning& reasoning, const Profile& profile) {
  GeminiThinking result;
  if (profile.gm_thinking == Profile::GmThinking::none) return result;
  result.include_thoughts = reasoning.visible;
  result.any = reasoning.visible;
  auto wanted = wanted_effort(reasoning);
  if (profile.gm_thinking == Profile::GmThinking::budget) {
    if (wanted == Effort::none) {
      result.budget = profile.gm_can_disable ? 0 : profile.gm_budget_min;
    } else if (reasoning.budget > 0 || wanted != Effort::unset) {
      int64_t budget = reasoning.budget > 0 ? reasoning.budget : gemini_budget(wanted, profile);
      result.budget = std::clamp(budget, profile.gm_budget_min,
                                 std::max(profile.gm_budget_min, profile.gm_budget_max));
    } else if (reasoning.dynamic) {
      result.budget = -1;
    }
  } else {
    auto pick = [&](std::initializer_list<Effort> wishes) -> std::string_view {
      Effort chosen = first_allowed(wishes, profile.gm_levels);
      switch (chosen) {
        case Effort::minimal:
          return "MINIMAL";
        case Effort::low:
          return "LOW";
        case Effort::medium:
          return "MEDIUM";
        case Effort::high:
          return "HIGH";
        default:
          return {};
      }
    };
    switch (wanted) {
      case Effort::unset:
        break;
      case Effort::none:
      case Effort::minimal:
        result.level = pick({Effort::minimal, Effort::low, Effort::medium, Effort::high});
        break;
      case Effort::low:
        result.level = pick({Effort::low, Effort::medium, Effort::high});
        break;
      case Effort::medium:
        result.level = pick({Effort::medium, Effort::high, Effort::low});
        break;
      default:
        result.level = pick({Effort::high, Effort::medium, Effort::low});
        break;
    }
  }
  if (wanted == Effort::none) result.include_thoughts = false;
  result.any = result.include_thoughts || result.budget.has_value() || !result.level.empty();
  return result;
}

}  // namespace gproxy::translate
