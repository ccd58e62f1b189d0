#include "storage/secrets.h"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <filesystem>

#include "base/base64.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
  ::chmod(path.c_str(), 0600);
}

Result<std::unique_ptr<Store>> open_with_key(const Folder& folder, std::string_view key) {
  StoreOptions options;
  options.dsn = folder.dsn();
  options.master_key.key = Secret(key);
  return open_store(options);
}

const std::string kKeyA(64, 'a');
const std::string kKeyB(64, 'b');

}  // namespace

TEST_CASE("no secret stands in any file of the data directory") {
  const Folder folder;
  const std::string secrets[] = {"sk-vendor-secret-0123456789", "admin-key-0123456789",
                                 "user-key-0123456789",         "proxy-password-0123456789",
                                 "refreshed-secret-0123456789", "settings-token-0123456789"};
  {
    auto store = open(folder);
    REQUIRE(store);
    auto row = a_provider("alpha");
    row.settings_json = R"({"hf_token":")" + secrets[5] + "\"}";
    auto provider = (*store)->upsert_provider(row);
    auto credential = (*store)->insert_credential(
        a_credential(provider->id, R"({"OpenAI":{"api_key":")" + secrets[0] + "\"}}"));
    REQUIRE(credential);
    REQUIRE((*store)->replace_secret(credential->id, 1, Secret(secrets[4])));
    SettingsRow settings;
    settings.admin_key = Secret(secrets[1]);
    settings.proxy = "http://u:" + secrets[3] + "@proxy";
    REQUIRE((*store)->put_settings(settings));
    UserRow user;
    user.id = 0;
    user.name = "user0";
    REQUIRE((*store)->upsert_user(user));
    UserKeyRow key;
    key.user_id = 0;
    key.has_copy = true;
    REQUIRE((*store)->insert_user_key(key, Secret(secrets[2])));
    for (const std::string& secret : secrets) {
      CHECK(bytes_of(folder.file("gproxy.db-wal")).find(secret) == std::string::npos);
    }
  }
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const std::string bytes = bytes_of(entry.path().string());
    for (const std::string& secret : secrets) CHECK(bytes.find(secret) == std::string::npos);
  }
  CHECK(files >= 2);
}

TEST_CASE("settings that an older gproxy has stored open are sealed by the next start") {
  const Folder folder;
  REQUIRE((*open(folder))->upsert_provider(a_provider("alpha")));
  run_sql(folder.file("gproxy.db"),
          "UPDATE providers SET settings_sealed = NULL,"
          " settings_json = '{\"hf_token\":\"open-token-0123456789\"}'");
  REQUIRE(bytes_of(folder.file("gproxy.db")).find("open-token-") != std::string::npos);
  {
    auto store = open(folder);
    REQUIRE(store);
    const auto rows = (*store)->load_all();
    REQUIRE(rows);
    CHECK(rows->providers[0].settings_json == R"({"hf_token":"open-token-0123456789"})");
  }
  CHECK(bytes_of(folder.file("gproxy.db")).find("open-token-") == std::string::npos);
}

TEST_CASE("a sealed record moved to another row does not open") {
  const Sealer sealer = Sealer::open(std::string(32, 'k')).value();
  const std::string sealed = sealer.seal("secret", "credentials/1/secret");
  CHECK(sealer.unseal(sealed, "credentials/1/secret")->equals("secret"));
  CHECK_FALSE(sealer.unseal(sealed, "credentials/2/secret").ok());
}

TEST_CASE("a key is made once, kept, and taken again") {
  const Folder folder;
  REQUIRE(open(folder));
  const std::string text = bytes_of(folder.file("master.key"));
  CHECK(text.size() == 65);
  REQUIRE(open(folder));
  CHECK(bytes_of(folder.file("master.key")) == text);
}

TEST_CASE("another key is refused") {
  const Folder folder;
  REQUIRE(open_with_key(folder, kKeyA));
  auto wrong = open_with_key(folder, kKeyB);
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().code == "wrong_master_key");
  CHECK(exit_code(wrong.error()) == 78);
  CHECK(wrong.error().message.find(kKeyB) == std::string::npos);
  CHECK(open_with_key(folder, kKeyA).ok());
}

TEST_CASE("a lost key is not replaced by a new one") {
  const Folder folder;
  REQUIRE(open(folder));
  std::filesystem::remove(folder.file("master.key"));
  auto store = open(folder);
  REQUIRE_FALSE(store.ok());
  CHECK(store.error().code == "missing_master_key");
  CHECK(exit_code(store.error()) == 78);
  CHECK_FALSE(std::filesystem::exists(folder.file("master.key")));
}

TEST_CASE("a given key leaves no file behind") {
  const Folder folder;
  REQUIRE(open_with_key(folder, kKeyA));
  CHECK_FALSE(std::filesystem::exists(folder.file("master.key")));
}

TEST_CASE("a key may be hex, base64 or raw, and nothing else") {
  const Folder folder;
  const std::string raw = *hex_decode(kKeyA);
  MasterKeySource source;
  source.key_file = folder.file("key");
  for (const std::string& text : {kKeyA, kKeyA + "\n", base64_encode(raw), raw}) {
    write_file(source.key_file, text);
    auto key = read_master_key(source);
    REQUIRE(key);
    REQUIRE(key->has_value());
    CHECK((*key)->equals(raw));
  }
  for (const std::string& text : {std::string(), std::string("short"), std::string(63, 'a')}) {
    write_file(source.key_file, text);
    auto key = read_master_key(source);
    REQUIRE_FALSE(key.ok());
    CHECK(key.error().code == "bad_master_key");
    CHECK(exit_code(key.error()) == 78);
  }
  std::filesystem::remove(source.key_file);
  CHECK(read_master_key(source).error().code == "master_key_unreadable");
}

TEST_CASE("a generated key is never overwritten") {
  const Folder folder;
  REQUIRE(generate_master_key(folder.path()));
  const std::string text = bytes_of(folder.file("master.key"));
  CHECK_FALSE(generate_master_key(folder.path()).ok());
  CHECK(bytes_of(folder.file("master.key")) == text);
}
