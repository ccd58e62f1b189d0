#include "storage/store.h"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <array>
#include <filesystem>

#include "base/base64.h"
#include "storage/dsn.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

TEST_CASE("an empty database is migrated, and opens again as it was left") {
  const Folder folder;
  std::string id;
  {
    auto store = open(folder);
    REQUIRE(store);
    id = (*store)->database_id();
    CHECK(id.size() == 32);
    auto rows = (*store)->load_all();
    REQUIRE(rows);
    CHECK(rows->revision == 0);
    CHECK_FALSE(rows->settings.has_value());
    CHECK(rows->providers.empty());
    REQUIRE((*store)->upsert_provider(a_provider("alpha")));
  }
  auto store = open(folder);
  REQUIRE(store);
  CHECK((*store)->database_id() == id);
  auto rows = (*store)->load_all();
  REQUIRE(rows);
  CHECK(rows->revision == 1);
  REQUIRE(rows->providers.size() == 1);
  CHECK(rows->providers[0].name == "alpha");
  CHECK(rows->providers[0].kind == "custom");
  CHECK(rows->providers[0].created_at > 0);
}

TEST_CASE("files are readable for their owner alone") {
  const Folder folder;
  auto store = open(folder);
  REQUIRE(store);
  for (const char* name : {"gproxy.db", "gproxy.db-wal", "gproxy.db.lock", "master.key"}) {
    CAPTURE(name);
    struct stat info {};
    REQUIRE(::stat(folder.file(name).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
}

TEST_CASE("a missing file is an error without mode=rwc") {
  const Folder folder;
  StoreOptions options;
  options.dsn = "sqlite://" + folder.file("none.db");
  auto store = open_store(options);
  REQUIRE_FALSE(store.ok());
  CHECK(exit_code(store.error()) == 69);
  CHECK_FALSE(std::filesystem::exists(folder.file("none.db")));
}

TEST_CASE("a server that is not there is an error without its password") {
  StoreOptions options;
  options.dsn = "postgres://u:hunter2@127.0.0.1:1/db";
  auto store = open_store(options);
  REQUIRE_FALSE(store.ok());
  CHECK(store.error().message.find("hunter2") == std::string::npos);
  // 78 where this gproxy was built without PostgreSQL.
  CHECK(exit_code(store.error()) == (store.error().kind == ErrorKind::unsupported ? 78 : 69));
}

TEST_CASE("a second opener of the same file is told") {
  const Folder folder;
  auto first = open(folder);
  REQUIRE(first);
  auto second = open(folder);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == "database_in_use");
  CHECK(exit_code(second.error()) == 69);
  first->reset();
  CHECK(open(folder).ok());
}

TEST_CASE("databases in memory are strangers to each other") {
  auto a = open_fresh();
  auto b = open_fresh();
  REQUIRE(a);
  REQUIRE(b);
  REQUIRE((*a)->upsert_provider(a_provider("alpha")));
  CHECK((*b)->load_all()->providers.empty());
  CHECK((*a)->load_all()->providers.size() == 1);
  REQUIRE((*a)->append_batch({.usage = std::array{a_usage_row(1)}}));
  CHECK(rows_in(**a, Table::usage) == 1);
}

TEST_CASE("settings keep what is set, what is unset, and who set it") {
  const Folder folder;
  {
    auto store = open(folder);
    REQUIRE(store);
    SettingsRow row;
    row.host = "127.0.0.1";
    row.host_origin = Origin::cli;
    row.admin_key = Secret("admin-key-in-plain-text");
    row.admin_key_origin = Origin::env;
    row.proxy = "http://user:proxy-password@proxy:3128";
    row.event_redact_sensitive = false;
    auto put = (*store)->put_settings(row);
    REQUIRE(put);
    CHECK(put->created_at > 0);
    CHECK(put->dsn == folder.dsn());
    row.port = 9000;
    auto again = (*store)->put_settings(row);
    REQUIRE(again);
    CHECK(again->created_at == put->created_at);
  }
  auto store = open(folder);
  REQUIRE(store);
  auto rows = (*store)->load_all();
  REQUIRE(rows);
  REQUIRE(rows->settings.has_value());
  const SettingsRow& row = *rows->settings;
  CHECK(row.host == "127.0.0.1");
  CHECK(row.host_origin == Origin::cli);
  CHECK(row.port == 9000);
  CHECK(row.port_origin == Origin::db);
  CHECK(row.admin_key.equals("admin-key-in-plain-text"));
  CHECK(row.admin_key_origin == Origin::env);
  CHECK(row.proxy == "http://user:proxy-password@proxy:3128");
  CHECK(row.event_redact_sensitive == false);
  SettingsRow cleared = row;
  cleared.proxy.reset();
  REQUIRE((*store)->put_settings(cleared));
  CHECK_FALSE((*store)->load_all()->settings->proxy.has_value());
}

TEST_CASE("a provider is changed by its name and keeps its id") {
  auto store = open_fresh();
  REQUIRE(store);
  auto made = (*store)->upsert_provider(a_provider("alpha"));
  REQUIRE(made);
  ProviderRow row = a_provider("alpha");
  row.settings_json = R"({"base_url":"http://x"})";
  row.enabled = false;
  row.origin = Origin::file;
  auto changed = (*store)->upsert_provider(row);
  REQUIRE(changed);
  CHECK(changed->id == made->id);
  CHECK(changed->created_at == made->created_at);
  auto rows = (*store)->load_all();
  REQUIRE(rows->providers.size() == 1);
  CHECK(rows->providers[0].settings_json == row.settings_json);
  CHECK_FALSE(rows->providers[0].enabled);
  CHECK(rows->providers[0].origin == Origin::file);
  CHECK(rows->revision == 2);
}

TEST_CASE("ids are never given twice, not even after a deletion") {
  auto store = open_fresh();
  REQUIRE(store);
  auto first = (*store)->upsert_provider(a_provider("alpha"));
  REQUIRE(first);
  REQUIRE((*store)->delete_provider(first->id));
  auto second = (*store)->upsert_provider(a_provider("alpha"));
  REQUIRE(second);
  CHECK(second->id > first->id);
}

TEST_CASE("a provider's credentials go with it, a user's keys with the user") {
  auto store = open_fresh();
  REQUIRE(store);
  auto provider = (*store)->upsert_provider(a_provider("alpha"));
  REQUIRE((*store)->insert_credential(a_credential(provider->id, "{}")));
  REQUIRE((*store)->delete_provider(provider->id));
  CHECK((*store)->load_all()->credentials.empty());
  UserRow user;
  user.id = 0;
  user.name = "user0";
  REQUIRE((*store)->upsert_user(user));
  UserKeyRow key;
  key.user_id = 0;
  REQUIRE((*store)->insert_user_key(key, Secret("k")));
  REQUIRE((*store)->delete_user(0));
  CHECK((*store)->load_all()->user_keys.empty());
}

TEST_CASE("what is not there is not found") {
  auto store = open_fresh();
  REQUIRE(store);
  auto code = [](auto result) {
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().http() == 404);
    return result.error().code;
  };
  CHECK(code((*store)->delete_provider(7)) == "provider_not_found");
  CHECK(code((*store)->insert_credential(a_credential(7, "{}"))) == "provider_not_found");
  CredentialRow credential;
  credential.id = 7;
  CHECK(code((*store)->update_credential(credential)) == "credential_not_found");
  CHECK(code((*store)->set_credential_enabled(7, true)) == "credential_not_found");
  CHECK(code((*store)->delete_credential(7)) == "credential_not_found");
  CHECK(code((*store)->replace_secret(7, 1, Secret("{}"))) == "credential_not_found");
  CHECK(code((*store)->set_user_enabled(7, true)) == "user_not_found");
  CHECK(code((*store)->delete_user(7)) == "user_not_found");
  UserKeyRow key;
  key.id = key.user_id = 7;
  CHECK(code((*store)->insert_user_key(key, Secret("k"))) == "user_not_found");
  CHECK(code((*store)->update_user_key(key)) == "user_key_not_found");
  CHECK(code((*store)->replace_user_key(7, Secret("k"), 0)) == "user_key_not_found");
  CHECK(code((*store)->delete_user_key(7)) == "user_key_not_found");
  CHECK(code((*store)->reveal_user_key(7)) == "user_key_not_found");
  CHECK((*store)->load_all()->revision == 0);
}

TEST_CASE("a name or key that somebody else has is a conflict that names the field") {
  auto store = open_fresh();
  REQUIRE(store);
  UserRow user;
  user.name = "ann";
  REQUIRE((*store)->upsert_user(user));
  auto twin = (*store)->upsert_user(user);
  REQUIRE_FALSE(twin.ok());
  CHECK(twin.error().http() == 409);
  CHECK(twin.error().param == "name");
  UserKeyRow key;
  key.user_id = 1;
  REQUIRE((*store)->insert_user_key(key, Secret("same-key")));
  auto again = (*store)->insert_user_key(key, Secret("same-key"));
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().http() == 409);
  CHECK(again.error().param == "key");
  CHECK(again.error().message.find("same-key") == std::string::npos);
  CHECK((*store)->insert_user_key(key, Secret("")).error().http() == 400);
}

TEST_CASE("user ids are the caller's, and free ones come after the highest") {
  auto store = open_fresh();
  REQUIRE(store);
  UserRow user;
  user.id = 0;
  user.name = "user0";
  CHECK((*store)->upsert_user(user)->id == 0);
  user.id = 41;
  user.name = "ann";
  CHECK((*store)->upsert_user(user)->id == 41);
  user.id = kNoId;
  user.name = "ben";
  CHECK((*store)->upsert_user(user)->id == 42);
  user.id = 41;
  user.name = "anna";
  user.enabled = false;
  REQUIRE((*store)->upsert_user(user));
  auto rows = (*store)->load_all();
  REQUIRE(rows->users.size() == 3);
  CHECK(rows->users[1].name == "anna");
  CHECK_FALSE(rows->users[1].enabled);
}

TEST_CASE("a credential's version grows with its secret, and a late refresh is refused") {
  auto store = open_fresh();
  REQUIRE(store);
  auto provider = (*store)->upsert_provider(a_provider("alpha"));
  auto credential = (*store)->insert_credential(a_credential(provider->id, "first"));
  REQUIRE(credential);
  CHECK(credential->version == 1);
  CredentialRow row = *credential;
  row.name = "main";
  CHECK((*store)->update_credential(row)->version == 1);
  row.secret = Secret("second");
  CHECK((*store)->update_credential(row)->version == 2);
  CHECK(*(*store)->replace_secret(row.id, 2, Secret("third")) == 3);
  auto late = (*store)->replace_secret(row.id, 2, Secret("late"));
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().http() == 409);
  auto rows = (*store)->load_all();
  REQUIRE(rows->credentials.size() == 1);
  CHECK(rows->credentials[0].secret.equals("third"));
  CHECK(rows->credentials[0].name == "main");
  CHECK(rows->credentials[0].version == 3);
}

TEST_CASE("a route is changed by its name; what rests is kept and forgotten without a revision") {
  const Folder folder;
  auto store = open(folder);
  REQUIRE(store);
  auto provider = a_provider("alpha");
  provider.pool_json = R"({"strategy":"sticky"})";
  REQUIRE((*store)->upsert_provider(provider));
  CredentialRow credential;
  credential.provider_id = (*store)->load_all()->providers[0].id;
  credential.secret = Secret(R"({"Custom":{}})");
  credential = *(*store)->insert_credential(credential);
  auto first = (*store)->upsert_route({.name = "fast", .body_json = R"({"a":1})"});
  REQUIRE(first);
  auto second =
      (*store)->upsert_route({.name = "fast", .body_json = R"({"a":2})", .enabled = false});
  REQUIRE(second);
  CHECK(second->id == first->id);
  const int64_t revision = (*store)->load_all()->revision;

  const HealthRow whole{credential.id, "", "auth_invalid", INT64_MAX};
  const HealthRow model{credential.id, "m-1", "rate_limit", 5'000};
  const HealthRow stranger{credential.id + 7, "", "timeout", 1};
  REQUIRE((*store)->put_health(std::array{whole, model, stranger}, {}));
  auto rows = (*store)->load_all();
  REQUIRE(rows);
  CHECK(rows->revision == revision);
  CHECK(rows->providers[0].pool_json == provider.pool_json);
  REQUIRE(rows->routes.size() == 1);
  CHECK(rows->routes[0].body_json == R"({"a":2})");
  CHECK_FALSE(rows->routes[0].enabled);
  REQUIRE(rows->health.size() == 2);
  CHECK(rows->health[0].reason == "auth_invalid");
  CHECK(rows->health[0].until_at == INT64_MAX);
  CHECK(rows->health[1].scope == "m-1");
  REQUIRE((*store)->put_health({}, std::array{whole}));
  CHECK((*store)->load_all()->health.size() == 1);
  REQUIRE((*store)->delete_credential(credential.id));
  CHECK((*store)->load_all()->health.empty());
  REQUIRE((*store)->delete_route(first->id));
  CHECK((*store)->delete_route(first->id).error().code == "route_not_found");
}

TEST_CASE("a key is found by its digest, which outlives a restart") {
  const Folder folder;
  Digest digest;
  {
    auto store = open(folder);
    REQUIRE(store);
    UserRow user;
    user.id = 0;
    user.name = "user0";
    REQUIRE((*store)->upsert_user(user));
    UserKeyRow key;
    key.user_id = 0;
    key.label = "bootstrap";
    key.has_copy = true;
    auto made = (*store)->insert_user_key(key, Secret("the-user-key"));
    REQUIRE(made);
    digest = made->digest;
    CHECK((*store)->reveal_user_key(made->id)->equals("the-user-key"));
  }
  auto store = open(folder);
  REQUIRE(store);
  CHECK((*store)->key_hasher().digest("the-user-key") == digest);
  CHECK((*store)->key_hasher().digest("the-user-keY") != digest);
  auto rows = (*store)->load_all();
  REQUIRE(rows->user_keys.size() == 1);
  CHECK(rows->user_keys[0].digest == digest);
  CHECK(rows->user_keys[0].label == "bootstrap");
  const int64_t id = rows->user_keys[0].id;
  REQUIRE((*store)->replace_user_key(id, Secret("another"), 0));
  CHECK((*store)->load_all()->user_keys[0].digest == (*store)->key_hasher().digest("another"));
  CHECK((*store)->reveal_user_key(id)->equals("another"));
}

TEST_CASE("users and keys keep their bounds, keys their permissions") {
  Folder folder;
  int64_t id = 0;
  {
    auto store = open(folder);
    UserRow user;
    user.name = "alice";
    user.bounds_json = R"({"requests_per_minute":5})";
    auto stored = (*store)->upsert_user(user);
    REQUIRE(stored);
    UserKeyRow key;
    key.user_id = stored->id;
    key.bounds_json = R"({"allowed_models":["m"]})";
    key.permissions = kMayReadQuota;
    auto made = (*store)->insert_user_key(key, Secret("k"));
    REQUIRE(made);
    id = made->id;
  }
  auto store = open(folder);
  auto rows = (*store)->load_all();
  CHECK(rows->users[0].bounds_json == R"({"requests_per_minute":5})");
  REQUIRE(rows->user_keys.size() == 1);
  CHECK(rows->user_keys[0].bounds_json == R"({"allowed_models":["m"]})");
  CHECK(rows->user_keys[0].permissions == kMayReadQuota);
  auto changed = rows->user_keys[0];
  changed.bounds_json = "{}";
  changed.permissions = kMayStartLogins;
  REQUIRE((*store)->update_user_key(changed));
  const auto now = (*store)->load_all()->user_keys[0];
  CHECK(now.id == id);
  CHECK(now.bounds_json == "{}");
  CHECK(now.permissions == kMayStartLogins);
}

TEST_CASE("a rotated key answers to its former text until the grace ends") {
  auto store = open_fresh();
  REQUIRE(store);
  UserRow user;
  user.name = "alice";
  const int64_t user_id = (*store)->upsert_user(user)->id;
  UserKeyRow key;
  key.user_id = user_id;
  const int64_t id = (*store)->insert_user_key(key, Secret("first"))->id;
  const auto digest = [&](std::string_view text) { return (*store)->key_hasher().digest(text); };
  const int64_t later = Clock::system().wall_us() + 3'600'000'000;

  REQUIRE((*store)->replace_user_key(id, Secret("second"), later));
  auto row = (*store)->load_all()->user_keys[0];
  CHECK(row.digest == digest("second"));
  REQUIRE(row.previous_digest);
  CHECK(*row.previous_digest == digest("first"));
  CHECK(row.previous_until == later);
  // Nobody else may take the text while it still opens this key.
  auto taken = (*store)->insert_user_key(key, Secret("first"));
  REQUIRE_FALSE(taken.ok());
  CHECK(taken.error().code == "conflict");

  REQUIRE((*store)->replace_user_key(id, Secret("third"), 0));
  row = (*store)->load_all()->user_keys[0];
  CHECK_FALSE(row.previous_digest);
  CHECK((*store)->insert_user_key(key, Secret("first")).ok());
}

TEST_CASE("further secret settings are stored sealed") {
  Folder folder;
  {
    auto store = open(folder);
    SettingsRow row;
    row.secrets_json = Secret(R"({"metrics_token":"scrape-me-please"})");
    REQUIRE((*store)->put_settings(row));
    (*store)->checkpoint();
  }
  CHECK(bytes_of(folder.file("gproxy.db")).find("scrape-me") == std::string::npos);
  auto store = open(folder);
  CHECK((*store)->load_all()->settings->secrets_json.equals(
      R"({"metrics_token":"scrape-me-please"})"));
}

TEST_CASE("the audit log is read newest first, in pages, and pruned by time") {
  auto store = open_fresh();
  REQUIRE(store);
  for (int i = 1; i <= 5; ++i) {
    AuditRow row;
    row.at = i == 3 ? 2000 : i * 1000;  // two of one moment
    row.actor = "admin";
    row.action = i % 2 == 0 ? "PUT /users/{id}" : "DELETE /users/{id}";
    row.target = "/users/" + std::to_string(i);
    row.status = i == 5 ? 409 : 200;
    row.error_code = i == 5 ? "conflict" : "";
    REQUIRE((*store)->append_audit(row));
  }
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  const auto targets = [&](const AuditFilter& filter) {
    auto rows = (*reader)->list_audit(filter);
    std::string out;
    if (!rows) return rows.error().message;
    for (const auto& row : *rows) out += row.target.substr(7);
    return out;
  };
  CHECK(targets({}) == "54321");
  AuditFilter page;
  page.limit = 2;
  CHECK(targets(page) == "54");
  page.cursor_at = 4000;
  page.cursor_id = 4;
  CHECK(targets(page) == "32");
  page.cursor_at = 2000;
  page.cursor_id = 3;
  CHECK(targets(page) == "21");
  AuditFilter some;
  some.action = "PUT /users/{id}";
  CHECK(targets(some) == "42");
  some = {};
  some.target_contains = "%";
  CHECK(targets(some).empty());
  some = {};
  some.from = 2000;
  some.to = 4000;
  CHECK(targets(some) == "432");
  CHECK((*reader)->list_audit({})->front().error_code == "conflict");
  AuditRow now;
  now.at = Clock::system().wall_us();
  now.actor = now.action = "admin";
  now.target = "/users/6";
  REQUIRE((*store)->append_audit(now));
  REQUIRE((*store)->maintain({}));
  CHECK(targets({}) == "654321");
  Retention retention;
  retention.audit_us = int64_t{86'400} * 1'000'000;
  while (*(*store)->maintain(retention)) continue;
  CHECK(targets({}) == "6");
}

TEST_CASE("a transaction is all or nothing") {
  auto store = open_fresh();
  REQUIRE(store);
  auto failed = (*store)->transaction([&]() -> Result<void> {
    GP_CHECK(([&]() -> Result<void> {
      GP_TRY([[maybe_unused]] auto row, (*store)->upsert_provider(a_provider("alpha")));
      return ok();
    })());
    return (*store)->delete_user(99);
  });
  CHECK_FALSE(failed.ok());
  CHECK((*store)->load_all()->providers.empty());
  REQUIRE((*store)->transaction([&]() -> Result<void> {
    GP_TRY([[maybe_unused]] auto a, (*store)->upsert_provider(a_provider("alpha")));
    GP_TRY([[maybe_unused]] auto b, (*store)->upsert_provider(a_provider("beta")));
    GP_TRY(auto seen, (*store)->load_all());
    CHECK(seen.providers.size() == 2);
    return ok();
  }));
  CHECK((*store)->load_all()->providers.size() == 2);
}

TEST_CASE("a query is ended when its thread is told to stop") {
  auto store = open_fresh();
  REQUIRE(store);
  std::vector<UsageRow> rows;
  for (int64_t i = 1; i <= 5'000; ++i) rows.push_back(a_usage_row(i));
  REQUIRE((*store)->append_batch({.usage = rows}));
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  CHECK((*reader)->ping());
  (*reader)->interrupt();
  auto totals = (*reader)->usage_report({});
  REQUIRE_FALSE(totals.ok());
  CHECK(totals.error().code == "query_timeout");
}
