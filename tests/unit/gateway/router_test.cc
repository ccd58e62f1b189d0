#include "gateway/router.h"

#include <doctest/doctest.h>

#include <string>

namespace gproxy::gateway {
namespace {

using translate::Operation;
using translate::Protocol;

struct Routed {
  Arena arena;
  std::string path;  // the match views it
  RouteMatch m;
  Routed(std::string_view method, std::string_view text)
      : path(text), m(route(method, path, arena)) {}
};

}  // namespace

TEST_CASE("every operation has an aggregate and a provider-prefixed path") {
  struct Row {
    std::string_view method, path;
    Protocol protocol;
    Operation operation;
  };
  const Row rows[] = {
      {"POST", "/v1/messages", Protocol::claude, Operation::none},
      {"POST", "/v1/messages/count_tokens", Protocol::claude, Operation::count_tokens},
      {"POST", "/v1/chat/completions", Protocol::openai_chat, Operation::none},
      {"POST", "/v1/responses", Protocol::openai_response, Operation::none},
      {"POST", "/v1/responses/compact", Protocol::openai, Operation::response_compact},
      {"POST", "/v1/responses/input_tokens", Protocol::openai, Operation::count_tokens},
      {"POST", "/v1/memories/trace_summarize", Protocol::openai, Operation::memory_trace_summarize},
      {"GET", "/v1beta/models", Protocol::gemini, Operation::model_list},
      {"GET", "/v1beta/models/a", Protocol::gemini, Operation::model_get},
      {"POST", "/v1beta/models/a:generateContent", Protocol::gemini, Operation::generate},
      {"POST", "/v1/models/a:streamGenerateContent", Protocol::gemini, Operation::stream_generate},
      {"POST", "/v1beta/models/a:countTokens", Protocol::gemini, Operation::count_tokens},
  };
  for (const auto& row : rows) {
    CAPTURE(row.path);
    const Routed plain(row.method, row.path);
    CHECK(plain.m.kind == RouteKind::llm);
    CHECK(plain.m.aggregate);
    CHECK(plain.m.provider.empty());
    CHECK(plain.m.protocol == row.protocol);
    CHECK(plain.m.operation == row.operation);
    CHECK_FALSE(plain.m.bad_verb);
    const Routed prefixed(row.method, "/my-provider" + std::string(row.path));
    CHECK(prefixed.m.kind == RouteKind::llm);
    CHECK_FALSE(prefixed.m.aggregate);
    CHECK(prefixed.m.provider == "my-provider");
    CHECK(prefixed.m.path == row.path);
    CHECK(prefixed.m.protocol == row.protocol);
    CHECK(prefixed.m.operation == row.operation);
  }
}

TEST_CASE("sub-resources of responses exist below a provider and without one") {
  struct Row {
    std::string_view method, path;
    Operation operation;
  };
  const Row rows[] = {{"GET", "/v1/responses/resp_1", Operation::response_get},
                      {"DELETE", "/v1/responses/resp_1", Operation::response_delete},
                      {"POST", "/v1/responses/resp_1/cancel", Operation::response_cancel},
                      {"GET", "/v1/responses/resp_1/input_items", Operation::response_input_items}};
  for (const auto& row : rows) {
    const Routed prefixed(row.method, "/p" + std::string(row.path));
    CHECK(prefixed.m.operation == row.operation);
    CHECK(prefixed.m.resource == "resp_1");
    const Routed plain(row.method, row.path);
    CHECK(plain.m.operation == row.operation);
    CHECK(plain.m.aggregate);
  }
}

TEST_CASE("compact and input_tokens are operations, not response ids") {
  CHECK(Routed("POST", "/p/v1/responses/compact").m.operation == Operation::response_compact);
  CHECK(Routed("POST", "/p/v1/responses/input_tokens").m.operation == Operation::count_tokens);
}

TEST_CASE("the listing of models is told apart by the request") {
  for (const std::string_view path : {"/v1/models", "/p/v1/models", "/v1/models/p%2Fm"}) {
    Routed r("GET", path);
    REQUIRE(r.m.by_key);
    settle_protocol(r.m, true, KeySource::x_goog_api_key);
    CHECK(r.m.protocol == Protocol::claude);
    r.m.protocol = Protocol::none;
    settle_protocol(r.m, false, KeySource::x_goog_api_key);
    CHECK(r.m.protocol == Protocol::gemini);
    settle_protocol(r.m, false, KeySource::query);
    CHECK(r.m.protocol == Protocol::gemini);
    settle_protocol(r.m, false, KeySource::bearer);
    CHECK(r.m.protocol == Protocol::openai);
  }
}

TEST_CASE("model ids may hold slashes, escaped or not") {
  CHECK(Routed("GET", "/v1/models/p%2Fm").m.model == "p/m");
  CHECK(Routed("GET", "/v1/models/p/a/b").m.model == "p/a/b");
  CHECK(Routed("POST", "/v1beta/models/p/m:generateContent").m.model == "p/m");
  CHECK(Routed("POST", "/v1beta/models/p%2Fm:generateContent").m.model == "p/m");
  CHECK(Routed("POST", "/v1beta/models/m%3AgenerateContent").m.operation == Operation::generate);
  CHECK(Routed("GET", "/v1beta/models/models/m").m.model == "m");
}

TEST_CASE("a gemini verb stands behind the last colon") {
  const Routed r("POST", "/p/v1beta/models/org/m:free:streamGenerateContent");
  CHECK(r.m.model == "org/m:free");
  CHECK(r.m.operation == Operation::stream_generate);
}

TEST_CASE("some gemini clients leave models out") {
  const Routed r("POST", "/v1beta/p/m:generateContent");
  CHECK(r.m.kind == RouteKind::llm);
  CHECK(r.m.model == "p/m");
  CHECK(r.m.protocol == Protocol::gemini);
  CHECK(Routed("POST", "/p/v1beta/m:generateContent").m.model == "m");
}

TEST_CASE("tuned models keep their prefix") {
  CHECK(Routed("POST", "/p/v1beta/tunedModels/t-1:generateContent").m.model == "tunedModels/t-1");
  CHECK(Routed("GET", "/p/v1beta/tunedModels/t-1").m.model == "tunedModels/t-1");
}

TEST_CASE("an unknown gemini verb or a missing model is marked") {
  CHECK(Routed("POST", "/v1beta/models/p/m:embedContent").m.bad_verb);
  CHECK(Routed("POST", "/v1beta/models/p/m").m.bad_verb);
  CHECK(Routed("POST", "/v1beta/models/:generateContent").m.bad_verb);
}

TEST_CASE("operations we do not have are 404 in the client's protocol") {
  struct Row {
    std::string_view path;
    Protocol protocol;
  };
  const Row rows[] = {
      {"/v1/embeddings", Protocol::openai},         {"/p/v1/images/generations", Protocol::openai},
      {"/v1/messages/batches", Protocol::claude},   {"/v1/complete", Protocol::claude},
      {"/v1beta/cachedContents", Protocol::gemini}, {"/p/v1beta/files", Protocol::gemini}};
  for (const auto& row : rows) {
    CAPTURE(row.path);
    for (const std::string_view method : {"GET", "POST"}) {
      const Routed r(method, row.path);
      CHECK(r.m.kind == RouteKind::unknown_operation);
      CHECK(r.m.protocol == row.protocol);
    }
  }
}

TEST_CASE("a known path with another method answers with what is allowed") {
  const Routed r("GET", "/v1/messages");
  CHECK(r.m.kind == RouteKind::method_not_allowed);
  CHECK(r.m.allow == "POST");
  CHECK(r.m.protocol == Protocol::claude);
  CHECK(Routed("DELETE", "/p/v1/models").m.allow == "GET, HEAD");
  CHECK(Routed("PUT", "/v1beta/models/m").m.allow == "GET, HEAD, POST");
  CHECK(Routed("POST", "/healthz").m.allow == "GET, HEAD");
  CHECK(Routed("OPTIONS", "/v1/chat/completions").m.kind == RouteKind::method_not_allowed);
}

TEST_CASE("agents probe the root and the base path") {
  CHECK(Routed("HEAD", "/").m.kind == RouteKind::probe);
  CHECK(Routed("HEAD", "/claude").m.kind == RouteKind::probe);
  CHECK(Routed("HEAD", "/claude").m.provider == "claude");
  CHECK(Routed("GET", "/claude").m.kind == RouteKind::not_found);
}

TEST_CASE("the server's own paths") {
  CHECK(Routed("GET", "/healthz").m.kind == RouteKind::healthz);
  CHECK(Routed("GET", "/livez").m.kind == RouteKind::healthz);
  CHECK(Routed("HEAD", "/readyz").m.kind == RouteKind::readyz);
  CHECK(Routed("GET", "/metrics").m.kind == RouteKind::metrics);
  CHECK(Routed("GET", "/version").m.kind == RouteKind::version);
  CHECK(Routed("GET", "/").m.kind == RouteKind::ui);
  CHECK(Routed("GET", "/assets/app/x.js").m.kind == RouteKind::ui);
  CHECK(Routed("GET", "/favicon.ico").m.kind == RouteKind::favicon);
  CHECK(Routed("PUT", "/admin/providers/x").m.kind == RouteKind::admin);
  CHECK(Routed("GET", "/p/oauth").m.kind == RouteKind::oauth_start);
  CHECK(Routed("GET", "/p/oauth/callback").m.kind == RouteKind::oauth_callback);
  CHECK(Routed("GET", "/p/usage").m.kind == RouteKind::usage);
  CHECK(Routed("GET", "/p/nothing").m.kind == RouteKind::not_found);
  CHECK(Routed("GET", "/bad name/v1/models").m.kind == RouteKind::not_found);
}

TEST_CASE("an aggregate model is split at its first slash") {
  Arena arena;
  const auto split = [&](std::string_view text) { return split_provider_model(text, arena); };
  CHECK(split("p/m").provider == "p");
  CHECK(split("p/org/m:x").model == "org/m:x");
  CHECK(split(" //models/p/m ").provider == "p");
  CHECK(split("tunedModels/p/t").model == "tunedModels/t");
  for (const std::string_view bad : {"m", "", "/", "p/", "/m", "models/m", " / "}) {
    CAPTURE(bad);
    CHECK_FALSE(split(bad).ok());
  }
}

TEST_CASE("the route page lists every row") {
  const auto page = routes_markdown();
  for (const auto& row : route_table()) CHECK(page.find(row.pattern) != std::string::npos);
}

}  // namespace gproxy::gateway
