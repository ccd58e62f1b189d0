#include "base/json_scan.h"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "base/base64.h"
#include "base/simd.h"
#include "base/strings.h"

using namespace gproxy;
using json::Kind;
using json::Span;

namespace {

constexpr std::array<std::string_view, 4> kKeys = {"model", "stream", "messages", "x"};

struct Scan {
  std::array<Span, 4> spans;
  Result<json::ScanResult> result;
  explicit Scan(std::string_view text, const json::Limits& limits = {})
      : result(json::scan_object(text, kKeys, spans, limits)) {}
  std::string text(std::string_view whole, size_t i) const {
    return std::string(whole.substr(spans[i].at, spans[i].len));
  }
};

const char* const kSeeds[] = {
    R"({"model":"gpt","stream":true,"messages":[{"role":"user","content":"hi \u00e9 \ud83d\ude00 \n"}],"x":-1.5e+3})",
    R"( { "a" : [ [ ] , { } , [ 1 , 2.0 , 3e1 ] ] , "m\u006fdel" : "e\\sc" , "stream" : null } )",
    R"([1,"two",null,true,false,{"k":{"k":{"k":[]}}},-0,0.5,1E-2])",
    R"("only a string with \"escapes\" \/ \b\f\r\t and \u0041")",
    "{\"text\":\"\u00fc\u20ac\U0001F600 long enough to leave the first sixteen bytes behind, twice "
    "over \u4e2d\u6587\",\"x\":0}",
    "-12.5",
    "true",
    "{}",
    "[]",
    R"({"":"","model":{"a":[{"b":1}]},"stream":[[[]]]})"};

// One random edit: a byte changed, dropped, doubled, or a piece of another seed put in.
std::string mutate(std::string text, std::mt19937& random) {
  static const std::string kBytes =
      "{}[]\",:\\u0123456789abcdefDE+-.tfn \n\r\t\x01\x1f\x7f\x80\xc3\xa9\xed\xa0\xf4\x90\xff\0";
  for (size_t edits = 1 + random() % 3; edits > 0; --edits) {
    const size_t at = text.empty() ? 0 : random() % text.size();
    switch (random() % 5) {
      case 0:
        if (!text.empty()) text[at] = kBytes[random() % (kBytes.size() + 1)];
        break;
      case 1:
        if (!text.empty()) text.erase(at, 1 + random() % 3);
        break;
      case 2:
        text.insert(at, 1, kBytes[random() % (kBytes.size() + 1)]);
        break;
      case 3: {
        const std::string other = kSeeds[random() % std::size(kSeeds)];
        const size_t from = random() % other.size();
        text.insert(at, other.substr(from, 1 + random() % 12));
        break;
      }
      default:
        if (!text.empty()) text.resize(at);
    }
  }
  return text;
}

// Runs `check` with each form of the loops that this processor has.
template <class F>
void at_every_level(F&& check) {
  for (auto level : {simd::Level::portable, simd::Level::sse2, simd::Level::avx2}) {
    simd::limit_level(level);
    check();
  }
}

}  // namespace

TEST_CASE("spans of the asked-for members are exact") {
  const std::string text =
      R"( {"model" : "g\"x" , "n":{"model":1},"stream":true,"messages": [1, {"x":2} ] ,"x":{}} )";
  Scan scan(text);
  REQUIRE(scan.result.ok());
  CHECK(scan.result->root == Kind::object);
  CHECK(scan.result->root_at == 1);
  CHECK(scan.result->root_len == text.size() - 2);
  CHECK(scan.text(text, 0) == R"("g\"x")");
  CHECK(scan.spans[0].kind == Kind::string);
  CHECK(scan.spans[0].escaped);
  CHECK_FALSE(scan.spans[0].key_escaped);
  CHECK(json::decode_string(text, scan.spans[0]) == "g\"x");
  CHECK(scan.text(text, 1) == "true");
  CHECK(scan.spans[1].kind == Kind::boolean);
  CHECK(scan.text(text, 2) == R"([1, {"x":2} ])");
  CHECK(scan.spans[2].kind == Kind::array);
  CHECK(scan.text(text, 3) == "{}");
}

TEST_CASE("an escaped spelling of a key is found, a duplicate is refused") {
  Scan escaped(R"({"mod\u0065l":"a"})");
  REQUIRE(escaped.result.ok());
  CHECK(escaped.spans[0].found);
  CHECK(escaped.spans[0].key_escaped);
  for (const char* text : {R"({"model":1,"model":2})", R"({"model":1,"mod\u0065l":2})",
                           R"({"\u006dodel":1,"a":{},"model":1})"}) {
    Scan twice(text);
    REQUIRE_FALSE(twice.result.ok());
    CHECK(twice.result.error().code == "duplicate_field");
    CHECK(twice.result.error().param == "model");
  }
  CHECK(Scan(R"({"a":1,"a":2,"n":{"model":1,"model":2}})").result.ok());
}

TEST_CASE("a root that is no object is valid, and has no members") {
  Scan scan(R"(["model",{"model":1}])");
  REQUIRE(scan.result.ok());
  CHECK(scan.result->root == Kind::array);
  for (const Span& span : scan.spans) CHECK_FALSE(span.found);
}

TEST_CASE("depth and size are bounded") {
  json::Limits limits;
  limits.max_depth = 3;
  CHECK(json::validate("[[[1]]]", limits).ok());
  CHECK(json::validate("[[[[1]]]]", limits).error().code == "json_too_deep");
  CHECK(json::validate(std::string(1'000'000, '['), {}).error().code == "json_too_deep");
  limits.max_depth = 5000;
  CHECK(json::validate(std::string(5000, '[') + std::string(5000, ']'), limits).ok());
  CHECK(
      json::validate(std::string(2500, '[') + "{\"a\":[]}" + std::string(2500, ']'), limits).ok());
  CHECK_FALSE(
      json::validate(std::string(2500, '[') + "{\"a\":[}}" + std::string(2500, ']'), limits).ok());
  limits.max_bytes = 3;
  CHECK(json::validate("[12]", limits).error().kind == ErrorKind::too_large);
}

TEST_CASE("errors say where") {
  CHECK(json::validate("{\"a\":1,}").error().message ==
        "invalid JSON: expected a member name at byte 7 (line 1, column 8)");
  CHECK(json::validate("").error().message.find("empty") != std::string::npos);
  CHECK(json::validate("\"\xff\"").error().message.find("UTF-8 at byte 1") != std::string::npos);
}

TEST_CASE("scanner and parser agree on mutated texts") {
  at_every_level([] {
    std::mt19937 random(2024);
    size_t valid = 0;
    for (int round = 0; round < 30000; ++round) {
      // On the heap and exactly as long, so that a read beyond the end is noticed.
      const std::string edited = mutate(kSeeds[random() % std::size(kSeeds)], random);
      const std::vector<char> bytes(edited.begin(), edited.end());
      const std::string_view text(bytes.data(), bytes.size());
      CAPTURE(text);
      Arena arena;
      const auto document = json::parse(text, arena);
      const auto scanned = json::validate(text);
      // The one difference: the parser refuses numbers that no double can hold.
      if (!document.ok() && document.error().message.find("out of range") != std::string::npos)
        continue;
      CAPTURE((scanned.ok() ? std::string() : scanned.error().message));
      CAPTURE(base64_encode(text));
      REQUIRE(document.ok() == scanned.ok());
      if (!document.ok()) {
        REQUIRE(document.error().code == scanned.error().code);
        continue;
      }
      ++valid;
      REQUIRE(document->kind() == scanned->root);
      const Scan scan(text);
      if (!scan.result.ok()) {
        REQUIRE(scan.result.error().code == "duplicate_field");
        continue;
      }
      for (size_t i = 0; i < kKeys.size(); ++i) {
        const json::Value* member = document->find(kKeys[i]);
        REQUIRE((member != nullptr) == scan.spans[i].found);
        const Span found = json::find(text, {kKeys[i]});
        if (member == nullptr) continue;
        REQUIRE(member->kind() == scan.spans[i].kind);
        const auto again = json::parse(scan.text(text, i), arena);
        REQUIRE(again.ok());
        REQUIRE(again->equals(*member));
        if (member->is_string()) REQUIRE(json::decode_string(text, scan.spans[i]) == member->str());
        REQUIRE(found.found);
        REQUIRE(found.at == scan.spans[i].at);
        REQUIRE(found.len == scan.spans[i].len);
        REQUIRE(found.escaped == (scan.spans[i].kind == Kind::string && scan.spans[i].escaped));
      }
    }
    CHECK(valid > 3000);
  });
}

TEST_CASE("finding by path takes the last of duplicates and survives any bytes") {
  const std::string text =
      R"({"usage":{"input_tokens":1},"a":[10,{"b":"c"},30],"usage":{"x":"}{][,:\"","input_tokens":2,"d":{"input_tokens":9}}})";
  CHECK(json::span_int(text, json::find(text, {"usage", "input_tokens"})) == 2);
  CHECK(json::decode_string(text, json::find(text, {"a", "1", "b"})) == "c");
  CHECK(json::span_int(text, json::find(text, {"a", "2"}), -1) == 30);
  CHECK(json::span_int(text, json::find(text, {"a", "3"}), -1) == -1);
  CHECK_FALSE(json::find(text, {"usage", "nothing"}).found);
  CHECK_FALSE(json::find(text, {"a", "b"}).found);
  CHECK_FALSE(json::find("", {"a"}).found);
  CHECK(json::span_int("12e1", json::find("12e1", {})) == 120);
  std::mt19937 random(9);
  for (int round = 0; round < 20000; ++round) {
    const std::string edited = mutate(text, random);
    const std::vector<char> bytes(edited.begin(), edited.end());
    const std::string_view view(bytes.data(), bytes.size());
    for (const Span& span :
         {json::find(view, {"usage", "input_tokens"}), json::find(view, {"a", "1", "b"})}) {
      REQUIRE(span.at + span.len <= view.size());
      json::decode_string(view, span);
      json::span_int(view, span);
    }
  }
}

TEST_CASE("every form of the byte loops gives the same answers") {
  std::mt19937 random(17);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 150, 'a');
    // Well-formed characters of all lengths, and then some damage.
    static const std::string_view kPieces[] = {"a",      "\u00e9", "\u20ac",     "\U0001F600",
                                               "\uD7FF", "\uE000", "\U0010FFFF", "xyz"};
    for (size_t n = random() % 40; n > 0; --n)
      text.insert(text.size() - random() % 3 % (text.size() + 1),
                  kPieces[random() % std::size(kPieces)]);
    if (random() % 2 == 0 && !text.empty())
      text[random() % text.size()] = static_cast<char>(random());
    if (random() % 8 == 0 && !text.empty()) text.resize(random() % text.size());
    const std::vector<char> bytes(text.begin(), text.end());
    simd::limit_level(simd::Level::portable);
    const bool valid = simd::is_valid_utf8(bytes.data(), bytes.size());
    const size_t special = simd::find_string_special(bytes.data(), bytes.size());
    for (auto level : {simd::Level::sse2, simd::Level::avx2}) {
      simd::limit_level(level);
      REQUIRE(simd::is_valid_utf8(bytes.data(), bytes.size()) == valid);
      REQUIRE(simd::find_string_special(bytes.data(), bytes.size()) == special);
    }
  }
  simd::limit_level(simd::Level::avx2);
}

TEST_CASE("every two-byte and every four-byte sequence is judged alike") {
  const auto portable = [](std::string_view t) {
    simd::limit_level(simd::Level::portable);
    return simd::is_valid_utf8(t.data(), t.size());
  };
  const auto widest = [](std::string_view t) {
    simd::limit_level(simd::Level::avx2);
    return simd::is_valid_utf8(t.data(), t.size());
  };
  static const unsigned char kEdges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                         0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
                                         0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
  std::string text(40, 'x');
  for (unsigned a : kEdges) {
    for (unsigned b : kEdges) {
      for (unsigned c : kEdges) {
        for (unsigned d : kEdges) {
          // Across the border of a block.
          text[30] = static_cast<char>(a);
          text[31] = static_cast<char>(b);
          text[32] = static_cast<char>(c);
          text[33] = static_cast<char>(d);
          if (portable(text) != widest(text)) FAIL("differs");
        }
      }
    }
  }
}

TEST_CASE("UTF-8 is checked to the end of a long text, wherever a character stands") {
  // The scan looks ahead in windows; a character may lie across any border between two of them.
  const std::string umlaut = "\xc3\xa4", emoji = "\xf0\x9f\x98\x80";
  for (const std::string& character : {umlaut, emoji}) {
    for (size_t fill = 16 * 1024 - 12; fill < 16 * 1024 + 4; ++fill) {
      const std::string text = "{\"a\":\"" + std::string(fill, 'x') + character + "\",\"b\":[" +
                               std::string(fill, ' ') + "\"" + character + "\"]}";
      CAPTURE(fill);
      CHECK(json::validate(text).ok());
      std::string broken = text;
      broken[text.rfind(character) + 1] = 'x';
      const auto refused = json::validate(broken);
      REQUIRE_FALSE(refused.ok());
      CHECK(refused.error().message.find(
                "UTF-8 at byte " + std::to_string(text.rfind(character))) != std::string::npos);
    }
  }
  std::string cut = "[\"" + std::string(40'000, 'x') + "\xf0\x9f\"]";
  CHECK(json::validate(cut).error().message.find("UTF-8 at byte 40002") != std::string::npos);
  // Outside of strings it is no JSON at all.
  CHECK_FALSE(json::validate("[" + std::string(40'000, ' ') + "\xff]").ok());
}
