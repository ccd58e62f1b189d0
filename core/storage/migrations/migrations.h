// The schema's history: numbered steps, forward only, each in a file of its own and never edited
// once released. SQL that both databases read; a few words stand for what they spell differently:
//   $ID     the primary key of a table numbered by gproxy: INTEGER PRIMARY KEY | BIGINT PRIMARY KEY
//   $BYTES  BLOB | BYTEA
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gproxy::storage {

struct Migration {
  int64_t version;
  std::string_view name;
  std::string_view sql;
  // What only one of the two gets, after `sql`.
  std::string_view sqlite_only = {};
  std::string_view postgres_only = {};
};

extern const Migration kMigration0001;
extern const Migration kMigration0002;
extern const Migration kMigration0003;
extern const Migration kMigration0004;
extern const Migration kMigration0005;
extern const Migration kMigration0006;
extern const Migration kMigration0007;
extern const Migration kMigration0008;
extern const Migration kMigration0009;

// In order, without gaps, from 1.
std::span<const Migration> migrations();

enum class Dialect : uint8_t { sqlite, postgres };
std::string in_dialect(std::string_view sql, Dialect dialect);

}  // namespace gproxy::storage
