#include <doctest/doctest.h>

#include <string>

#include "bench.h"
#include "gateway/model_list.h"

namespace gproxy::gateway::test {
namespace {

using translate::Protocol;

Bench::Setup with(std::vector<config::ProviderConfig> providers,
                  std::function<void(config::Settings&)> settings = {}) {
  Bench::Setup setup;
  setup.providers = std::move(providers);
  setup.settings = std::move(settings);
  return setup;
}

upstream::FakeClient::Answer list_of(std::string_view ids) {
  return {.pieces = {R"({"object":"list","data":[)" + std::string(ids) + "]}"}};
}

std::vector<ListedModel> models(std::initializer_list<const char*> ids) {
  std::vector<ListedModel> out;
  for (const auto* id : ids) out.push_back({id, std::string("{\"id\":\"") + id + "\"}"});
  return out;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("all providers are asked at once and their lists are merged and sorted") {
  Bench bench(with({provider("b", "plain"), provider("a", "keyless")}));
  auto client = bench.connect();
  client->send(get("/v1/models"));
  bench.turn();
  REQUIRE(bench.upstream.calls() == 2);  // before either has answered
  const bool b_first = !bench.upstream.call(0).header("authorization").empty();
  auto& a = bench.upstream.call(b_first ? 1 : 0);
  auto& b = bench.upstream.call(b_first ? 0 : 1);
  b.head(200);
  b.data(R"({"data":[{"id":"z","owned_by":"x"},{"id":"b/y"}]})");
  b.complete();
  a.head(200);
  a.data(R"({"data":[{"id":"m"}]})");
  a.complete();
  CHECK(
      client->answer().body ==
      R"({"object":"list","data":[{"id":"a/m"},{"id":"b/y"},{"id":"b/z","owned_by":"x"}],"partial":false})");
}

TEST_CASE(
    "providers without anything to say are left out silently, failures make the list partial") {
  auto off = provider("off", "plain");
  off.enabled = false;
  Bench bench(
      with({provider("none", "plain", 0), off, provider("t", "talker"), provider("k", "keyless")}));
  bench.upstream.answer(list_of(R"({"id":"m"})"));
  CHECK(bench.ask(get("/v1/models")).has("\"partial\":false"));
  bench.upstream.answer({.status = 500, .pieces = {"{}"}});
  const auto failed = bench.ask(get("/v1/models"));
  CHECK(failed.status == 200);
  CHECK(failed.body == R"({"object":"list","data":[],"partial":true})");
  bench.upstream.answer({.pieces = {"no json"}});
  CHECK(bench.ask(get("/v1/models")).has("\"partial\":true"));
}

TEST_CASE("one slow provider does not stall the list") {
  Bench bench(with({provider("slow", "keyless"), provider("quick", "keyless")},
                   [](config::Settings& s) { s.timeouts.list_ms = 1'000; }));
  bench.upstream.on_request = [n = 0](const auto&) mutable {
    upstream::FakeClient::Answer answer = list_of(R"({"id":"m"})");
    if (n++ == 0) answer = {.status = 0, .end = upstream::FakeClient::Answer::End::open};
    return answer;
  };
  const auto answer = bench.ask(get("/v1/models"));
  CHECK(answer.status == 200);
  CHECK(answer.has("/m\""));
  CHECK(answer.has("\"partial\":true"));
  bench.turn();
  CHECK(bench.upstream.live() == 0);
}

TEST_CASE("the list speaks the client's protocol") {
  Bench bench(with({provider("k", "keyless")}));
  bench.upstream.answer({.pieces = {R"({"data":[{"id":"m","type":"model"}],"has_more":false})"}});
  const auto claude = bench.ask(get("/v1/models", "anthropic-version: 2023-06-01\r\n"));
  CHECK(
      claude.body ==
      R"({"data":[{"id":"k/m","type":"model"}],"first_id":"k/m","last_id":"k/m","has_more":false,"partial":false})");
  CHECK(has(bench.upstream.last().url, "limit=1000"));
  bench.upstream.answer({.pieces = {R"({"models":[{"name":"models/m","version":"1"}]})"}});
  const auto gemini = bench.ask(get("/v1beta/models"));
  CHECK(gemini.body == R"({"models":[{"name":"models/k/m","version":"1"}],"partial":false})");
}

TEST_CASE("pages of an upstream are followed to the end") {
  Bench bench(with({provider("k", "keyless")}));
  bench.upstream.answer({.pieces = {R"({"models":[{"name":"models/a"}],"nextPageToken":"t/1"})"}});
  bench.upstream.answer({.pieces = {R"({"models":[{"name":"models/b"}]})"}});
  CHECK(bench.ask(get("/v1beta/models")).has("models/k/b"));
  CHECK(has(bench.upstream.last().url, "pageToken=t%2F1"));
}

TEST_CASE("a client that leaves ends all the questions") {
  Bench bench(with({provider("a", "keyless"), provider("b", "keyless")}));
  auto client = bench.connect();
  client->send(get("/v1/models"));
  bench.turn();
  REQUIRE(bench.upstream.live() == 2);
  client->close();
  CHECK(bench.turn_until([&] { return bench.upstream.live() == 0; }));
}

TEST_CASE("claude's pages go forwards and backwards by id") {
  const auto page = [](std::string_view query) {
    return write_model_page(Protocol::claude, models({"b", "a", "d", "c"}), query, false);
  };
  CHECK(
      *page("limit=2") ==
      R"({"data":[{"id":"a"},{"id":"b"}],"first_id":"a","last_id":"b","has_more":true,"partial":false})");
  CHECK(has(*page("limit=2&after_id=b"), R"("first_id":"c","last_id":"d","has_more":false)"));
  CHECK(has(*page("limit=2&before_id=d"), R"("first_id":"b","last_id":"c","has_more":true)"));
  CHECK(has(*page("after_id=d"), R"("data":[],"first_id":null,"last_id":null,"has_more":false)"));
  CHECK(page("after_id=nope").error().param == "after_id");
  CHECK(page("limit=0").error().param == "limit");
  CHECK(page("limit=x").error().http() == 400);
}

TEST_CASE("gemini's pages go by an opaque token") {
  const auto first =
      write_model_page(Protocol::gemini, models({"a", "b", "c"}), "pageSize=2", false);
  REQUIRE(first.ok());
  const auto at = first->find("\"nextPageToken\":\"");
  REQUIRE(at != std::string::npos);
  const auto token = first->substr(at + 17, first->find('"', at + 17) - at - 17);
  const auto second = write_model_page(Protocol::gemini, models({"a", "b", "c"}),
                                       "pageSize=2&pageToken=" + token, false);
  CHECK(*second == R"({"models":[{"id":"c"}],"partial":false})");
  CHECK(write_model_page(Protocol::gemini, {}, "pageToken=%25%25", false).error().param ==
        "pageToken");
  CHECK(write_model_page(Protocol::gemini, models({"a"}), "pageSize=5000", false).ok());
}

TEST_CASE("a provider's list that is none is an error of the provider") {
  for (const std::string_view body : {"", "[]", "{}", R"({"data":{}})", R"({"error":"x"})"}) {
    CHECK(read_model_page(Protocol::openai, body, "p").error().http() == 502);
  }
  CHECK(read_model_page(Protocol::gemini, "{}", "p")->models.empty());
}

}  // namespace gproxy::gateway::test
