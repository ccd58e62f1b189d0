#include "admin/credential_import.h"

#include <doctest/doctest.h>

using namespace gproxy;
using namespace gproxy::admin;

namespace {

modhost::KindInfo kind_with(std::string schema) {
  modhost::KindInfo kind;
  kind.credential_tag = "Tag";
  kind.credential_schema = std::move(schema);
  kind.aliases = {{"accessToken", "access_token"}};
  return kind;
}

const modhost::KindInfo kKeys = kind_with(R"({"properties":{"api_key":{"type":"string"}}})");
const modhost::KindInfo kDocuments = kind_with(
    R"({"properties":{"access_token":{"type":"string"},"expires_at":{"type":"integer"},
        "user_email":{"type":"string"},"pro":{"type":"boolean"}}})");

}  // namespace

TEST_CASE("lines are keys, named by a part of them") {
  auto items = import_text(kKeys, "  sk-a-key-of-some-length-0123456789\n\nshort\n");
  REQUIRE(items.ok());
  REQUIRE(items->size() == 2);
  CHECK((*items)[0].secret_json == R"({"Tag":{"api_key":"sk-a-key-of-some-length-0123456789"}})");
  CHECK((*items)[0].name == "sk-a-key-of-some");
  CHECK((*items)[1].name == "sh");
}

TEST_CASE("documents may follow each other, stand in lists, be tagged or flat") {
  auto items = import_text(kDocuments,
                           R"({"Tag":{"access_token":"one","extra":1}}
         [{"accessToken":" two ","expires_at":"12","pro":"true","user_email":"a@b"},3,
          {"access_token":"<required>","expires_at":null}]{"other":"}"})");
  REQUIRE(items.ok());
  REQUIRE(items->size() == 4);
  CHECK((*items)[0].secret_json == R"({"Tag":{"access_token":"one","extra":1}})");
  CHECK((*items)[1].secret_json ==
        R"({"Tag":{"access_token":"two","expires_at":12,"pro":true,"user_email":"a@b"}})");
  CHECK((*items)[1].name == "a@b");
  CHECK_FALSE((*items)[2].error.empty());
  CHECK_FALSE((*items)[3].error.empty());
}

TEST_CASE("what is no document says so, and quotes nothing of it") {
  for (const auto* text : {R"({"access_token":"secret")", R"({"access_token":secret})"}) {
    auto items = import_text(kDocuments, text);
    REQUIRE_FALSE(items.ok());
    CHECK(items.error().message == "Invalid JSON document");
  }
  auto lines = import_text(kDocuments, "a-bare-key");
  REQUIRE(lines.ok());
  CHECK((*lines)[0].error.find("JSON documents") != std::string::npos);
}
