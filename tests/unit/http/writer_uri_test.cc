#include <doctest/doctest.h>

#include <array>
#include <string>

#include "http/uri.h"
#include "http/writer.h"

using namespace gproxy;
using namespace gproxy::http;

namespace {

std::string respond(const RequestTraits& request, int status, std::optional<uint64_t> length,
                    std::string_view body, bool* keep_alive = nullptr) {
  static const std::array<HeaderView, 2> kHeaders = {HeaderView{"x-a", "b"},
                                                     HeaderView{"Connection", "upgrade"}};
  ResponseWriter writer(request);
  std::string out;
  CHECK(writer.begin(status, kHeaders, length, out).ok());
  const auto pieces = writer.piece(body);
  for (auto view : pieces.span()) out += view;
  out += writer.end();
  if (keep_alive != nullptr) *keep_alive = writer.keep_alive();
  return out;
}

RequestTraits traits(bool head, Version version, bool keep_alive) {
  RequestTraits t;
  t.is_head = head;
  t.version = version;
  t.keep_alive = keep_alive;
  return t;
}

}  // namespace

TEST_CASE("the framing follows request and status") {
  const RequestTraits modern = traits(false, Version::http11, true),
                      old = traits(false, Version::http10, false);
  bool keep = false;
  CHECK(respond(modern, 200, 2, "hi", &keep) ==
        "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\n\r\nhi");
  CHECK(keep);
  CHECK(respond(modern, 200, {}, "hi", &keep) ==
        "HTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
  CHECK(keep);
  CHECK(respond(old, 200, {}, "hi", &keep) ==
        "HTTP/1.1 200 OK\r\nx-a: b\r\nconnection: close\r\n\r\nhi");
  CHECK_FALSE(keep);
  CHECK(respond(traits(false, Version::http10, true), 200, 2, "hi", &keep) ==
        "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nhi");
  CHECK(keep);
  CHECK(respond(traits(false, Version::http10, true), 200, {}, "hi", &keep)
            .find("connection: close") != std::string::npos);
  CHECK_FALSE(keep);
}

TEST_CASE("HEAD, 204 and 304 have no body") {
  const RequestTraits head = traits(true, Version::http11, true),
                      modern = traits(false, Version::http11, true);
  CHECK(respond(head, 200, 5, "hello") == "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 5\r\n\r\n");
  CHECK(respond(head, 200, {}, "hello") == "HTTP/1.1 200 OK\r\nx-a: b\r\n\r\n");
  CHECK(respond(modern, 204, 0, "hello") == "HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n");
  CHECK(respond(modern, 304, 5, "hello") ==
        "HTTP/1.1 304 Not Modified\r\nx-a: b\r\ncontent-length: 5\r\n\r\n");
}

TEST_CASE("a body is never longer than promised, and a shorter one closes") {
  bool keep = true;
  const RequestTraits modern = traits(false, Version::http11, true);
  CHECK(respond(modern, 200, 2, "hixx", &keep).ends_with("\r\n\r\nhi"));
  CHECK_FALSE(keep);
  respond(modern, 200, 5, "hi", &keep);
  CHECK_FALSE(keep);
}

TEST_CASE("the payload of a chunk stays where it is") {
  ResponseWriter writer;
  std::string out;
  REQUIRE(writer.begin(200, {}, {}, out).ok());
  const std::string payload(300, 'x');
  const auto pieces = writer.piece(payload);
  REQUIRE(pieces.count == 3);
  CHECK(pieces.views[0] == "12c\r\n");
  CHECK(pieces.views[1].data() == payload.data());
  CHECK(pieces.bytes() == 307);
  CHECK(writer.piece("").count == 0);
}

TEST_CASE("nobody's header splits a response") {
  for (const auto& bad :
       {HeaderView{"x", "a\r\nset-cookie: b"}, HeaderView{"x", "a\nb"}, HeaderView{"x y", "a"},
        HeaderView{"", "a"}, HeaderView{"x:", "a"}, HeaderView{"x", std::string_view("a\0b", 3)},
        HeaderView{"x\r\ny", "a"}}) {
    ResponseWriter writer;
    std::string out = "before";
    CHECK(writer.begin(200, {&bad, 1}, 0, out).error().code == "invalid_response_header");
    CHECK(out == "before");
  }
}

TEST_CASE("header lists: case, absence, hop-by-hop") {
  const std::array<HeaderView, 2> list = {HeaderView{"Content-Type", "a/b"},
                                          HeaderView{"x-empty", ""}};
  CHECK(find(list, "content-TYPE") == "a/b");
  CHECK(has(list, "x-empty"));
  CHECK_FALSE(has(list, "x"));
  CHECK(is_hop_by_hop("Transfer-Encoding"));
  CHECK_FALSE(is_hop_by_hop("content-length"));
  CHECK(is_token("x-a_b.c"));
  CHECK_FALSE(is_token("x a"));
  CHECK(is_field_value("a\tb \xc3\xa9"));
  CHECK_FALSE(is_field_value("a\x7f"));
  // Wherever it stands in a long value.
  for (size_t at = 0; at < 50; ++at) {
    for (char c : {'\0', '\x1f', '\n', '\r', '\x7f'}) {
      std::string value(50, 'v');
      value[at] = c;
      CHECK_FALSE(is_field_value(value));
    }
    for (char c : {'\t', ' ', '~', '\x80', '\xff'}) {
      std::string value(50, 'v');
      value[at] = c;
      CHECK(is_field_value(value));
    }
  }
}

TEST_CASE("targets are split at the first question mark") {
  CHECK(split_target("/a?b?c").path == "/a");
  CHECK(split_target("/a?b?c").query == "b?c");
  CHECK(split_target("/a?").query.data() != nullptr);
  CHECK(split_target("/a").query.data() == nullptr);
}

TEST_CASE("URIs are read whole or not at all") {
  auto uri = parse_uri("https://[2001:db8::1]:8443/v1/x?y=1");
  REQUIRE(uri.ok());
  CHECK(uri->host == "[2001:db8::1]");
  CHECK(uri->port == 8443);
  CHECK(uri->path == "/v1/x");
  CHECK(uri->query == "y=1");
  CHECK(parse_uri("http://h")->port == 80);
  CHECK(parse_uri("HTTPS://h")->port == 443);
  CHECK(parse_uri("http://h?q")->query == "q");
  for (const char* bad :
       {"", "h", "//h", "ftp://h", "http://", "http:///x", "http://u:p@h/", "http://h:x/",
        "http://h:70000/", "http://h/ x", "http://h/#f", "http://h/%0", "http://h/%00",
        "http://h\\@e/", "http://[::1", "http://[abc]/", "http://h\r\n/"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_uri(bad).ok());
  }
}

TEST_CASE("segments are decoded, but never into separators or control characters") {
  CHECK(decode_segment("models%2Dx%20y") == "models-x y");
  for (const char* bad : {"a%2fb", "a%5Cb", "%0d%0a", "%00", "%7f", "%", "%g0"})
    CHECK_FALSE(decode_segment(bad));
  CHECK(path_segments("/v1//x") == std::vector<std::string_view>{"v1", "", "x"});
  CHECK(path_segments("/").empty());
  CHECK(path_segments("").empty());
}

TEST_CASE("removing a parameter leaves every other byte") {
  CHECK(query_without("a=1&key=s&b=%20+x", "key") == "a=1&b=%20+x");
  CHECK(query_without("key=s", "key") == "");
  CHECK(query_without("key=1&key=2&a", "key") == "a");
  CHECK(query_without("a&&b=&=c&%6Bey=s&", "key") == "a&&b=&=c&");
  CHECK(query_without("keys=1&a=key", "key") == "keys=1&a=key");
  CHECK(query_without("", "key") == "");
  CHECK(query_value("a=1&k%65y=x+y%21", "key") == "x y!");
  CHECK(query_value("a&b=", "a") == "");
  CHECK_FALSE(query_value("a=1", "b"));
  CHECK(parse_query("a=1&&b").size() == 2);
  CHECK(parse_query("a=1&&b")[1].at == 5);
}
