#include "storage/migrations/migrations.h"

namespace gproxy::storage {

// PostgreSQL: what few or no rows match is found without a walk through the whole range. Rows that
// went wrong are few, so all filters for them share a partial index; names of models in part are
// looked for among the distinct ones, which the index of models gives.
const Migration kMigration0009 = {9,
                                  "rare_filters",
                                  {},
                                  {},
                                  R"sql(
CREATE INDEX idx_upstream_usages_provider ON upstream_usages (provider, at, id);
CREATE INDEX idx_upstream_usages_model ON upstream_usages (model, at, id);
CREATE INDEX idx_upstream_usages_problems ON upstream_usages (at, id) INCLUDE (status, outcome)
  WHERE outcome <> 0 OR status >= 400;
CREATE INDEX idx_upstream_requests_provider ON upstream_requests (provider, at, id);
CREATE INDEX idx_upstream_requests_operation ON upstream_requests (operation, at, id);
CREATE INDEX idx_upstream_requests_problems ON upstream_requests (at, id) INCLUDE (response_status)
  WHERE response_status >= 400;
CREATE INDEX idx_downstream_requests_problems ON downstream_requests (at, id)
  INCLUDE (response_status) WHERE response_status >= 400;
)sql"};

}  // namespace gproxy::storage
