// Store on PostgreSQL: the Store's connection writes, each Reader has one of its own. An advisory
// lock is held for the life of the Store, because rows of two processes would share ids: a second
// process is told instead of served.
#pragma once

#include <memory>

#include "base/result.h"
#include "storage/dsn.h"
#include "storage/store.h"

namespace gproxy::storage {

// Error "unsupported_database" where this gproxy was built without PostgreSQL; otherwise those of
// open_store().
Result<std::unique_ptr<Store>> open_postgres(const Dsn& dsn, const StoreOptions& options);

}  // namespace gproxy::storage
