#include "storage/migrations/migrations.h"

namespace gproxy::storage {

// A provider's settings may hold secrets (an extra header, a token), and only its module knows
// which: they are sealed as a whole. Rows of before are sealed when the store is opened.
const Migration kMigration0008 = {8, "sealed settings", R"sql(
ALTER TABLE providers ADD COLUMN settings_sealed $BYTES;
)sql"};

}  // namespace gproxy::storage
