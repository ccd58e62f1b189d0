#include <doctest/doctest.h>

#include <string>

#include "base/base64.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/result.h"
#include "base/strings.h"

using namespace gproxy;

TEST_CASE("base64 follows RFC 4648, section 10") {
  const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                      {"f", "Zg=="},
                                                      {"fo", "Zm8="},
                                                      {"foo", "Zm9v"},
                                                      {"foob", "Zm9vYg=="},
                                                      {"fooba", "Zm9vYmE="},
                                                      {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : rows) {
    CHECK(base64_encode(plain) == coded);
    CHECK(base64_decode(coded) == plain);
    std::string bare = coded;
    while (!bare.empty() && bare.back() == '=') bare.pop_back();
    CHECK(base64url_encode(plain) == bare);
    CHECK(base64_decode(bare) == plain);
  }
  CHECK(base64url_encode("\xfb\xff") == "-_8");
  CHECK(base64_decode("+/8=") == base64_decode("-_8"));
  for (const char* bad : {"A", "AAAAA", "A===", "AA=A", "AAA\n", "AA A", "====", "AAAA=", "=AAA"}) {
    CAPTURE(bad);
    CHECK_FALSE(base64_decode(bad));
  }
}

TEST_CASE("hex and percent encoding") {
  CHECK(hex_encode(std::string("\x00\xff\x1a", 3)) == "00ff1a");
  CHECK(hex_decode("00FF1a") == std::string("\x00\xff\x1a", 3));
  CHECK_FALSE(hex_decode("0"));
  CHECK_FALSE(hex_decode("0g"));
  CHECK(percent_encode("a/b c~\xc3\xa9") == "a%2Fb%20c~%C3%A9");
  CHECK(percent_encode("a/b", "/") == "a/b");
  CHECK(percent_decode("a%2fb+c") == "a/b+c");
  CHECK(percent_decode("a+b", true) == "a b");
  for (const char* bad : {"%", "%1", "%zz", "a%2"}) CHECK_FALSE(percent_decode(bad));
}

TEST_CASE("words are trimmed, split and compared without case") {
  CHECK(iequals("Content-Type", "content-tYPE"));
  CHECK_FALSE(iequals("a", "ab"));
  CHECK(trim(" \t a b \r\n") == "a b");
  CHECK(trim("  ") == "");
  CHECK(split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
  CHECK(split("", ',').size() == 1);
  CHECK(parse_int("-42") == -42);
  CHECK(parse_int("9223372036854775808") == std::nullopt);
  CHECK(parse_int("+1") == std::nullopt);
  CHECK(parse_int(" 1") == std::nullopt);
  CHECK(parse_int("") == std::nullopt);
  CHECK(parse_uint("18446744073709551615") == UINT64_MAX);
  CHECK(parse_uint("-1") == std::nullopt);
}

TEST_CASE("a misspelt word finds its neighbour, a foreign one does not") {
  const std::vector<std::string_view> words = {"port", "providers", "data_dir", "host"};
  CHECK(nearest("prot", words) == "port");
  CHECK(nearest("Provider", words) == "providers");
  CHECK(nearest("datadir", words) == "data_dir");
  CHECK(nearest("zzzzzz", words) == "");
  CHECK(nearest("", words) == "");
}

TEST_CASE("UTF-8 is judged as RFC 3629 does") {
  for (const char* good : {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    CHECK(is_valid_utf8(good));
    CHECK(is_valid_utf8(std::string(37, 'x') + good + std::string(21, 'y')));
  }
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
                          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                          "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3\x28"}) {
    CHECK_FALSE(is_valid_utf8(bad));
    CHECK_FALSE(is_valid_utf8(std::string(16, 'x') + bad));
    CHECK_FALSE(is_valid_utf8(std::string(16, 'x') + bad + "tail"));
  }
}

TEST_CASE("times are written and read in RFC 3339") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(rfc3339(1'767'225'600'000'000) == "2026-01-01T00:00:00.000000Z");
  CHECK(rfc3339(-1) == "1969-12-31T23:59:59.999999Z");
  CHECK(parse_rfc3339("2026-01-01T00:00:00.000000Z") == 1'767'225'600'000'000);
  CHECK(parse_rfc3339("2026-01-01T02:00:00+02:00") == 1'767'225'600'000'000);
  CHECK(parse_rfc3339("2025-12-31t19:30:00.5-04:30") == 1'767'225'600'500'000);
  CHECK(parse_rfc3339("2024-02-29T00:00:00.123456789Z") == 1'709'164'800'123'456);
  for (const char* bad : {"", "2026-01-01", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
                          "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z",
                          "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+0200"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_rfc3339(bad));
  }
  FakeClock clock;
  CHECK(parse_rfc3339(rfc3339(clock.wall_us())) == clock.wall_us());
}

TEST_CASE("the three HTTP date forms mean the same moment") {
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == 784111777);
  CHECK_FALSE(parse_http_date("Sun, 06 Nov 1994 08:49:37 CET"));
  CHECK_FALSE(parse_http_date("soon"));
  CHECK_FALSE(parse_http_date(""));
}

TEST_CASE("a fake clock moves only when told") {
  FakeClock clock;
  const auto before = clock.now_ms();
  clock.advance_ms(250);
  CHECK(clock.now_ms() == before + 250);
  CHECK(Clock::system().wall_ms() > 1'700'000'000'000);
}

TEST_CASE("UUIDs have their version, their variant and, in v7, their time") {
  const std::string four = uuid4(), seven = uuid7(0x0123456789ab);
  CHECK(four.size() == 36);
  CHECK(four[14] == '4');
  CHECK(std::string("89ab").find(four[19]) != std::string::npos);
  CHECK(seven.substr(0, 15) == "01234567-89ab-7");
  CHECK(uuid4() != four);
}

TEST_CASE("every kind of error has a status and a name") {
  CHECK(http_status(ErrorKind::rate) == 429);
  CHECK(http_status(ErrorKind::overloaded) == 503);
  CHECK(kind_name(ErrorKind::too_large) == "too_large");
  CHECK(invalid_error("x", "model").http() == 400);
  CHECK(invalid_error("x").with_status(422).http() == 422);
}

namespace {
Result<int> half(int n) {
  if (n % 2 != 0) return invalid_error("expected an even number");
  return n / 2;
}
Result<int> quarter(int n) {
  GP_TRY(const int h, half(n));
  return half(h);
}
}  // namespace

TEST_CASE("a result carries a value or the error that stopped it") {
  CHECK(*quarter(8) == 2);
  CHECK(quarter(6).error().message == "expected an even number");
  CHECK(quarter(6).error().kind == ErrorKind::invalid);
}
