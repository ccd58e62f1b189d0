#include <doctest/doctest.h>

#include "modhost/verdict.h"

using namespace gproxy;
using namespace gproxy::modhost;

namespace {

constexpr int64_t kNow = 1'767'225'600'000;  // 2026-01-01T00:00:00Z

struct AFailure {
  Failure failure;
  std::vector<http::HeaderView> headers;
  AFailure& status(int s) {
    failure.status = s;
    return *this;
  }
  AFailure& kind(FailureKind k) {
    failure.kind = k;
    return *this;
  }
  AFailure& header(const char* name, const char* value) {
    headers.push_back({name, value});
    return *this;
  }
  AFailure& model(std::string_view m) {
    failure.model = m;
    return *this;
  }
  AFailure& row(int consecutive, int same) {
    failure.consecutive = consecutive;
    failure.same_status = same;
    return *this;
  }
  AFailure& refreshable() {
    failure.can_refresh = true;
    return *this;
  }
  AFailure& body(std::string_view b) {
    failure.body = b;
    return *this;
  }
  Verdict judge() {
    failure.headers = headers;
    failure.wall_ms = kNow;
    return default_verdict(failure);
  }
};

}  // namespace

TEST_CASE("a 429 rests the credential for that model as long as the upstream says") {
  auto v = AFailure().status(429).model("m").header("Retry-After", "17").judge();
  CHECK(v.action == Action::cool_down);
  CHECK(v.scope == Scope::model);
  CHECK(v.cool_down_ms == 17'000);
  CHECK(v.reason == "rate_limit");
}

TEST_CASE("a 429 that says nothing rests it for 30 s") {
  CHECK(AFailure().status(429).model("m").judge().cool_down_ms == 30'000);
}

TEST_CASE("a 429 of an operation without a model rests that operation") {
  CHECK(AFailure().status(429).judge().scope == Scope::operation);
}

TEST_CASE("no answer makes a rest shorter than a second or longer than the cap") {
  CHECK(AFailure().status(429).model("m").header("retry-after", "0").judge().cool_down_ms == 1'000);
  CHECK(AFailure()
            .status(429)
            .model("m")
            .header("retry-after", "Thu, 01 Jan 2015 00:00:00 GMT")
            .judge()
            .cool_down_ms == 1'000);
  CHECK(AFailure()
            .status(429)
            .model("m")
            .header("retry-after", "999999999999999999")
            .judge()
            .cool_down_ms == 3'600'000);
}

TEST_CASE("Retry-After is read as seconds, fractions, HTTP date and milliseconds") {
  auto rest = [](const char* name, const char* value) {
    http::HeaderView header{name, value};
    return retry_after_ms({&header, 1}, kNow);
  };
  CHECK(rest("retry-after", "5") == 5'000);
  CHECK(rest("Retry-After", " 1.5 ") == 2'000);
  CHECK(rest("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT") == 60'000);
  CHECK(rest("retry-after-ms", "250") == 250);
  CHECK_FALSE(rest("retry-after", "soon").has_value());
  CHECK_FALSE(rest("retry-after", "-5").has_value());
  CHECK_FALSE(rest("retry-after", "1.x").has_value());
  CHECK_FALSE(rest("x-other", "5").has_value());
}

TEST_CASE("retry-after-ms wins over Retry-After") {
  CHECK(AFailure()
            .status(429)
            .model("m")
            .header("retry-after", "9")
            .header("retry-after-ms", "2500")
            .judge()
            .cool_down_ms == 2'500);
}

TEST_CASE("a 401 asks for a refresh where the kind can, once") {
  auto v = AFailure().status(401).refreshable().judge();
  CHECK(v.action == Action::refresh);
  CHECK(v.cause == 1);
}

TEST_CASE("a 401 that no refresh helps rests the credential, longer each time") {
  CHECK(AFailure().status(401).judge().cool_down_ms == 30'000);
  CHECK(AFailure().status(401).row(1, 1).judge().cool_down_ms == 60'000);
  CHECK(AFailure().status(401).row(50, 50).judge().cool_down_ms == 3'600'000);
  CHECK(AFailure().status(401).judge().scope == Scope::credential);
}

TEST_CASE("a single 403 is the request's affair, three in a row are the credential's") {
  CHECK(AFailure().status(403).judge().action == Action::next);
  CHECK(AFailure().status(403).row(2, 0).judge().action == Action::next);
  CHECK(AFailure().status(403).row(2, 2).judge().action == Action::cool_down);
}

TEST_CASE("a server error moves on, and rests the credential only when it is the third in a row") {
  CHECK(AFailure().status(500).judge().action == Action::next);
  CHECK(AFailure().status(529).row(1, 0).judge().action == Action::next);
  auto v = AFailure().status(503).row(2, 0).judge();
  CHECK(v.action == Action::cool_down);
  CHECK(v.cool_down_ms == 10'000);
  CHECK(v.reason == "upstream_5xx");
}

TEST_CASE("a server error that says when to come back rests the model until then, at once") {
  auto v = AFailure().status(503).model("m").header("retry-after", "20").judge();
  CHECK(v.action == Action::cool_down);
  CHECK(v.scope == Scope::model);
  CHECK(v.cool_down_ms == 20'000);
  CHECK(AFailure().status(503).header("retry-after", "20").judge().scope == Scope::operation);
  CHECK(AFailure().status(503).header("retry-after", "0").judge().action == Action::next);
  CHECK(AFailure().status(501).header("retry-after", "20").judge().action == Action::deliver);
}

TEST_CASE("transport failures move on like server errors") {
  for (auto kind : {FailureKind::connect, FailureKind::dns, FailureKind::tls,
                    FailureKind::connect_timeout, FailureKind::first_byte_timeout,
                    FailureKind::idle_timeout, FailureKind::reset, FailureKind::protocol}) {
    CHECK(AFailure().kind(kind).judge().action == Action::next);
    CHECK(AFailure().kind(kind).row(2, 0).judge().action == Action::cool_down);
  }
  CHECK(AFailure().kind(FailureKind::proxy).row(9, 0).judge().action == Action::deliver);
}

TEST_CASE("other client errors are delivered") {
  for (int status : {400, 404, 413, 415, 422, 501})
    CHECK(AFailure().status(status).judge().action == Action::deliver);
}

TEST_CASE("an error event at a stream's beginning is judged by its words") {
  auto limited = AFailure()
                     .kind(FailureKind::stream_error)
                     .status(200)
                     .model("m")
                     .body(R"({"error":{"type":"rate_limit_error"}})")
                     .judge();
  CHECK(limited.action == Action::cool_down);
  CHECK(limited.scope == Scope::model);
  CHECK(AFailure()
            .kind(FailureKind::stream_error)
            .body(R"({"error":{"type":"overloaded_error"}})")
            .judge()
            .action == Action::next);
  CHECK(AFailure().kind(FailureKind::stream_error).body("not json {").judge().action ==
        Action::next);
}

TEST_CASE("a 402 rests the credential: as long as the upstream says, else for ten minutes") {
  auto v = AFailure().status(402).model("m").judge();
  CHECK(v.action == Action::cool_down);
  CHECK(v.scope == Scope::credential);
  CHECK(v.cool_down_ms == 600'000);
  CHECK(v.reason == "billing");
  CHECK(AFailure().status(402).header("retry-after", "90").judge().cool_down_ms == 90'000);
}

TEST_CASE("a 401 that came back after each of so many rests makes the credential dead") {
  const auto judge = [](int status, int rests, Verdict verdict, int bound = 5) {
    Failure failure;
    failure.status = status;
    failure.auth_rests = rests;
    CoolDownLimits limits;
    limits.auth_failures = bound;
    return give_up_on(failure, verdict, limits);
  };
  Verdict rest;
  rest.action = Action::cool_down;
  rest.cool_down_ms = 1'000;
  rest.reason = "unauthorized";
  CHECK(judge(401, 3, rest).action == Action::cool_down);
  CHECK(judge(401, 4, rest).action == Action::dead);
  CHECK(judge(401, 4, rest).reason == "auth_invalid");
  CHECK(judge(403, 9, rest).action == Action::cool_down);
  CHECK(judge(401, 0, rest, 1).action == Action::dead);
  CHECK(judge(401, 99, rest, 0).action == Action::cool_down);
  // What is refreshed, and what rests for one model alone, is not given up.
  Verdict other = rest;
  other.action = Action::refresh;
  CHECK(judge(401, 9, other).action == Action::refresh);
  other = rest;
  other.scope = Scope::model;
  CHECK(judge(401, 9, other).action == Action::cool_down);
}
