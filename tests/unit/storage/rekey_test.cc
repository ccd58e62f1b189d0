// Another master key: what is sealed with it, what a crash leaves, what is refused.
#include <doctest/doctest.h>

#include <sqlite3.h>

#include <filesystem>

#include "storage/store.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

const std::string kOld(64, 'a');
const std::string kNew(64, 'b');
const std::string kThird(64, 'c');
constexpr int kCredentials = 150;  // more than two steps' worth

Secret key_of(const std::string& hex) {
  MasterKeySource source;
  source.key = Secret(hex);
  return **read_master_key(source);
}

// A database of the kind under test that is opened again and again, with one key or another.
class Database {
 public:
  Database() { options_.dsn = postgres_url() != nullptr ? new_postgres_database() : folder_.dsn(); }
  Result<std::unique_ptr<Store>> open(const std::string& key) const {
    StoreOptions options = options_;
    options.master_key.key = Secret(key);
    return open_store(options);
  }

 private:
  Folder folder_;
  StoreOptions options_;
};

std::string secret_of(int number) {
  return R"({"OpenAI":{"api_key":"sk-)" + std::to_string(number) + "\"}}";
}

// One of everything that is sealed, and many credentials.
void fill(Store& store) {
  SettingsRow settings;
  settings.admin_key = Secret("the-admin-key");
  settings.proxy = "http://u:p@proxy";
  settings.secrets_json = Secret(R"({"metrics_token":"x"})");
  REQUIRE(store.put_settings(settings));
  auto row = a_provider("alpha");
  row.settings_json = R"({"hf_token":"hf-secret"})";
  const auto provider = store.upsert_provider(row);
  REQUIRE(provider);
  REQUIRE(store.transaction([&]() -> Result<void> {
    for (int i = 0; i < kCredentials; ++i) {
      GP_TRY([[maybe_unused]] auto made,
             store.insert_credential(a_credential(provider->id, secret_of(i))));
    }
    return ok();
  }));
  UserRow user;
  user.id = 0;
  user.name = "user0";
  REQUIRE(store.upsert_user(user));
  UserKeyRow key;
  key.has_copy = true;
  key.user_id = 0;
  REQUIRE(store.insert_user_key(key, Secret("a-user-key")));
  FlowRow flow;
  flow.state = sha256("state");
  flow.provider_id = provider->id;
  flow.user_id = 0;
  flow.flow = Secret("a-flow");
  flow.expires_at = INT64_MAX;
  REQUIRE(store.put_flow(flow));
}
constexpr int kSealedRecords = kCredentials + 6;

void check_all(Store& store) {
  const auto rows = store.load_all();
  REQUIRE(rows);
  REQUIRE(rows->settings.has_value());
  CHECK(rows->settings->admin_key.equals("the-admin-key"));
  CHECK(rows->settings->proxy == "http://u:p@proxy");
  CHECK(rows->settings->secrets_json.equals(R"({"metrics_token":"x"})"));
  REQUIRE(rows->providers.size() == 1);
  CHECK(rows->providers[0].readable);
  CHECK(rows->providers[0].settings_json == R"({"hf_token":"hf-secret"})");
  REQUIRE(rows->credentials.size() >= kCredentials);
  int wrong = 0;
  for (int i = 0; i < kCredentials; ++i) {
    const auto& credential = rows->credentials[static_cast<size_t>(i)];
    wrong += credential.readable && credential.secret.equals(secret_of(i)) ? 0 : 1;
  }
  CHECK(wrong == 0);
  REQUIRE(rows->user_keys.size() == 1);
  // The digests' own key is the same: users' keys go on working.
  CHECK(rows->user_keys[0].digest == store.key_hasher().digest("a-user-key"));
  const auto revealed = store.reveal_user_key(rows->user_keys[0].id);
  REQUIRE(revealed);
  CHECK(revealed->equals("a-user-key"));
  const auto found = store.find_flow(rows->providers[0].id, 0, sha256("state"));
  REQUIRE(found);
  REQUIRE(found->row.has_value());
  CHECK(found->row->flow.equals("a-flow"));
}

RekeyReport run_to_end(Store& store) {
  for (;;) {
    const auto report = store.rekey_step();
    REQUIRE(report);
    if (report->done) return *report;
  }
}

}  // namespace

TEST_CASE("a rekey seals every record with the new key, and the old one is refused") {
  const Database database;
  {
    auto store = database.open(kOld);
    REQUIRE(store);
    fill(**store);
    const auto begun = (*store)->begin_rekey(key_of(kNew));
    REQUIRE(begun);
    CHECK_FALSE(begun->done);
    check_all(**store);
    const auto report = run_to_end(**store);
    CHECK(report.records == kSealedRecords);
    CHECK(report.unreadable == 0);
    CHECK(report.fingerprint == begun->fingerprint);
    CHECK(report.key_file.empty());
    check_all(**store);
  }
  const auto refused = database.open(kOld);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == "wrong_master_key");
  CHECK(exit_code(refused.error()) == 78);
  auto store = database.open(kNew);
  REQUIRE(store);
  check_all(**store);
}

TEST_CASE("killed after any step, either key opens all of it, and a repetition ends it") {
  bool ended = false;
  for (int steps = 0; !ended; ++steps) {
    CAPTURE(steps);
    const Database database;
    {
      auto store = database.open(kOld);
      REQUIRE(store);
      fill(**store);
      REQUIRE((*store)->begin_rekey(key_of(kNew)));
      for (int i = 0; i < steps && !ended; ++i) ended = (*store)->rekey_step()->done;
    }
    if (ended) {
      REQUIRE(steps >= 9);  // each kind of record, three times credentials, and the end
      break;
    }
    for (const auto& key : {kOld, kNew, kOld}) {
      auto store = database.open(key);
      REQUIRE(store);
      check_all(**store);
      CHECK_FALSE((*store)->rekey_state().done);
      // Written with what is in force, whichever key opened it.
      REQUIRE((*store)->insert_credential(a_credential(1, "later")));
    }
    CHECK(database.open(kThird).error().code == "wrong_master_key");
    {
      auto store = database.open(kOld);
      REQUIRE(store);
      CHECK((*store)->begin_rekey(key_of(kThird)).error().code == "rekey_unfinished");
      REQUIRE((*store)->begin_rekey(key_of(kNew)));
      CHECK(run_to_end(**store).unreadable == 0);
    }
    CHECK(database.open(kOld).error().code == "wrong_master_key");
    auto store = database.open(kNew);
    REQUIRE(store);
    check_all(**store);
    CHECK((*store)->rekey_state().done);
  }
}

TEST_CASE("what is written meanwhile opens afterwards") {
  const Database database;
  {
    auto store = database.open(kOld);
    REQUIRE(store);
    fill(**store);
    REQUIRE((*store)->begin_rekey(key_of(kNew)));
    REQUIRE((*store)->rekey_step());
    REQUIRE((*store)->replace_secret(1, 1, Secret(secret_of(0))));
    REQUIRE((*store)->replace_secret(kCredentials, 1, Secret(secret_of(kCredentials - 1))));
    run_to_end(**store);
  }
  auto store = database.open(kNew);
  REQUIRE(store);
  check_all(**store);
}

TEST_CASE("a rekey to the key in force, or to none that is known, is refused") {
  const Database database;
  auto store = database.open(kOld);
  REQUIRE(store);
  const auto same = (*store)->begin_rekey(key_of(kOld));
  REQUIRE_FALSE(same.ok());
  CHECK(same.error().code == "same_master_key");
  const auto none = (*store)->begin_rekey(std::nullopt);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().param == "key_file");
  CHECK((*store)->rekey_state().done);
}

TEST_CASE("a second rekey follows the first") {
  const Database database;
  {
    auto store = database.open(kOld);
    REQUIRE(store);
    fill(**store);
    REQUIRE((*store)->begin_rekey(key_of(kNew)));
    run_to_end(**store);
    REQUIRE((*store)->begin_rekey(key_of(kThird)));
    CHECK(run_to_end(**store).records == kSealedRecords);
    check_all(**store);
  }
  CHECK_FALSE(database.open(kNew).ok());
  CHECK(database.open(kThird).ok());
}

TEST_CASE("a generated key is replaced by another one") {
  const Folder folder;
  const std::string file = folder.file("master.key");
  std::string before;
  {
    auto store = open(folder);
    REQUIRE(store);
    fill(**store);
    before = bytes_of(file);
    REQUIRE((*store)->begin_rekey(std::nullopt));
    CHECK(bytes_of(file) == before);  // until everything is sealed with the other
    CHECK(run_to_end(**store).key_file == file);
  }
  const std::string after = bytes_of(file);
  CHECK(after != before);
  CHECK_FALSE(std::filesystem::exists(file + ".next"));

  SUBCASE("which the next start finds") {
    auto store = open(folder);
    REQUIRE(store);
    check_all(**store);
  }
  SUBCASE("also where the process was killed before the file took its place") {
    std::filesystem::rename(file, file + ".next");
    std::ofstream(file) << before;
    auto store = open(folder);
    REQUIRE(store);
    check_all(**store);
    CHECK(bytes_of(file) == after);
  }
  SUBCASE("and neither master key is left in the database") {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(folder.file("gproxy.db").c_str(), &db) == SQLITE_OK);
    int rows = 0;
    const auto count = [](void* n, int, char**, char**) { return ++*static_cast<int*>(n), 0; };
    REQUIRE(sqlite3_exec(db, "SELECT name FROM sealed_keys", count, &rows, nullptr) == SQLITE_OK);
    CHECK(rows == 1);
    sqlite3_close(db);
  }
}

TEST_CASE("a damaged record is told, and keeps nothing back") {
  const Folder folder;
  {
    auto store = open(folder);
    REQUIRE(store);
    fill(**store);
  }
  // Its last byte: the key's id at the beginning stays.
  run_sql(folder.file("gproxy.db"),
          "UPDATE credentials SET secret_sealed = CAST(substr(secret_sealed, 1,"
          " length(secret_sealed) - 1) || x'00ff' AS BLOB) WHERE id = 7");
  auto store = open(folder);
  REQUIRE(store);
  REQUIRE((*store)->begin_rekey(std::nullopt));
  const auto report = run_to_end(**store);
  CHECK(report.unreadable == 1);
  CHECK(report.records == kSealedRecords - 1);
}
