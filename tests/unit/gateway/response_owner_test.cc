// Answers that an upstream keeps: who may ask for them, and which credential is used.
#include <doctest/doctest.h>

#include "bench.h"
#include "gateway/response_owners.h"

using namespace gproxy;
using namespace gproxy::gateway;
using namespace gproxy::gateway::test;

namespace {

constexpr std::string_view kBody = R"({"model":"m","input":"hi"})";
constexpr std::string_view kAnswer =
    R"({"id":"resp_1","object":"response","model":"m","status":"completed","output":[]})";

upstream::FakeClient::Answer vendor(std::vector<std::string> pieces,
                                    std::string type = "application/json") {
  upstream::FakeClient::Answer out;
  out.headers = {{"content-type", std::move(type)}};
  out.pieces = std::move(pieces);
  return out;
}

std::string going_on(std::string_view id) {
  return R"({"model":"m","input":"more","previous_response_id":")" + std::string(id) + "\"}";
}

Bench::Setup two_keys() {
  Bench::Setup out;
  out.providers = {provider("p", "plain", 3), provider("q", "plain", 1)};
  return out;
}

}  // namespace

TEST_CASE("what a credential has made is asked for with that credential, by that user alone") {
  Bench bench(two_keys());
  bench.upstream.answer(vendor({std::string(kAnswer)}));
  REQUIRE(bench.ask(of_other(post("/p/v1/responses", kBody))).status == 200);
  const auto maker = bench.upstream.last().header("authorization");

  for (int i = 0; i < 4; ++i) {
    bench.upstream.answer(vendor({"{}"}));
    CHECK(bench.ask(of_other(get("/p/v1/responses/resp_1"))).status == 200);
    CHECK(bench.upstream.last().header("authorization") == maker);
    bench.upstream.answer(vendor({R"({"id":"resp_2"})"}));
    CHECK(bench.ask(of_other(post("/p/v1/responses", going_on("resp_1")))).status == 200);
    CHECK(bench.upstream.last().header("authorization") == maker);
  }
  const auto asked = bench.upstream.calls();
  CHECK(bench.ask(get("/v1/responses/resp_1")).status == 404);
  CHECK(bench.ask(of_other(get("/q/v1/responses/resp_1"))).status == 404);
  CHECK(bench.ask(of_other(get("/p/v1/responses/resp_9"))).status == 404);
  const auto foreign = bench.ask(of_other(post("/p/v1/responses", going_on("resp_9"))));
  CHECK(foreign.status == 404);
  CHECK(foreign.has("previous_response_not_found"));
  CHECK(bench.upstream.calls() == asked);
}

TEST_CASE("without a provider in the path the id tells it") {
  Bench bench(two_keys());
  bench.upstream.answer(vendor({std::string(kAnswer)}));
  REQUIRE(bench.ask(of_other(post("/q/v1/responses", kBody))).status == 200);
  bench.upstream.answer(vendor({"{}"}));
  CHECK(bench.ask(of_other(get("/v1/responses/resp_1?include=a"))).status == 200);
  CHECK(bench.upstream.last().url == "https://upstream.test/v1/responses/resp_1?include=a");
  CHECK(bench.ask(of_other(get("/v1/responses/resp_9"))).status == 404);
}

TEST_CASE("the id of a stream is known before the client has it, wherever it is cut") {
  const std::string event =
      "event: response.created\ndata: {\"type\":\"response.created\",\"response\":"
      "{\"id\":\"resp_s\",\"model\":\"m\"}}\n\n";
  for (size_t cut = 1; cut < event.size(); ++cut) {
    Bench bench(two_keys());
    upstream::FakeClient::Answer answer =
        vendor({event.substr(0, cut), event.substr(cut)}, "text/event-stream");
    answer.end = upstream::FakeClient::Answer::End::open;
    bench.upstream.answer(std::move(answer));
    auto client = bench.connect();
    client->send(of_other(post("/p/v1/responses", R"({"model":"m","input":"hi","stream":true})")));
    bench.turn_until([&] { return client->received().find("\"model\"") != std::string::npos; });
    const auto owner = bench.shared.responses.find("resp_s", 1);
    REQUIRE(owner.has_value());
    CHECK(owner->provider_id == 1);
    CHECK_FALSE(bench.shared.responses.find("resp_s", 0).has_value());
    client->close();
    bench.turn();
  }
}

TEST_CASE("the latest ids are kept, the oldest go") {
  ResponseOwners owners;
  storage::ResponseOwner owner{1, 2, 3};
  for (size_t i = 0; i <= ResponseOwners::kMost; ++i) owners.put("r" + std::to_string(i), 7, owner);
  CHECK_FALSE(owners.find("r0", 7).has_value());
  REQUIRE(owners.find("r1", 7).has_value());
  CHECK(owners.find("r1", 7)->credential_id == 2);
  CHECK_FALSE(owners.find("r1", 8).has_value());
  owner.credential_id = 9;
  owners.put("r1", 7, owner);
  CHECK(owners.find("r1", 7)->credential_id == 9);
}
