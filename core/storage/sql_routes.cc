// SqlStore's rows of routes and of what rests.
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

Result<void> SqlStore::load_routes(ConfigRows& out) {
  Query query(*db_,
              "SELECT id, name, body_json, enabled, origin, created_at, updated_at FROM routes"
              " ORDER BY id");
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return ok();
    RouteRow row;
    row.id = query.integer(0);
    row.name = query.string(1);
    row.body_json = query.string(2);
    row.enabled = query.boolean(3);
    row.origin = origin_from(query.integer(4));
    row.created_at = query.integer(5);
    row.updated_at = query.integer(6);
    out.routes.push_back(std::move(row));
  }
}

Result<void> SqlStore::load_health(ConfigRows& out) {
  Query query(*db_,
              "SELECT credential_id, scope, reason, until_at FROM credential_health"
              " ORDER BY credential_id, scope");
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return ok();
    out.health.push_back({query.integer(0), query.string(1), query.string(2), query.integer(3)});
  }
}

}  // namespace gproxy::storage
