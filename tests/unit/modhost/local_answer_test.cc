#include <doctest/doctest.h>

#include "modhost/local_answer.h"
#include "stub_module.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::ARequest;
using test::str;
using test::Stub;

namespace {

bool has(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}
gp_call* const kCall = reinterpret_cast<gp_call*>(0x1000);

struct ALocal : Stub {
  ALocal() {
    extensions = {GP_EXT_LOCAL};
    routes = {{GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST, GP_ROUTE_LOCAL, 0}};
  }
};

}  // namespace

TEST_CASE("a local answer is whole and needs no credential") {
  ALocal stub;
  static const gp_header type = {str("content-type"), str("application/json")};
  stub.respond = [](const gp_request* request, gp_local* out, gp_call**, gp_error*) {
    CHECK(request->credential == nullptr);
    out->status = 200;
    out->headers = &type;
    out->header_count = 1;
    out->body = str("[]");
    return GP_OK;
  };
  ARequest a;
  auto p = stub.good_provider();
  auto answer = LocalAnswer::respond(*p, a.request());
  REQUIRE(answer.ok());
  CHECK_FALSE(answer->streamed());
  CHECK(answer->reply().body == "[]");
  CHECK(answer->reply().headers.size() == 1);
}

TEST_CASE("a streamed local answer comes in pieces and is released once, also in the middle") {
  ALocal stub;
  int pieces = 0;
  stub.respond = [](const gp_request*, gp_local* out, gp_call** call, gp_error*) {
    out->flags = GP_LOCAL_STREAM;
    out->status = 200;
    *call = kCall;
    return GP_OK;
  };
  stub.next = [&](gp_call*, gp_piece* out) {
    out->bytes = str("data: x\n\n");
    out->delay_ms = 40;
    if (++pieces == 3) out->flags = GP_PIECE_LAST;
    return GP_OK;
  };
  ARequest a;
  auto p = stub.good_provider();
  {
    auto answer = *LocalAnswer::respond(*p, a.request());
    auto piece = answer.next();
    CHECK(piece->bytes == "data: x\n\n");
    CHECK(piece->delay_ms == 40);
    CHECK_FALSE(piece->last);
    CHECK_FALSE(answer.next()->last);
    CHECK(answer.next()->last);
    auto moved = std::move(answer);
  }
  CHECK(stub.released == 1);
  { auto left_early = *LocalAnswer::respond(*p, a.request()); }
  CHECK(stub.released == 2);
}

TEST_CASE("a local answer that breaks its contract is the module's fault") {
  ARequest a;
  auto refusal = [&](auto respond) {
    ALocal stub;
    stub.respond = respond;
    auto p = stub.good_provider();
    auto answer = LocalAnswer::respond(*p, a.request());
    REQUIRE_FALSE(answer.ok());
    CHECK(p->breaches() == 1);
    return answer.error().message;
  };
  CHECK(has(refusal([](auto, gp_local*, auto, auto) { return GP_OK; }), "the status 0"));
  CHECK(has(refusal([](auto, gp_local* out, auto, auto) {
              out->status = 200;
              out->flags = GP_LOCAL_STREAM;
              return GP_OK;
            }),
            "*call is not"));
  CHECK(has(refusal([](auto, gp_local* out, auto, auto) {
              out->status = 200;
              out->body = {nullptr, 3};
              return GP_OK;
            }),
            "no bytes"));
}

TEST_CASE("a piece that is too long or too late ends the answer with an error") {
  ALocal stub;
  gp_piece says{};
  stub.respond = [](const gp_request*, gp_local* out, gp_call** call, gp_error*) {
    out->flags = GP_LOCAL_STREAM;
    out->status = 200;
    *call = kCall;
    return GP_OK;
  };
  stub.next = [&](gp_call*, gp_piece* out) {
    out->bytes = says.bytes;
    out->delay_ms = says.delay_ms;
    return GP_OK;
  };
  ARequest a;
  auto p = stub.good_provider();
  auto answer = *LocalAnswer::respond(*p, a.request());
  says.delay_ms = 60'001;
  CHECK(has(answer.next().error().message, "delay"));
  says = {};
  says.bytes = {"x", (size_t{1} << 20) + 1};
  CHECK(has(answer.next().error().message, "piece"));
}
