// Paths of the server itself: health, version, metrics, and what agents probe first.
#include <doctest/doctest.h>

#include <string>

#include "bench.h"

namespace gproxy::gateway::test {

TEST_CASE("the server's own paths need no key") {
  Bench bench;
  CHECK(bench.ask("GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n").body == "ok\n");
  CHECK(bench.ask("GET /readyz HTTP/1.1\r\nhost: g\r\n\r\n").status == 200);
  bench.shared.readiness.set_degraded({{"store", "slow"}});
  CHECK(bench.ask("GET /readyz HTTP/1.1\r\nhost: g\r\n\r\n").has("\"store\":\"slow\""));
  bench.shared.readiness.set_degraded({});
  CHECK_FALSE(bench.ask("GET /readyz HTTP/1.1\r\nhost: g\r\n\r\n").has("store"));
  bench.shared.readiness.set_refusing(true);
  CHECK(bench.ask("GET /readyz HTTP/1.1\r\nhost: g\r\n\r\n").status == 503);
  CHECK(bench.ask("GET /version HTTP/1.1\r\nhost: g\r\n\r\n").has("gproxy"));
  CHECK(bench.ask("GET /favicon.ico HTTP/1.1\r\nhost: g\r\n\r\n").status == 204);
}

TEST_CASE("agents may probe the root and a base path with HEAD") {
  Bench bench;
  auto client = bench.connect();
  client->send("HEAD / HTTP/1.1\r\nhost: g\r\n\r\nHEAD /p HTTP/1.1\r\nhost: g\r\n\r\n");
  bench.turn_until([&] { return client->received().find("200", 20) != std::string::npos; });
  CHECK(client->received().starts_with("HTTP/1.1 200"));
}

TEST_CASE("metrics are for scrapers with the admin key") {
  Bench bench;
  bench.upstream.answer(
      {.pieces = {R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}})"}});
  bench.ask(post("/p/v1/chat/completions", R"({"model":"m","messages":[]})"));
  CHECK(bench.ask("GET /metrics HTTP/1.1\r\nhost: g\r\n\r\n").status == 401);
  const auto text =
      bench.ask("GET /metrics HTTP/1.1\r\nhost: g\r\nauthorization: Bearer admin-key\r\n\r\n");
  CHECK(text.status == 200);
  CHECK(text.has("gproxy_requests_total{"));
  CHECK(text.has("gen_ai_client_token_usage"));
  CHECK(text.has("gproxy_tokens_total"));
}

}  // namespace gproxy::gateway::test
