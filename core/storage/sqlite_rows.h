// Many rows in one statement, for SQLite: a table-valued function gives them to an INSERT … SELECT.
// A statement for each row would spend more on its parameters and on finding the ends of table and
// indexes anew than on the row. The writer thread's.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

struct sqlite3;

namespace gproxy::storage {

// One row, filled like a Query. Text is not copied: it must outlive the statement.
class RowCells {
 public:
  static constexpr size_t kMax = 32;
  enum class Kind : uint8_t { null, integer, text, blob };
  struct Cell {
    Kind kind = Kind::null;
    int64_t number = 0;
    std::string_view bytes;
  };

  void again() { size_ = 0; }
  RowCells& with(int64_t value) {
    Cell& cell = next(Kind::integer);
    cell.number = value;
    return *this;
  }
  RowCells& with(bool value) { return with(int64_t{value}); }
  RowCells& with(int32_t value) { return with(int64_t{value}); }
  RowCells& with(std::string_view text) {
    next(Kind::text).bytes = text;
    return *this;
  }
  RowCells& with_blob(std::string_view bytes) {
    next(Kind::blob).bytes = bytes;
    return *this;
  }
  RowCells& with_null() {
    next(Kind::null);
    return *this;
  }
  RowCells& with_text_or_null(std::string_view text) {
    return text.empty() ? with_null() : with(text);
  }
  RowCells& with_id(int64_t id) { return id < 0 ? with_null() : with(id); }

  const Cell& at(size_t column) const { return cells_[column]; }

 private:
  Cell& next(Kind kind) {
    Cell& cell = cells_[size_ < kMax - 1 ? size_ : kMax - 1];
    ++size_;
    cell.kind = kind;
    return cell;
  }
  std::array<Cell, kMax> cells_;
  size_t size_ = 0;
};

// Gives the rows, in order.
class RowSource {
 public:
  // Fills the next row; false when there is none.
  virtual bool next(RowCells& row) = 0;

 protected:
  ~RowSource() = default;
};

// The name under which a RowSource is bound as a pointer.
inline constexpr const char* kRowSourcePointer = "gproxy_rows";
// Makes `gproxy_rows($1)`, with columns c0, c1, …, known to the connection. An SQLite result code.
int add_row_function(sqlite3* db);

}  // namespace gproxy::storage
