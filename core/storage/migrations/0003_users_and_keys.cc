#include "storage/migrations/migrations.h"

namespace gproxy::storage {

// What bounds users and keys, what keys may do, and a rotated key's former digest; secrets among
// the settings that have no column; who changed what.
const Migration kMigration0003 = {3, "users and keys", R"sql(
ALTER TABLE users ADD COLUMN bounds_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE user_keys ADD COLUMN bounds_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE user_keys ADD COLUMN permissions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user_keys ADD COLUMN previous_digest $BYTES;
ALTER TABLE user_keys ADD COLUMN previous_until BIGINT;
CREATE INDEX idx_user_keys_previous ON user_keys (previous_digest);

ALTER TABLE global_config ADD COLUMN secrets_sealed $BYTES;

-- user 0's keys could do all this before keys had permissions.
UPDATE user_keys SET permissions = 3 WHERE user_id = 0;

INSERT INTO id_sequences (name, next) VALUES ('audit_log', 1);
CREATE TABLE audit_log (
  id $ID,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  client TEXT,
  action TEXT NOT NULL,
  target TEXT,
  status INTEGER NOT NULL,
  error_code TEXT,
  detail_json TEXT NOT NULL
);
CREATE INDEX idx_audit_log_at ON audit_log (at);
)sql"};

}  // namespace gproxy::storage
