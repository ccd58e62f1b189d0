#include "storage/migrations/migrations.h"

namespace gproxy::storage {

// Why requests went the way they went: those that the setting decision_log keeps.
const Migration kMigration0006 = {6, "decisions", R"sql(
CREATE TABLE request_decisions (
  id $ID,
  at BIGINT NOT NULL,
  trace_id TEXT NOT NULL,
  request_id TEXT,
  decision_json TEXT NOT NULL
);
CREATE INDEX idx_request_decisions_trace_id ON request_decisions (trace_id);
CREATE INDEX idx_request_decisions_request_id ON request_decisions (request_id);
CREATE INDEX idx_request_decisions_at ON request_decisions (at);
)sql"};

}  // namespace gproxy::storage
