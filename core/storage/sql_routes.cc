// SqlStore's rows of routes and of what rests: writing them.
#include "storage/sql_store.h"

namespace gproxy::storage {

Result<RouteRow> SqlStore::upsert_route(const RouteRow& row) {
  RouteRow out = row;
  GP_CHECK(change([&]() -> Result<void> {
    const int64_t now = clock_.wall_us();
    out.updated_at = now;
    Query update(*db_,
                 "UPDATE routes SET body_json = $1, enabled = $2, origin = $3, updated_at = $4"
                 " WHERE name = $5 RETURNING id, created_at");
    update.with(row.body_json).with(row.enabled).with(static_cast<int32_t>(row.origin)).with(now);
    GP_TRY(const bool found, update.with(row.name).step());
    if (found) {
      out.id = update.integer(0);
      out.created_at = update.integer(1);
      return update.run();
    }
    GP_TRY(out.id, next_id("routes"));
    out.created_at = now;
    Query insert(*db_,
                 "INSERT INTO routes (id, name, body_json, enabled, origin, created_at, updated_at)"
                 " VALUES ($1, $2, $3, $4, $5, $6, $7)");
    insert.with(out.id).with(row.name).with(row.body_json).with(row.enabled);
    return insert.with(static_cast<int32_t>(row.origin)).with(now).with(now).run();
  }));
  return out;
}

Result<void> SqlStore::delete_route(int64_t id) {
  return change([&]() -> Result<void> {
    GP_CHECK(Query(*db_, "DELETE FROM routes WHERE id = $1").with(id).run());
    if (db_->changes() != 0) return ok();
    return Error{ErrorKind::not_found, "route_not_found", "there is no row " + std::to_string(id),
                 "id"};
  });
}

Result<void> SqlStore::put_health(std::span<const HealthRow> resting,
                                  std::span<const HealthRow> ended) {
  return in_transaction([&]() -> Result<void> {
    for (const auto& row : ended) {
      Query gone(*db_, "DELETE FROM credential_health WHERE credential_id = $1 AND scope = $2");
      GP_CHECK(gone.with(row.credential_id).with(row.scope).run());
    }
    for (const auto& row : resting) {
      Query put(*db_,
                "INSERT INTO credential_health (credential_id, scope, reason, until_at)"
                " SELECT id, CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT)"
                " FROM credentials WHERE id = $4"
                " ON CONFLICT (credential_id, scope) DO UPDATE SET reason = excluded.reason,"
                " until_at = excluded.until_at");
      GP_CHECK(
          put.with(row.scope).with(row.reason).with(row.until_at).with(row.credential_id).run());
    }
    return ok();
  });
}

}  // namespace gproxy::storage
