// Looking into a database without serving it: for sub-commands. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "storage/store.h"

namespace gproxy::storage {

// A reader alone: no lock is taken, no schema is brought up to date, no key is needed, and nothing
// can be written. A gproxy may have the database open meanwhile; what waits in its rings is not
// seen yet. Queries end after `timeout_ms`. Errors: those of open_store(), and not_found
// "no_schema" where the database is none of gproxy's or older than what is asked of it.
Result<std::unique_ptr<Reader>> open_reader_alone(std::string_view dsn, int64_t timeout_ms);

}  // namespace gproxy::storage
