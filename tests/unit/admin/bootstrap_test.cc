#include "admin/bootstrap.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/clock.h"

using namespace gproxy;
using namespace gproxy::admin;

namespace {

std::unique_ptr<storage::Store> memory_store() {
  storage::StoreOptions options;
  options.dsn = "sqlite::memory:";
  auto store = storage::open_store(options);
  REQUIRE(store.ok());
  return std::move(*store);
}

struct File {
  std::string path =
      (std::filesystem::temp_directory_path() / ("gproxy-bootstrap-" + uuid4() + ".jsonc"))
          .string();
  ~File() { std::remove(path.c_str()); }
  void write(std::string_view text) { std::ofstream(path) << text; }
};

const storage::ProviderRow* provider(const storage::ConfigRows& rows, std::string_view name) {
  for (const auto& row : rows.providers) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("a first start makes an admin key, user 0 with that key, and rows for the seeded kinds") {
  auto store = memory_store();
  BootstrapInputs inputs;
  inputs.seed_kinds = {"alpha", "beta"};
  auto first = bootstrap(*store, inputs);
  REQUIRE(first.ok());
  CHECK(first->admin_key_made);
  CHECK(first->settings.admin_key.size() == 36);
  REQUIRE(first->rows.users.size() == 1);
  CHECK(first->rows.users[0].id == 0);
  CHECK(first->rows.users[0].name == "user0");
  REQUIRE(first->rows.user_keys.size() == 1);
  CHECK(first->rows.user_keys[0].digest ==
        store->key_hasher().digest(first->settings.admin_key.reveal()));
  CHECK(first->rows.user_keys[0].permissions ==
        (storage::kMayStartLogins | storage::kMayReadQuota));
  CHECK(first->rows.providers.size() == 2);

  SUBCASE("the second start keeps all of it") {
    auto second = bootstrap(*store, inputs);
    REQUIRE(second.ok());
    CHECK(!second->admin_key_made);
    CHECK(second->settings.admin_key.equals(first->settings.admin_key.reveal()));
    CHECK(second->rows.user_keys.size() == 1);
    CHECK(second->rows.providers.size() == 2);
  }
  SUBCASE("user 0's key follows a changed admin key: the old one stops working") {
    inputs.overrides = {{"admin_key", "another-admin-key", config::Origin::env}};
    auto second = bootstrap(*store, inputs);
    REQUIRE(second.ok());
    REQUIRE(second->rows.user_keys.size() == 1);
    CHECK(second->rows.user_keys[0].digest == store->key_hasher().digest("another-admin-key"));
    CHECK(second->settings.origin_of("admin_key") == config::Origin::env);
  }
}

TEST_CASE(
    "command line wins over environment, over the file, over the database, and is then stored") {
  auto store = memory_store();
  File file;
  file.write(R"({"settings": {"port": 1111, "host": "127.0.0.1"}})");
  BootstrapInputs inputs;
  inputs.config_path = file.path;
  inputs.overrides = {{"port", "2222", config::Origin::env}, {"port", "3333", config::Origin::cli}};
  auto first = bootstrap(*store, inputs);
  REQUIRE(first.ok());
  CHECK(first->settings.port == 3333);
  CHECK(first->settings.host == "127.0.0.1");
  CHECK(first->settings.origin_of("host") == config::Origin::file);

  BootstrapInputs nothing;
  auto second = bootstrap(*store, nothing);
  REQUIRE(second.ok());
  CHECK(second->settings.port == 3333);
  CHECK(second->settings.origin_of("port") == config::Origin::db);
}

TEST_CASE(
    "what the file declares is stored with its origin, changes with it, and leaves as an ordinary "
    "entry") {
  auto store = memory_store();
  File file;
  BootstrapInputs inputs;
  inputs.config_path = file.path;
  const auto with = [&](std::string_view key) {
    file.write(
        std::string(
            R"({"providers":[{"name":"p","kind":"k","credentials":[{"name":"c","secret":{"T":{"api_key":")") +
        std::string(key) +
        R"("}}}]}],"users":[{"name":"u","keys":[{"label":"l","key":"user-key-of-u"}]}]})");
    auto r = bootstrap(*store, inputs);
    REQUIRE(r.ok());
    return std::move(*r);
  };
  auto one = with("first-secret");
  REQUIRE(provider(one.rows, "p") != nullptr);
  CHECK(provider(one.rows, "p")->origin == storage::Origin::file);
  REQUIRE(one.rows.credentials.size() == 1);
  const int64_t id = one.rows.credentials[0].id;

  SUBCASE("a changed secret in the file is taken, the row stays the same") {
    auto two = with("second-secret");
    REQUIRE(two.rows.credentials.size() == 1);
    CHECK(two.rows.credentials[0].id == id);
    CHECK(two.rows.credentials[0].secret.reveal().find("second-secret") != std::string_view::npos);
  }
  SUBCASE("a secret that was refreshed in the store is not set back by an unchanged file") {
    REQUIRE(store
                ->replace_secret(id, one.rows.credentials[0].version,
                                 Secret(R"({"T":{"api_key":"refreshed"}})"))
                .ok());
    auto two = with("first-secret");
    CHECK(two.rows.credentials[0].secret.reveal().find("refreshed") != std::string_view::npos);
  }
  SUBCASE("without the declaration it is an ordinary row") {
    file.write("{}");
    auto two = bootstrap(*store, inputs);
    REQUIRE(two.ok());
    CHECK(provider(two->rows, "p")->origin == storage::Origin::db);
    CHECK(two->rows.credentials.size() == 1);
    CHECK(two->rows.user_keys.size() == 2);
  }
  SUBCASE("with prune it is gone") {
    file.write("{}");
    inputs.left_file = BootstrapInputs::Left::deleted;
    auto two = bootstrap(*store, inputs);
    REQUIRE(two.ok());
    CHECK(provider(two->rows, "p") == nullptr);
    CHECK(two->rows.credentials.empty());
    CHECK(two->rows.users.size() == 1);
  }
}

TEST_CASE("what the file lets a key do, and how much, is stored and changes with the file") {
  auto store = memory_store();
  File file;
  BootstrapInputs inputs;
  inputs.config_path = file.path;
  file.write(R"({"users":[{"name":"u","tokens_per_minute":900,
      "keys":[{"label":"l","key":"k","permissions":["quota"],"allowed_providers":["p"]}]}]})");
  auto one = bootstrap(*store, inputs);
  REQUIRE(one.ok());
  auto declared = declared_of(one->rows);
  REQUIRE(declared.users.size() == 2);
  CHECK(declared.users[1].bounds.tokens_per_minute == 900);
  CHECK(declared.users[1].keys[0].permissions == config::Permissions{false, true});
  CHECK(declared.users[1].keys[0].bounds.providers == std::vector<std::string>{"p"});
  CHECK(declared.users[0].keys[0].permissions == config::kAllPermissions);

  file.write(R"({"users":[{"name":"u","keys":[{"label":"l","key":"k"}]}]})");
  auto two = bootstrap(*store, inputs);
  REQUIRE(two.ok());
  declared = declared_of(two->rows);
  CHECK(declared.users[1].bounds == config::Bounds{});
  CHECK(declared.users[1].keys[0].bounds == config::Bounds{});
  CHECK(declared.users[1].keys[0].permissions == config::Permissions{});
}

TEST_CASE("a bad file changes nothing") {
  auto store = memory_store();
  File file;
  file.write(R"({"settings":{"port":99999}})");
  BootstrapInputs inputs;
  inputs.config_path = file.path;
  auto r = bootstrap(*store, inputs);
  REQUIRE(!r.ok());
  auto rows = store->load_all();
  REQUIRE(rows.ok());
  CHECK(rows->users.empty());
}
