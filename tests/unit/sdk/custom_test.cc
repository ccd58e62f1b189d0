// The custom module alone, under the fake host.
#include <doctest/doctest.h>

#include "testing/fake_host.h"
#include "testing/fake_json.h"

extern "C" const gp_entry* gproxy_entry_1_custom(void);

using namespace gp::testing;

namespace {

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_custom()};
  std::string message, param;
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  std::unique_ptr<Instance> make(std::string more = "", std::string proto = "openai_chat",
                                 std::string base = "http://h/api") {
    message.clear();
    param.clear();
    return module.create("custom",
                         R"({"id":"x","enabled":true,"proto":")" + proto + R"(","base_url":")" +
                             base + "\"" + (more.empty() ? "" : "," + more) + "}",
                         &message, &param);
  }
  std::string masked(const std::string& mask, const std::string& body, bool remove = false) {
    auto provider = make(R"("json_param_mask":)" + mask +
                         (remove ? R"(,"json_param_mask_mode":"remove")" : ""));
    REQUIRE_MESSAGE(provider != nullptr, message);
    auto key = provider->open(R"({"Custom":{"api_key":"k"}})");
    const Sent sent = provider->prepare({.body = body}, key.get());
    CHECK(sent.status == GP_OK);
    CHECK(json_valid(sent.body));
    return sent.body;
  }
  void refused(const std::string& more, const std::string& at) {
    CAPTURE(more);
    CHECK(make(more) == nullptr);
    CHECK(param == at);
    CHECK_FALSE(message.empty());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "custom: an empty, a missing and a null dispatch mean the protocol's defaults") {
  for (const char* dispatch :
       {"", R"("dispatch":null)", R"("dispatch":{})", R"("dispatch":{"ops":[]})",
        R"("dispatch":{"ops":[null,null]})", R"("dispatch":[])", R"("dispatch":{"ops":{}})",
        R"("dispatch":{"claude_generate":null})"}) {
    CAPTURE(dispatch);
    auto provider = make(dispatch);
    REQUIRE(provider != nullptr);
    int32_t target = 0;
    CHECK(provider->mode(GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE) == GP_ROUTE_NATIVE);
    CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, &target) == GP_ROUTE_TRANSLATE);
    CHECK(target == GP_PROTOCOL_OPENAI_CHAT);
    CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST) == GP_ROUTE_NATIVE);
    CHECK(provider->mode(GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST, &target) == GP_ROUTE_TRANSLATE);
    CHECK(target == GP_PROTOCOL_OPENAI);
    CHECK(provider->routes().size() == 17);
  }
}

TEST_CASE_FIXTURE(Fixture, "custom: each protocol has a table that leads somewhere") {
  for (const char* proto : {"claude", "openai_chat", "openai_response", "gemini", "openai"}) {
    CAPTURE(proto);
    auto provider = make("", proto);
    REQUIRE(provider != nullptr);
    // Stored responses are the Responses API's.
    CHECK(provider->routes().size() == (std::string(proto) == "openai_response" ? 22 : 17));
  }
}

TEST_CASE_FIXTURE(Fixture, "custom: rules by name, alone, inside ops, and beside an array") {
  for (
      const char* dispatch :
      {R"("dispatch":{"claude_generate":"native","gemini_models_list":"unsupported",)"
       R"("response_get":"native","openai_memory_trace_summarize":"native","usage":"unsupported"})",
       R"("dispatch":{"ops":{"claude_generate":"native","gemini_models_list":"unsupported",)"
       R"("openai_response_get":"native","memories_trace_summarize":"native"}})",
       R"("dispatch":{"ops":["native",null,null,null,null,null,null,null,"unsupported"],)"
       R"("response_get":"native","memory_trace_summarize":"native"})"}) {
    CAPTURE(dispatch);
    auto provider = make(dispatch);
    REQUIRE_MESSAGE(provider != nullptr, param << " " << message);
    CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_GENERATE) == GP_ROUTE_NATIVE);
    CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_STREAM_GENERATE) == GP_ROUTE_TRANSLATE);
    CHECK(provider->mode(GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST) == GP_ROUTE_UNSUPPORTED);
    CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET) == GP_ROUTE_NATIVE);
    CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_DELETE) == GP_ROUTE_UNSUPPORTED);
    CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_MEMORY_TRACE_SUMMARIZE) == GP_ROUTE_NATIVE);
  }
}

TEST_CASE_FIXTURE(Fixture, "custom: every operation has its name") {
  struct Case {
    const char* name;
    int32_t protocol, operation;
  };
  const Case cases[] = {
      {"claude_generate", GP_PROTOCOL_CLAUDE, GP_OP_GENERATE},
      {"claude_generate_stream", GP_PROTOCOL_CLAUDE, GP_OP_STREAM_GENERATE},
      {"claude_count_tokens", GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS},
      {"claude_models_list", GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST},
      {"claude_models_get", GP_PROTOCOL_CLAUDE, GP_OP_MODEL_GET},
      {"gemini_generate", GP_PROTOCOL_GEMINI, GP_OP_GENERATE},
      {"gemini_generate_stream", GP_PROTOCOL_GEMINI, GP_OP_STREAM_GENERATE},
      {"gemini_count_tokens", GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS},
      {"gemini_models_list", GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST},
      {"gemini_models_get", GP_PROTOCOL_GEMINI, GP_OP_MODEL_GET},
      {"openai_chat_generate", GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE},
      {"openai_chat_generate_stream", GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE},
      {"openai_response_generate", GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_GENERATE},
      {"openai_response_generate_stream", GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE},
      {"openai_input_tokens", GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS},
      {"openai_models_list", GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST},
      {"openai_models_get", GP_PROTOCOL_OPENAI, GP_OP_MODEL_GET},
      {"openai_response_get", GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET},
      {"openai_response_delete", GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_DELETE},
      {"openai_response_cancel", GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_CANCEL},
      {"openai_response_input_items", GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_INPUT_ITEMS},
      {"openai_response_compact", GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_COMPACT},
      {"openai_memory_trace_summarize", GP_PROTOCOL_OPENAI, GP_OP_MEMORY_TRACE_SUMMARIZE},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    auto native = make(std::string(R"("dispatch":{")") + c.name + R"(":"native"})");
    REQUIRE(native != nullptr);
    CHECK(native->mode(c.protocol, c.operation) == GP_ROUTE_NATIVE);
    auto refused = make(std::string(R"("dispatch":{")") + c.name + R"(":"unsupported"})");
    REQUIRE(refused != nullptr);
    CHECK(refused->mode(c.protocol, c.operation) == GP_ROUTE_UNSUPPORTED);
  }
}

TEST_CASE_FIXTURE(Fixture, "custom: base URLs as vendors document them") {
  const std::string claude = "/messages", chat = "/chat/completions",
                    gemini = "/models/m:streamGenerateContent?alt=sse";
  struct Case {
    const char *base, *claude, *chat, *gemini;
  };
  const Case cases[] = {
      {"https://api.openai.com", "/v1", "/v1", "/v1beta"},
      {"https://api.openai.com/", "/v1", "/v1", "/v1beta"},
      {"https://api.openai.com/v1", "", "", ""},
      {"https://api.openai.com/v1/", "", "", ""},
      {"https://openrouter.ai/api/v1", "", "", ""},
      {"https://open.bigmodel.example/api/paas/v4", "", "", ""},
      {"https://gateway.example/v1/account/name/openai", "/v1", "", "/v1beta"},
      {"https://api.deepseek.com/anthropic", "/v1", "/v1", "/v1beta"},
      {"https://generativelanguage.googleapis.com", "/v1", "/v1beta/openai", "/v1beta"},
      {"https://generativelanguage.googleapis.com/v1beta", "", "/openai", ""},
      {"https://generativelanguage.googleapis.com/v1beta/", "", "/openai", ""},
      {"http://vendor.example:8080/v1", "", "", ""},
      {"https://aiplatform.googleapis.com/v1/publishers/google", "/v1", "", ""},
      {"http://127.0.0.1:8787/openai", "/v1", "/v1", "/v1beta"},
  };
  auto url = [&](const std::string& base, const char* proto, int32_t protocol, int32_t operation) {
    auto provider = make("", proto, base);
    REQUIRE_MESSAGE(provider != nullptr, message);
    auto key = provider->open(R"({"Custom":{"api_key":"k"}})");
    return provider
        ->prepare({.protocol = protocol,
                   .operation = operation,
                   .model = "m",
                   .body = "{}",
                   .flags = GP_REQUEST_NEEDS_SSE},
                  key.get())
        .url;
  };
  for (const Case& c : cases) {
    CAPTURE(c.base);
    std::string base = c.base;
    while (base.back() == '/') base.pop_back();
    CHECK(url(c.base, "claude", GP_PROTOCOL_CLAUDE, GP_OP_GENERATE) == base + c.claude + claude);
    CHECK(url(c.base, "openai_chat", GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE) ==
          base + c.chat + chat);
    CHECK(url(c.base, "gemini", GP_PROTOCOL_GEMINI, GP_OP_STREAM_GENERATE) ==
          base + c.gemini + gemini);
  }
  // Google's compatibility path names two surfaces.
  const std::string google = "https://generativelanguage.googleapis.com/v1beta/openai";
  CHECK(url(google, "openai_chat", GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE) == google + chat);
  CHECK(url(google + "/", "openai", GP_PROTOCOL_OPENAI, GP_OP_MODEL_GET) == google + "/models/m");
  CHECK(url(google, "gemini", GP_PROTOCOL_GEMINI, GP_OP_STREAM_GENERATE) ==
        "https://generativelanguage.googleapis.com/v1beta" + gemini);
  CHECK(url("http://h", "openai_response", GP_PROTOCOL_OPENAI, GP_OP_MEMORY_TRACE_SUMMARIZE) ==
        "http://h/v1/memories/trace_summarize");
}

TEST_CASE_FIXTURE(Fixture, "custom: a stored response's resources") {
  auto provider = make("", "openai_response");
  auto key = provider->open(R"({"Custom":{"api_key":"k"}})");
  auto call = [&](int32_t operation, std::string id, std::string query, std::string body = "") {
    const Sent sent = provider->prepare({.protocol = GP_PROTOCOL_OPENAI,
                                         .operation = operation,
                                         .body = std::move(body),
                                         .resource = std::move(id),
                                         .query = std::move(query)},
                                        key.get());
    return sent.status == GP_OK ? sent.method + " " + sent.url : sent.param;
  };
  const std::string at = "http://h/api/v1/responses/";
  CHECK(call(GP_OP_RESPONSE_GET, "resp_1", "include=a&x=1") == "GET " + at + "resp_1?include=a");
  CHECK(call(GP_OP_RESPONSE_DELETE, "resp_1", "") == "DELETE " + at + "resp_1");
  CHECK(call(GP_OP_RESPONSE_CANCEL, "resp_1", "") == "POST " + at + "resp_1/cancel");
  CHECK(call(GP_OP_RESPONSE_INPUT_ITEMS, "resp_1", "limit=2&z=1") ==
        "GET " + at + "resp_1/input_items?limit=2");
  CHECK(call(GP_OP_RESPONSE_COMPACT, "", "", "{}") == "POST " + at + "compact");
  CHECK(call(GP_OP_RESPONSE_GET, "..", "") == "response_id");
  CHECK(call(GP_OP_RESPONSE_GET, "a/../b\r\n", "") == "GET " + at + "a%2F..%2Fb%0D%0A");
}

TEST_CASE_FIXTURE(Fixture, "custom: a whole table of twenty entries as the old server stored it") {
  std::string ops;
  for (int i = 0; i < 17; ++i) {
    ops += i >= 10 && i < 12 ? R"("native",)" : R"({"transform":{"target":"openai_chat"}},)";
  }
  auto provider =
      make(R"("dispatch":{"ops":[)" + ops + R"("unsupported","unsupported","unsupported"]})");
  REQUIRE_MESSAGE(provider != nullptr, message);
  CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST) == GP_ROUTE_NATIVE);
  CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST) == GP_ROUTE_TRANSLATE);
}

TEST_CASE_FIXTURE(Fixture, "custom: a sparse table keeps the other defaults") {
  auto provider = make(R"("dispatch":{"ops":["unsupported",null,"native"]})");
  REQUIRE(provider != nullptr);
  CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_GENERATE) == GP_ROUTE_UNSUPPORTED);
  CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_STREAM_GENERATE) == GP_ROUTE_TRANSLATE);
  CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS) == GP_ROUTE_NATIVE);
}

TEST_CASE_FIXTURE(Fixture, "custom: settings are refused by their path") {
  std::string many = "null";
  for (int i = 0; i < 20; ++i) many += ",null";
  refused(R"("dispatch":{"ops":[)" + many + "]}", "dispatch.ops");
  refused(R"("dispatch":{"ops":"native"})", "dispatch.ops");
  refused(R"("dispatch":"native")", "dispatch");
  refused(R"("dispatch":[null,null,"x"])", "dispatch[2]");
  refused(R"("dispatch":{"claude_generat":"native"})", "dispatch.claude_generat");
  refused(R"("dispatch":{"ops":{"claude_generate":7}})", "dispatch.ops.claude_generate");
  refused(R"("dispatch":{"response_get":{"transform":{"target":"openai"}}})",
          "dispatch.response_get");
  refused(R"("dispatch":{"claude_generate":{"transform":{"target":"gemini"}}})",
          "dispatch.claude_generate");
  refused(R"("dispatch":{"ops":[null,"Native"]})", "dispatch.ops[1]");
  refused(R"("dispatch":{"ops":[{"transform":{"target":"mars"}}]})", "dispatch.ops[0]");
  refused(R"("dispatch":{"ops":[{"transform":{"target":"gemini"}}]})", "dispatch.ops[0]");
  refused(R"("tokenizer":"o200k_base")", "tokenizer");
  refused(R"("tokenizer":{"encoding":"p50k"})", "tokenizer.encoding");
  refused(R"("tokenizer":{"encoding":"llama3","file":"a.json"})", "tokenizer.file");
  refused(R"("tokenizer":{"file":"../a.json"})", "tokenizer.file");
  refused(R"("tokenizer":{"file":"/a.json"})", "tokenizer.file");
  refused(R"("tokenizer":{"url":"file:///etc/passwd"})", "tokenizer.url");
  refused(R"("tokenizer":{"file":"a.json","token":"t"})", "tokenizer.token");
  refused(R"("count_tokens":"guess")", "count_tokens");
  refused(R"("json_param_mask":["ok","a..b"])", "json_param_mask[1]");
  CHECK(message == "invalid custom json_param_mask entry `a..b`: empty segment");
  refused(R"("json_param_mask":"a")", "json_param_mask");
  refused(R"("json_param_mask_mode":"drop")", "json_param_mask_mode");
  refused(R"("model_table":{"models":[{"id":"a"},{"id":"models/"}]})", "model_table.models[1].id");
  refused(R"("extra_headers":{"x y":"1"})", "extra_headers.x y");
  refused(R"("extra_headers":{"Transfer-Encoding":"chunked"})", "extra_headers.Transfer-Encoding");
  refused(R"("extra_headers":{"x":"a\r\nb: c"})", "extra_headers.x");
  refused(R"("extra_query":{"x":5})", "extra_query.x");
  CHECK(make("", "openai_chat", "") == nullptr);
  CHECK(param == "base_url");
  CHECK(make("", "mars") == nullptr);
  CHECK(param == "proto");
}

TEST_CASE_FIXTURE(Fixture, "custom: addresses and keys by protocol") {
  auto provider = make(
      R"("extra_headers":{"X-Team":"a b","user-agent":"mine"},"extra_query":{"api version":"1&2"},)"
      R"("dispatch":{"ops":["native","native","native","native","native","native","native","native",)"
      R"("native","native","native","native","native","native","native","native","native"]})",
      "openai", "http://h/api/v1/");
  REQUIRE_MESSAGE(provider != nullptr, message);
  auto key = provider->open(R"({"Custom":{"api_key":"k"}})");
  struct Case {
    int32_t protocol, operation;
    const char *query, *sent, *header, *value;
  };
  const Case cases[] = {
      {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, "beta=true", "POST /messages?beta=true&", "x-api-key",
       "k"},
      {GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS, "", "POST /messages/count_tokens?",
       "anthropic-version", "2023-06-01"},
      {GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST, "limit=1&z=2", "GET /models?limit=1&", "x-api-key",
       "k"},
      {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, "", "POST /chat/completions?", "authorization",
       "Bearer k"},
      {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE, "", "POST /responses?", "authorization",
       "Bearer k"},
      {GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS, "", "POST /responses/input_tokens?", "x-team",
       "a b"},
      {GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST, "", "GET /models?", "user-agent", "mine"},
      {GP_PROTOCOL_OPENAI, GP_OP_MODEL_GET, "", "GET /models/a%2Fb?", "authorization", "Bearer k"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.sent);
    const bool get = c.operation == GP_OP_MODEL_LIST || c.operation == GP_OP_MODEL_GET;
    const Sent sent = provider->prepare({.protocol = c.protocol,
                                         .operation = c.operation,
                                         .model = "a/b",
                                         .body = get ? "" : "{}",
                                         .query = c.query},
                                        key.get());
    CHECK(sent.status == GP_OK);
    CHECK(sent.method + " " + sent.url.substr(std::string("http://h/api/v1").size()) ==
          std::string(c.sent) + "api%20version=1%262");
    CHECK(header(sent.headers, c.header) == c.value);
  }
  auto gemini = make("", "gemini");
  key = gemini->open(R"({"Custom":{"api_key":"k"}})");
  Sent sent = gemini->prepare({.protocol = GP_PROTOCOL_GEMINI,
                               .operation = GP_OP_STREAM_GENERATE,
                               .model = "m",
                               .body = "{}",
                               .flags = GP_REQUEST_NEEDS_SSE},
                              key.get());
  CHECK(sent.url == "http://h/api/v1beta/models/m:streamGenerateContent?alt=sse");
  CHECK(header(sent.headers, "x-goog-api-key") == "k");
  CHECK(gemini->prepare({.protocol = GP_PROTOCOL_GEMINI, .model = "..", .body = "{}"}, key.get())
            .status == GP_ERR_INVALID);
}

TEST_CASE_FIXTURE(Fixture, "custom: a model table answers lists and gets in every protocol") {
  auto provider = make(
      R"("model_table":{"models":[{"id":"/models/a/1","display_name":"A \"one\""},{"id":"b"}]})");
  REQUIRE_MESSAGE(provider != nullptr, message);
  auto ask = [&](int32_t protocol, int32_t operation, std::string model = "") {
    CHECK(provider->mode(protocol, operation) == GP_ROUTE_LOCAL);
    return provider->respond(
        {.protocol = protocol, .operation = operation, .model = std::move(model)});
  };
  CHECK(ask(GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST).body ==
        R"({"object":"list","data":[{"id":"a/1","object":"model","created":0,"owned_by":"custom"},)"
        R"({"id":"b","object":"model","created":0,"owned_by":"custom"}]})");
  const Answer claude = ask(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST);
  CHECK(json_at(claude.body, "/data/0/display_name") == "A \"one\"");
  CHECK(json_at(claude.body, "/data/1/display_name") == "b");
  CHECK(json_at(claude.body, "/last_id") == "b");
  CHECK(json_at(ask(GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST).body, "/models/0/name") == "models/a/1");
  CHECK(json_at(ask(GP_PROTOCOL_GEMINI, GP_OP_MODEL_GET, "models/b").body, "/displayName") == "b");
  for (int32_t protocol : {GP_PROTOCOL_OPENAI, GP_PROTOCOL_CLAUDE, GP_PROTOCOL_GEMINI}) {
    CHECK(ask(protocol, GP_OP_MODEL_GET, "b").status == 200);
    const Answer missing = ask(protocol, GP_OP_MODEL_GET, "c");
    CHECK(missing.status == 404);
    CHECK(json_at(missing.body, "/error/message") == "model not found");
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "custom: an empty model table asks the upstream; an unsupported row stays so") {
  CHECK(make(R"("model_table":{"models":[]})")->mode(GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST) ==
        GP_ROUTE_NATIVE);
  auto provider = make(
      R"("model_table":{"models":[{"id":"a"}]},"dispatch":{"ops":[null,null,null,"unsupported"]})");
  CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST) == GP_ROUTE_UNSUPPORTED);
  CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_GET) == GP_ROUTE_LOCAL);
}

TEST_CASE_FIXTURE(Fixture, "custom: the mask's path grammar") {
  struct Case {
    const char *path, *body, *null_out, *remove_out;
  };
  const Case cases[] = {
      {R"("a")", R"({"a":1,"b":2})", R"({"a":null,"b":2})", R"({"b":2})"},
      {R"("b")", R"({"a":1, "b":2})", R"({"a":1, "b":null})", R"({"a":1})"},
      {R"("a.b.c")", R"({"a":{"b":{"c":[1,{}]}}})", R"({"a":{"b":{"c":null}}})",
       R"({"a":{"b":{}}})"},
      {R"("m[1].c")", R"({"m":[{"c":1},{"c":2}]})", R"({"m":[{"c":1},{"c":null}]})",
       R"({"m":[{"c":1},{}]})"},
      {R"("m[*].c")", R"({"m":[{"c":1},{"c":2}]})", R"({"m":[{"c":null},{"c":null}]})",
       R"({"m":[{},{}]})"},
      {R"("m.*.c")", R"({"m":{"x":{"c":1},"y":3}})", R"({"m":{"x":{"c":null},"y":3}})",
       R"({"m":{"x":{},"y":3}})"},
      {R"("m[1]")", R"({"m":[1,2,3]})", R"({"m":[1,null,3]})", R"({"m":[1,3]})"},
      {R"("m[*]")", R"({"m":[1, 2 ,3]})", R"({"m":[null, null ,null]})", R"({"m":[]})"},
      {R"("*")", R"({"a":1,"b":[2]})", R"({"a":null,"b":null})", R"({})"},
      {R"("a[\"x.y\"]")", R"({"a":{"x.y":1,"x":{"y":2}}})", R"({"a":{"x.y":null,"x":{"y":2}}})",
       R"({"a":{"x":{"y":2}}})"},
      {R"("a['b']")", R"({"a":{"b":1}})", R"({"a":{"b":null}})", R"({"a":{}})"},
      {R"("a[ b ]")", R"({"a":{"b":1}})", R"({"a":{"b":null}})", R"({"a":{}})"},
      {R"("a[x.y]")", R"({"a":{"x.y":1}})", R"({"a":{"x.y":null}})", R"({"a":{}})"},
      {R"("a[\"0\"]")", R"({"a":{"0":1}})", R"({"a":{"0":null}})", R"({"a":{}})"},
      {R"("a[\"0\"]")", R"({"a":[1]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"("a[0]")", R"({"a":{"0":1}})", R"({"a":{"0":1}})", R"({"a":{"0":1}})"},
      {R"("a[\"*\"]")", R"({"a":{"*":1,"b":2}})", R"({"a":{"*":null,"b":2}})", R"({"a":{"b":2}})"},
      {R"("a[\"]\"]")", R"({"a":{"]":1}})", R"({"a":{"]":null}})", R"({"a":{}})"},
      {R"("a[0]b")", R"({"a":[{"b":1}]})", R"({"a":[{"b":null}]})", R"({"a":[{}]})"},
      {R"("a.[0]")", R"({"a":[7,8]})", R"({"a":[null,8]})", R"({"a":[8]})"},
      {R"("/m/0/c")", R"({"m":[{"c":1}]})", R"({"m":[{"c":null}]})", R"({"m":[{}]})"},
      {R"("/a~1b/c~0d")", R"({"a/b":{"c~d":1}})", R"({"a/b":{"c~d":null}})", R"({"a/b":{}})"},
      {R"("/m/*/c")", R"({"m":[{"c":1},2]})", R"({"m":[{"c":null},2]})", R"({"m":[{},2]})"},
      {R"("a","a.b")", R"({"a":{"b":1},"c":2})", R"({"a":null,"c":2})", R"({"c":2})"},
      {R"("a.b","a")", R"({"a":{"b":1},"c":2})", R"({"a":null,"c":2})", R"({"c":2})"},
      {R"("a","b","d")", R"({"a":1,"b":2,"c":3,"d":4})", R"({"a":null,"b":null,"c":3,"d":null})",
       R"({"c":3})"},
      {R"("a","c")", R"({"a":1,"b":2,"c":3})", R"({"a":null,"b":2,"c":null})", R"({"b":2})"},
      {R"("é")", R"({"\u00e9":1,"b":2})", R"({"\u00e9":null,"b":2})", R"({"b":2})"},
      {R"("", "  ", "# note", "x")", R"({"a":1})", R"({"a":1})", R"({"a":1})"},
      {R"("a.b")", R"({"a":5})", R"({"a":5})", R"({"a":5})"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.path);
    CAPTURE(c.body);
    CHECK(masked(std::string("[") + c.path + "]", c.body) == c.null_out);
    CHECK(masked(std::string("[") + c.path + "]", c.body, true) == c.remove_out);
  }
}

TEST_CASE_FIXTURE(Fixture, "custom: wrong mask entries say what is wrong") {
  const std::pair<const char*, const char*> cases[] = {
      {"a..b", "empty segment"},
      {".a", "empty segment"},
      {"a.", "trailing dot"},
      {"a[0", "missing closing ]"},
      {"a[]", "empty bracket segment"},
      {"a]", "unexpected ]"},
      {"/", "empty pointer segment"},
      {"/a/", "empty pointer segment"},
      {"/a//b", "empty pointer segment"},
      {"a['b", "missing closing ]"},
  };
  for (const auto& [entry, wrong] : cases) {
    CAPTURE(entry);
    CHECK(make(std::string(R"("json_param_mask":[")") + entry + "\"]") == nullptr);
    CHECK(message == std::string("invalid custom json_param_mask entry `") + entry + "`: " + wrong);
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "custom: the mask comes after gproxy's own edits and leaves valid JSON") {
  auto send = [&](const std::string& mask, bool remove) {
    auto provider = make(R"("json_param_mask":)" + mask +
                         (remove ? R"(,"json_param_mask_mode":"remove")" : ""));
    auto key = provider->open(R"({"Custom":{"api_key":"k"}})");
    const Sent sent = provider->prepare({.operation = GP_OP_STREAM_GENERATE,
                                         .model = "new",
                                         .body = R"({"model":"old","messages":[],"stream":true})",
                                         .flags = GP_REQUEST_MODEL_DIFFERS},
                                        key.get());
    CHECK(sent.status == GP_OK);
    return sent.body;
  };
  CHECK(send(R"(["temperature"])", false) ==
        R"({"stream_options":{"include_usage":true},"model":"new","messages":[],"stream":true})");
  CHECK(send(R"(["model"])", true) ==
        R"({"stream_options":{"include_usage":true},"messages":[],"stream":true})");
  CHECK(send(R"(["model"])", false) ==
        R"({"stream_options":{"include_usage":true},"model":null,"messages":[],"stream":true})");
  CHECK(send(R"(["stream_options"])", false) == R"({"model":"new","messages":[],"stream":true})");
  CHECK(send(R"(["*.cache"])", false) ==
        R"({"stream_options":{"include_usage":true},"model":"new","messages":[],"stream":true})");
  CHECK(send(R"(["*"])", true) == "{}");
  CHECK(send(R"(["model","messages","stream"])", true) == "{}");
}

TEST_CASE_FIXTURE(Fixture, "custom: thousands of masked members become one new body") {
  std::string body = R"({"m":[)", expected = body;
  for (int i = 0; i < 6000; ++i) {
    body += i == 0 ? R"({"c":1})" : R"(,{"c":1})";
    expected += i == 0 ? R"({"c":null})" : R"(,{"c":null})";
  }
  CHECK(masked(R"(["m[*].c"])", body + "]}") == expected + "]}");
}

TEST_CASE_FIXTURE(Fixture, "custom: counts are the upstream's, or made here with what the settings name") {
  struct Case {
    const char* settings;
    int32_t mode, source;
    const char *name, *bearer;
  };
  const Case cases[] = {
      {"", GP_ROUTE_NATIVE, 0, "", ""},
      {R"("count_tokens":"upstream","tokenizer":{"encoding":"llama3"})", GP_ROUTE_NATIVE, 0, "", ""},
      {R"("count_tokens":"tiktoken")", GP_ROUTE_LOCAL, GP_COUNT_ENCODING, "o200k_base", ""},
      {R"("count_tokens":"tokenizers","tokenizer":{"encoding":"cl100k_base"})", GP_ROUTE_LOCAL, GP_COUNT_ENCODING, "cl100k_base", ""},
      {R"("tokenizer":{"file":"a/b.json"})", GP_ROUTE_LOCAL, GP_COUNT_FILE, "a/b.json", ""},
      {R"("count_tokens":"local","tokenizer":{"url":"https://h/t.json","token":"x"})", GP_ROUTE_LOCAL, GP_COUNT_URL, "https://h/t.json", "x"},
      {R"("count_tokens":"estimate")", GP_ROUTE_LOCAL, GP_COUNT_ESTIMATE, "", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.settings);
    auto provider = make(c.settings);
    REQUIRE_MESSAGE(provider != nullptr, param << " " << message);
    CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS) == c.mode);
    if (c.mode != GP_ROUTE_LOCAL) continue;
    CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS) == GP_ROUTE_LOCAL);
    CHECK(provider->mode(GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS) == GP_ROUTE_LOCAL);
    const auto plan = provider->count_plan({.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_COUNT_TOKENS, .body = "{}"});
    CHECK(plan.status == GP_OK);
    CHECK(plan.source == c.source);
    CHECK(plan.name == c.name);
    CHECK(plan.bearer == c.bearer);
  }
  auto refusing = make(R"("count_tokens":"local","dispatch":{"gemini_count_tokens":"unsupported"})");
  REQUIRE(refusing != nullptr);
  CHECK(refusing->mode(GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS) == GP_ROUTE_UNSUPPORTED);
}

TEST_CASE_FIXTURE(Fixture, "custom: a 429 rests the model until the headers' reset, in any of their forms") {
  constexpr int64_t kNow = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
  FakeHost::set_now_ms(kNow);
  auto provider = make();
  REQUIRE(provider != nullptr);
  struct Case {
    const char *remaining, *reset, *value;
    int64_t wait_ms;  // 0: left to the host
  };
  const Case cases[] = {
      {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "1m30s", 90'000},
      {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "20ms", 1'000},
      {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "0.5", 1'000},
      {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "12.5", 12'500},
      {"X-RateLimit-Remaining", "X-RateLimit-Reset", "1767225660", 60'000},
      {"X-RateLimit-Remaining", "X-RateLimit-Reset", "1767225660000", 60'000},
      {"RateLimit-Remaining", "RateLimit-Reset", "45", 45'000},
      {"X-RateLimit-Remaining", "X-RateLimit-Reset", "2026-01-01T00:02:00Z", 120'000},
      {"X-RateLimit-Remaining", "X-RateLimit-Reset", "2026-01-01T02:02:00.5+02:00", 120'000},
      {"anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset", "2026-01-01T00:03:00Z", 180'000},
      {"X-RateLimit-Remaining", "X-RateLimit-Reset", "soon", 0},
      {"X-RateLimit-Remaining", "X-RateLimit-Reset", "1767225599", 0},  // it was then
      {"X-RateLimit-Remaining", "X-RateLimit-Reset", "-5", 0},
      {"X-RateLimit-Remaining", "X-Other", "60", 0},
  };
  for (const Case& c : cases) {
    CAPTURE(c.reset);
    CAPTURE(c.value);
    const Judged judged = provider->classify({.status = 429, .headers = {{c.remaining, "0"}, {c.reset, c.value}}, .body = "{}"});
    CHECK(judged.as_usual() == (c.wait_ms == 0));
    if (judged.as_usual()) continue;
    CHECK(judged.action == GP_ACTION_COOL_DOWN);
    CHECK(judged.scope == GP_SCOPE_MODEL);
    CHECK(judged.until_ms == kNow + c.wait_ms);
  }
  // With something left it was not this budget; Retry-After goes before all of it; of two budgets
  // that are used up the later one counts.
  CHECK(provider->classify({.status = 429, .headers = {{"x-ratelimit-remaining", "3"}, {"x-ratelimit-reset", "60"}}}).as_usual());
  CHECK(provider->classify({.status = 429, .headers = {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "60"}, {"retry-after", "5"}}}).as_usual());
  CHECK(provider->classify({.status = 503, .headers = {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "60"}}}).as_usual());
  CHECK(provider->classify({.status = 429, .headers = {{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "9s"}, {"x-ratelimit-remaining-tokens", "0"}, {"x-ratelimit-reset-tokens", "1h2m3s"}}}).until_ms == kNow + 3'723'000);
}
