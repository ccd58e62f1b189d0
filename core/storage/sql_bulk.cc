#include "storage/sql_bulk.h"

#include "base/strings.h"

namespace gproxy::storage {

BulkInsert::BulkInsert(std::string_view table, std::span<const BulkColumn> columns)
    : arrays_(columns.size(), "{") {
  sql_.append("INSERT INTO ").append(table).append(" (");
  std::string from;
  for (size_t i = 0; i < columns.size(); ++i) {
    sql_.append(i == 0 ? "" : ", ").append(columns[i].name);
    from.append(i == 0 ? "" : ", ").append("$").append(std::to_string(i + 1));
    from.append("::").append(columns[i].type).append("[]");
  }
  sql_ += ") SELECT * FROM unnest(" + from + ") ON CONFLICT (id) DO NOTHING RETURNING id";
}

std::string& BulkInsert::next() {
  std::string& array = arrays_[column_++];
  if (array.size() > 1) array.push_back(',');
  return array;
}

BulkInsert& BulkInsert::with(int64_t value) {
  next().append(std::to_string(value));
  return *this;
}

BulkInsert& BulkInsert::with(std::string_view text) {
  std::string& array = next();
  const bool valid = is_valid_utf8(text);
  array.push_back('"');
  for (char c : text) {
    if (c == '\0') continue;  // no text of PostgreSQL holds one
    if (c == '"' || c == '\\') array.push_back('\\');
    array.push_back(valid || static_cast<unsigned char>(c) < 0x80 ? c : '?');
  }
  array.push_back('"');
  return *this;
}

BulkInsert& BulkInsert::with_blob(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string& array = next();
  array.append("\"\\\\x");
  for (const char c : bytes) {
    array.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
    array.push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
  array.push_back('"');
  return *this;
}

BulkInsert& BulkInsert::with_null() {
  next().append("NULL");
  return *this;
}

Result<std::vector<int64_t>> BulkInsert::run(Db& db) {
  Query query(db, sql_);
  for (std::string& array : arrays_) {
    array.push_back('}');
    query.with(array);
  }
  std::vector<int64_t> ids;
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return ids;
    ids.push_back(query.integer(0));
  }
}

}  // namespace gproxy::storage
