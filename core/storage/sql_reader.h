// Queries of the admin API on a connection of their own, which cannot write. One reader thread's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/sql_db.h"
#include "storage/store.h"

namespace gproxy::storage {

// The pattern that finds `text` anywhere, with ESCAPE '\'.
std::string like_anywhere(std::string_view text);

class SqlReader final : public Reader {
 public:
  explicit SqlReader(std::unique_ptr<Db> db) : db_(std::move(db)) {}

  void set_timeout_ms(int64_t timeout_ms) override { db_->set_timeout_ms(timeout_ms); }
  void interrupt() override { db_->interrupt(); }
  Result<UsageReport> usage_report(const UsageQuery& query) override;
  Result<UsagePage> list_usage(const UsageListQuery& query) override;
  Result<LogPage> list_logs(const LogQuery& query) override;
  Result<std::vector<LogBody>> bodies_of(const std::string& trace_id) override;
  Result<std::optional<std::string>> decision_of(std::string_view id) override;
  Result<int64_t> count_rows(Table table) override;
  Result<std::vector<AuditRow>> list_audit(const AuditFilter& filter) override;
  Result<std::optional<ResponseOwner>> response_owner(std::string_view response_id,
                                                      int64_t user_id) override;
  Result<void> ping() override;

 private:
  Result<std::vector<LogRecord>> logs_of(const LogQuery& query, bool upstream);

  std::unique_ptr<Db> db_;
};

}  // namespace gproxy::storage
