#include <doctest/doctest.h>

#include <thread>

#include "base/base64.h"
#include "base/digest.h"
#include "base/log.h"
#include "gproxy/ext/crypto.h"
#include "gproxy/ext/json.h"
#include "gproxy/ext/thread_check.h"
#include "modhost/host_api.h"
#include "stub_module.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::str;

namespace {

std::string_view text_of(gp_str s) {
  return {s.ptr, s.len};
}

struct AHost {
  Arena arena;
  gp_arena* gp = reinterpret_cast<gp_arena*>(&arena);
  const gp_json_ext* json = json_extension();
  std::string get(std::string_view text, std::string_view pointer) {
    gp_str out{};
    auto status = json->get(gp, str(text), str(pointer), nullptr, &out);
    return status == GP_OK ? std::string(text_of(out)) : "status " + std::to_string(status);
  }
};

}  // namespace

TEST_CASE("extensions are found by id, unknown ones are absent") {
  CHECK(host_extension(GP_EXT_JSON) == json_extension());
  CHECK(host_extension(GP_EXT_CRYPTO) == crypto_extension());
  CHECK(host_extension(GP_EXT_THREAD_CHECK) == thread_check_extension());
  CHECK(host_extension("gproxy.tokenize/1") == nullptr);
  CHECK(host_extension("gproxy.json/2") == nullptr);
}

TEST_CASE("json get reads by pointer, decoded") {
  AHost h;
  constexpr std::string_view text = R"({"a":{"b/c":[1,"x\ny",true]},"m~n":null,"n":1.50})";
  CHECK(h.get(text, "/a/b~1c/0") == "1");
  CHECK(h.get(text, "/a/b~1c/1") == "x\ny");
  CHECK(h.get(text, "/a/b~1c/2") == "true");
  CHECK(h.get(text, "/m~0n") == "null");
  CHECK(h.get(text, "/n") == "1.50");
  CHECK(h.get(text, "") == text);
  CHECK(h.get(text, "/none") == "status " + std::to_string(GP_ERR_NOT_FOUND));
  CHECK(h.get(text, "a") == "status " + std::to_string(GP_ERR_INVALID));
  CHECK(h.get(text, "/a~2") == "status " + std::to_string(GP_ERR_INVALID));
}

TEST_CASE("json index finds many at once and leaves zero nodes for the rest") {
  AHost h;
  constexpr std::string_view text = R"( {"a":"\u0041","b":[{}]} )";
  gp_str pointers[] = {str("/a"), str("/b/0"), str("/c"), str("")};
  gp_json_node nodes[4];
  REQUIRE(h.json->index(str(text), pointers, 4, nodes) == GP_OK);
  CHECK(nodes[0].type == GP_JSON_STRING);
  CHECK((nodes[0].flags & GP_NODE_ESCAPED) != 0);
  CHECK(text.substr(nodes[1].at, nodes[1].len) == "{}");
  CHECK(nodes[2].flags == 0);
  CHECK(nodes[3].at == 1);
  CHECK(nodes[3].type == GP_JSON_OBJECT);
  gp_str decoded{};
  REQUIRE(h.json->decode(h.gp, str(text), &nodes[0], &decoded) == GP_OK);
  CHECK(text_of(decoded) == "A");
}

TEST_CASE("json first and next walk members and elements") {
  AHost h;
  constexpr std::string_view text = R"({ "a" : [ 1 , {"x":"]"} ,"s"] , "b":{} })";
  gp_json_node root{};
  REQUIRE(h.json->validate(str(text), &root, nullptr) == GP_OK);
  gp_json_member member{};
  REQUIRE(h.json->first(str(text), &root, &member) == GP_OK);
  CHECK(text.substr(member.key.at, member.key.len) == "\"a\"");
  auto list = member.value;
  REQUIRE(h.json->next(str(text), &root, &member) == GP_OK);
  CHECK(text.substr(member.value.at, member.value.len) == "{}");
  gp_json_member none{};
  CHECK(h.json->first(str(text), &member.value, &none) == GP_ERR_NOT_FOUND);
  CHECK(h.json->next(str(text), &root, &member) == GP_ERR_NOT_FOUND);
  gp_json_member item{};
  std::vector<std::string> items;
  for (auto s = h.json->first(str(text), &list, &item); s == GP_OK;
       s = h.json->next(str(text), &list, &item)) {
    items.emplace_back(text.substr(item.value.at, item.value.len));
  }
  CHECK(items == std::vector<std::string>{"1", R"({"x":"]"})", "\"s\""});
}

TEST_CASE("json functions stay within a text that is not JSON") {
  AHost h;
  for (std::string_view text : {"", "{", "[", "{\"a", "{\"a\":", "[1,", "\"\\", "{\"a\":\"\\",
                                "}}}", "[[[[", "{\"a\":[", "nul", "{\"a\" 1}", ","}) {
    CAPTURE(text);
    std::string copy(text);  // exactly as long, so that the sanitizer sees a read past the end
    copy.shrink_to_fit();
    gp_str out{};
    gp_json_node node{0, copy.size(),
                      copy.empty() ? 0 : (copy[0] == '[' ? GP_JSON_ARRAY : GP_JSON_OBJECT),
                      GP_NODE_FOUND};
    gp_json_member member{};
    (void)h.json->get(h.gp, str(copy), str("/a/0"), nullptr, &out);
    if (h.json->first(str(copy), &node, &member) == GP_OK)
      (void)h.json->next(str(copy), &node, &member);
    (void)h.json->decode(h.gp, str(copy), &node, &out);
    CHECK(h.json->validate(str(copy), nullptr, nullptr) == GP_ERR_INVALID);
  }
  gp_json_node outside{100, 5, GP_JSON_OBJECT, GP_NODE_FOUND};
  gp_json_member member{};
  CHECK(h.json->first(str("{}"), &outside, &member) != GP_OK);
}

TEST_CASE("json quote escapes and mends") {
  AHost h;
  gp_str out{};
  REQUIRE(h.json->quote(h.gp, str("a\"\n\x01"), &out) == GP_OK);
  CHECK(text_of(out) == "\"a\\\"\\n\\u0001\"");
  REQUIRE(h.json->quote(h.gp,
                        str("\xff"
                            "ok\xc3"),
                        &out) == GP_OK);
  CHECK(text_of(out) == "\"\xEF\xBF\xBDok\xEF\xBF\xBD\"");
}

TEST_CASE("crypto gives digests, signatures and base64url") {
  AHost h;
  const auto* crypto = crypto_extension();
  uint8_t digest[32];
  REQUIRE(crypto->sha256(str("abc"), digest) == GP_OK);
  CHECK(hex_encode({reinterpret_cast<char*>(digest), 32}) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  REQUIRE(crypto->hmac_sha256(str("Jefe"), str("what do ya want for nothing?"), digest) == GP_OK);
  CHECK(hex_encode({reinterpret_cast<char*>(digest), 32}) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  gp_str out{};
  REQUIRE(crypto->base64url_encode(h.gp, str("\xfb\xff"), &out) == GP_OK);
  CHECK(text_of(out) == "-_8");
  REQUIRE(crypto->base64url_decode(h.gp, str("-_8"), &out) == GP_OK);
  CHECK(text_of(out) == "\xfb\xff");
  CHECK(crypto->base64url_decode(h.gp, str("!"), &out) == GP_ERR_INVALID);
  CHECK(crypto->rs256_sign(h.gp, str("not a key"), str("x"), &out) == GP_ERR_INVALID);
  CHECK(crypto->sha256({nullptr, 3}, digest) == GP_ERR_INVALID);
  uint8_t random[16] = {};
  CHECK(crypto->random(random, sizeof random) == GP_OK);
}

TEST_CASE("a module's arena is bounded and aligned") {
  test::Stub stub;
  auto p = stub.good_provider();
  Arena arena(64, 1024);
  auto* gp = reinterpret_cast<gp_arena*>(&arena);
  auto* at = stub.host->alloc(gp, 10, 16);
  CHECK(reinterpret_cast<uintptr_t>(at) % 16 == 0);
  CHECK(stub.host->alloc(gp, 8, 3) == nullptr);
  CHECK(stub.host->alloc(gp, 8, 32) == nullptr);
  CHECK(stub.host->alloc(gp, 1 << 20, 8) == nullptr);
  CHECK(stub.host->now_ms() > 1'600'000'000'000);
}

TEST_CASE("log lines carry the module's id, are cut, and end when there are too many") {
  test::Stub stub;
  auto p = stub.good_provider();
  std::vector<std::string> lines;
  log::set_sink([](std::string_view line,
                   void* to) { static_cast<std::vector<std::string>*>(to)->emplace_back(line); },
                &lines);
  stub.host->log(stub.host, GP_LOG_WARN, str("hello"));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("dev.gproxy.test.stub") != std::string::npos);
  std::string big(5000, 'x');
  stub.host->log(stub.host, GP_LOG_ERROR, str(big));
  CHECK(lines[1].size() < 1400);
  for (int i = 0; i < 500; ++i) stub.host->log(stub.host, GP_LOG_WARN, str("again"));
  log::set_sink(nullptr, nullptr);
  CHECK(lines.size() < 110);  // two seconds' worth at most, and the line that says it is muted
  bool muted = false;
  for (const auto& line : lines) muted = muted || line.find("muted") != std::string::npos;
  CHECK(muted);
}

TEST_CASE("thread-check knows the main thread and a call's loop") {
  const auto* check = static_cast<const gp_thread_check_ext*>(host_extension(GP_EXT_THREAD_CHECK));
  auto* call = reinterpret_cast<gp_call*>(0x2000);
  mark_main_thread();
  enter_call(call);
  CHECK(check->is_main() == 1);
  CHECK(check->is_loop_of(call) == 1);
  std::thread([&] {
    CHECK(check->is_main() == 0);
    CHECK(check->is_loop_of(call) == 0);
  }).join();
  leave_call(call);
  CHECK(check->is_loop_of(call) == 0);
}
