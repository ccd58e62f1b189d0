#include "storage/migrations/migrations.h"

namespace gproxy::storage {

const Migration kMigration0002 = {2, "pool", R"sql(
ALTER TABLE providers ADD COLUMN pool_json TEXT NOT NULL DEFAULT '{}';

CREATE TABLE routes (
  id $ID,
  name TEXT NOT NULL UNIQUE,
  body_json TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  origin SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
INSERT INTO id_sequences (name, next) VALUES ('routes', 1);

-- What rests, and until when: UTC, or the largest BIGINT for "until it is changed". An empty scope is
-- the credential itself.
CREATE TABLE credential_health (
  credential_id BIGINT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
  scope TEXT NOT NULL,
  reason TEXT NOT NULL,
  until_at BIGINT NOT NULL,
  PRIMARY KEY (credential_id, scope)
);
)sql"};

}  // namespace gproxy::storage
