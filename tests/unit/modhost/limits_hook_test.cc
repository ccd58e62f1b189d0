// What a module says of an answer's rate-limit headers: taken over, bounded, or refused.
#include "modhost/limits_hook.h"

#include <doctest/doctest.h>

#include "stub_module.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::str;
using test::Stub;

namespace {

struct Fixture {
  Stub stub;
  std::shared_ptr<const Provider> provider;
  CredentialHandle credential;
  LimitList room;

  Fixture() {
    stub.extensions = {GP_EXT_LIMITS};
    provider = stub.good_provider();
    credential = *provider->open_credential(R"({"Stub":{"api_key":"k"}})");
  }
  std::span<const LimitWindow> read(std::span<const http::HeaderView> headers = {}) {
    return read_limits(*provider,
                       {.status = 200,
                        .protocol = translate::Protocol::claude,
                        .operation = translate::Operation::generate,
                        .wall_ms = 77,
                        .model = "m",
                        .headers = headers,
                        .credential = credential.get()},
                       room);
  }
  void say(gp_limit one) {
    stub.limits = [one](const gp_limits_in*, gp_limit* out, size_t, size_t* count) {
      out[0] = one;
      *count = 1;
      return GP_OK;
    };
  }
};

gp_limit named(std::string_view name) {
  gp_limit one{};
  one.name = str(name);
  one.used_ppm = one.limit = one.remaining = -1;
  return one;
}

}  // namespace

TEST_CASE("a module without the extension is not asked") {
  Stub stub;
  CHECK_FALSE(stub.good_provider()->reads_limits());
}

TEST_CASE_FIXTURE(Fixture, "a module sees the headers, the model and the time") {
  REQUIRE(provider->reads_limits());
  const http::HeaderView headers[] = {{"x-left", "9"}};
  stub.limits = [](const gp_limits_in* in, gp_limit* out, size_t room_for, size_t* count) {
    CHECK(room_for >= GP_MAX_LIMITS);
    CHECK(in->status == 200);
    CHECK(in->protocol == GP_PROTOCOL_CLAUDE);
    CHECK(in->now_ms == 77);
    REQUIRE(in->header_count == 1);
    CHECK(in->credential != nullptr);
    out[0] = named("requests");
    out[0].unit = in->headers[0].value;
    out[0].remaining = 9;
    out[0].scope = GP_SCOPE_MODEL;
    out[0].flags = GP_LIMIT_REST;
    *count = 1;
    return GP_OK;
  };
  const auto windows = read(headers);
  REQUIRE(windows.size() == 1);
  CHECK(windows[0].name == "requests");
  CHECK(windows[0].unit == "9");
  CHECK(windows[0].remaining == 9);
  CHECK(windows[0].used_ppm == -1);
  CHECK(windows[0].scope == Scope::model);
  CHECK(windows[0].rest);
}

TEST_CASE_FIXTURE(Fixture, "headers that tell nothing are no failure") {
  stub.limits = [](const gp_limits_in*, gp_limit*, size_t, size_t*) { return GP_ERR_NOT_FOUND; };
  CHECK(read().empty());
  CHECK(provider->breaches() == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "amounts out of range are drawn into it, unknown scopes are the credential") {
  auto one = named("w");
  one.used_ppm = INT64_MAX;
  one.limit = -7;
  one.resets_at_ms = -1;
  one.scope = 99;
  say(one);
  const auto windows = read();
  REQUIRE(windows.size() == 1);
  CHECK(windows[0].used_ppm == 1'000'000'000);
  CHECK(windows[0].limit == -1);
  CHECK(windows[0].resets_at_ms == 0);
  CHECK(windows[0].scope == Scope::credential);
}

TEST_CASE_FIXTURE(Fixture, "a broken contract is counted and tells nothing") {
  const std::string long_text(GP_MAX_LIMIT_TEXT + 1, 'x');
  auto unsound = named("w");
  unsound.subject = {nullptr, 5};
  auto control = named("w");
  control.unit = str("a\nb");
  for (const auto& bad : {named(""), named(long_text), unsound, control}) {
    const auto had = provider->breaches();
    say(bad);
    CHECK(read().empty());
    CHECK(provider->breaches() == had + 1);
  }
  stub.limits = [](const gp_limits_in*, gp_limit*, size_t room_for, size_t* count) {
    *count = room_for + 1;
    return GP_OK;
  };
  CHECK(read().empty());
  stub.limits = [](const gp_limits_in*, gp_limit*, size_t, size_t*) { return GP_ERR_INTERNAL; };
  CHECK(read().empty());
  CHECK(provider->breaches() == 6);
}
