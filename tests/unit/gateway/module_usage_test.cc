// Usage that stands in a place of the upstream's own, read by the module (gproxy.usage/1).
#include "gateway/module_usage.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "bench.h"

namespace gproxy::gateway::test {
namespace {

constexpr std::string_view kBody = R"({"model":"m","messages":[]})";
constexpr std::string_view kStreamBody = R"({"model":"m","stream":true,"messages":[]})";

double tokens(Bench& bench, std::string_view type) {
  const auto text =
      bench.ask("GET /metrics HTTP/1.1\r\nhost: g\r\nauthorization: Bearer admin-key\r\n\r\n").body;
  for (size_t at = 0; (at = text.find("\ngproxy_tokens_total{", at)) != std::string::npos; ++at) {
    const auto line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    if (line.find("type=\"" + std::string(type) + "\"") != std::string::npos)
      return std::stod(line.substr(line.rfind(' ') + 1));
  }
  return -1;
}

}  // namespace

TEST_CASE("a whole answer's usage is the module's, what it does not tell the protocol's") {
  Bench bench;
  bench.upstream.answer(
      {.pieces = {R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,)"
                  R"("completion_tokens_details":{"reasoning_tokens":1}},"mete)",
                  R"(red":41})"}});
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 200);
  CHECK(tokens(bench, "output") == 41);
  CHECK(tokens(bench, "input") == 40);
  CHECK(tokens(bench, "cache_read") == 60);
  CHECK(tokens(bench, "reasoning") == 1);
}

TEST_CASE("a stream's usage is the last that the module found in an event") {
  Bench bench;
  bench.upstream.answer(
      {.headers = {{"content-type", "text/event-stream"}},
       .pieces = {
           "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"metered\":5}\n\ndata: {\"cho",
           "ices\":[],\"metered\":9}\n\ndata: [DONE]\n\n"}});
  CHECK(bench.ask(post("/p/v1/chat/completions", kStreamBody)).status == 200);
  CHECK(tokens(bench, "output") == 9);
  CHECK(tokens(bench, "input") == 40);
}

TEST_CASE("a hook that fails costs its reading, not the answer") {
  Bench bench;
  const std::string answer =
      R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2},"metered":-1})";
  bench.upstream.answer({.pieces = {answer}});
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).body == answer);
  CHECK(tokens(bench, "output") == 2);
  CHECK(tokens(bench, "input") == 3);
}

}  // namespace gproxy::gateway::test
