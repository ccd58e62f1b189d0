// What several modules share: texts of logins, edits of members.
#include <doctest/doctest.h>

#include <random>

#include "common/members.h"
#include "common/problem.h"
#include "common/text.h"
#include "testing/conformance.h"
#include "testing/fake_arena.h"
#include "testing/fake_crypto.h"
#include "testing/fake_host.h"
#include "testing/fake_json.h"

using namespace gp::testing;
using namespace gproxy_common;

namespace {

struct Fixture {
  FakeHost host;
  FakeArena memory;
  gp::Arena arena{host.table(), memory.handle()};
  gp_step_in raw = gp::stamped<gp_step_in>();
  gp::StepIn in{raw, arena, fake_json(), fake_crypto()};

  // The body after the edits, as it would be sent.
  std::string edited(const std::string& body, MemberEdits edits) {
    const std::vector<gp_span> spans = index_body(body);
    gp_request request = gp::stamped<gp_request>();
    request.body = gp::str(body);
    request.spans = spans.data();
    request.span_count = spans.size();
    request.arena = memory.handle();
    gp::BodyEdit edit(arena, body);
    edits.apply(gp::Request(&request, arena, fake_json()), edit);
    gp_upstream up = gp::stamped<gp_upstream>();
    REQUIRE(edit.finish(up));
    return apply_splices(body, {up.splices, up.splice_count});
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "query values are decoded and trimmed; empty and broken ones are absent") {
  const std::string query = "a=1&b=%20x%2By+z%20&c=&d=%zz&e&f=a%0d%0ab&g=%C3%A9&a=2&h=%2";
  auto value = [&](std::string_view name) { return std::string(query_value(arena, query, name)); };
  CHECK(value("a") == "1");
  CHECK(value("b") == "x+y z");
  for (const char* absent : {"c", "d", "e", "f", "h", "z"}) CHECK(value(absent).empty());
  CHECK(value("g") == "é");
}

TEST_CASE_FIXTURE(Fixture, "a login's answer, from the query or from the address that was pasted") {
  struct Case {
    const char *query, *code, *state, *error;
  };
  const Case cases[] = {
      {"code=c&state=s", "c", "s", ""},
      {"callback_url=http%3A%2F%2Fh%2Fp%3Fcode%3Dc%26state%3Ds%23frag", "c", "s", ""},
      {"callback_url=code%3Dc%26state%3Ds", "c", "s", ""},
      {"code=mine&callback_url=http%3A%2F%2Fh%3Fcode%3Dc%26state%3Ds", "mine", "s", ""},
      {"callback_url=http%3A%2F%2Fh%3Ferror%3Daccess_denied", "", "", "access_denied"},
      {"error=x&error_description=why", "", "", "why"},
      {"callback_url=http%3A%2F%2Fh%2Fnothing", "", "", ""},
      {"", "", "", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.query);
    const LoginAnswer answer = login_answer(arena, c.query);
    CHECK(answer.code == c.code);
    CHECK(answer.state == c.state);
    CHECK(answer.error == c.error);
  }
}

TEST_CASE_FIXTURE(Fixture, "forms, PKCE and claims") {
  CHECK(form_encode(arena, {{"a", "1 &=+/é"}, {"b", ""}, {"c", "~"}}) ==
        "a=1%20%26%3D%2B%2F%C3%A9&c=~");
  // RFC 7636, appendix B.
  CHECK(pkce_challenge(in, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") ==
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
  CHECK(random_token(in, 32).size() == 43);
  CHECK(random_token(in, 64).size() == 86);
  CHECK(random_token(in, 32) != random_token(in, 32));
  CHECK(token_claims(in, "e30.eyJhIjoxfQ.s") == R"({"a":1})");
  for (const char* wrong : {"", "a", "a.b", "e30.!!!.s", "e30.WzFd.s", "e30.eyJh.s"})
    CHECK(token_claims(in, wrong).empty());
}

TEST_CASE_FIXTURE(Fixture, "times as stored and as vendors write them") {
  auto stored = [&](const char* text) {
    return stored_time_ms(gp::Json(arena, fake_json(), text).get(""));
  };
  CHECK(stored("1767229200") == 1767229200000);
  CHECK(stored("1767229200000") == 1767229200000);
  CHECK(stored("\"1767229200\"") == 1767229200000);
  CHECK(stored("1767229200.75") == 1767229200000);
  for (const char* none : {"0", "-5", "null", "\"soon\"", "1e30", "99999999999999999999"})
    CHECK(stored(none) == 0);
  CHECK(date_time_ms("2026-01-02T03:04:05Z") == 1767323045000);
  CHECK(date_time_ms("2026-01-02T03:04:05.943648+00:00") == 1767323045000);
  CHECK(date_time_ms("2026-01-02T04:04:05+01:00") == 1767323045000);
  CHECK(date_time_ms("2026-01-01T21:34:05-05:30") == 1767323045000);
  for (const char* none : {"", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05+1:00"})
    CHECK(date_time_ms(none) == 0);
}

TEST_CASE_FIXTURE(Fixture, "ids keep their slashes in a path and nothing that climbs") {
  CHECK(path_of_id(arena, "a/b c/%2e") == "a/b%20c/%252e");
  for (const char* refused : {"", "/", "..", "a/..", "./a", "a//b", "a/"})
    CHECK(path_of_id(arena, refused).empty());
}

TEST_CASE_FIXTURE(Fixture, "members of an object are set beside what stays as it is") {
  const gp::Json object(arena, fake_json(), R"({"a": 1e400,"b":[1, 2],"a":2})");
  const Pair set[] = {{"b", "null"}, {"c", R"("x")"}};
  CHECK(with_members(object, arena, set) == R"({"a":1e400,"b":null,"a":2,"c":"x"})");
}

TEST_CASE_FIXTURE(Fixture,
                  "edits of members give the object that they describe, whatever stands where") {
  std::mt19937 random(7);
  const std::vector<std::string> names = {"a", "b", "c", "d", "e"};
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> present = names;
    std::shuffle(present.begin(), present.end(), random);
    present.resize(random() % 6);
    std::string body = random() % 2 == 0 ? "{" : " { ";
    for (size_t i = 0; i < present.size(); ++i) {
      body += (i == 0 ? "" : random() % 2 == 0 ? "," : " , ");
      body += "\"" + present[i] + "\":" + (random() % 4 == 0 ? "null" : "[\"" + present[i] + "\"]");
    }
    body += random() % 2 == 0 ? "}" : " } ";
    MemberEdits edits;
    std::vector<int> rules;
    for (const std::string& name : names) {
      rules.push_back(static_cast<int>(random() % 4));
      if (rules.back() == 1) edits.drop(name);
      if (rules.back() == 2) edits.set(name, "7");
      if (rules.back() == 3) edits.set_missing(name, "8");
    }
    const std::string out = edited(body, std::move(edits));
    CAPTURE(body);
    CAPTURE(out);
    REQUIRE(json_valid(out));
    for (size_t i = 0; i < names.size(); ++i) {
      bool was = false, is = false;
      const std::string before = json_at(body, "/" + names[i], &was);
      const std::string after = json_at(out, "/" + names[i], &is);
      const bool missing = !was || before == "null";
      if (rules[i] == 0) CHECK((is == was && after == before));
      if (rules[i] == 1) CHECK_FALSE(is);
      if (rules[i] == 2) CHECK(after == "7");
      if (rules[i] == 3) CHECK(after == (missing ? "8" : before));
    }
  }
}
