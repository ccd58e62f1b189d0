#include <doctest/doctest.h>

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

struct Collector final : DataSink {
  std::string got;
  size_t take = SIZE_MAX;  // bytes until it refuses
  Result<void> on_module_data(std::string_view bytes) override {
    if (got.size() + bytes.size() > take)
      return Error{ErrorKind::cancelled, "client_gone", "the client is gone", {}};
    got += bytes;
    return ok();
  }
};

struct ACall {
  Stub& stub;
  ARequest a;
  std::shared_ptr<const Provider> provider;
  Call call;
  explicit ACall(Stub& s, uint32_t flags = 0) : stub(s) {
    stub.prepare = [flags](const gp_request*, gp_upstream* out, gp_call** call, gp_error*) {
      *call = reinterpret_cast<gp_call*>(0x1000);
      out->flags = flags;
      return test::good_upstream(out);
    };
    provider = stub.good_provider();
    auto made = provider->prepare(a.request());
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    call = std::move(*made);
  }
};

}  // namespace

TEST_CASE("absent hooks are seen as absent") {
  Stub stub;
  ACall c(stub);
  CHECK_FALSE(c.call.has_head());
  CHECK_FALSE(c.call.has_data());
  CHECK_FALSE(c.call.has_body());
  CHECK_FALSE(c.call.has_classify());
}

TEST_CASE("the head hook edits status and headers; framing and connection fields are dropped") {
  Stub stub;
  static const gp_header edited[] = {{str("x-a"), str("1")},
                                     {str("content-length"), str("99")},
                                     {str("connection"), str("close")}};
  stub.head = [](gp_call*, const gp_head* in, gp_head* out) {
    CHECK(in->status == 200);
    CHECK(out->status == 200);
    out->status = 201;
    out->headers = edited;
    out->header_count = 3;
    return GP_OK;
  };
  ACall c(stub);
  auto head = c.call.head({200, {}, {}});
  REQUIRE(head.ok());
  CHECK(head->status == 201);
  CHECK(head->headers.size() == 1);
}

TEST_CASE("a head with a broken status or header is the module's fault") {
  Stub stub;
  int32_t status = 99;
  static const gp_header split = {str("x"), str("1\nset-cookie: a")};
  stub.head = [&](gp_call*, const gp_head*, gp_head* out) {
    out->status = status;
    if (status == 200) {
      out->headers = &split;
      out->header_count = 1;
    }
    return GP_OK;
  };
  ACall c(stub);
  CHECK(has(c.call.head({200, {}, {}}).error().message, "head: the status 99"));
  status = 200;
  CHECK(has(c.call.head({200, {}, {}}).error().message, "control character"));
  CHECK(c.provider->breaches() == 2);
}

TEST_CASE("a data hook writes what it likes, as often as it likes") {
  Stub stub;
  stub.data = [](gp_call*, gp_str in, uint32_t flags, const gp_sink* sink) {
    for (size_t i = 0; i < in.len; ++i) {
      if (auto s = sink->write(sink->ctx, {in.ptr + i, 1}); s != GP_OK) return s;
    }
    return (flags & GP_DATA_LAST) != 0 ? sink->write(sink->ctx, str("!")) : GP_OK;
  };
  ACall c(stub);
  Collector sink;
  CHECK(c.call.data("ab", Last::no, sink).ok());
  CHECK(c.call.data("c", Last::yes, sink).ok());
  CHECK(sink.got == "abc!");
}

TEST_CASE("a data hook that stops when the reader is gone is blameless") {
  Stub stub;
  stub.data = [](gp_call*, gp_str in, uint32_t, const gp_sink* sink) {
    for (size_t i = 0; i < in.len; ++i) {
      if (auto s = sink->write(sink->ctx, {in.ptr + i, 1}); s != GP_OK) return s;
    }
    return GP_OK;
  };
  ACall c(stub);
  Collector sink;
  sink.take = 1;
  CHECK(c.call.data("abc", Last::no, sink).error().code == "client_gone");
  CHECK(c.provider->breaches() == 0);
}

TEST_CASE("a data hook that ignores the sink's refusal breaks its contract") {
  Stub stub;
  bool lie = false;
  stub.data = [&](gp_call*, gp_str in, uint32_t, const gp_sink* sink) {
    auto first = sink->write(sink->ctx, in);
    if (lie) return GP_OK;
    (void)sink->write(sink->ctx, in);
    return first;
  };
  ACall c(stub);
  Collector sink;
  sink.take = 0;
  CHECK(has(c.call.data("abc", Last::no, sink).error().message,
            "went on after the sink had refused"));
  lie = true;
  CHECK(has(c.call.data("abc", Last::no, sink).error().message,
            "went on after the sink had refused"));
  CHECK(sink.got.empty());
  CHECK(c.provider->breaches() == 2);
}

TEST_CASE("the body hook gets the whole answer and may change all of it") {
  Stub stub;
  stub.body = [](gp_call*, const gp_reply* whole, gp_reply* out, gp_error* error) {
    if (whole->body.len == 0) {
      error->message = str("no such model");
      return GP_ERR_NOT_FOUND;
    }
    out->status = 404;
    out->body = str("{}");
    return GP_OK;
  };
  ACall c(stub, GP_UPSTREAM_BUFFER);
  CHECK(c.call.has_body());
  CHECK_FALSE(c.call.has_data());
  auto reply = c.call.body({200, {}, "[]"});
  REQUIRE(reply.ok());
  CHECK(reply->status == 404);
  CHECK(reply->body == "{}");
  CHECK(c.call.body({200, {}, ""}).error().http() == 404);
}

TEST_CASE("a verdict is taken within bounds") {
  Stub stub;
  gp_verdict says{};
  stub.classify = [&](const gp_failure* f, gp_verdict* out) {
    CHECK(f->status == 429);
    auto size = out->size;
    *out = says;
    out->size = size;
    return GP_OK;
  };
  ACall c(stub);
  Failure failure;
  failure.status = 429;
  failure.model = "m";
  failure.wall_ms = 1'000'000;
  says.action = GP_ACTION_COOL_DOWN;
  says.scope = GP_SCOPE_MODEL;
  says.reason = str("busy");
  says.until_ms = 1'005'000;
  CHECK(c.call.classify(failure).cool_down_ms == 5'000);
  CHECK(c.call.classify(failure).reason == "busy");
  CHECK(c.call.classify(failure).scope == Scope::model);
  says.until_ms = 10;  // in the past
  CHECK(c.call.classify(failure).cool_down_ms == 1'000);
  says.until_ms = INT64_MAX;
  CHECK(c.call.classify(failure).cool_down_ms == 30LL * 24 * 3600 * 1000);
  says.until_ms = 0;  // the host's own
  CHECK(c.call.classify(failure).cool_down_ms == 30'000);
  says.action = 99;
  CHECK(c.call.classify(failure).action == Action::deliver);
  CHECK(c.provider->breaches() == 0);
}

TEST_CASE("a verdict that breaks the contract is replaced by the host's own rule") {
  Stub stub;
  gp_verdict says{};
  stub.classify = [&](const gp_failure*, gp_verdict* out) {
    auto size = out->size;
    *out = says;
    out->size = size;
    return GP_OK;
  };
  ACall c(stub);
  Failure failure;
  failure.status = 500;
  says.action = GP_ACTION_REFRESH;  // without gproxy.credential/1
  CHECK(c.call.classify(failure).action == Action::next);
  says.action = GP_ACTION_RETRY_PATCHED;
  says.credential_json = str(R"({"Stub":{}})");
  CHECK(c.call.classify(failure).action == Action::next);
  says.action = GP_ACTION_NEXT;
  says.reason = str("two words");
  CHECK(c.call.classify(failure).action == Action::next);
  CHECK(c.provider->breaches() == 3);
}

TEST_CASE("a patched credential that fits is handed on") {
  Stub stub;
  stub.classify = [](const gp_failure*, gp_verdict* out) {
    out->action = GP_ACTION_RETRY_PATCHED;
    out->credential_json = str(R"({"Stub":{"api_key":"new"}})");
    return GP_OK;
  };
  ACall c(stub);
  auto verdict = c.call.classify(Failure{});
  CHECK(verdict.action == Action::retry_patched);
  CHECK(verdict.credential_json == R"({"Stub":{"api_key":"new"}})");
}

TEST_CASE("a hook that declines to judge leaves it to the host") {
  Stub stub;
  stub.classify = [](const gp_failure*, gp_verdict*) { return GP_ERR_UNSUPPORTED; };
  ACall c(stub);
  Failure failure;
  failure.status = 404;
  CHECK(c.call.classify(failure).action == Action::deliver);
  CHECK(c.provider->breaches() == 0);
}
