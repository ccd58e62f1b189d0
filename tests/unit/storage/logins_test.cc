#include <doctest/doctest.h>

#include "storage/recorder.h"
#include "storage/ring_drain.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

FlowRow a_flow(int64_t provider, int64_t user, std::string_view state, std::string_view flow) {
  FlowRow row;
  row.state = sha256(state);
  row.provider_id = provider;
  row.user_id = user;
  row.flow = Secret(flow);
  row.expires_at = Clock::system().wall_us() + 600'000'000;
  return row;
}

}  // namespace

TEST_CASE("a waiting login is found by its opener at its provider alone, sealed, after a restart") {
  const Folder folder;
  int64_t provider = 0, other = 0;
  {
    auto store = open(folder);
    REQUIRE(store);
    provider = (*store)->upsert_provider(a_provider("alpha"))->id;
    other = (*store)->upsert_provider(a_provider("beta"))->id;
    REQUIRE((*store)->put_flow(a_flow(provider, 7, "state-1", "verifier-1")));
  }
  CHECK(bytes_of(folder.file("gproxy.db")).find("verifier-1") == std::string::npos);
  auto store = open(folder);
  REQUIRE(store);
  const auto found = [&](int64_t p, int64_t user, const std::optional<Digest>& state) {
    return *(*store)->find_flow(p, user, state);
  };
  auto mine = found(provider, 7, sha256("state-1"));
  REQUIRE(mine.row.has_value());
  CHECK(mine.row->flow.reveal() == "verifier-1");
  CHECK(mine.row->state == sha256("state-1"));
  CHECK(found(provider, 7, std::nullopt).pending == 1);
  CHECK(found(provider, 8, sha256("state-1")).pending == 0);
  CHECK(found(other, 7, sha256("state-1")).pending == 0);
  CHECK(found(provider, 7, sha256("state-2")).pending == 0);

  REQUIRE((*store)->put_flow(a_flow(provider, 7, "state-1", "verifier-2")));
  CHECK(found(provider, 7, std::nullopt).row->flow.reveal() == "verifier-2");
  REQUIRE((*store)->put_flow(a_flow(provider, 7, "state-3", "verifier-3")));
  CHECK(found(provider, 7, std::nullopt).pending == 2);
  REQUIRE((*store)->delete_flow(sha256("state-1")));
  REQUIRE((*store)->delete_flow(sha256("state-1")));
  CHECK(found(provider, 7, std::nullopt).pending == 1);
  REQUIRE((*store)->delete_provider(provider));
  CHECK(found(provider, 7, std::nullopt).pending == 0);
}

TEST_CASE("a state alone finds its login, whoever opened it; nothing else does") {
  auto store = open_fresh();
  REQUIRE(store);
  const auto provider = (*store)->upsert_provider(a_provider("alpha"))->id;
  const auto other = (*store)->upsert_provider(a_provider("beta"))->id;
  REQUIRE((*store)->put_flow(a_flow(provider, 7, "state-7", "seven")));
  REQUIRE((*store)->put_flow(a_flow(provider, 0, "state-0", "zero")));
  const auto seven = (*store)->find_flow(provider, kNoId, sha256("state-7"));
  REQUIRE(seven->pending == 1);
  CHECK(seven->row->user_id == 7);
  CHECK(seven->row->flow.reveal() == "seven");
  CHECK((*store)->find_flow(provider, kNoId, sha256("state-0"))->row->user_id == 0);
  CHECK((*store)->find_flow(provider, kNoId, std::nullopt)->pending == 0);
  CHECK((*store)->find_flow(provider, kNoId, sha256("state-1"))->pending == 0);
  CHECK((*store)->find_flow(other, kNoId, sha256("state-7"))->pending == 0);
}

TEST_CASE("waiting logins expire, and an opener has a bounded number of them") {
  auto store = open_fresh();
  REQUIRE(store);
  const auto provider = (*store)->upsert_provider(a_provider("alpha"))->id;
  auto late = a_flow(provider, 7, "late", "x");
  late.expires_at = Clock::system().wall_us() - 1;
  REQUIRE((*store)->put_flow(late));
  CHECK((*store)->find_flow(provider, 7, sha256("late"))->pending == 0);
  REQUIRE((*store)->put_flow(a_flow(provider, 8, "of another", "x")));
  for (int i = 0; i < kMaxFlowsPerUser + 3; ++i)
    REQUIRE((*store)->put_flow(a_flow(provider, 7, "state-" + std::to_string(i), "x")));
  CHECK((*store)->find_flow(provider, 7, std::nullopt)->pending == kMaxFlowsPerUser);
  CHECK((*store)->find_flow(provider, 7, sha256("state-2"))->pending == 0);
  CHECK((*store)->find_flow(provider, 7, sha256("state-3"))->pending == 1);
  CHECK((*store)->find_flow(provider, 8, std::nullopt)->pending == 1);
}

TEST_CASE("whom a response id belongs to goes through the ring, per user, and ends after 30 days") {
  const Folder folder;
  auto store = open_fresh();
  REQUIRE(store);
  auto rings = Recorders::open(rings_in(folder, **store), 1);
  REQUIRE(rings);
  ResponseRow row;
  row.at = Clock::system().wall_us();
  row.user_id = 7;
  row.provider_id = 1;
  row.credential_id = 4;
  row.response_id = "resp_1";
  CHECK((*rings)->at(0).response(row));
  row.user_id = 8;
  row.credential_id = 5;
  CHECK((*rings)->at(0).response(row));
  row.response_id = "resp_old";
  row.at -= kResponseLifeUs + 1;
  CHECK((*rings)->at(0).response(row));
  RingDrain drain(**rings, 100);
  REQUIRE(drain.pass(**store));
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  const auto owner = [&](std::string_view id, int64_t user) {
    return *(*reader)->response_owner(id, user);
  };
  REQUIRE(owner("resp_1", 7).has_value());
  CHECK(owner("resp_1", 7)->credential_id == 4);
  CHECK(owner("resp_1", 8)->credential_id == 5);
  CHECK_FALSE(owner("resp_1", 9).has_value());
  CHECK_FALSE(owner("resp_2", 7).has_value());
  CHECK_FALSE(owner("resp_old", 8).has_value());
}

TEST_CASE("a refreshed secret brings its settings, and leaves the rest of the row alone") {
  auto store = open_fresh();
  REQUIRE(store);
  const auto provider = (*store)->upsert_provider(a_provider("alpha"))->id;
  auto row = a_credential(provider, "first");
  row.name = "a name";
  row.settings_json = R"({"a":1})";
  const auto made = (*store)->insert_credential(row);
  REQUIRE(made);
  REQUIRE((*store)->replace_secret(made->id, 1, Secret("second"), R"({"a":2})"));
  REQUIRE((*store)->replace_secret(made->id, 2, Secret("third")));
  const auto rows = (*store)->load_all();
  REQUIRE(rows);
  CHECK(rows->credentials[0].settings_json == R"({"a":2})");
  CHECK(rows->credentials[0].name == "a name");
  CHECK(rows->credentials[0].secret.reveal() == "third");
}
