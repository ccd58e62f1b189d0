// Many rows of one table in one statement, for PostgreSQL: a round trip for each row would cost
// more than the row. Each column becomes an array parameter, unnest() makes rows of them again.
// Filled like a Query. The writer thread's.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/sql_db.h"

namespace gproxy::storage {

struct BulkColumn {
  std::string_view name;
  std::string_view
      type;  // of the array's elements: bigint, integer, smallint, boolean, text, bytea
};

class BulkInsert {
 public:
  BulkInsert(std::string_view table, std::span<const BulkColumn> columns);

  // The next row begins.
  void again() { column_ = 0; }
  BulkInsert& with(int64_t value);
  BulkInsert& with(bool value) { return with(int64_t{value}); }
  BulkInsert& with(int32_t value) { return with(int64_t{value}); }
  BulkInsert& with(std::string_view text);
  BulkInsert& with_blob(std::string_view bytes);
  BulkInsert& with_null();
  BulkInsert& with_text_or_null(std::string_view text) {
    return text.empty() ? with_null() : with(text);
  }
  BulkInsert& with_id(int64_t id) { return id < 0 ? with_null() : with(id); }

  // Rows whose id is there already are left alone; the ids of the others, in no order.
  Result<std::vector<int64_t>> run(Db& db);

 private:
  std::string& next();

  std::string sql_;
  std::vector<std::string> arrays_;
  size_t column_ = 0;
};

}  // namespace gproxy::storage
