// The SQL of the lists of usage and of logs: apart from SqlReader, so that a test can ask a
// database how it would answer. Pure.
#pragma once

#include <string>

#include "storage/queries.h"
#include "storage/sql_where.h"

namespace gproxy::storage {

struct ListSql {
  std::string text;
  Where where;  // has the parameters
};

// One row more than the limit, newest first; columns as SqlReader takes them.
ListSql usage_list(const UsageListQuery& query, Dialect dialect);
enum class LogSide : uint8_t { upstream, downstream };
ListSql log_list(const LogQuery& query, LogSide side, Dialect dialect);

}  // namespace gproxy::storage
