#include "http/parser.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "parse_helper.h"

using namespace gproxy;
using namespace gproxy::http;
using http::testing::Recorder;

namespace {

struct Fixture {
  Arena arena;
  Recorder sink;
  RequestParser parser;
  explicit Fixture(const ParserLimits& limits = {}) : parser(sink, limits) { parser.begin(arena); }
};

}  // namespace

TEST_CASE("a head is told with all its parts") {
  Fixture f;
  REQUIRE(f.parser
              .feed("POST /v1/x?a=1&b HTTP/1.1\r\nHost: Example.org:80\r\nX-A:  b c "
                    "\r\ncontent-length: 2\r\nExpect: 100-Continue\r\n\r\nhi")
              .ok());
  const RequestHead* head = f.parser.head();
  REQUIRE(head != nullptr);
  CHECK(head->method == "POST");
  CHECK(head->target == "/v1/x?a=1&b");
  CHECK(head->path == "/v1/x");
  CHECK(head->query == "a=1&b");
  CHECK(head->authority == "Example.org:80");
  CHECK(head->header("x-a") == "b c");
  CHECK(head->header("x-b").data() == nullptr);
  CHECK(head->headers.size() == 4);
  CHECK(head->content_length == 2);
  CHECK(head->expect_continue);
  CHECK(head->keep_alive);
  CHECK(f.sink.body == "hi");
  CHECK(f.parser.done());
}

TEST_CASE("absolute-form gives path, query and authority") {
  Fixture f;
  REQUIRE(f.parser.feed("GET http://a:8080?x=1 HTTP/1.1\r\nHost: A:8080\r\n\r\n").ok());
  CHECK(f.parser.head()->path == "/");
  CHECK(f.parser.head()->query == "x=1");
  CHECK(f.parser.head()->authority == "A:8080");
}

TEST_CASE("keep-alive follows version and connection options") {
  const std::tuple<const char*, const char*, bool> rows[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.0", "", false},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.1", "Connection: keep-alive, close\r\n", false},
      {"1.1", "Connection: x\r\nConnection: CLOSE\r\n", false},
      {"1.0", "Connection: keep-alive\r\nConnection: close\r\n", false}};
  for (const auto& [version, fields, expected] : rows) {
    CAPTURE(fields);
    Fixture f;
    REQUIRE(
        f.parser.feed(std::string("GET / HTTP/") + version + "\r\nHost: a\r\n" + fields + "\r\n")
            .ok());
    CHECK(f.parser.head()->keep_alive == expected);
  }
}

TEST_CASE("a pipelined request waits: its bytes are not consumed") {
  Fixture f;
  const std::string first = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  const std::string both = first + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(*f.parser.feed(both) == first.size());
  CHECK(f.parser.done());
  CHECK(*f.parser.feed(std::string_view(both).substr(first.size())) == 0);
  CHECK(f.sink.ends == 1);
  f.parser.begin(f.arena);
  CHECK(f.parser.idle());
  CHECK(*f.parser.feed(std::string_view(both).substr(first.size())) == both.size() - first.size());
  CHECK(f.sink.ends == 2);
  CHECK(f.parser.head()->path == "/2");
}

TEST_CASE("a paused parser goes on with the body where it stood") {
  Fixture f;
  f.sink.action = Action::pause;
  const std::string raw =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  const size_t head = raw.find("\r\n\r\n") + 4;
  CHECK(*f.parser.feed(raw) == head);
  CHECK(f.sink.body.empty());
  CHECK(*f.parser.feed(std::string_view(raw).substr(head)) == raw.size() - head);
  CHECK(f.sink.body == "abc");
  CHECK(f.sink.ends == 1);
}

TEST_CASE("a stopped parser reads nothing more of the message") {
  Fixture f;
  f.sink.action = Action::stop;
  const std::string raw = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  CHECK(*f.parser.feed(raw) == raw.size() - 3);
  CHECK(*f.parser.feed("abc") == 0);
  CHECK(f.sink.ends == 0);
  CHECK(f.sink.body.empty());
}

TEST_CASE("stop() from inside a body callback is the last thing heard") {
  struct Stopper final : RequestSink {
    RequestParser* parser = nullptr;
    int pieces = 0, ends = 0;
    Action on_head(const RequestHead&) override { return Action::proceed; }
    void on_body(std::string_view) override {
      ++pieces;
      parser->stop();
    }
    void on_end() override { ++ends; }
  } sink;
  Arena arena;
  RequestParser parser(sink);
  sink.parser = &parser;
  parser.begin(arena);
  CHECK(parser
            .feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
            .ok());
  CHECK(sink.pieces == 1);
  CHECK(sink.ends == 0);
}

TEST_CASE("the head is known also when its body is refused") {
  Fixture f({.max_body_bytes = 10});
  auto result =
      f.parser.feed("POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
  CHECK(result.error().http() == 413);
  CHECK(f.sink.heads == 0);
  REQUIRE(f.parser.head() != nullptr);
  CHECK(f.parser.head()->path == "/v1/messages");
  CHECK(f.parser.feed("x").error().http() == 413);  // final
}

TEST_CASE("the request line of a refused head is known, as far as it came") {
  struct Row {
    std::string bytes;
    const char *method, *path, *query;
  };
  const std::string big(5000, 'y');
  const Row rows[] = {
      {"POST /v1/x?a=1 HTTP/1.1\r\nHost: a\r\nbad field\r\n\r\n", "POST", "/v1/x", "a=1"},
      {"POST /v1/x HTTP/1.1\r\nHost: a\r\nx: " + big + big + "\r\n\r\n", "POST", "/v1/x", ""},
      {"GET /v1/x HTTP/3.0\r\n\r\n", "GET", "/v1/x", ""},
      {"HEAD http://a:1/v1/x?b HTTP/1.1\r\nHost: b\r\n\r\n", "HEAD", "/v1/x", "b"},
      {"GET http://a HTTP/1.1\r\nHost: b\r\n\r\n", "", "", ""},
      {"GET /v1/\x80 HTTP/1.1\r\nHost: b\r\n\r\n", "", "", ""},
      {"G/T /v1/x HTTP/1.1\r\nHost: b\r\n\r\n", "", "", ""},
      {"\x16\x03\x01", "", "", ""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.bytes.substr(0, 60));
    Fixture f({.max_header_bytes = 8000});
    CHECK_FALSE(f.parser.feed(row.bytes).ok());
    CHECK(f.parser.line().method == row.method);
    CHECK(f.parser.line().path == row.path);
    CHECK(f.parser.line().query == row.query);
  }
  Fixture cut({.max_target_bytes = 6000});
  CHECK(cut.parser.feed("POST /v1/messages?" + big + big).error().http() == 414);
  CHECK(cut.parser.line().path == "/v1/messages");
  Fixture waits;
  CHECK(waits.parser.feed("POST /v1/mes").ok());
  CHECK(waits.parser.feed("sages HTTP/1.1\r\nHost").ok());
  CHECK(waits.parser.line().path == "/v1/messages");
}

TEST_CASE("chunked bodies are counted while they come") {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  ParserLimits limits;
  limits.max_body_bytes = 10;
  CHECK(http::testing::run(head + "5\r\nabcde\r\n5\r\nabcde\r\n0\r\n\r\n", {}, limits).status == 0);
  CHECK(http::testing::run(head + "5\r\nabcde\r\n6\r\n", {}, limits).status == 413);
}

TEST_CASE("limits hold exactly") {
  ParserLimits limits;
  limits.max_target_bytes = 10;
  CHECK(http::testing::run("GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n", {}, limits).status == 0);
  CHECK(http::testing::run("GET /1234567890 HTTP/1.1\r\nHost: a\r\n\r\n", {}, limits).status ==
        414);
  limits = {};
  limits.max_headers = 2;
  CHECK(http::testing::run("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n", {}, limits).status == 0);
  CHECK(
      http::testing::run("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 1\r\n\r\n", {}, limits).status ==
      431);
  limits = {};
  limits.max_header_bytes = 64;
  CHECK(http::testing::run("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, limits).status == 0);
  CHECK(http::testing::run("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(40, 'x') + "\r\n\r\n",
                           {}, limits)
            .status == 431);
}

TEST_CASE("an end in the middle of a message is an error, between messages it is not") {
  Fixture f;
  CHECK(f.parser.finish().ok());
  CHECK(f.parser.feed("\r\n").ok());
  CHECK(f.parser.idle());
  CHECK(f.parser.finish().ok());
  CHECK(f.parser.feed("GET / HT").ok());
  CHECK_FALSE(f.parser.idle());
  CHECK_FALSE(f.parser.finish().ok());
  CHECK(f.parser.feed("TP/1.1\r\nHost: a\r\n\r\n").ok());
  CHECK(f.parser.finish().ok());
}

TEST_CASE("a head that does not fit into the arena is an overload, not a crash") {
  Arena arena(256, 1024);
  Recorder sink;
  RequestParser parser(sink);
  parser.begin(arena);
  auto result =
      parser.feed("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(4000, 'x') + "\r\n\r\n");
  CHECK(result.error().http() == 503);
}

TEST_CASE("random dialogues do not depend on where they are split") {
  std::mt19937 random(5);
  const std::string parts[] = {"GET / HTTP/1.1\r\n",
                               "POST /x HTTP/1.1\r\n",
                               "Host: a\r\n",
                               "Content-Length: 3\r\n",
                               "Transfer-Encoding: chunked\r\n",
                               "\r\n",
                               "abc",
                               "3\r\nabc\r\n",
                               "0\r\n",
                               "X: y\r\n",
                               "\r",
                               "\n",
                               " ",
                               ":",
                               "0",
                               ";a=b",
                               "Connection: close\r\n"};
  for (int round = 0; round < 20000; ++round) {
    std::string raw = random() % 2 == 0 ? "POST / HTTP/1.1\r\nHost: a\r\n" : "";
    for (size_t i = random() % 8; i > 0; --i) raw += parts[random() % std::size(parts)];
    const auto whole = http::testing::run(raw);
    std::vector<size_t> cuts;
    for (size_t at = random() % 5; at < raw.size(); at += 1 + random() % 9) cuts.push_back(at);
    const auto split = http::testing::run(raw, cuts);
    REQUIRE(split.log == whole.log);
    REQUIRE(split.status == whole.status);
    REQUIRE(split.complete == whole.complete);
  }
}
