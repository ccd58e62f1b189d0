#include "storage/migrations/migrations.h"

#include <array>

namespace gproxy::storage {

std::span<const Migration> migrations() {
  static const std::array kAll = {kMigration0001, kMigration0002, kMigration0003,
                                  kMigration0004, kMigration0005, kMigration0006,
                                  kMigration0007, kMigration0008, kMigration0009};
  return kAll;
}

std::string in_dialect(std::string_view sql, Dialect dialect) {
  struct Word {
    std::string_view name, sqlite, postgres;
  };
  // INTEGER PRIMARY KEY is what SQLite stores a table by; BIGINT would cost a second index.
  static constexpr std::array<Word, 2> kWords = {{
      {"$ID", "INTEGER PRIMARY KEY", "BIGINT PRIMARY KEY"},
      {"$BYTES", "BLOB", "BYTEA"},
  }};
  std::string out;
  out.reserve(sql.size() + 256);
  while (!sql.empty()) {
    const size_t mark = sql.find('$');
    out.append(sql.substr(0, mark));
    if (mark == std::string_view::npos) break;
    sql.remove_prefix(mark);
    bool known = false;
    for (const Word& word : kWords) {
      if (!sql.starts_with(word.name)) continue;
      out.append(dialect == Dialect::sqlite ? word.sqlite : word.postgres);
      sql.remove_prefix(word.name.size());
      known = true;
      break;
    }
    if (!known) {
      out.push_back('$');
      sql.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace gproxy::storage
