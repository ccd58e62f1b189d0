// Token counts that gproxy makes itself, through a worker.
#include <doctest/doctest.h>

#include <string>

#include "bench.h"

namespace gproxy::gateway::test {
namespace {

Bench::Setup counter() {
  Bench::Setup setup;
  setup.providers = {provider("c", "counter")};
  return setup;
}

std::string claude(std::string_view model, std::string_view text) {
  return "{\"model\":\"" + std::string(model) + R"(","messages":[{"role":"user","content":")" +
         std::string(text) + "\"}]}";
}

}  // namespace

TEST_CASE("an estimated count is answered in each protocol and says so") {
  Bench bench(counter());
  // Four tokens for the message, and eight bytes are two.
  const auto c = bench.ask(post("/c/v1/messages/count_tokens", claude("estimate", "12345678")));
  CHECK(c.status == 200);
  CHECK(c.body == R"({"input_tokens":6})");
  CHECK(c.header("x-gproxy-estimated") == "1");
  const auto o =
      bench.ask(post("/c/v1/responses/input_tokens", R"({"model":"estimate","input":"12345678"})"));
  CHECK(o.body == R"({"object":"response.input_tokens","input_tokens":6})");
  CHECK(o.header("x-gproxy-estimated") == "1");
  const auto g = bench.ask(post("/c/v1beta/models/estimate:countTokens",
                                R"({"contents":[{"role":"user","parts":[{"text":"12345678"}]}]})"));
  CHECK(g.has(R"("totalTokens":6)"));
  CHECK(bench.upstream.calls() == 0);
}

TEST_CASE("a model that the module does not count is its refusal") {
  Bench bench(counter());
  const auto answer = bench.ask(post("/c/v1/messages/count_tokens", claude("other", "x")));
  CHECK(answer.status == 404);
  CHECK(answer.has("no such model"));
}

TEST_CASE("a plan that points out of its place is the module's fault") {
  Bench bench(counter());
  for (const std::string_view bad : {"file:../x.json", "file:/etc/passwd", "file:a//b",
                                     "file:", "url:ftp://h/x", "url:http://u@h/x", "encoding:"}) {
    const auto answer = bench.ask(post("/c/v1/messages/count_tokens", claude(bad, "x")));
    CAPTURE(bad);
    CHECK(answer.status == 502);
    CHECK(answer.header("x-gproxy-error") == "module_error");
  }
}

TEST_CASE("a body that is none of the protocol's is 400") {
  Bench bench(counter());
  const auto answer =
      bench.ask(post("/c/v1/messages/count_tokens", R"({"model":"estimate","messages":"x"})"));
  CHECK(answer.status == 400);
}

}  // namespace gproxy::gateway::test
