#include "storage/migrations/migrations.h"

namespace gproxy::storage {

// Logins that wait for a person (600 s), and which credential and user a response id belongs to
// (30 days). A user's claim to an id stands beside another's: upstreams do not promise that ids of
// two accounts differ.
const Migration kMigration0004 = {4, "logins", R"sql(
CREATE TABLE oauth_flows (
  id $ID,
  state_digest $BYTES NOT NULL,
  provider_id BIGINT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
  user_id BIGINT NOT NULL,
  flow_sealed $BYTES NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX idx_oauth_flows_state ON oauth_flows (state_digest);
INSERT INTO id_sequences (name, next) VALUES ('oauth_flows', 1);

CREATE TABLE response_owners (
  response_id TEXT NOT NULL,
  user_id BIGINT NOT NULL,
  provider_id BIGINT NOT NULL,
  credential_id BIGINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (response_id, user_id)
);
CREATE INDEX idx_response_owners_at ON response_owners (at);
)sql"};

}  // namespace gproxy::storage
