// Data source names: which database, and where. Pure but for create_parent_directory().
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace gproxy::storage {

struct Dsn {
  enum class Backend : uint8_t { sqlite, postgres };
  enum class Mode : uint8_t { rw, rwc, ro, memory };

  Backend backend = Backend::sqlite;
  Mode mode = Mode::rw;
  std::string path;   // SQLite: the file; empty in memory
  std::string text;   // as given
  std::string shown;  // with a password masked: for logs and the admin API

  bool in_memory() const { return backend == Backend::sqlite && mode == Mode::memory; }
};

// `sqlite:///absolute`, `sqlite://relative`, `sqlite:relative`, `sqlite::memory:`, `:memory:`, with
// `?mode=ro|rw|rwc|memory` (rw when absent: the file must exist); `postgres://` and `postgresql://`
// are recognised. Everything else is an error of code "bad_dsn"; mysql is refused by name.
Result<Dsn> parse_dsn(std::string_view text);

// scheme://user:password@host as scheme://user:***@host; also a `password` in the query. Of any URL.
std::string mask_password(std::string_view url);

// `sqlite://<data_dir>/gproxy.db?mode=rwc`, or in the current directory when `data_dir` is empty.
std::string default_dsn(std::string_view data_dir);

// Where master key and rings live: `configured` (GPROXY_DATA_DIR) when set, else the folder of the
// SQLite file, else the current directory. Empty for a database in memory.
std::string data_directory(const Dsn& dsn, std::string_view configured);

// The folder of this database's rings: `<file>.rings` beside a SQLite file, else
// `<data_dir>/rings`. Empty for a database in memory (its rings then live in memory, too).
std::string ring_directory(const Dsn& dsn, std::string_view data_dir);

// Creates the folders above the SQLite file (mode rwc only). Error code "cannot_create".
Result<void> create_parent_directory(const Dsn& dsn);
Result<void> create_directories(const std::string& path);

}  // namespace gproxy::storage
