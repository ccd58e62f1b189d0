#include "storage/look.h"

#include <string>
#include <utility>

#include "storage/dsn.h"
#include "storage/postgres_db.h"
#include "storage/sql_reader.h"
#include "storage/sqlite_db.h"

namespace gproxy::storage {
namespace {

Result<std::unique_ptr<Db>> open_db(const Dsn& dsn, int64_t timeout_ms) {
  if (dsn.backend == Dsn::Backend::sqlite) {
    GP_TRY(auto db, SqliteDb::open(dsn.path, SqliteDb::Access::read_only, timeout_ms));
    return std::unique_ptr<Db>(std::move(db));
  }
#ifdef GPROXY_POSTGRES
  PostgresOptions options;
  options.url = dsn.text;
  options.lock_timeout_ms = timeout_ms;
  options.use = PostgresOptions::Use::reading;
  return open_postgres_db(options);
#else
  return Error{ErrorKind::unsupported, "unsupported_database",
               "postgres:// is not built into this gproxy; use sqlite:", "dsn"};
#endif
}

}  // namespace

Result<std::unique_ptr<Reader>> open_reader_alone(std::string_view text, int64_t timeout_ms) {
  GP_TRY(const Dsn dsn, parse_dsn(text));
  if (dsn.in_memory()) {
    return Error{ErrorKind::invalid, "bad_dsn", "a database in memory is its own process's", "dsn"};
  }
  auto opened = open_db(dsn, timeout_ms);
  if (!opened.ok()) {
    auto error = std::move(opened).error();
    error.message = dsn.shown + ": " + error.message;
    return error;
  }
  auto db = std::move(*opened);
  GP_TRY(const bool known, db->has_table("request_decisions"));
  if (!known) {
    return Error{ErrorKind::not_found, "no_schema",
                 "the database " + dsn.shown + " is not gproxy's, or of an older one"};
  }
  if (dsn.backend == Dsn::Backend::sqlite) GP_CHECK(db->exec("PRAGMA query_only = ON"));
  db->set_timeout_ms(timeout_ms);
  return std::unique_ptr<Reader>(std::make_unique<SqlReader>(std::move(db)));
}

}  // namespace gproxy::storage
