// The tables of wire-formats 0.5, row by row.
#include "translate/effort.h"

#include <doctest/doctest.h>

namespace gproxy::translate {
namespace {

Reasoning asked(Effort effort) {
  Reasoning reasoning;
  reasoning.effort = effort;
  reasoning.asked = true;
  return reasoning;
}
Reasoning budget(int64_t tokens) {
  Reasoning reasoning;
  reasoning.budget = tokens;
  reasoning.asked = true;
  return reasoning;
}
Reasoning dynamic() {
  Reasoning reasoning;
  reasoning.dynamic = true;
  reasoning.asked = true;
  return reasoning;
}

constexpr Effort kAll[] = {Effort::none, Effort::minimal, Effort::low, Effort::medium,
                           Effort::high, Effort::xhigh,   Effort::max};

TEST_CASE("budgets become words by their thresholds") {
  CHECK(effort_of_budget(4096) == Effort::low);
  CHECK(effort_of_budget(4097) == Effort::medium);
  CHECK(effort_of_budget(16384) == Effort::medium);
  CHECK(effort_of_budget(32768) == Effort::high);
  CHECK(effort_of_budget(32769) == Effort::xhigh);
}

TEST_CASE("OpenAI: the word, or the nearest the model allows") {
  Profile profile;
  profile.oa_effort = EffortSet::of({Effort::low, Effort::medium, Effort::high});
  const char* kSome[] = {"low", "low", "low", "medium", "high", "high", "high"};
  for (size_t i = 0; i < std::size(kAll); ++i) {
    CHECK(openai_effort(asked(kAll[i]), profile) == kSome[i]);
  }
  Profile any;
  for (auto effort : kAll) CHECK(openai_effort(asked(effort), any) == name(effort));
  CHECK(openai_effort(Reasoning(), any) == "");
  CHECK(openai_effort(dynamic(), any) == "");
  CHECK(openai_effort(budget(10000), any) == "medium");
  any.oa_reasoning = 0;
  CHECK(openai_effort(asked(Effort::high), any) == "");
}

TEST_CASE("Claude with adaptive thinking") {
  Profile profile;
  profile.cl_thinking = {false, true, true, false};
  ClaudeThinkingFacts facts;
  facts.max_tokens = 8192;
  using Type = ClaudeThinking::Type;
  CHECK(claude_thinking(Reasoning(), profile, facts).type == Type::omit);
  CHECK(claude_thinking(asked(Effort::none), profile, facts).type == Type::disabled);
  const char* kWords[] = {"", "low", "low", "medium", "high", "high", "high"};
  for (size_t i = 1; i < std::size(kAll); ++i) {
    auto got = claude_thinking(asked(kAll[i]), profile, facts);
    CHECK(got.type == Type::adaptive);
    CHECK(got.effort == kWords[i]);
  }
  CHECK(claude_thinking(dynamic(), profile, facts).type == Type::adaptive);
  CHECK(claude_thinking(dynamic(), profile, facts).effort == "");
  CHECK(claude_thinking(budget(20000), profile, facts).effort == "high");
  auto seen = asked(Effort::high);
  seen.visible = true;
  CHECK(claude_thinking(seen, profile, facts).display == "summarized");
  CHECK(claude_thinking(asked(Effort::high), profile, facts).display == "");
  profile.cl_display = true;
  CHECK(claude_thinking(asked(Effort::high), profile, facts).display == "omitted");
  profile.cl_thinking.disabled = false;
  auto off = claude_thinking(asked(Effort::none), profile, facts);
  CHECK(off.type == Type::omit);
  CHECK(off.effort == "low");
  // A forced tool does not switch adaptive thinking off.
  facts.forced_tool = true;
  CHECK(claude_thinking(asked(Effort::high), profile, facts).on());
}

TEST_CASE("Claude with a thinking budget") {
  Profile profile;
  ClaudeThinkingFacts facts;
  facts.max_tokens = 100000;
  facts.max_tokens_given = true;
  using Type = ClaudeThinking::Type;
  const int64_t kBudgets[] = {0, 1024, 2048, 8192, 24576, 32768, 49152};
  for (size_t i = 1; i < std::size(kAll); ++i) {
    auto got = claude_thinking(asked(kAll[i]), profile, facts);
    CHECK(got.type == Type::enabled);
    CHECK(got.budget == kBudgets[i]);
    CHECK(got.max_tokens == 100000);
  }
  CHECK(claude_thinking(asked(Effort::none), profile, facts).type == Type::disabled);
  CHECK(claude_thinking(dynamic(), profile, facts).budget == 8192);
  CHECK(claude_thinking(budget(5000), profile, facts).budget == 5000);
  CHECK(claude_thinking(budget(500), profile, facts).type == Type::omit);
  // No room: the budget shrinks, then thinking goes.
  facts.max_tokens = 3000;
  CHECK(claude_thinking(asked(Effort::high), profile, facts).budget == 2999);
  facts.max_tokens = 1024;
  CHECK(claude_thinking(asked(Effort::high), profile, facts).type == Type::omit);
  // Room is made where the cap is known, or where the client said nothing.
  profile.cl_max_tokens = 64000;
  CHECK(claude_thinking(asked(Effort::high), profile, facts).max_tokens == 24576 + 1024);
  profile.cl_max_tokens = 0;
  facts.max_tokens = 8192;
  facts.max_tokens_given = false;
  auto unsaid = claude_thinking(asked(Effort::high), profile, facts);
  CHECK(unsaid.budget == 24576);
  CHECK(unsaid.max_tokens == 24576 + 8192);
  facts.forced_tool = true;
  CHECK(claude_thinking(asked(Effort::high), profile, facts).type == Type::omit);
  facts.forced_tool = false;
  facts.tool_turn_without_thinking = true;
  CHECK(claude_thinking(asked(Effort::high), profile, facts).type == Type::disabled);
}

TEST_CASE("Gemini with a budget") {
  Profile profile;
  profile.gm_budget_min = 128;
  profile.gm_budget_max = 32768;
  profile.gm_can_disable = false;
  const int64_t kBudgets[] = {128, 1024, 1024, 8192, 24576, 32768, 32768};
  for (size_t i = 0; i < std::size(kAll); ++i) {
    auto got = gemini_thinking(asked(kAll[i]), profile);
    REQUIRE(got.budget.has_value());
    CHECK(*got.budget == kBudgets[i]);
    CHECK(got.level.empty());
  }
  CHECK(*gemini_thinking(dynamic(), profile).budget == -1);
  CHECK(*gemini_thinking(budget(50), profile).budget == 128);
  CHECK(*gemini_thinking(budget(99999), profile).budget == 32768);
  profile.gm_can_disable = true;
  CHECK(*gemini_thinking(asked(Effort::none), profile).budget == 0);
  Reasoning seen;
  seen.visible = true;
  CHECK(gemini_thinking(seen, profile).include_thoughts);
  CHECK(!gemini_thinking(seen, profile).budget.has_value());
  profile.gm_thinking = Profile::GmThinking::none;
  CHECK(!gemini_thinking(seen, profile).any);
}

TEST_CASE("Gemini with a level") {
  Profile profile;
  profile.gm_thinking = Profile::GmThinking::level;
  const char* kLevels[] = {"MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"};
  const char* kTwo[] = {"LOW", "LOW", "LOW", "HIGH", "HIGH", "HIGH", "HIGH"};
  auto two = profile;
  two.gm_levels = EffortSet::of({Effort::low, Effort::high});
  for (size_t i = 0; i < std::size(kAll); ++i) {
    CHECK(gemini_thinking(asked(kAll[i]), profile).level == kLevels[i]);
    CHECK(gemini_thinking(asked(kAll[i]), two).level == kTwo[i]);
    CHECK(!gemini_thinking(asked(kAll[i]), two).budget.has_value());
  }
  CHECK(gemini_thinking(dynamic(), profile).level.empty());
  CHECK(gemini_thinking(budget(10000), profile).level == "MEDIUM");
}

}  // namespace
}  // namespace gproxy::translate
