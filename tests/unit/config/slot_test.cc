#include <doctest/doctest.h>

#include <thread>

#include "../modhost/stub_module.h"
#include "config/credential_slot.h"

using namespace gproxy;
using namespace gproxy::config;
using modhost::test::Stub;

namespace {

Secret secret(const char* key) {
  return Secret(std::string(R"({"Stub":{"api_key":")") + key + R"("}})");
}

}  // namespace

TEST_CASE("a slot opens its secret once per instance while somebody holds it") {
  Stub stub;
  auto p = stub.good_provider();
  CredentialSlot slot(1, secret("a"), 1);
  auto one = *slot.open(*p), two = *slot.open(*p);
  CHECK(one == two);
  CHECK(stub.opened == 1);
  one.reset();
  two.reset();
  CHECK(stub.closed == 1);
  CHECK(slot.open(*p).ok());
  CHECK(stub.opened == 2);
}

TEST_CASE("two instances never share an opened version") {
  Stub stub;
  auto p = stub.good_provider(), q = stub.good_provider();
  CredentialSlot slot(1, secret("a"), 1);
  auto one = *slot.open(*p), two = *slot.open(*q);
  CHECK(&one->provider() == p.get());
  CHECK(&two->provider() == q.get());
}

TEST_CASE("a refresh puts a new version into force and starts the health anew") {
  Stub stub;
  auto p = stub.good_provider();
  CredentialSlot slot(1, secret("a"), 1);
  auto before = *slot.open(*p);
  slot.cool_down(100, "auth_invalid");
  auto after = *slot.replace(secret("b"), *p);
  CHECK(after->version() == before->version() + 1);
  CHECK(slot.version() == after->version());
  CHECK(*slot.open(*p) == after);
  CHECK(slot.secret().reveal() == secret("b").reveal());
  CHECK(slot.available(0, ""));
}

TEST_CASE("a secret that the instance refuses changes nothing") {
  Stub stub;
  auto p = stub.good_provider();
  CredentialSlot slot(1, secret("a"), 1);
  CHECK_FALSE(slot.replace(Secret("{}"), *p).ok());
  CHECK(slot.secret().reveal() == secret("a").reveal());
  CHECK(slot.version() == 1);
}

TEST_CASE("rows older than the last refresh do not bring the old secret back") {
  CredentialSlot slot(1, secret("a"), 5);
  CHECK(slot.replace_text(secret("b"), 6));
  CHECK_FALSE(slot.replace_text(secret("a"), 5));
  CHECK(slot.secret().reveal() == secret("b").reveal());
  CHECK_FALSE(slot.replace_text(secret("b"), 7));  // equal: the opened version stays
}

TEST_CASE("a cooldown ends by the time alone") {
  CredentialSlot slot(1, secret("a"), 1);
  slot.cool_down(1'000, "rate_limit");
  CHECK_FALSE(slot.available(999, ""));
  CHECK_FALSE(slot.available(999, "m"));
  CHECK(slot.available(1'000, "m"));
  CHECK(slot.cool_downs(999).size() == 1);
  CHECK(slot.cool_downs(1'000).empty());
}

TEST_CASE("a model's cooldown leaves other models alone") {
  CredentialSlot slot(1, secret("a"), 1);
  slot.cool_down(1'000, "rate_limit", "m");
  slot.cool_down(2'000, "rate_limit", "b");
  CHECK_FALSE(slot.available(500, "m"));
  CHECK(slot.available(500, "x"));
  CHECK(slot.available(500, ""));
  CHECK(slot.available(1'500, "m"));
  auto downs = slot.cool_downs(500);
  REQUIRE(downs.size() == 2);
  CHECK(downs[0].scope == "b");
  CHECK(downs[1].reason == "rate_limit");
  slot.cool_down(100, "rate_limit", "m");  // a shorter one changes nothing
  CHECK_FALSE(slot.available(500, "m"));
}

TEST_CASE("a dead credential stays out until it is reset") {
  CredentialSlot slot(1, secret("a"), 1);
  slot.mark_dead("auth_invalid");
  CHECK_FALSE(slot.available(INT64_MAX - 1, ""));
  slot.reset_health();
  CHECK(slot.available(0, ""));
}

TEST_CASE("model cooldowns are bounded; the soonest to end makes room") {
  CredentialSlot slot(1, secret("a"), 1);
  for (int i = 0; i < 300; ++i) slot.cool_down(1'000 + i, "rate_limit", "m" + std::to_string(i));
  CHECK(slot.cool_downs(0).size() == 256);
  CHECK(slot.available(0, "m0"));
  CHECK_FALSE(slot.available(0, "m299"));
}

TEST_CASE("failures are counted in a row, and of these the ones alike") {
  CredentialSlot slot(1, secret("a"), 1);
  auto count = [&](int status) {
    auto row = slot.record_failure(status, 0);
    return std::pair(row.consecutive, row.same_status);
  };
  CHECK(count(500) == std::pair(0, 0));
  CHECK(count(500) == std::pair(1, 1));
  CHECK(count(403) == std::pair(2, 0));
  CHECK(count(403) == std::pair(3, 1));
  slot.record_success();
  CHECK(count(403) == std::pair(0, 0));
}

TEST_CASE("failures that were under way when the rest began count as the one that began it") {
  CredentialSlot slot(1, secret("a"), 1);
  auto count = [&](int status, int64_t now) {
    auto row = slot.record_failure(status, now);
    return std::pair(row.consecutive, row.same_status);
  };
  CHECK(count(401, 0) == std::pair(0, 0));
  slot.cool_down(1'000, "auth_invalid");
  for (int i = 0; i < 10; ++i) CHECK(count(401, 500) == std::pair(0, 0));
  CHECK(count(500, 500) == std::pair(0, 0));
  CHECK(count(401, 1'000) == std::pair(1, 1));
  slot.mark_dead("auth_invalid");
  CHECK(count(401, 2'000) == std::pair(1, 1));
  slot.reset_health();
  CHECK(count(401, 2'000) == std::pair(0, 0));
}

TEST_CASE("rests after a 401 are counted until a success or a new secret; a refresh is neither") {
  Stub stub;
  auto p = stub.good_provider();
  CredentialSlot slot(1, secret("a"), 1);
  slot.count_auth_rest(0);
  slot.cool_down(1'000, "auth_invalid");
  // What was under way sees the count of the one that began the rest, and adds nothing.
  CHECK(slot.auth_rests(500) == 0);
  slot.count_auth_rest(500);
  CHECK(slot.auth_rests(1'000) == 1);
  REQUIRE(slot.replace(secret("b"), *p).ok());
  CHECK(slot.auth_rests(1'000) == 1);
  slot.count_auth_rest(1'000);
  CHECK(slot.auth_rests(1'000) == 2);
  slot.record_success();
  CHECK(slot.auth_rests(1'000) == 0);
  slot.count_auth_rest(1'000);
  REQUIRE(slot.replace_text(secret("c"), 9));
  CHECK(slot.auth_rests(1'000) == 0);
}

TEST_CASE("loops read a slot while another thread refreshes it") {
  Stub stub;
  auto p = stub.good_provider();
  CredentialSlot slot(1, secret("a"), 1);
  std::atomic<int> failures{0};
  std::vector<std::thread> loops;
  for (int i = 0; i < 3; ++i) {
    loops.emplace_back([&, i] {
      modhost::CredentialHandle held;
      for (int n = 0; n < 200; ++n) {
        if (held == nullptr || held->version() != slot.version()) {
          auto opened = slot.open(*p);
          if (!opened.ok()) {
            ++failures;
            continue;
          }
          held = *opened;
        }
        const bool taken = slot.take(1);
        if (slot.available(n, "m") && i == 0) slot.cool_down(n + 1, "rate_limit", "m");
        if (slot.record_failure(500, n).consecutive > 10) slot.record_success();
        if (taken) slot.give_back(1);
      }
    });
  }
  for (int n = 0; n < 50; ++n) {
    if (!slot.replace(secret(n % 2 != 0 ? "b" : "c"), *p).ok()) ++failures;
  }
  for (auto& loop : loops) loop.join();
  CHECK(failures == 0);
  CHECK(slot.in_use() == 0);
  CHECK(slot.version() == 51);
  CHECK(stub.opened == stub.closed);
}

TEST_CASE("the table keeps a slot for an id and lets others go") {
  SlotTable table;
  auto one = table.put(1, secret("a"), 1);
  CHECK(table.put(1, secret("a"), 1) == one);
  CHECK(one->version() == 1);
  table.put(1, secret("b"), 2);
  CHECK(one->version() == 2);
  table.put(2, secret("c"), 1);
  table.retain({2});
  CHECK(table.find(1) == nullptr);
  CHECK(table.find(2) != nullptr);
  CHECK(table.size() == 1);
}
