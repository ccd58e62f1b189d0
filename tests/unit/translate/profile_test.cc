#include "translate/profile.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "translate/loss.h"

namespace gproxy::translate {
namespace {

TEST_CASE("the profiles of config/ are valid and are what is compiled in") {
  std::ifstream in(GPROXY_SOURCE_DIR "/config/model_profiles.json");
  std::stringstream text;
  text << in.rdbuf();
  auto parsed = ProfileSet::parse(text.str());
  INFO((parsed.ok() ? std::string() : parsed.error().message + " " + parsed.error().param));
  REQUIRE(parsed.ok());
  for (auto model : {"claude-opus-4-6", "gemini-2.5-pro", "gpt-5.2", "x"}) {
    auto a = parsed->find(model, Protocol::claude);
    auto b = ProfileSet::builtin().find(model, Protocol::claude);
    CHECK(a.cl_max_tokens == b.cl_max_tokens);
    CHECK(a.gm_budget_max == b.gm_budget_max);
    CHECK(a.oa_effort.bits == b.oa_effort.bits);
  }
}

TEST_CASE("families of models get what they accept") {
  const auto& set = ProfileSet::builtin();
  auto opus_46 = set.find("anthropic/claude-opus-4-6", Protocol::claude);
  CHECK(opus_46.cl_thinking.adaptive);
  CHECK(opus_46.cl_sampling);
  CHECK(!opus_46.cl_prefill);
  auto newest = set.find("claude-opus-4-8", Protocol::claude);
  CHECK(!newest.cl_sampling);
  CHECK(newest.cl_mid_system);
  CHECK(!newest.cl_thinking.enabled);
  auto haiku_35 = set.find("claude-3-5-haiku-20241022", Protocol::claude);
  CHECK(!haiku_35.cl_thinking.enabled);
  CHECK(haiku_35.cl_max_tokens == 8192);
  CHECK(haiku_35.cl_prefill);
  auto pro_25 = set.find("gemini-2.5-pro", Protocol::gemini);
  CHECK(pro_25.gm_budget_min == 128);
  CHECK(pro_25.gm_budget_max == 32768);
  CHECK(!pro_25.gm_can_disable);
  CHECK(!pro_25.gm_signatures);
  auto pro_3 = set.find("models/gemini-3-pro-preview", Protocol::gemini);
  CHECK(pro_3.gm_thinking == Profile::GmThinking::level);
  CHECK(pro_3.gm_signatures);
  CHECK(!pro_3.gm_levels.has(Effort::minimal));
  auto gpt_5 = set.find("gpt-5-mini", Protocol::openai_chat);
  CHECK(gpt_5.oa_effort.has(Effort::minimal));
  CHECK(!gpt_5.oa_effort.has(Effort::none));
  CHECK(!gpt_5.oa_sampling);
  auto gpt_52 = set.find("gpt-5.2", Protocol::openai_chat);
  CHECK(gpt_52.oa_effort.has(Effort::xhigh));
  CHECK(!gpt_52.oa_effort.has(Effort::minimal));
  auto chat = set.find("gpt-4o", Protocol::openai_chat);
  CHECK(chat.oa_reasoning == 0);
  CHECK(chat.oa_sampling);
  auto compatible = set.find("deepseek-chat", Protocol::openai_chat, "deepseek");
  CHECK(!compatible.oa_max_completion_tokens);
  CHECK(!compatible.oa_developer_role);
}

TEST_CASE("later rules win and operators' rules come last") {
  auto mine = ProfileSet::parse(R"({"profiles":[
    {"match":["claude-"],"not":["claude-9*"],"set":{"cl.max_tokens":77}},
    {"protocol":"gemini","set":{"gm.api":"v1"}}]})");
  REQUIRE(mine.ok());
  ProfileSet set = ProfileSet::builtin();
  set.append(*mine);
  CHECK(set.find("claude-opus-4-8", Protocol::claude).cl_max_tokens == 77);
  CHECK(set.find("claude-9-x", Protocol::claude).cl_max_tokens != 77);
  CHECK(set.find("x", Protocol::gemini).gm_api == "v1");
  CHECK(set.find("x", Protocol::claude).gm_api == "v1beta");
}

TEST_CASE("wrong profile keys and values are named") {
  Profile profile;
  CHECK(!profile.set("cl.nothing", std::string_view("1")).ok());
  auto wrong = profile.set("cl.sampling", std::string_view("maybe"));
  REQUIRE(!wrong.ok());
  CHECK(wrong.error().param == "cl.sampling");
  CHECK(!profile.set("cl.thinking", std::string_view("sometimes")).ok());
  auto in_file = ProfileSet::parse(R"({"profiles":[{"set":{"gm.thinking":"much"}}]})");
  REQUIRE(!in_file.ok());
  CHECK(in_file.error().param == "profiles[0].set.gm.thinking");
  REQUIRE(profile.set("cl.thinking", std::string_view("adaptive,disabled")).ok());
  CHECK((profile.cl_thinking.adaptive && profile.cl_thinking.disabled));
  CHECK(!profile.cl_thinking.enabled);
}

TEST_CASE("globs") {
  CHECK(glob_match("a*c", "abc"));
  CHECK(glob_match("*", ""));
  CHECK(glob_match("A?c*", "abcd"));
  CHECK(!glob_match("a?c", "ac"));
  CHECK(!glob_match("abc", "abcd"));
  CHECK(glob_match("*b*d", "xxbyybd"));
}

TEST_CASE("the loss log is bounded and its header is printable") {
  LossLog losses;
  Arena arena;
  for (int i = 0; i < 1000; ++i) {
    losses.add_text("messages[" + std::to_string(i) + "].x", LossAction::dropped, "r");
  }
  CHECK(losses.entries().size() == LossLog::kMaxPerPath);
  CHECK(losses.total() == 1000);
  for (int i = 0; i < 1000; ++i) {
    losses.add_text("f\xC3\xBC\r\n" + std::to_string(i), LossAction::changed, "r");
  }
  CHECK(losses.entries().size() == LossLog::kMaxEntries);
  auto header = losses.header(200);
  CHECK(header.size() <= 220);
  for (char c : header) CHECK((c >= ' ' && c < 0x7F));
  CHECK(header.find("+") != std::string::npos);
  CHECK(generic_path("messages[12].content[0].text") == "messages[].content[].text");
  LossLog harmless;
  harmless.filled(nullptr, "r", "max_tokens");
  CHECK(harmless.blocking() == nullptr);
  CHECK(harmless.header().empty());
  CHECK(losses.blocking()->path == "messages[0].x");
}

}  // namespace
}  // namespace gproxy::translate
