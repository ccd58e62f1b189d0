// The helpers of the C++ layer: addresses, edits of bodies, waits; and the fake host's own JSON and
// hashes.
#include <doctest/doctest.h>

#include <optional>

#include "gproxy/json_splice.hpp"
#include "gproxy/url.hpp"
#include "gproxy/verdicts.hpp"
#include "testing/conformance.h"
#include "testing/fake_crypto.h"
#include "testing/fake_host.h"
#include "testing/fake_json.h"

using namespace gp::testing;

namespace {

struct Fixture {
  FakeHost host;
  FakeArena memory;
  gp::Arena arena{host.table(), memory.handle()};

  std::string edited(std::string_view body, auto edit_body) {
    gp::BodyEdit edit(arena, body);
    edit_body(edit);
    gp_upstream out = gp::stamped<gp_upstream>();
    REQUIRE(edit.finish(out));
    check_upstream(
        [&] {
          gp_upstream u = out;
          u.url = gp::str("http://h");
          return u;
        }(),
        body, [&](std::string what) { host.breach(std::move(what)); });
    CHECK(host.breaches() == std::vector<std::string>{});
    return out.body.ptr != nullptr ? std::string(gp::view(out.body))
                                   : apply_splices(body, {out.splices, out.splice_count});
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "join_url takes a version once") {
  auto join = [&](std::string_view base, std::string_view path) {
    return std::string(gp::join_url(arena, base, path));
  };
  CHECK(join("https://h", "/v1/x") == "https://h/v1/x");
  CHECK(join("https://h/", "/v1/x") == "https://h/v1/x");
  CHECK(join("https://h/v1", "/v1/x") == "https://h/v1/x");
  CHECK(join("https://h/v1//", "/v1/x") == "https://h/v1/x");
  CHECK(join("https://h/v1", "/v1beta/x") == "https://h/v1/v1beta/x");
  CHECK(join("https://h/v10", "/v1/x") == "https://h/v10/v1/x");
  CHECK(gp::join_url(arena, "https://h/v1beta", "/v1beta/x", "a=b", {"/v1beta"}) ==
        "https://h/v1beta/x?a=b");
}

TEST_CASE_FIXTURE(Fixture, "path segments are encoded") {
  CHECK(gp::encode_segment(arena, "plain-1.5:x@y") == "plain-1.5:x@y");
  CHECK(gp::encode_segment(arena, "a/b?c#d%e f") == "a%2Fb%3Fc%23d%25e%20f");
  CHECK(gp::encode_segment(arena, "a:b", gp::Colon::encode) == "a%3Ab");
  CHECK(gp::encode_segment(arena, "\xc3\xa9\r\n") == "%C3%A9%0D%0A");
  CHECK_FALSE(gp::usable_segment(std::string(2000, 'a')));
}

TEST_CASE_FIXTURE(Fixture, "pick_query keeps what is known and makes it fit for an address") {
  CHECK(gp::pick_query(arena, "a=1&b=2&a=3&&c", {"a", "c"}) == "a=1&a=3&c");
  CHECK(gp::pick_query(arena, "", {"a"}).empty());
  CHECK(gp::pick_query(arena, "x=1", {"a"}).empty());
  CHECK(gp::pick_query(arena, "a=\"|%20\xc3\xa9#", {"a"}) == "a=%22%7C%20%C3%A9%23");
}

TEST_CASE("base URLs") {
  for (const char* good : {"http://h", "https://h:8080/a/b", "http://[::1]:9/"})
    CHECK(gp::usable_base_url(good));
  for (const char* bad :
       {"", "h", "//h", "ftp://h", "http://", "http:///x", "http://:80", "http://u:p@h",
        "http://h/?q", "http://h/#f", "http://h/a b", "http://h\\x", "http://h/\xc3\xa9"}) {
    CAPTURE(bad);
    CHECK_FALSE(gp::usable_base_url(bad));
  }
}

TEST_CASE_FIXTURE(Fixture, "body edits may come in any order") {
  CHECK(edited(R"({"a":1,"b":2})", [](gp::BodyEdit& e) {
          e.replace(11, 1, "9");
          e.insert_member(0, R"("z":0)");
          e.replace(5, 1, "8");
        }) == R"({"z":0,"a":8,"b":9})");
  CHECK(edited("{}", [](gp::BodyEdit& e) { e.insert_member(0, R"("z":0)"); }) == R"({"z":0})");
  CHECK(edited("{ \n }", [](gp::BodyEdit& e) { e.insert_member(0, R"("z":0)"); }) ==
        "{\"z\":0 \n }");
  CHECK(edited(R"({"a":1})", [](gp::BodyEdit& e) {
          e.insert_member(0, R"("y":1)");
          e.insert_member(0, R"("z":2)");
        }) == R"({"y":1,"z":2,"a":1})");
}

TEST_CASE_FIXTURE(Fixture, "a member goes with the comma that belongs to it") {
  const std::string body = R"({"a":1 , "b":2, "c":3})";
  auto without = [&](size_t from, size_t to) {
    return edited(body, [&](gp::BodyEdit& e) { e.remove_member(from, to); });
  };
  CHECK(without(1, 6) == R"({"b":2, "c":3})");
  CHECK(without(9, 14) == R"({"a":1 , "c":3})");
  CHECK(without(16, 21) == R"({"a":1 , "b":2})");
  CHECK(edited(R"({ "a":1 })", [](gp::BodyEdit& e) { e.remove_member(2, 7); }) == "{  }");
}

TEST_CASE_FIXTURE(Fixture, "edits that overlap or leave the body are refused") {
  gp_upstream out = gp::stamped<gp_upstream>();
  gp::BodyEdit overlap(arena, "0123456789");
  overlap.replace(0, 4, "a");
  overlap.replace(3, 2, "b");
  CHECK_FALSE(overlap.finish(out));
  gp::BodyEdit outside(arena, "0123");
  outside.replace(3, 2, "b");
  CHECK_FALSE(outside.finish(out));
}

TEST_CASE_FIXTURE(Fixture, "json_quote makes valid JSON of any text") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "\xc3\xa9\xf0\x9f\x98\x80";
  const std::string_view quoted = gp::json_quote(arena, all);
  CHECK(json_valid(quoted));
  CHECK(json_at(quoted, "") == all);
}

TEST_CASE("waits are read in the vendors' spellings") {
  CHECK(gp::duration_ms("6m0s") == std::optional<int64_t>(360'000));
  CHECK(gp::duration_ms("1.5s") == std::optional<int64_t>(1'500));
  CHECK(gp::duration_ms("250ms") == std::optional<int64_t>(250));
  CHECK(gp::duration_ms("1h2m3s") == std::optional<int64_t>(3'723'000));
  for (const char* bad : {"", "s", "5", "5x", "-1s", "1s2"})
    CHECK_FALSE(gp::duration_ms(bad).has_value());
  CHECK(gp::decimal_ms("37", 1000) == std::optional<int64_t>(37'000));
  CHECK(gp::decimal_ms("0.25", 1000) == std::optional<int64_t>(250));
  for (const char* bad : {"", ".", "1.2.3", "-1", "1e3", "9999999999999"})
    CHECK_FALSE(gp::decimal_ms(bad, 1000).has_value());
  CHECK(gp::http_date_ms("Sun, 06 Nov 1994 08:49:37 GMT") ==
        std::optional<int64_t>(784'111'777'000));
  CHECK(gp::http_date_ms("Thu, 29 Feb 2024 00:00:00 GMT") ==
        std::optional<int64_t>(1'709'164'800'000));
  CHECK_FALSE(gp::http_date_ms("Sunday, 06-Nov-94 08:49:37 GMT").has_value());
  CHECK(gp::rfc3339_ms("2026-01-01T00:00:00Z") == std::optional<int64_t>(1'767'225'600'000));
  CHECK(gp::rfc3339_ms("2026-01-01T00:00:00.123Z") == std::optional<int64_t>(1'767'225'600'000));
  CHECK_FALSE(gp::rfc3339_ms("2026-13-01T00:00:00Z").has_value());
}

TEST_CASE("the fake host's JSON takes and refuses as RFC 8259 does") {
  for (const char* good :
       {"0", "-0.5e+3", "\"\\u00e9\"", "[]", "{}", " [1, {\"a\":null}] ", "true"})
    CHECK(json_valid(good));
  for (const char* bad : {"", "01", "1.", "+1", "[1,]", "{\"a\":1,}", "{a:1}", "\"\t\"", "\"\\x\"",
                          "\"\xff\"", "nul", "1 2", "\"\xed\xa0\x80\""}) {
    CAPTURE(bad);
    CHECK_FALSE(json_valid(bad));
  }
  CHECK(json_at(R"({"a":1,"a":{"b":["x","\u00e9\ud83d\ude00"]}})", "/a/b/1") ==
        "\xc3\xa9\xf0\x9f\x98\x80");
  CHECK(json_at(R"({"a/b":{"~":5}})", "/a~1b/~0") == "5");
  bool found = true;
  CHECK(json_at("{}", "/x", &found).empty());
  CHECK_FALSE(found);
}

TEST_CASE_FIXTURE(Fixture, "the fake host's hashes are the real ones") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  uint8_t mac[32];
  CHECK(fake_crypto()->hmac_sha256(gp::str("Jefe"), gp::str("what do ya want for nothing?"), mac) ==
        GP_OK);
  CHECK(int{mac[0]} == 0x5b);
  CHECK(int{mac[31]} == 0x43);
  gp_str encoded{}, decoded{};
  CHECK(fake_crypto()->base64url_encode(memory.handle(), gp::str("\xfb\xff?"), &encoded) == GP_OK);
  CHECK(gp::view(encoded) == "-_8_");
  CHECK(fake_crypto()->base64url_decode(memory.handle(), gp::str("+/8/"), &decoded) == GP_OK);
  CHECK(gp::view(decoded) == "\xfb\xff?");
}

TEST_CASE_FIXTURE(Fixture, "conformance names smuggled headers and wrong splices") {
  std::vector<std::string> seen;
  const Breach note = [&](std::string what) { seen.push_back(std::move(what)); };
  const gp_header headers[] = {{gp::str("x"), gp::str("a\r\nb")},
                               {gp::str("a b"), gp::str("c")},
                               {gp::str("content-length"), gp::str("1")}};
  check_headers(headers, "request", note);
  CHECK(seen.size() == 3);
  seen.clear();
  const gp_splice splices[] = {{2, 2, {}}, {3, 0, {}}};
  gp_upstream upstream = gp::stamped<gp_upstream>();
  upstream.url = gp::str("http://h");
  upstream.splices = splices;
  upstream.splice_count = 2;
  check_upstream(upstream, "0123456789", note);
  CHECK(seen == std::vector<std::string>{"splices overlap or are out of order"});
}
