// Credentials as people bring them, in the one form that is stored.
#include "modhost/credential_text.h"

#include <doctest/doctest.h>

#include <string>

using namespace gproxy;
using namespace gproxy::modhost;

namespace {

std::string tagged(std::string_view text) {
  KindInfo kind;
  kind.credential_tag = "Tag";
  kind.aliases = {{"accessToken", "access_token"}, {"expiry_date", "expires_at"}};
  Arena arena;
  const auto schema = json::parse(
      R"({"properties":{"access_token":{"type":"string"},"expires_at":{"type":"integer"}}})",
      arena);
  const auto secret = json::parse(text, arena);
  return json::write(tagged_credential(kind, *schema, *secret, arena));
}

}  // namespace

TEST_CASE("a vendor's own file is put under the kind's tag, what it holds besides is kept") {
  CHECK(tagged(R"({"access_token":"a","scope":"x"})") ==
        R"({"Tag":{"access_token":"a","scope":"x"}})");
  CHECK(tagged(R"({"access_token":"a"})") == R"({"Tag":{"access_token":"a"}})");
}

TEST_CASE("other tools' names become the fields', with and without the tag") {
  CHECK(tagged(R"({"accessToken":"a","expiry_date":5})") ==
        R"({"Tag":{"access_token":"a","expires_at":5}})");
  CHECK(tagged(R"({"Tag":{"accessToken":"a"}})") == R"({"Tag":{"access_token":"a"}})");
  // The field itself goes first.
  CHECK(tagged(R"({"Tag":{"accessToken":"a","access_token":"b"}})") ==
        R"({"Tag":{"accessToken":"a","access_token":"b"}})");
}

TEST_CASE("what is no credential of the kind stays as it came, for the checks to refuse") {
  for (const char* text : {R"({"Other":{"access_token":"a"}})", R"({"Tag":{},"Other":{}})", "{}",
                           R"({"Tag":7})", R"({"unknown":"x"})", "[1]"}) {
    CHECK(tagged(text) == text);
  }
}
