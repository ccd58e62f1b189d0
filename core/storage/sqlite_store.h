// Store on SQLite: one connection for writing (here) and one for each Reader, in WAL mode. A lock
// file beside the database is held for the life of the Store: a second process is told instead of
// served.
#pragma once

#include <memory>
#include <string>

#include "storage/dsn.h"
#include "storage/sql_store.h"
#include "storage/sqlite_gate.h"

namespace gproxy::storage {

class SqliteStore final : public SqlStore {
 public:
  static Result<std::unique_ptr<SqliteStore>> open(const Dsn& dsn, const StoreOptions& options);
  ~SqliteStore() override;

  Result<void> append_batch(const Batch& batch) override;
  Result<bool> maintain(const Retention& retention) override;
  void checkpoint() override;
  Result<std::unique_ptr<Reader>> open_reader() override;

 private:
  SqliteStore(Dsn dsn, Clock& clock) : SqlStore(std::move(dsn), clock) {}

  Result<void> lock_file();
  Result<void> connect(const StoreOptions& options);
  std::string connection_name() const;
  void tend_log();

  int lock_fd_ = -1;
  std::string memory_name_;  // the shared name of a database in memory
  int64_t busy_timeout_ms_ = 0;
  std::shared_ptr<ReaderGate> gate_ = std::make_shared<ReaderGate>();
  int log_seen_ = 0;       // pages, when it was last looked at
  int checkpoint_at_ = 0;  // pages
};

}  // namespace gproxy::storage
