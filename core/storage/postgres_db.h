// Db on libpqxx, the only one of the two that throws: postgres_db.cc lets nothing out. A connection
// that broke is made anew at the next statement outside a transaction, so a server that was away is
// found again by itself. No call waits without end: an answer that is overdue breaks the
// connection.
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
  // Of the writing one; a reading one has none until set_timeout_ms(). 0 = none.
  int64_t statement_timeout_ms = 60'000;
  // The server ends a statement at its timeout; so much later it is taken for gone.
  int64_t answer_grace_ms = 5'000;
  enum class Use : uint8_t { writing, reading } use = Use::writing;
};

// The writing one waits up to three seconds for the last writer's session to end. Errors:
// "storage_unavailable", "database_in_use".
Result<std::unique_ptr<Db>> open_postgres_db(PostgresOptions options);

}  // namespace gproxy::storage
