// SqlStore: logins that wait for a person, and whom response ids belong to.
#include "storage/sql_store.h"

namespace gproxy::storage {

Result<void> SqlStore::put_flow(const FlowRow& row) {
  return in_transaction([&]() -> Result<void> {
    const int64_t now = clock_.wall_us();
    GP_CHECK(Query(*db_, "DELETE FROM oauth_flows WHERE expires_at <= $1").with(now).run());
    const auto state = digest_view(row.state);
    Query known(*db_, "SELECT id FROM oauth_flows WHERE state_digest = $1");
    GP_TRY(const bool found, known.with_blob(state).step());
    if (found) {
      const int64_t id = known.integer(0);
      GP_CHECK(known.run());
      const auto sealed = seal("oauth_flows", id, "flow", row.flow);
      Query update(*db_, "UPDATE oauth_flows SET flow_sealed = $1 WHERE id = $2");
      return update.with_blob(sealed).with(id).run();
    }
    // The oldest of this opener makes room.
    Query room(*db_,
               "DELETE FROM oauth_flows WHERE user_id = $1 AND id NOT IN (SELECT id FROM"
               " oauth_flows WHERE user_id = $1 ORDER BY id DESC LIMIT $2)");
    GP_CHECK(room.with(row.user_id).with(int64_t{kMaxFlowsPerUser} - 1).run());
    GP_TRY(const int64_t id, next_id("oauth_flows"));
    const auto sealed = seal("oauth_flows", id, "flow", row.flow);
    Query insert(*db_,
                 "INSERT INTO oauth_flows (id, state_digest, provider_id, user_id, flow_sealed,"
                 " created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)");
    insert.with(id).with_blob(state).with(row.provider_id).with(row.user_id).with_blob(sealed);
    return insert.with(now).with(row.expires_at).run();
  });
}

Result<FoundFlow> SqlStore::find_flow(int64_t provider_id, int64_t user_id,
                                      const std::optional<Digest>& state) {
  FoundFlow out;
  const bool anybody = user_id == kNoId;
  if (anybody && !state) return out;
  Query query(*db_,
              "SELECT id, state_digest, flow_sealed, expires_at, user_id FROM oauth_flows"
              " WHERE provider_id = $1 AND (user_id = $2 OR $3 = 1) AND expires_at > $4");
  query.with(provider_id).with(user_id).with(int64_t{anybody}).with(clock_.wall_us());
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return out;
    const auto digest = query.blob(1);
    if (digest.size() != sizeof(Digest)) continue;
    if (state && digest != digest_view(*state)) continue;
    // One that does not open (another master key) is as good as none.
    auto flow = unseal("oauth_flows", query.integer(0), "flow", query.blob(2));
    if (!flow.ok()) continue;
    ++out.pending;
    FlowRow row;
    std::copy(digest.begin(), digest.end(), row.state.begin());
    row.provider_id = provider_id;
    row.user_id = query.integer(4);
    row.flow = std::move(*flow);
    row.expires_at = query.integer(3);
    out.row = std::move(row);
  }
}

Result<void> SqlStore::delete_flow(const Digest& state) {
  return in_transaction([&]() -> Result<void> {
    Query query(*db_, "DELETE FROM oauth_flows WHERE state_digest = $1");
    return query.with_blob(digest_view(state)).run();
  });
}

Result<void> SqlStore::append_responses(std::span<const ResponseRow> rows) {
  if (rows.empty()) return ok();
  Query insert(*db_,
               "INSERT INTO response_owners (response_id, user_id, provider_id, credential_id, at)"
               " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (response_id, user_id) DO UPDATE SET"
               " provider_id = excluded.provider_id, credential_id = excluded.credential_id,"
               " at = excluded.at WHERE excluded.at >= response_owners.at");
  for (const ResponseRow& r : rows) {
    insert.again();
    insert.with(r.response_id).with(r.user_id).with(r.provider_id).with(r.credential_id);
    GP_CHECK(insert.with(r.at).run());
  }
  responses_since_prune_ += rows.size();
  if (responses_since_prune_ < kPruneResponsesEvery) return ok();
  responses_since_prune_ = 0;
  return prune_responses();
}

Result<void> SqlStore::prune_responses() {
  Query old(*db_, "DELETE FROM response_owners WHERE at < $1");
  GP_CHECK(old.with(clock_.wall_us() - kResponseLifeUs).run());
  Query surplus(*db_,
                "DELETE FROM response_owners WHERE at < (SELECT at FROM response_owners"
                " ORDER BY at DESC LIMIT 1 OFFSET $1)");
  return surplus.with(int64_t{kMaxResponses}).run();
}

}  // namespace gproxy::storage
