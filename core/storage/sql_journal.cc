#include "storage/sql_store.h"

namespace gproxy::storage {

Result<void> SqlStore::append_batch(const Batch& batch) {
  return in_transaction([&]() -> Result<void> {
    GP_CHECK(append_usage(batch.usage));
    GP_CHECK(append_requests(batch.requests));
    GP_CHECK(append_upstream(batch.upstream));
    GP_CHECK(append_events(batch.events));
    return append_responses(batch.responses);
  });
}

Result<void> SqlStore::append_usage(std::span<const UsageRow> rows) {
  if (rows.empty()) return ok();
  Query insert(
      *db_,
      "INSERT INTO upstream_usages (id, at, trace_id, attempt_no, final, has_usage, estimated,"
      " provider, provider_id, credential_id, user_id, user_key_id, model, protocol, operation,"
      " status, outcome, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,"
      " reasoning_tokens, total_tokens, ttft_us, duration_us) VALUES ($1, $2, $3, $4, $5, $6, $7,"
      " $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)"
      " ON CONFLICT (id) DO NOTHING");
  for (const UsageRow& r : rows) {
    insert.again();
    insert.with(r.id).with(r.at).with_text_or_null(r.trace_id).with(r.attempt_no).with(r.final);
    insert.with(r.has_usage).with(r.estimated).with(r.provider).with_id(r.provider_id);
    insert.with_id(r.credential_id).with_id(r.user_id).with_id(r.user_key_id);
    insert.with_text_or_null(r.model).with(r.protocol).with(r.operation);
    insert.with_id(r.status == 0 ? kNoId : r.status).with(static_cast<int32_t>(r.outcome));
    insert.with(r.input).with(r.output).with(r.cache_read).with(r.cache_write).with(r.reasoning);
    insert.with(r.total()).with_id(r.ttft_us).with(r.duration_us);
    GP_CHECK(insert.run());
  }
  return ok();
}

Result<void> SqlStore::append_requests(std::span<const RequestRow> rows) {
  if (rows.empty()) return ok();
  Query insert(
      *db_,
      "INSERT INTO downstream_requests (id, at, trace_id, user_id, user_key_id, request_method,"
      " request_path, request_query, request_headers_json, response_headers_json, client,"
      " provider, model, protocol, operation, stream, response_status, outcome, error_code,"
      " attempts, request_bytes, response_bytes, ttft_us, duration_us) VALUES ($1, $2, $3, $4, $5,"
      " $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)"
      " ON CONFLICT (id) DO NOTHING");
  for (const RequestRow& r : rows) {
    insert.again();
    insert.with(r.id)
        .with(r.at)
        .with_text_or_null(r.trace_id)
        .with_id(r.user_id)
        .with_id(r.user_key_id);
    insert.with(r.method).with(r.path).with_text_or_null(r.query);
    insert.with_text_or_null(r.request_headers_json).with_text_or_null(r.response_headers_json);
    insert.with_text_or_null(r.client).with_text_or_null(r.provider).with_text_or_null(r.model);
    insert.with(r.protocol).with(r.operation).with(r.stream);
    insert.with_id(r.status == 0 ? kNoId : r.status).with(static_cast<int32_t>(r.outcome));
    insert.with_text_or_null(r.error_code)
        .with(r.attempts)
        .with(r.request_bytes)
        .with(r.response_bytes);
    insert.with_id(r.ttft_us).with(r.duration_us);
    GP_CHECK(insert.run());
  }
  return ok();
}

Result<void> SqlStore::append_upstream(std::span<const UpstreamRequestRow> rows) {
  if (rows.empty()) return ok();
  Query insert(
      *db_,
      "INSERT INTO upstream_requests (id, at, trace_id, user_id, user_key_id, provider,"
      " provider_id, credential_id, internal, attempt_no, protocol, operation, stream, model,"
      " request_method, request_path, request_query, request_headers_json,"
      " response_headers_json, response_status, outcome, error_kind, error_message,"
      " transport_kind, request_bytes, response_bytes, ttft_us, duration_us) VALUES ($1, $2, $3,"
      " $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,"
      " $23, $24, $25, $26, $27, $28) ON CONFLICT (id) DO NOTHING");
  for (const UpstreamRequestRow& r : rows) {
    insert.again();
    insert.with(r.id)
        .with(r.at)
        .with_text_or_null(r.trace_id)
        .with_id(r.user_id)
        .with_id(r.user_key_id);
    insert.with(r.provider).with_id(r.provider_id).with_id(r.credential_id).with(r.internal);
    insert.with(r.attempt_no).with(r.protocol).with(r.operation).with(r.stream);
    insert.with_text_or_null(r.model).with(r.method).with(r.path).with_text_or_null(r.query);
    insert.with_text_or_null(r.request_headers_json).with_text_or_null(r.response_headers_json);
    insert.with_id(r.status == 0 ? kNoId : r.status).with(static_cast<int32_t>(r.outcome));
    insert.with_text_or_null(r.error_kind).with_text_or_null(r.error_message);
    insert.with_text_or_null(r.transport_kind).with(r.request_bytes).with(r.response_bytes);
    insert.with_id(r.ttft_us).with(r.duration_us);
    GP_CHECK(insert.run());
  }
  return ok();
}

Result<void> SqlStore::append_events(std::span<const InternalEvent> rows) {
  if (rows.empty()) return ok();
  Query insert(
      *db_,
      "INSERT INTO internal_events (id, at, event_type, payload_json) VALUES ($1, $2, $3, $4)"
      " ON CONFLICT (id) DO NOTHING");
  for (const InternalEvent& r : rows) {
    insert.again();
    GP_CHECK(insert.with(r.id).with(r.at).with(r.event_type).with(r.payload_json).run());
  }
  return ok();
}

Result<void> SqlStore::probe() {
  GP_CHECK(db_->begin(Db::Intent::write));
  // On a server BEGIN alone would not tell whether it takes rows.
  auto done = Query(*db_, "SELECT 1 FROM config_state").run();
  db_->rollback();
  return done;
}

}  // namespace gproxy::storage
