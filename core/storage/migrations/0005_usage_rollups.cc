#include "storage/migrations/migrations.h"

namespace gproxy::storage {

// Sums of usage (rollup.h), and indexes that answer each filter of the lists without the rows. They
// begin with the time, so a batch still touches their ends alone. PostgreSQL writes each row's
// index entries anyway and plans by statistics: it gets the selective ones as indexes of their own.
const Migration kMigration0005 = {5, "usage_rollups", R"sql(
CREATE TABLE rollup_segments (
  id $ID,
  level SMALLINT NOT NULL,
  dimension SMALLINT NOT NULL,
  bucket BIGINT NOT NULL,
  shard SMALLINT NOT NULL,
  data $BYTES NOT NULL
);
CREATE INDEX idx_rollup_segments ON rollup_segments (level, dimension, bucket, shard);

CREATE TABLE rollup_deltas (
  id $ID,
  data $BYTES NOT NULL
);

-- Until when a level of a dimension is complete; id = level * 16 + dimension.
CREATE TABLE rollup_state (
  id $ID,
  complete_until BIGINT NOT NULL
);

DROP INDEX idx_upstream_usages_at;
DROP INDEX idx_downstream_requests_at;
DROP INDEX idx_upstream_requests_at;

-- The first part of a body, or all of it; written only while redaction is off. attempt_no 0 is the
-- client's side; direction 0 is the request, 1 the answer.
CREATE TABLE request_bodies (
  id $ID,
  at BIGINT NOT NULL,
  trace_id TEXT NOT NULL,
  attempt_no INTEGER NOT NULL,
  direction SMALLINT NOT NULL,
  total_bytes BIGINT NOT NULL,
  body $BYTES NOT NULL
);
CREATE INDEX idx_request_bodies_trace_id ON request_bodies (trace_id);
CREATE INDEX idx_request_bodies_at ON request_bodies (at);
)sql",
                                  R"sql(
CREATE INDEX idx_upstream_usages_list ON upstream_usages
  (at, id, provider, credential_id, user_id, user_key_id, model, status, outcome);
CREATE INDEX idx_downstream_requests_list ON downstream_requests
  (at, id, user_id, user_key_id, response_status, request_path);
CREATE INDEX idx_upstream_requests_list ON upstream_requests
  (at, id, provider, credential_id, user_id, user_key_id, operation, response_status, request_path);
)sql",
                                  R"sql(
CREATE INDEX idx_upstream_usages_list ON upstream_usages (at, id)
  INCLUDE (provider, credential_id, user_id, user_key_id, model, status, outcome);
CREATE INDEX idx_upstream_usages_credential ON upstream_usages (credential_id, at, id);
CREATE INDEX idx_upstream_usages_user ON upstream_usages (user_id, at, id);
CREATE INDEX idx_upstream_usages_key ON upstream_usages (user_key_id, at, id);
CREATE INDEX idx_downstream_requests_list ON downstream_requests (at, id)
  INCLUDE (user_id, user_key_id, response_status, request_path);
CREATE INDEX idx_downstream_requests_user ON downstream_requests (user_id, at, id);
CREATE INDEX idx_downstream_requests_key ON downstream_requests (user_key_id, at, id);
CREATE INDEX idx_upstream_requests_list ON upstream_requests (at, id)
  INCLUDE (provider, credential_id, user_id, user_key_id, operation, response_status, request_path);
CREATE INDEX idx_upstream_requests_credential ON upstream_requests (credential_id, at, id);
CREATE INDEX idx_upstream_requests_user ON upstream_requests (user_id, at, id);
CREATE INDEX idx_upstream_requests_key ON upstream_requests (user_key_id, at, id);
)sql"};

}  // namespace gproxy::storage
