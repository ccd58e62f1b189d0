// Token counts that gproxy makes itself, through a worker.
#include <doctest/doctest.h>

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/json.h"
#include "bench.h"
#include "gateway/tokenizer_fetch.h"

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

upstream::FakeClient::Answer failing_fetch(int status) {
  upstream::FakeClient::Answer answer;
  answer.status = status;
  answer.pieces = {"no"};
  return answer;
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

TEST_CASE("a count with a built-in encoding is exact, in each protocol") {
  Bench bench(counter());
  const auto c = bench.ask(
      post("/c/v1/messages/count_tokens", claude("encoding:o200k_base", "Hello, world! 你好")));
  CHECK(c.status == 200);
  CHECK(c.body == R"({"input_tokens":12})");  // six for the text and six for the framing
  CHECK(c.header("x-gproxy-estimated").empty());
  const auto o = bench.ask(post("/c/v1/responses/input_tokens",
                                R"({"model":"encoding:o200k_base","input":"Hello, world! 你好"})"));
  CHECK(o.body == R"({"object":"response.input_tokens","input_tokens":12})");
  CHECK(bench.upstream.calls() == 0);
}

TEST_CASE("an encoding that the host does not have is the module's fault") {
  Bench bench(counter());
  const auto answer = bench.ask(post("/c/v1/messages/count_tokens", claude("encoding:none", "x")));
  CHECK(answer.status == 502);
  CHECK(answer.header("x-gproxy-error") == "module_error");
}

TEST_CASE("a long text is counted in the pool, and nobody waits for it when the client has left") {
  Bench bench(counter());
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "word ";
  const auto answer =
      bench.ask(post("/c/v1/messages/count_tokens", claude("encoding:cl100k_base", text)));
  CHECK(answer.body == R"({"input_tokens":20007})");  // the last blank is one
  {
    const auto client = bench.connect();
    client->send(post("/c/v1/messages/count_tokens", claude("encoding:cl100k_base", text)));
    bench.turn(1);
  }
  CHECK(bench.turn_until([&] { return bench.worker->stats().exchanges == 0; }));
}

TEST_CASE("a file that is not there makes the count an estimate") {
  Bench bench(counter());
  const auto answer =
      bench.ask(post("/c/v1/messages/count_tokens", claude("file:none.json", "12345678")));
  CHECK(answer.status == 200);
  CHECK(answer.body == R"({"input_tokens":6})");
  CHECK(answer.header("x-gproxy-estimated") == "1");
}

namespace {

class DataDir {
 public:
  DataDir() {
    char name[] = "/tmp/gproxy-count-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~DataDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A tokenizer.json whose tokens are the bytes.
std::string bytes_tokenizer() {
  std::string vocab;
  int next = 256;
  for (int b = 0; b < 256; ++b) {
    const bool plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    const int code = plain ? b : next++;
    std::string letter;
    if (code < 0x80) {
      letter = static_cast<char>(code);
    } else {
      letter = {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
    }
    if (b > 0) vocab += ',';
    json::write_string(letter, vocab);
    vocab += ':' + std::to_string(b);
  }
  return R"({"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},"model":{"type":"BPE","vocab":{)" +
         vocab + R"(},"merges":[]}})";
}

}  // namespace

TEST_CASE("a tokenizer is fetched once, kept, and its token is never sent to another host") {
  const DataDir data;
  Bench bench(counter());
  bench.shared.tokenizers.set_data_dir(data.path());
  upstream::FakeClient::Answer moved;
  moved.status = 302;
  moved.headers = {{"location", "https://cdn.test/blob?sig=1"}};
  bench.upstream.answer(moved);
  bench.upstream.answer({.pieces = {bytes_tokenizer()}});
  const auto request = post("/c/v1/messages/count_tokens",
                            claude("url+bearer:https://hub.test/m/tokenizer.json", "12345678"));
  const auto first = bench.ask(request);
  CHECK(first.body == R"({"input_tokens":14})");
  CHECK(first.header("x-gproxy-estimated").empty());
  REQUIRE(bench.upstream.calls() == 2);
  CHECK(bench.upstream.call(0).url == "https://hub.test/m/tokenizer.json");
  CHECK(bench.upstream.call(0).header("authorization") == "Bearer hf-secret");
  CHECK(bench.upstream.call(1).url == "https://cdn.test/blob?sig=1");
  CHECK(bench.upstream.call(1).header("authorization").empty());
  CHECK(bench.ask(request).body == first.body);
  CHECK(bench.upstream.calls() == 2);
}

TEST_CASE(
    "a tokenizer that cannot be fetched makes the count an estimate, and is not asked for at once "
    "again") {
  const DataDir data;
  Bench bench(counter());
  bench.shared.tokenizers.set_data_dir(data.path());
  bench.upstream.answer(failing_fetch(401));
  const auto request =
      post("/c/v1/messages/count_tokens", claude("url:https://hub.test/gone", "12345678"));
  for (int i = 0; i < 2; ++i) {
    const auto answer = bench.ask(request);
    CHECK(answer.status == 200);
    CHECK(answer.body == R"({"input_tokens":6})");
    CHECK(answer.header("x-gproxy-estimated") == "1");
  }
  CHECK(bench.upstream.calls() == 1);
}

TEST_CASE("what comes instead of a tokenizer is not kept") {
  const DataDir data;
  Bench bench(counter());
  bench.shared.tokenizers.set_data_dir(data.path());
  bench.upstream.answer({.pieces = {"<html>"}});
  const auto answer = bench.ask(
      post("/c/v1/messages/count_tokens", claude("url:https://hub.test/html", "12345678")));
  CHECK(answer.header("x-gproxy-estimated") == "1");
  CHECK(std::filesystem::is_empty(data.path()));
}

TEST_CASE("redirects lead on, but not from https down to http") {
  CHECK(follow_redirect("https://a/x", "https://b/y") == "https://b/y");
  CHECK(follow_redirect("https://a:1/x", "/y?z") == "https://a:1/y?z");
  CHECK(follow_redirect("https://a/x", "//b/y") == "https://b/y");
  CHECK(follow_redirect("http://a/x", "https://b/y") == "https://b/y");
  CHECK(follow_redirect("https://a/x", "http://a/x").empty());
  CHECK(follow_redirect("https://a/x", "ftp://a/x").empty());
  CHECK(follow_redirect("https://a/x", "").empty());
  CHECK(is_same_origin("https://a/x", "https://A:443/y"));
  CHECK_FALSE(is_same_origin("https://a/x", "https://a:444/x"));
  CHECK_FALSE(is_same_origin("https://a/x", "https://a.b/x"));
}

}  // namespace gproxy::gateway::test
