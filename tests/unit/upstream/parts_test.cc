// The pure parts: response heads, URLs, failures, the store of authorities, the client without I/O.
#include <doctest/doctest.h>

#include <cstdlib>

#include "support.h"
#include "upstream/failure.h"
#include "upstream/fake_client.h"
#include "upstream/header_block.h"
#include "upstream/response_head.h"
#include "upstream/url_cache.h"

using namespace gproxy;
using namespace gproxy::upstream;
using namespace gproxy::upstream::test;
using Progress = ResponseHead::Progress;

namespace {

Progress feed(ResponseHead& head, std::initializer_list<const char*> lines) {
  Progress progress = Progress::more;
  for (const char* line : lines) progress = head.add(line, 10'000, 100);
  return progress;
}

std::string text(std::span<const http::HeaderView> fields) {
  std::string all;
  for (const auto& f : fields) {
    all +=
        std::string(std::string_view(f.name)) + "=" + std::string(std::string_view(f.value)) + ";";
  }
  return all;
}

}  // namespace

TEST_CASE("response heads: versions, trimming, folding, fields that cannot be passed on") {
  ResponseHead head;
  CHECK(feed(head, {"HTTP/2 204 \r\n", "A:  b \r\n", "c:\r\n", "\r\n"}) == Progress::complete);
  CHECK(head.status() == 204);
  CHECK(head.major_version() == 2);
  CHECK(text(head.fields(ResponseHead::Coding::as_sent)) == "A=b;c=;");

  CHECK(feed(head, {"HTTP/1.1 100 Continue\r\n", "\r\n"}) == Progress::interim);
  CHECK(feed(head, {"HTTP/1.1 200\r\n", "x: 1\r\n", "  2\r\n", "\r\n"}) == Progress::complete);
  CHECK(text(head.fields(ResponseHead::Coding::as_sent)) == "x=1 2;");

  CHECK(feed(head, {"HTTP/1.1 200 OK\r\n", "no colon\r\n", "bad name: 1\r\n", "x: a\rb\r\n",
                    "y: \x01\r\n", "z: ok\r\n", "\r\n"}) == Progress::complete);
  CHECK(text(head.fields(ResponseHead::Coding::as_sent)) == "z=ok;");

  CHECK(feed(head, {"HTTP/1.1 2x0 OK\r\n"}) == Progress::malformed);
  CHECK(feed(head, {"HTTP/1.1\r\n"}) == Progress::malformed);
}

TEST_CASE("response heads: an encoding is noticed and can be left out") {
  ResponseHead head;
  feed(head,
       {"HTTP/1.1 200 OK\r\n", "Content-Encoding: GZIP\r\n", "content-length: 3\r\n", "x: 1\r\n"});
  CHECK(head.is_encoded());
  CHECK(text(head.fields(ResponseHead::Coding::removed)) == "x=1;");
  feed(head, {"HTTP/1.1 200 OK\r\n", "content-encoding: identity\r\n"});
  CHECK_FALSE(head.is_encoded());
}

TEST_CASE("response heads: what is between the upstream and us is left out") {
  ResponseHead head;
  const auto sent = [&] { return text(head.fields(ResponseHead::Coding::as_sent)); };
  feed(head, {"HTTP/1.1 200 OK\r\n", "Connection: X-Hop , close\r\n", "x-hop: 1\r\n",
              "connection: y\r\n", "Y: 2\r\n", "z: 3\r\n"});
  CHECK(sent() == "Connection=X-Hop , close;connection=y;z=3;");
  feed(head, {"HTTP/1.1 200 OK\r\n", "connection: keep-alive\r\n", "a: 1\r\n"});
  CHECK(sent() == "connection=keep-alive;a=1;");
  // Chunks overrule a length: passed on, it would cut the answer short.
  feed(head, {"HTTP/1.1 200 OK\r\n", "content-length: 3\r\n", "transfer-encoding: chunked\r\n"});
  CHECK(sent() == "transfer-encoding=chunked;");
  feed(head, {"HTTP/1.1 200 OK\r\n", "content-length: 3\r\n"});
  CHECK(sent() == "content-length=3;");
}

TEST_CASE("the url cache keeps the most recently used and never a secret") {
  UrlCache cache(2);
  REQUIRE(cache.find("https://a.example/x").ok());
  REQUIRE(cache.find("https://b.example/x").ok());
  REQUIRE(cache.find("https://a.example/x").ok());
  CHECK(cache.parsed() == 2);
  REQUIRE(cache.find("https://c.example/x").ok());  // b goes
  REQUIRE(cache.find("https://a.example/x").ok());
  CHECK(cache.parsed() == 3);
  REQUIRE(cache.find("https://b.example/x").ok());
  CHECK(cache.parsed() == 4);
  CHECK(cache.size() == 2);

  REQUIRE(cache.with_query("https://b.example/x", "key=1").ok());
  REQUIRE(cache.with_query("https://b.example/x", "key=2").ok());
  CHECK(cache.parsed() == 4);
  CHECK(cache.size() == 2);
}

TEST_CASE("urls: one origin, one hash; errors name no part of the url") {
  UrlCache cache(8);
  auto a = cache.find("https://host.example/a?q=1");
  auto b = cache.find("https://host.example:443/b");
  auto c = cache.find("http://host.example/a");
  CHECK((*a)->origin_hash == (*b)->origin_hash);
  CHECK((*a)->origin_hash != (*c)->origin_hash);
  CHECK((*a)->tls);
  CHECK_FALSE((*c)->tls);
  for (const char* bad : {"", "gopher://secret.example/", "http://secret .example/", "/secret",
                          "http://secret.example:99999/"}) {
    auto result = cache.find(bad);
    REQUIRE_FALSE_MESSAGE(result.ok(), bad);
    CHECK(result.error().message.find("secret") == std::string::npos);
  }
}

TEST_CASE("header blocks are rebuilt in place") {
  HeaderBlock block;
  const http::HeaderView first[] = {{"a", "1"}, {"Accept", "x/y"}};
  std::string all;
  for (auto* node = block.build(first, 10); node != nullptr; node = node->next) {
    all += std::string(node->data) + "|";
  }
  CHECK(all == "a: 1|Accept: x/y|Accept-Encoding: identity|Content-Type:|");
  const http::HeaderView second[] = {{"b", ""}};
  all.clear();
  for (auto* node = block.build(second, 10); node != nullptr; node = node->next) {
    all += std::string(node->data) + "|";
  }
  CHECK(all == "b;|Accept:|Accept-Encoding: identity|Content-Type:|");
}

TEST_CASE("failures are told apart, and their text holds no secret") {
  CHECK(classify(CURLE_OK, {}) == FailureKind::none);
  CHECK(classify(CURLE_COULDNT_RESOLVE_HOST, {}) == FailureKind::dns);
  CHECK(classify(CURLE_COULDNT_CONNECT, {}) == FailureKind::connect);
  CHECK(classify(CURLE_COULDNT_CONNECT, {.uses_proxy = true}) == FailureKind::proxy);
  CHECK(classify(CURLE_RECV_ERROR, {.connect_code = 407, .uses_proxy = true}) ==
        FailureKind::proxy);
  CHECK(classify(CURLE_RECV_ERROR, {.connect_code = 200, .uses_proxy = true}) ==
        FailureKind::reset);
  CHECK(classify(CURLE_OPERATION_TIMEDOUT, {}) == FailureKind::connect_timeout);
  CHECK(classify(CURLE_PEER_FAILED_VERIFICATION, {}) == FailureKind::tls);
  CHECK(classify(CURLE_HTTP2_STREAM, {}) == FailureKind::protocol);
  CHECK(classify(CURLE_FAILED_INIT, {}) == FailureKind::other);

  CHECK(failure_message(CURLE_COULDNT_CONNECT, "refused\n now", "") == "refused  now");
  CHECK(failure_message(CURLE_COULDNT_CONNECT, "see key=abc", "key=abc") ==
        curl_easy_strerror(CURLE_COULDNT_CONNECT));
  CHECK(failure_message(CURLE_COULDNT_CONNECT, std::string(1000, 'x'), "").size() <= 200);
  CHECK(name(FailureKind::first_byte_timeout) == "first_byte_timeout");
}

TEST_CASE("the authority store: system bundle, extra file, errors that name the field") {
  auto extra = CaStore::load(
      {.extra_file = certificates().authority_file(), .system = CaConfig::System::ignored});
  REQUIRE(extra.ok());
  CHECK((*extra)->certificates() == 1);
  CHECK((*extra)->native() != nullptr);

  auto missing = CaStore::load({.extra_file = "/does/not/exist.pem"});
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().param == "ca_file");
  auto no_pem = CaStore::load({.extra_file = certificates().key_file()});
  REQUIRE_FALSE(no_pem.ok());

  auto system = CaStore::load({.system_file = certificates().authority_file()});
  REQUIRE(system.ok());
  CHECK((*system)->certificates() == 1);
  CHECK_FALSE(CaStore::load({.system_file = "/does/not/exist.pem"}).ok());
  CHECK_FALSE(CaStore::load({.system_dir = "/does/not/exist"}).ok());

  ::setenv("SSL_CERT_FILE", "/some/file", 1);
  CHECK(CaConfig::from_environment().system_file == "/some/file");
  ::unsetenv("SSL_CERT_FILE");
}

TEST_CASE("the authority store loads on a thread of its own") {
  auto store = CaStore::load_async({.extra_file = certificates().authority_file()});
  CHECK(store->wait().ok());
  CHECK(store->certificates() >= 1);
  auto broken = CaStore::load_async({.extra_file = "/does/not/exist.pem"});
  CHECK_FALSE(broken->wait().ok());
  CHECK(broken->native() == nullptr);
}

TEST_CASE("the fake client plays scripts after start() returned") {
  net::Loop loop;
  FakeClient fake(&loop);
  fake.answer({.status = 429, .pieces = {"busy"}});
  Ask ask("https://api.example/v1", "POST");
  ask.with_header("x-a", "1").with_body("{").with_body("}");
  Recorder r;
  r.transfer = fake.start(ask.request(), r);
  CHECK(r.heads == 0);
  loop.run_once(net::Loop::Wait::no);
  CHECK(r.status == 429);
  CHECK(r.body == "busy");
  CHECK(r.good());
  CHECK(fake.last().body == "{}");
  CHECK(fake.last().body_pieces == 2);
  CHECK(fake.last().header("X-A") == "1");
  CHECK(fake.live() == 0);
}

TEST_CASE("the fake client keeps the promises of the real one") {
  FakeClient fake;
  Ask ask("https://api.example/v1");
  Recorder r;
  r.transfer = fake.start(ask.request(), r);
  auto& call = fake.last();
  call.head(200);
  r.transfer->pause(Pause::chain);
  call.data("a");
  call.data("b");
  CHECK(r.body.empty());
  r.transfer->resume(Pause::chain);
  CHECK(r.body.empty());
  fake.run_pending();
  CHECK(r.body == "ab");
  SUBCASE("failing") {
    call.fail(FailureKind::reset);
    CHECK(r.failure() == "reset");
    CHECK(r.completion->request_sent);
  }
  SUBCASE("aborting") {
    r.transfer->abort();
    call.data("c");
    call.complete();
    CHECK(r.body == "ab");
    CHECK_FALSE(r.done());
    CHECK(call.aborted());
  }
  SUBCASE("aborting inside an event") {
    r.when_data = [&] { r.transfer.reset(); };
    call.data("c");
    call.data("d");
    CHECK(r.body == "abc");
  }
}
