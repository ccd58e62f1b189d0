// What the storage tests share: a folder of their own, a store in it, and rows.
#pragma once

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "storage/postgres_db.h"
#include "storage/recorder.h"
#include "storage/store.h"

namespace gproxy::storage::test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "gproxy-storage-XXXXXX").string();
    path_ = ::mkdtemp(name.data()) != nullptr ? name : std::string();
  }
  ~Folder() {
    std::error_code ec;
    if (!path_.empty()) std::filesystem::remove_all(path_, ec);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string dsn() const { return "sqlite://" + file("gproxy.db") + "?mode=rwc"; }

 private:
  std::string path_;
};

inline std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Behind the store's back.
inline void run_sql(const std::string& file, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

inline Result<std::unique_ptr<Store>> open(const Folder& folder, int64_t busy_timeout_ms = 5'000) {
  StoreOptions options;
  options.dsn = folder.dsn();
  options.busy_timeout_ms = busy_timeout_ms;
  return open_store(options);
}

// The server that tests/with_postgres has started, or null: then the tests are about SQLite.
inline const char* postgres_url() {
  return std::getenv("GPROXY_TEST_POSTGRES");
}

// A new database on that server, as a DSN.
inline std::string new_postgres_database() {
  static int count = 0;
  const std::string url = postgres_url();
  const std::string name =
      "gproxy_test_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
  auto server = open_postgres_db({.url = url, .use = PostgresOptions::Use::reading});
  if (!server || !(*server)->exec("SET default_transaction_read_only = off") ||
      !(*server)->exec("CREATE DATABASE " + name)) {
    return {};
  }
  return "postgresql:///" + name + url.substr(url.find('?'));
}

inline StoreOptions fresh_options() {
  StoreOptions options;
  options.dsn = ":memory:";
  if (postgres_url() != nullptr) {
    options.dsn = new_postgres_database();
    options.master_key.key = Secret(std::string(64, 'a'));
  }
  return options;
}

// An empty store of the kind under test: SQLite in memory, or a database on the PostgreSQL server.
inline Result<std::unique_ptr<Store>> open_fresh() {
  return open_store(fresh_options());
}

inline ProviderRow a_provider(std::string name) {
  ProviderRow row;
  row.name = std::move(name);
  row.kind = "custom";
  return row;
}

inline CredentialRow a_credential(int64_t provider_id, std::string_view secret) {
  CredentialRow row;
  row.provider_id = provider_id;
  row.secret = Secret(secret);
  return row;
}

inline UsageRow a_usage_row(int64_t id = 0) {
  UsageRow row;
  row.id = id;
  row.at = 1'780'000'000'000'000;
  row.trace_id = "01980000-0000-7000-8000-000000000000";
  row.final = true;
  row.has_usage = true;
  row.provider = "alpha";
  row.provider_id = 1;
  row.credential_id = 2;
  row.user_id = 0;
  row.user_key_id = 3;
  row.model = "a-model";
  row.protocol = 2;
  row.operation = 1;
  row.status = 200;
  row.input = 10;
  row.output = 20;
  row.cache_read = 3;
  row.cache_write = 4;
  row.cache_write_1h = 3;
  row.reasoning = 5;
  row.ttft_us = 1'500;
  row.duration_us = 90'000;
  return row;
}

inline RecorderOptions rings_in(const Folder& folder, const Store& store) {
  RecorderOptions options;
  options.directory = folder.file("gproxy.db.rings");
  options.database_id = std::string(store.database_id());
  options.usage_ring_bytes = size_t{256} << 10;
  options.log_ring_bytes = size_t{256} << 10;
  return options;
}

inline UsageSums totals_of(Reader& reader, const UsageFilter& filter) {
  UsageQuery query;
  query.filter = filter;
  auto report = reader.usage_report(query);
  return report && !report->groups.empty() ? report->groups.front().sums : UsageSums();
}

inline int64_t rows_in(Store& store, Table table) {
  auto reader = store.open_reader();
  if (!reader) return -1;
  return (*reader)->count_rows(table).value_or(-1);
}

}  // namespace gproxy::storage::test
