#include "storage/sqlite_rows.h"

#include <sqlite3.h>

#include <string>

// The interface: https://www.sqlite.org/vtab.html (2.1.2, eponymous-only virtual tables).
namespace gproxy::storage {
namespace {

constexpr int kSourceColumn = static_cast<int>(RowCells::kMax);  // hidden: the function's parameter

struct Cursor {
  sqlite3_vtab_cursor base;  // first: SQLite knows a cursor by it
  RowSource* source;
  RowCells row;
  sqlite3_int64 number;
  bool more;
};

int connect(sqlite3* db, void*, int, const char* const*, sqlite3_vtab** out, char**) {
  std::string columns = "CREATE TABLE x(";
  for (size_t i = 0; i < RowCells::kMax; ++i) columns += "c" + std::to_string(i) + ", ";
  const int rc = sqlite3_declare_vtab(db, (columns + "source HIDDEN)").c_str());
  if (rc != SQLITE_OK) return rc;
  *out = new sqlite3_vtab();
  return SQLITE_OK;
}

int disconnect(sqlite3_vtab* table) {
  delete table;
  return SQLITE_OK;
}

int best_index(sqlite3_vtab*, sqlite3_index_info* info) {
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& c = info->aConstraint[i];
    if (c.iColumn != kSourceColumn || c.op != SQLITE_INDEX_CONSTRAINT_EQ || !c.usable) continue;
    info->aConstraintUsage[i].argvIndex = 1;
    info->aConstraintUsage[i].omit = 1;
    info->estimatedCost = 1;
    return SQLITE_OK;
  }
  return SQLITE_CONSTRAINT;
}

int open_cursor(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
  auto* cursor = new Cursor();
  *out = &cursor->base;
  return SQLITE_OK;
}

Cursor& of(sqlite3_vtab_cursor* cursor) {
  return *reinterpret_cast<Cursor*>(cursor);
}

int close_cursor(sqlite3_vtab_cursor* cursor) {
  delete &of(cursor);
  return SQLITE_OK;
}

int next(sqlite3_vtab_cursor* at) {
  Cursor& cursor = of(at);
  cursor.row.again();
  cursor.more = cursor.source != nullptr && cursor.source->next(cursor.row);
  ++cursor.number;
  return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* at, int, const char*, int count, sqlite3_value** values) {
  Cursor& cursor = of(at);
  cursor.source =
      count < 1 ? nullptr
                : static_cast<RowSource*>(sqlite3_value_pointer(values[0], kRowSourcePointer));
  cursor.number = 0;
  return next(at);
}

int at_end(sqlite3_vtab_cursor* cursor) {
  return of(cursor).more ? 0 : 1;
}

int column(sqlite3_vtab_cursor* cursor, sqlite3_context* to, int number) {
  if (number >= kSourceColumn) return SQLITE_OK;
  const auto& cell = of(cursor).row.at(static_cast<size_t>(number));
  // A null pointer would give NULL, and an empty text is a text.
  const char* bytes = cell.bytes.data() == nullptr ? "" : cell.bytes.data();
  const auto size = static_cast<int>(cell.bytes.size());
  switch (cell.kind) {
    case RowCells::Kind::null:
      break;
    case RowCells::Kind::integer:
      sqlite3_result_int64(to, cell.number);
      break;
    case RowCells::Kind::text:
      sqlite3_result_text(to, bytes, size, SQLITE_STATIC);
      break;
    case RowCells::Kind::blob:
      sqlite3_result_blob(to, bytes, size, SQLITE_STATIC);
      break;
  }
  return SQLITE_OK;
}

int row_number(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) {
  *out = of(cursor).number;
  return SQLITE_OK;
}

// No xCreate: it exists by itself and cannot be made in a schema.
const sqlite3_module kModule = [] {
  sqlite3_module module{};
  module.xConnect = connect;
  module.xBestIndex = best_index;
  module.xDisconnect = disconnect;
  module.xOpen = open_cursor;
  module.xClose = close_cursor;
  module.xFilter = filter;
  module.xNext = next;
  module.xEof = at_end;
  module.xColumn = column;
  module.xRowid = row_number;
  return module;
}();

}  // namespace

int add_row_function(sqlite3* db) {
  return sqlite3_create_module(db, "gproxy_rows", &kModule, nullptr);
}

}  // namespace gproxy::storage
