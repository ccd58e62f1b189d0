#include "storage/migrations/migrations.h"

namespace gproxy::storage {

// Times are BIGINT microseconds UTC. Numbers of enums: records.h, translate/protocol.h.
const Migration kMigration0001 = {1, "first", R"sql(
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- Primary keys are given by gproxy, never reused, and user 0 is nothing special to the database.
CREATE TABLE id_sequences (
  name TEXT PRIMARY KEY,
  next BIGINT NOT NULL
);
INSERT INTO id_sequences (name, next) VALUES
  ('providers', 1), ('credentials', 1), ('users', 1), ('user_keys', 1);

CREATE TABLE config_state (
  id $ID,
  revision BIGINT NOT NULL
);
INSERT INTO config_state (id, revision) VALUES (1, 0);

-- Which master keys open the sealed records: one, and two while the records are sealed anew.
CREATE TABLE master_keys (
  fingerprint TEXT PRIMARY KEY,
  created_at BIGINT NOT NULL
);

-- Keys that outlive the master key, sealed under it.
CREATE TABLE sealed_keys (
  name TEXT PRIMARY KEY,
  sealed $BYTES NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE global_config (
  id $ID,
  host TEXT,
  port INTEGER,
  admin_key_sealed $BYTES,
  proxy_sealed $BYTES,
  event_redact_sensitive BOOLEAN,
  dsn TEXT NOT NULL,
  extra_json TEXT NOT NULL,
  host_origin SMALLINT NOT NULL,
  port_origin SMALLINT NOT NULL,
  admin_key_origin SMALLINT NOT NULL,
  proxy_origin SMALLINT NOT NULL,
  redact_origin SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE providers (
  id $ID,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  settings_json TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  origin SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE credentials (
  id $ID,
  provider_id BIGINT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
  name TEXT,
  settings_json TEXT NOT NULL,
  secret_sealed $BYTES NOT NULL,
  version BIGINT NOT NULL,
  enabled BOOLEAN NOT NULL,
  origin SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX idx_credentials_provider ON credentials (provider_id);

CREATE TABLE users (
  id $ID,
  name TEXT NOT NULL UNIQUE,
  enabled BOOLEAN NOT NULL,
  origin SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE user_keys (
  id $ID,
  user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  digest $BYTES NOT NULL,
  key_sealed $BYTES,
  label TEXT,
  enabled BOOLEAN NOT NULL,
  origin SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX idx_user_keys_digest ON user_keys (digest);
CREATE INDEX idx_user_keys_user ON user_keys (user_id);

-- The journal. No foreign keys: a row tells what happened, also when what it names is gone. Ids grow
-- with time, so tables and indexes are filled at their ends: a batch touches few pages. That is why no
-- index begins with a credential, a user or a key: the rows of many keys would touch as many pages, at
-- four microseconds a row for each such index. Filters stand behind the time instead, where a scan of
-- a range of time reads them without the row.
CREATE TABLE upstream_usages (
  id $ID,
  at BIGINT NOT NULL,
  trace_id TEXT,
  attempt_no INTEGER NOT NULL,
  final BOOLEAN NOT NULL,
  has_usage BOOLEAN NOT NULL,
  estimated BOOLEAN NOT NULL,
  provider TEXT NOT NULL,
  provider_id BIGINT,
  credential_id BIGINT,
  user_id BIGINT,
  user_key_id BIGINT,
  model TEXT,
  protocol SMALLINT NOT NULL,
  operation SMALLINT NOT NULL,
  status INTEGER,
  outcome SMALLINT NOT NULL,
  input_tokens BIGINT NOT NULL,
  output_tokens BIGINT NOT NULL,
  cache_read_tokens BIGINT NOT NULL,
  cache_write_tokens BIGINT NOT NULL,
  reasoning_tokens BIGINT NOT NULL,
  total_tokens BIGINT NOT NULL,
  ttft_us BIGINT,
  duration_us BIGINT NOT NULL,
  cost_nanousd BIGINT,
  price_revision BIGINT
);
CREATE INDEX idx_upstream_usages_at ON upstream_usages (at);

CREATE TABLE downstream_requests (
  id $ID,
  at BIGINT NOT NULL,
  trace_id TEXT,
  user_id BIGINT,
  user_key_id BIGINT,
  request_method TEXT NOT NULL,
  request_path TEXT NOT NULL,
  request_query TEXT,
  request_headers_json TEXT,
  response_headers_json TEXT,
  client TEXT,
  provider TEXT,
  model TEXT,
  protocol SMALLINT NOT NULL,
  operation SMALLINT NOT NULL,
  stream BOOLEAN NOT NULL,
  response_status INTEGER,
  outcome SMALLINT NOT NULL,
  error_code TEXT,
  attempts INTEGER NOT NULL,
  request_bytes BIGINT NOT NULL,
  response_bytes BIGINT NOT NULL,
  ttft_us BIGINT,
  duration_us BIGINT NOT NULL
);
CREATE INDEX idx_downstream_requests_at
  ON downstream_requests (at, user_id, user_key_id, response_status);
CREATE INDEX idx_downstream_requests_trace_id ON downstream_requests (trace_id);

CREATE TABLE upstream_requests (
  id $ID,
  at BIGINT NOT NULL,
  trace_id TEXT,
  user_id BIGINT,
  user_key_id BIGINT,
  provider TEXT NOT NULL,
  provider_id BIGINT,
  credential_id BIGINT,
  internal BOOLEAN NOT NULL,
  attempt_no INTEGER NOT NULL,
  protocol SMALLINT NOT NULL,
  operation SMALLINT NOT NULL,
  stream BOOLEAN NOT NULL,
  model TEXT,
  request_method TEXT NOT NULL,
  request_path TEXT NOT NULL,
  request_query TEXT,
  request_headers_json TEXT,
  response_headers_json TEXT,
  response_status INTEGER,
  outcome SMALLINT NOT NULL,
  error_kind TEXT,
  error_message TEXT,
  transport_kind TEXT,
  request_bytes BIGINT NOT NULL,
  response_bytes BIGINT NOT NULL,
  ttft_us BIGINT,
  duration_us BIGINT NOT NULL
);
CREATE INDEX idx_upstream_requests_at ON upstream_requests
  (at, provider, credential_id, user_id, user_key_id, operation, response_status);
CREATE INDEX idx_upstream_requests_trace_id ON upstream_requests (trace_id);

CREATE TABLE internal_events (
  id $ID,
  at BIGINT NOT NULL,
  event_type TEXT NOT NULL,
  payload_json TEXT NOT NULL
);
CREATE INDEX idx_internal_events_at ON internal_events (at);
)sql"};

}  // namespace gproxy::storage
