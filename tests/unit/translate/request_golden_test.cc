// The request cases of tests/golden/request: data, one file per rule. Besides what a case demands
// (`must`, `absent`, ...) the whole outcome is compared with `expect`, which was read through when
// it was recorded. GPROXY_GOLDEN_UPDATE=1 records it anew; never set it in CI.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "base/strings.h"
#include "translate/request.h"

namespace gproxy::translate {
namespace {

using json::Value;

// A JSON pointer's target, or null when it is not there.
const Value* at_pointer(const Value& root, std::string_view pointer) {
  const Value* at = &root;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    auto token = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(token.size());
    if (at->is_array()) {
      auto index = parse_uint(token);
      if (!index || *index >= at->size()) return nullptr;
      at = &at->items()[*index];
    } else {
      at = at->find(token);
      if (at == nullptr) return nullptr;
    }
  }
  return at;
}

Protocol protocol_of(const Value& word) {
  auto protocol = parse_protocol(word.str());
  REQUIRE_MESSAGE(protocol.has_value(), word.str());
  return *protocol;
}

std::string loss_text(const LossLog& losses) {
  std::string out;
  for (const auto& loss : losses.entries()) {
    out += std::string(name(loss.action)) + " " + loss.path + "\n";
  }
  return out;
}

void check_error(const Value& want, const Result<TranslatedRequest>& got) {
  INFO("body: ", got.ok() ? got->body : std::string());
  REQUIRE(!got.ok());
  const auto& error = got.error();
  INFO("message: ", error.message);
  CHECK(error.http() == want["status"].int_or(400));
  if (want.has("param")) CHECK(error.param == want["param"].str());
  if (want.has("code")) CHECK(error.code == want["code"].str());
}

void check_context(const Value& want, const RequestContext& got) {
  if (const auto* usage = want.find("include_usage")) CHECK(got.include_usage == usage->as_bool());
  if (const auto* stream = want.find("stream")) CHECK(got.stream == stream->as_bool());
  size_t index = 0;
  for (const auto& tool : want["tools"].items()) {
    REQUIRE(index < got.tools.size());
    const auto& have = got.tools[index++];
    if (tool.has("sent")) CHECK(have.sent == tool["sent"].str());
    if (tool.has("original")) CHECK(have.original == tool["original"].str());
    if (tool.has("namespace")) CHECK(have.name_space == tool["namespace"].str());
    if (tool.has("wrapped")) CHECK(have.wrapped == tool["wrapped"].as_bool());
    if (tool.has("kind")) {
      CHECK((have.kind == Call::Kind::custom) == (tool["kind"].str() == "custom"));
    }
  }
}

void check_body(const Value& want, const TranslatedRequest& got, Arena& arena) {
  INFO("body: ", got.body);
  auto parsed = json::parse(got.body, arena);
  REQUIRE(parsed.ok());
  const auto& body = *parsed;
  if (const auto* exact = want.find("out")) {
    CHECK_MESSAGE(body.equals(*exact), "expected ", json::write(*exact));
  }
  for (const auto& member : want["must"].members()) {
    const auto* there = at_pointer(body, member.key);
    INFO("at ", member.key, " expected ", json::write(member.value));
    REQUIRE(there != nullptr);
    CHECK(there->equals(member.value));
  }
  for (const auto& pointer : want["absent"].items()) {
    INFO("at ", pointer.str());
    CHECK(at_pointer(body, pointer.str()) == nullptr);
  }
  for (const auto& text : want["contains"].items()) {
    INFO("text ", text.str());
    CHECK(got.body.find(text.str()) != std::string::npos);
  }
  for (const auto& member : want["pattern"].members()) {
    const auto* there = at_pointer(body, member.key);
    REQUIRE(there != nullptr);
    INFO("at ", member.key, ": ", there->str());
    CHECK(
        std::regex_search(std::string(there->str()), std::regex(std::string(member.value.str()))));
  }
  for (const auto& pair : want["equal"].items()) {
    const auto* one = at_pointer(body, pair[0].str());
    const auto* two = at_pointer(body, pair[1].str());
    INFO("at ", pair[0].str(), " and ", pair[1].str());
    REQUIRE((one != nullptr && two != nullptr));
    CHECK(one->equals(*two));
  }
  for (const auto& member : want["length"].members()) {
    const auto* there = at_pointer(body, member.key);
    REQUIRE(there != nullptr);
    INFO("at ", member.key);
    CHECK(there->size() == static_cast<size_t>(member.value.int_or(-1)));
  }
}

// The whole outcome of a case: {"body","losses"}, {"error"} or {"tokens"}.
Value outcome_of(const Result<TranslatedRequest>& got, Arena& arena) {
  auto out = Value::object();
  if (!got.ok()) {
    auto error = Value::object();
    error.add(arena, "status", Value::integer(arena, got.error().http()));
    error.add(arena, "code", Value::string(arena.copy(got.error().code)));
    error.add(arena, "message", Value::string(arena.copy(got.error().message)));
    error.add(arena, "param", Value::string(arena.copy(got.error().param)));
    out.add(arena, "error", error);
    return out;
  }
  if (got->local_count) {
    out.add(arena, "tokens", Value::integer(arena, got->estimate));
    return out;
  }
  auto body = json::parse(arena.copy(got->body), arena);
  REQUIRE(body.ok());
  out.add(arena, "body", *body);
  auto losses = Value::array();
  for (const auto& loss : got->losses.entries()) {
    losses.push(
        arena, Value::string(arena.concat({name(loss.action), " ", loss.path, ": ", loss.reason})));
  }
  if (!losses.empty()) out.add(arena, "losses", losses);
  return out;
}

bool recording() {
  return std::getenv("GPROXY_GOLDEN_UPDATE") != nullptr;
}

void run_case(Value& want, Arena& kept) {
  Arena arena;
  auto client = protocol_of(want["from"]);
  auto upstream = protocol_of(want["to"]);
  Profile profile;
  for (const auto& member : want["profile"].members()) {
    REQUIRE(profile.set(member.key, member.value).ok());
  }
  Options options;
  options.lossless = want["lossless"].as_bool();
  RequestMeta meta;
  meta.model = want["model"].str(client == Protocol::gemini ? "m" : "");
  auto operation = want["kind"].str() == "count" ? Operation::count_tokens : Operation::generate;
  std::string body(want["in_text"].str());
  if (body.empty()) body = json::write(want["in"]);
  INFO(want["from"].str(), " -> ", want["to"].str(), ": ", body);
  auto got = translate_request(client, upstream, operation, body, meta, profile, options, arena);
  const auto outcome = outcome_of(got, kept);
  if (recording()) {
    want.set(kept, "expect", outcome);
  } else {
    CHECK_MESSAGE(want["expect"].equals(outcome), json::write(outcome));
  }
  if (const auto* error = want.find("error")) {
    check_error(*error, got);
    return;
  }
  INFO("error: ", got.ok() ? std::string() : got.error().message + " at " + got.error().param);
  REQUIRE(got.ok());
  if (const auto* count = want.find("local_count")) {
    CHECK(got->local_count);
    CHECK(got->estimate == count->int_or(-1));
    return;
  }
  check_body(want, *got, arena);
  check_context(want["context"], got->context);
  auto losses = loss_text(got->losses);
  for (const auto& line : want["losses"].items()) {
    INFO("losses:\n", losses);
    CHECK(("\n" + losses).find("\n" + std::string(line.str()) + "\n") != std::string::npos);
  }
  if (want.has("path")) CHECK(got->path == want["path"].str());
  if (want.has("operation")) CHECK(got->operation == Operation::stream_generate);

  // Pure: the same input gives the same bytes.
  Arena second;
  auto again = translate_request(client, upstream, operation, body, meta, profile, options, second);
  REQUIRE(again.ok());
  CHECK(again->body == got->body);
}

TEST_CASE("requests are translated as the golden cases say") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(GPROXY_SOURCE_DIR "/tests/golden/request")) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() >= 80);
  for (const auto& file : files) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    Arena arena;
    auto content = text.str();
    auto parsed = json::parse(content, arena);
    REQUIRE_MESSAGE(parsed.ok(), file.string());
    SUBCASE(file.stem().c_str()) {
      if (parsed->is_array()) {
        auto cases = Value::array();
        for (auto one : parsed->items()) {
          run_case(one, arena);
          cases.push(arena, one);
        }
        *parsed = cases;
      } else {
        run_case(*parsed, arena);
      }
      if (recording()) {
        std::ofstream(file, std::ios::binary) << json::write_pretty(*parsed) << '\n';
      }
    }
  }
}

}  // namespace
}  // namespace gproxy::translate
