// Db on libpqxx, the only one of the two that throws: postgres_db.cc lets nothing out. A connection
// that broke is made anew at the next statement outside a transaction, so a server that was away is
// found again by itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/sql_db.h"

namespace gproxy::storage {

struct PostgresOptions {
  std::string url;  // postgres://user:password@host:port/database?options
  int64_t connect_timeout_s = 5;
  int64_t lock_timeout_ms = 5'000;
  enum class Use : uint8_t { writing, reading } use = Use::writing;
};

// The writing one waits up to three seconds for the last writer's session to end. Errors:
// "storage_unavailable", "database_in_use".
Result<std::unique_ptr<Db>> open_postgres_db(PostgresOptions options);

}  // namespace gproxy::storage
