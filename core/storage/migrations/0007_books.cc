#include "storage/migrations/migrations.h"

namespace gproxy::storage {

// A trace's rows of usage by an index, as those of the logs are. Segments of users and keys know
// the provider from now on: the row with id 255 says before when they did not (rollup_state's other
// ids end at 51). PostgreSQL: an index answers without its table only where the table was vacuumed,
// and by default a table that only grows waits for a fifth of its rows; what is new is little each
// time.
const Migration kMigration0007 = {7,
                                  "books",
                                  R"sql(
CREATE INDEX idx_upstream_usages_trace_id ON upstream_usages (trace_id);

INSERT INTO rollup_state (id, complete_until)
  SELECT 255, max(bucket) + 86400000000 FROM rollup_segments HAVING count(*) > 0;
)sql",
                                  {},
                                  R"sql(
ALTER TABLE upstream_usages SET (autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 50000, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE downstream_requests SET (autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 50000, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE upstream_requests SET (autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 50000, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE rollup_deltas SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
)sql"};

}  // namespace gproxy::storage
