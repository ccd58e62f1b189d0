#include "translate/body_index.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace gproxy::translate {

TEST_CASE("the index tells where model and stream stand") {
  const std::string_view body = R"( {"messages":[{"model":"no"}],"model":"p/m","stream":true} )";
  auto index = index_body(body, ModelRule::in_body);
  REQUIRE(index.ok());
  CHECK(index->model == "p/m");
  CHECK(index->stream);
  const auto& span = (*index)[BodyField::model];
  CHECK(body.substr(span.at, span.len) == "\"p/m\"");
  CHECK((*index)[BodyField::root].at == 1);
  CHECK_FALSE((*index)[BodyField::tools].found);
}

TEST_CASE("a duplicate of an indexed member is refused, also in an escaped spelling") {
  for (const std::string_view body :
       {R"({"model":"a","model":"b"})", R"({"model":"a","mod\u0065l":"b"})"}) {
    const auto index = index_body(body, ModelRule::in_body);
    REQUIRE_FALSE(index.ok());
    CHECK(index.error().kind == ErrorKind::invalid);
    CHECK(index.error().param == "model");
  }
}

TEST_CASE("an escaped model is decoded, and the view survives a move") {
  auto index = index_body(R"({"model":"a\u002fb"})", ModelRule::in_body);
  REQUIRE(index.ok());
  const BodyIndex moved = std::move(*index);
  CHECK(moved.model == "a/b");
  CHECK(moved.model.data() == moved.model_unescaped.data());
}

TEST_CASE("model and stream must have their types") {
  CHECK(index_body(R"({"model":3})", ModelRule::in_body).error().param == "model");
  CHECK(index_body(R"({})", ModelRule::in_body).error().param == "model");
  CHECK(index_body(R"({"model":"m","stream":"yes"})", ModelRule::in_body).error().param ==
        "stream");
  CHECK(index_body(R"({"model":"m","stream":null})", ModelRule::in_body).ok());
  CHECK(index_body(R"({"contents":[]})", ModelRule::elsewhere).ok());
}

TEST_CASE("a body that is not an object is refused") {
  for (const std::string_view body : {"", "[]", "\"x\"", "{", "{\"a\":}", "{} x"}) {
    CAPTURE(body);
    const auto index = index_body(body, ModelRule::elsewhere);
    REQUIRE_FALSE(index.ok());
    CHECK(index.error().kind == ErrorKind::invalid);
  }
}

TEST_CASE("include_usage is found inside stream_options") {
  const std::string_view body = R"({"model":"m","stream_options":{"include_usage":false}})";
  const auto index = index_body(body, ModelRule::in_body);
  REQUIRE(index.ok());
  const auto& span = (*index)[BodyField::include_usage];
  REQUIRE(span.found);
  CHECK(body.substr(span.at, span.len) == "false");
}

TEST_CASE("every field has the name it is found by") {
  CHECK(name(BodyField::model) == "model");
  CHECK(name(BodyField::messages) == "messages");
  CHECK(name(BodyField::service_tier) == "service_tier");
  CHECK(name(BodyField::generate_content_request) == "generateContentRequest");
}

}  // namespace gproxy::translate
