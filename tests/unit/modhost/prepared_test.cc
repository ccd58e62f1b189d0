#include <doctest/doctest.h>

#include <vector>

#include "gproxy/abi.h"
#include "modhost/header_check.h"
#include "modhost/prepared.h"
#include "stub_module.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::str;

namespace {

struct AnUpstream {
  gp_upstream up{};
  std::vector<gp_header> headers;
  std::vector<gp_splice> splices;
  std::string client_body = R"({"model":"a/b","n":1})";
  Arena arena;

  AnUpstream() {
    up.size = sizeof up;
    up.url = str("https://api.example.com/v1/x?beta=true");
  }
  AnUpstream& url(std::string_view text) {
    up.url = str(text);
    return *this;
  }
  AnUpstream& header(std::string_view name, std::string_view value) {
    headers.push_back({str(name), str(value)});
    return *this;
  }
  AnUpstream& splice(size_t at, size_t remove, std::string_view insert) {
    splices.push_back({at, remove, str(insert)});
    return *this;
  }
  AnUpstream& body(std::string_view text) {
    up.body = str(text);
    return *this;
  }
  AnUpstream& flags(uint32_t f) {
    up.flags = f;
    return *this;
  }

  Result<Prepared> check(PreparedLimits limits = {}) {
    up.headers = headers.data();
    up.header_count = headers.size();
    if (!splices.empty()) {
      up.splices = splices.data();
      up.splice_count = splices.size();
    }
    return check_upstream(up, {"POST", client_body}, arena, limits);
  }
  Prepared good() {
    auto made = check();
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    return *made;
  }
  std::string refusal(PreparedLimits limits = {}) {
    auto made = check(limits);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code == "module_error");
    CHECK(made.error().http() == 502);
    return made.error().message;
  }
  std::string sent() {
    std::string all;
    for (auto piece : good().body) all += piece;
    return all;
  }
};

bool has(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("without body and splices the client's body goes up as it came, uncopied") {
  AnUpstream a;
  auto p = a.good();
  REQUIRE(p.body.size() == 1);
  CHECK(p.body[0].data() == a.client_body.data());
  CHECK(p.has_body);
  CHECK(p.method == "POST");
}

TEST_CASE("splices cut the client's body into pieces without copying it") {
  AnUpstream a;
  a.splice(9, 5, "\"b\"").splice(20, 0, ",\"stream\":true");
  auto p = a.good();
  CHECK(a.sent() == R"({"model":"b","n":1,"stream":true})");
  CHECK(p.body[0].data() == a.client_body.data());
  CHECK(p.body[2].data() == a.client_body.data() + 14);
  CHECK(p.body_bytes == a.sent().size());
}

TEST_CASE("splices at the very ends, without insertion, and next to each other are fine") {
  CHECK(AnUpstream().splice(0, 0, " ").sent() == R"( {"model":"a/b","n":1})");
  AnUpstream end;
  end.splice(end.client_body.size(), 0, "\n");
  CHECK(end.sent().ends_with("}\n"));
  CHECK(AnUpstream().splice(1, 8, "").splice(9, 6, "").sent() == R"({"n":1})");
  AnUpstream all;
  all.splice(0, all.client_body.size(), "");
  CHECK(all.good().body.empty());
  CHECK(all.good().has_body);
}

TEST_CASE("splices out of order, overlapping or out of range are refused") {
  CHECK(has(AnUpstream().splice(5, 4, "x").splice(8, 1, "y").refusal(), "splice 1 overlaps"));
  CHECK(has(AnUpstream().splice(9, 0, "x").splice(8, 0, "y").refusal(), "splice 1 overlaps"));
  CHECK(has(AnUpstream().splice(100, 0, "x").refusal(), "past the body's end"));
  CHECK(has(AnUpstream().splice(5, SIZE_MAX, "x").refusal(), "past the body's end"));
  CHECK(has(AnUpstream().splice(SIZE_MAX, 2, "x").refusal(), "past the body's end"));
  AnUpstream unsound;
  unsound.splices.push_back({0, 0, {nullptr, 7}});
  CHECK(has(unsound.refusal(), "no bytes"));
  AnUpstream none;
  none.up.splice_count = 3;
  CHECK(has(none.refusal(), "no list"));
  AnUpstream many;
  for (int i = 0; i < 5000; ++i) many.splice(0, 0, "x");
  CHECK(has(many.refusal(), "more than 4096 splices"));
}

TEST_CASE("a body of its own replaces the client's, beside splices it is refused") {
  CHECK(AnUpstream().body("{}").sent() == "{}");
  CHECK(has(AnUpstream().body("{}").splice(0, 0, "x").refusal(), "both set"));
  CHECK(AnUpstream().body(std::string_view("", 0)).good().has_body);
  CHECK_FALSE(AnUpstream().flags(GP_UPSTREAM_NO_BODY).good().has_body);
  CHECK(has(AnUpstream().flags(GP_UPSTREAM_NO_BODY).body("{}").refusal(), "NO_BODY"));
}

TEST_CASE("a body beyond the bound is refused, also one that would overflow the sum") {
  CHECK(has(AnUpstream().body("0123456789").refusal({8}), "at most 8 are allowed"));
  AnUpstream huge;
  huge.splices.push_back({0, 0, {"x", SIZE_MAX / 2}});
  CHECK(has(huge.refusal(), "inserts too much"));
}

TEST_CASE("urls with anything but a plain http or https host and path are refused") {
  for (auto url :
       {"https://h", "http://h:8080/p?q=1", "https://[::1]:443/x", "HTTPS://Host.example/%20"}) {
    CAPTURE(url);
    CHECK(check_url(url).ok());
  }
  for (auto url : {"",
                   "ftp://h/",
                   "file:///etc/passwd",
                   "//h/",
                   "https://",
                   "https:///x",
                   "https://u:p@h/",
                   "https://h@evil/",
                   "https://h/a b",
                   "https://h/\r\nX: y",
                   "https://h/#f",
                   "https://h:0/",
                   "https://h:99999/",
                   "https://h:x/",
                   "https://[::1/",
                   "https://[g]/",
                   "https://[::1]x/",
                   "https://h\\evil/",
                   "https://h/\x80",
                   "https://h:80:80/",
                   "https://h/<",
                   "https://h%2f/"}) {
    CAPTURE(url);
    CHECK_FALSE(check_url(url).ok());
  }
  AnUpstream secret;
  secret.up.secret_query = str("key=a b");
  CHECK(has(secret.refusal(), "secret_query"));
  AnUpstream longer;
  std::string path(9000, 'x');
  CHECK(has(longer.url("https://h/" + path).refusal(), "longer than"));
}

TEST_CASE("headers must be tokens and plain values: no module smuggles a request") {
  AnUpstream a;
  auto p = a.header("authorization", "Bearer x").header("x-a", "").good();
  CHECK(p.headers.size() == 2);
  CHECK(
      has(AnUpstream().header("x-a", "1\r\nHost: evil").refusal(), "x-a has a control character"));
  CHECK(has(AnUpstream().header("x-a", std::string_view("1\0", 2)).refusal(), "control character"));
  CHECK(has(AnUpstream().header("x a", "1").refusal(), "not a token"));
  CHECK(has(AnUpstream().header("", "1").refusal(), "not a token"));
  CHECK(has(AnUpstream().header("x:", "1").refusal(), "not a token"));
  CHECK(has(AnUpstream().header("Content-Length", "5").refusal(), "the host's to set"));
  CHECK(has(AnUpstream().header("transfer-encoding", "chunked").refusal(), "the host's to set"));
  CHECK(has(AnUpstream().header("x", std::string(20000, 'v')).refusal(), "longer than 16384"));
  AnUpstream many;
  for (int i = 0; i < 65; ++i) many.header("x-a", "1");
  CHECK(has(many.refusal(), "more than 64 headers"));
}

TEST_CASE("what the host sets itself is left out of a module's headers") {
  AnUpstream a;
  auto p = a.header("host", "evil")
               .header("x-a", "1")
               .header("Connection", "close")
               .header("accept-encoding", "br")
               .good();
  REQUIRE(p.headers.size() == 1);
  CHECK(std::string_view(p.headers[0].name) == "x-a");
}

TEST_CASE("methods, flags and timeouts have rules too") {
  AnUpstream a;
  a.up.method = str("GET");
  CHECK(a.good().method == "GET");
  a.up.method = str("CONNECT");
  CHECK(has(a.refusal(), "CONNECT"));
  a.up.method = str("GET /");
  CHECK(has(a.refusal(), "not a token"));
  CHECK(has(AnUpstream().flags(GP_UPSTREAM_STREAM | GP_UPSTREAM_BUFFER).refusal(), "both set"));
  AnUpstream t;
  t.up.idle_ms = -1;
  CHECK(has(t.refusal(), "negative"));
  t.up.idle_ms = INT64_MAX;
  CHECK(t.good().idle_ms == 24LL * 3600 * 1000);
  AnUpstream small;
  small.up.size = 16;
  CHECK(has(small.refusal(), "gp_upstream has 16 bytes"));
}

TEST_CASE("an exhausted arena is not the module's fault") {
  AnUpstream a;
  Arena tiny(64, 64);
  (void)tiny.alloc(48);
  auto made = check_upstream(a.up, {"POST", a.client_body}, tiny, {});
  (void)made;
  a.splice(0, 0, "x");
  a.up.splices = a.splices.data();
  a.up.splice_count = 1;
  Arena full(16, 16);
  auto refused = check_upstream(a.up, {"POST", a.client_body}, full, {});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == "memory_limit");
}
