// The golden cases of answers: tests/golden/{response,stream,models}/*.json. Each file says what
// came from upstream (`input`, `events` or `text`), what must hold of the translation (`must`:
// paths and values; `contains`, `lacks`: text; `losses`) and the whole translation (`expect`),
// checked by hand when it was recorded. GPROXY_GOLDEN_UPDATE=1 records `expect` anew; never set it
// in CI.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "answer_support.h"
#include "translate/models.h"

using namespace gproxy;
using namespace gproxy::translate;
using namespace gproxy::translate::test;

namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string input_of(const json::Value& test, Protocol upstream) {
  if (test["text"].is_string()) return std::string(test["text"].str());
  if (!test["events"].is_array()) {
    return test["input"].is_string() ? std::string(test["input"].str())
                                     : json::write(test["input"]);
  }
  std::vector<std::string> events;
  for (const auto& event : test["events"].items()) {
    events.push_back(event.is_string() ? std::string(event.str()) : json::write(event));
  }
  return frame(upstream, events);
}

// What the assertions look at: {"status","body"} or {"status","events","joined","success"}.
json::Value view_of(const RequestContext& context, const TranslatedAnswer& answer, bool streamed,
                    Arena& arena) {
  auto view = json::Value::object();
  view.add(arena, "status", json::Value::integer(arena, answer.status));
  if (!streamed) {
    view.add(arena, "body", parse_or_null(answer.body, arena));
    return view;
  }
  auto events = json::Value::array();
  for (const auto& data : unframe(answer.body)) {
    const auto parsed = parse_or_null(data, arena);
    events.push(arena, parsed.is_null() ? json::Value::string(arena.copy(data)) : parsed);
  }
  view.add(arena, "events", events);
  const auto read = accumulate(context.client, answer.body, arena);
  CHECK_MESSAGE(read.broken.empty(), read.broken);
  CHECK(read.errors <= 1);
  view.add(arena, "joined", read.answer);
  view.add(arena, "success", json::Value::boolean(read.success));
  return view;
}

void run(const fs::path& path) {
  const std::string text = read_text(path);
  Arena arena(256 * 1024);
  auto parsed = json::parse(text, arena);
  REQUIRE_MESSAGE(parsed.ok(), path.string());
  json::Value& test = *parsed;
  json::Value expects = json::Value::object();
  // One input may be asked for by several clients.
  std::vector<std::string> clients;
  if (test["to"].is_array()) {
    for (const auto& to : test["to"].items()) clients.emplace_back(to.str());
  } else {
    clients.emplace_back(test["to"].str());
  }
  for (const auto& client : clients) {
    CAPTURE(client);
    const auto upstream = parse_protocol(test["from"].str());
    const auto to = parse_protocol(client);
    REQUIRE(upstream);
    REQUIRE(to);
    auto context = context_of(*upstream, *to, test["context"]);
    const Options options = options_of(test["options"]);
    const std::string input = input_of(test, *upstream);
    const int status = static_cast<int>(test["status"].int_or(200));
    const auto kind = test["kind"].str();
    CountingIds ids;
    TranslatedAnswer answer;
    if (kind == "models") {
      answer = translate_models(*to, *upstream, status, input, test["query"].str());
    } else if (kind == "count") {
      answer = translate_count_response(context, status, input);
    } else if (kind == "error") {
      answer = translate_error(context, status, input);
    } else {
      if (kind == "stream") context.stream = true;
      answer = translate_stream(context, status, input, options, ids);
    }
    const bool streamed = kind == "stream" && answer.status == 200;
    const auto view = view_of(context, answer, streamed, arena);
    const auto key = clients.size() == 1 ? std::string("must") : "must_" + client;
    for (const auto* list : {"must", key.c_str()}) {
      if (clients.size() == 1 && list == key.c_str()) continue;
      for (const auto& rule : test[list].items()) {
        const auto& got = at_path(view, rule[0].str());
        CHECK_MESSAGE(got.equals(rule[1]), rule[0].str(), " is ", json::write(got));
      }
    }
    for (const auto& part : test["contains"].items()) {
      CHECK_MESSAGE(answer.body.find(part.str()) != std::string::npos, part.str(), "\n",
                    answer.body);
    }
    for (const auto& part : test["lacks"].items()) {
      CHECK_MESSAGE(answer.body.find(part.str()) == std::string::npos, part.str(), "\n",
                    answer.body);
    }
    std::vector<std::string> lost;
    for (const auto& loss : answer.losses.entries()) lost.push_back(loss.path);
    for (const auto& loss : test["losses"].items()) {
      CHECK_MESSAGE(std::find(lost.begin(), lost.end(), std::string(loss.str())) != lost.end(),
                    loss.str());
    }
    if (test.has("losses") && test["losses"].empty()) CHECK(lost.empty());
    const auto got = streamed ? view["events"] : view["body"];
    expects.add(arena, arena.copy(client), got);
  }
  const bool update = std::getenv("GPROXY_GOLDEN_UPDATE") != nullptr;
  const json::Value expected = clients.size() == 1 ? expects.members()[0].value : expects;
  if (update) {
    test.set(arena, "expect", expected);
    std::ofstream(path, std::ios::binary) << json::write_pretty(test) << '\n';
    return;
  }
  CHECK_MESSAGE(test["expect"].equals(expected), json::write(expected));
}

void run_all(const char* folder) {
  const fs::path root = fs::path(GPROXY_SOURCE_DIR) / "tests" / "golden" / folder;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  CHECK_FALSE(files.empty());
  for (const auto& file : files) {
    const std::string name = file.stem().string();
    SUBCASE(name.c_str()) {
      CAPTURE(name);
      run(file);
    }
  }
}

}  // namespace

TEST_CASE("golden answers") {
  run_all("response");
}
TEST_CASE("golden streams") {
  run_all("stream");
}
TEST_CASE("golden models and counts") {
  run_all("models");
}
