#include <doctest/doctest.h>

#include "modhost/abi_check.h"
#include "stub_module.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::str;
using test::Stub;

namespace {

// The reason why a module that `change` broke is not taken.
template <class F>
std::string refusal(F&& change) {
  Stub stub;
  change(stub);
  auto module = stub.module();
  REQUIRE_FALSE(module.ok());
  CHECK(module.error().code == "module_refused");
  CHECK(module.error().message.starts_with("stub: "));
  CHECK(stub.inits == stub.deinits);
  return module.error().message;
}

bool has(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("a sound module is taken, with its info copied") {
  Stub stub;
  auto module = stub.module();
  REQUIRE_MESSAGE(module.ok(), module.error().message);
  CHECK((*module)->info().id == "dev.gproxy.test.stub");
  CHECK((*module)->info().kinds[0].name == "stub");
  CHECK((*module)->info().kinds[0].user_created);
  CHECK((*module)->info().kinds[0].title == "stub");
  CHECK(stub.inits == 1);
  module->reset();
  CHECK(stub.deinits == 1);
}

TEST_CASE("a table longer than ours is fine, a shorter one is not") {
  Stub longer;
  longer.table.size += 64;
  longer.vt.size += 64;
  longer.kind.size += 8;
  CHECK(longer.module().ok());
  CHECK(has(refusal([](Stub& s) { s.table.size = 8; }), "at least"));
  CHECK(has(refusal([](Stub& s) { s.table.size = 4; }), "too short for a version"));
  CHECK(has(refusal([](Stub& s) { s.vt.size = 16; }), "provider table has 16 bytes"));
  CHECK(has(refusal([](Stub& s) { s.info.size = 16; }), "info has 16 bytes"));
  CHECK(has(refusal([](Stub& s) { s.kind.size = 16; }), "kind 0 has 16 bytes"));
}

TEST_CASE("another major is refused with both versions, before anything else is read") {
  auto message = refusal([](Stub& s) {
    s.table.abi_major = 7;
    s.table.abi_minor = 3;
    s.table.info = reinterpret_cast<const gp_info*>(0x1);  // would crash if looked at
  });
  CHECK(has(message, "7.3"));
  CHECK(has(message, host_abi_version()));
}

TEST_CASE("null tables and null required hooks are named") {
  CHECK(has(check_entry(nullptr, "x").error().message, "gproxy_entry_1() returned no table"));
  CHECK(has(refusal([](Stub& s) { s.table.info = nullptr; }), "info is null"));
  CHECK(has(refusal([](Stub& s) { s.table.provider = nullptr; }), "provider table is null"));
  CHECK(has(refusal([](Stub& s) { s.vt.create = nullptr; }), "hook create is null"));
  CHECK(has(refusal([](Stub& s) { s.vt.destroy = nullptr; }), "hook destroy is null"));
  CHECK(has(refusal([](Stub& s) { s.vt.prepare = nullptr; }), "hook prepare is null"));
  CHECK(has(refusal([](Stub& s) { s.vt.release = nullptr; }), "hook release is null"));
  CHECK(has(refusal([](Stub& s) { s.vt.credential_open = nullptr; }), "credential_open is null"));
  CHECK(has(refusal([](Stub& s) { s.vt.credential_close = nullptr; }), "credential_close is null"));
}

TEST_CASE("texts that are too long, unsound or oddly spelt are refused") {
  CHECK(has(refusal([](Stub& s) { s.info.id = {"x", SIZE_MAX}; }), "info.id"));
  CHECK(has(refusal([](Stub& s) { s.info.id = {nullptr, 5}; }), "info.id"));
  CHECK(has(refusal([](Stub& s) { s.info.id = str("Bad Id"); }), "[a-z0-9.-]"));
  CHECK(has(refusal([](Stub& s) { s.info.id = {}; }), "info.id"));
  CHECK(has(refusal([](Stub& s) { s.info.version = str("1\n2"); }), "info.version"));
  CHECK(has(refusal([](Stub& s) { s.info.name = str("\xff"); }), "info.name"));
  CHECK(has(refusal([](Stub& s) { s.kind.name = str("Stub"); }), "[a-z0-9-]"));
  CHECK(has(refusal([](Stub& s) { s.kind.settings_schema = str("{"); }),
            "settings_schema cannot be used"));
  CHECK(has(refusal([](Stub& s) { s.kind.credential_schema = str(R"({"type":"text"})"); }),
            "unknown type"));
  CHECK(has(refusal([](Stub& s) { s.kind.alias_count = 3; }), "aliases"));
  CHECK(has(refusal([](Stub& s) {
              static const gp_str header = str("X-Upper");
              s.kind.forward_headers = &header;
              s.kind.forward_header_count = 1;
            }),
            "forward_headers[0]"));
}

TEST_CASE("kinds are 1 to 32 and have different names") {
  CHECK(has(refusal([](Stub& s) { s.info.kind_count = 0; }), "0 kinds"));
  CHECK(has(refusal([](Stub& s) { s.info.kind_count = 33; }), "33 kinds"));
  CHECK(has(refusal([](Stub& s) {
              static const gp_kind* twice[2];
              twice[0] = twice[1] = &s.kind;
              s.info.kinds = twice;
              s.info.kind_count = 2;
            }),
            "occurs twice"));
}

TEST_CASE("an init that fails keeps the module out, with its words") {
  auto message = refusal([](Stub& s) {
    s.table.init = [](const gp_host*, gp_error* error) -> gp_status {
      error->message = str("needs gproxy.tokenize/1");
      return GP_ERR_UNSUPPORTED;
    };
  });
  CHECK(has(message, "needs gproxy.tokenize/1"));
}
