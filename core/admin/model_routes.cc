// /admin/routes: the operator's own model names.
#include <algorithm>

#include "admin/api.h"
#include "admin/convert.h"
#include "config/model_route.h"

namespace gproxy::admin {
namespace {

config::RouteConfig config_of(const storage::RouteRow& row) {
  return {row.id, row.name, row.body_json, row.enabled, to_config(row.origin)};
}

void write_route(json::Writer& w, const ControlPlane& plane, const storage::RouteRow& row) {
  const auto route = config::parse_route(config_of(row));
  w.begin_object();
  w.field("id", row.id);
  w.field("name", row.name);
  w.field("enabled", row.enabled);
  w.field("origin", storage::name(row.origin));
  w.key("body");
  w.raw(route.ok() ? config::route_body_json(*route) : row.body_json);
  // What keeps a target from being used at all.
  w.key("faults");
  w.begin_array();
  if (route.ok()) {
    for (const auto& tier : route->tiers) {
      for (const auto& target : tier) {
        const auto* provider = plane.snapshot().find_provider(target.provider);
        if (provider == nullptr)
          w.string("no provider is called " + target.provider);
        else if (!provider->enabled)
          w.string("the provider " + target.provider + " is disabled");
        else if (!provider->fault.empty())
          w.string(target.provider + ": " + provider->fault);
      }
    }
  } else {
    w.string(route.error().param + ": " + route.error().message);
  }
  w.end_array();
  w.field("created_at", rfc3339(row.created_at));
  w.field("updated_at", rfc3339(row.updated_at));
  w.end_object();
}

const storage::RouteRow* find(const ControlPlane& plane, std::string_view name) {
  for (const auto& row : plane.rows().routes) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

Error not_found(std::string_view name) {
  return Error{ErrorKind::not_found, "route_not_found", "no route is called " + std::string(name)};
}

}  // namespace

void list_routes(ContextPtr c) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("routes");
  w.begin_array();
  for (const auto& row : c->plane.rows().routes) write_route(w, c->plane, row);
  w.end_array();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

void get_route(ContextPtr c) {
  const auto* row = find(c->plane, c->parameters[0]);
  if (row == nullptr) return c->respond(error_response(not_found(c->parameters[0])));
  std::string out;
  json::Writer w(out);
  write_route(w, c->plane, *row);
  c->respond(json_response(std::move(out)));
}

void put_route(ContextPtr c) {
  auto row = std::make_shared<storage::RouteRow>();
  auto parse = [&]() -> Result<void> {
    GP_CHECK(only_members(c->body, {"enabled", "body", "id", "name", "origin", "faults",
                                    "created_at", "updated_at"}));
    row->name = c->parameters[0];
    GP_TRY(auto enabled, opt_bool(c->body, "enabled"));
    row->enabled = enabled.value_or(true);
    const json::Value& body = c->body["body"];
    if (!body.is_object())
      return invalid_error("must be an object {tiers, aliases, users, keys, listed}", "body");
    row->body_json = json::write(body);
    auto route = config::parse_route(config_of(*row));
    if (!route.ok()) {
      Error e = std::move(route).error();
      if (e.param != "name") e.param = e.param.empty() ? "body" : "body." + e.param;
      return e;
    }
    row->body_json = config::route_body_json(*route);
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  c->change(
      [c, row]() -> Result<void> {
        if (const auto* old = find(c->plane, row->name)) {
          const bool same = old->body_json == row->body_json && old->enabled == row->enabled;
          if (!same) GP_CHECK(check_origin(to_config(old->origin), "route " + row->name));
          row->origin = old->origin;
        }
        // Two routes may not take the same name from clients.
        const auto mine = config::parse_route(config_of(*row));
        for (const auto& other : c->plane.rows().routes) {
          if (other.name == row->name) continue;
          const auto theirs = config::parse_route(config_of(other));
          if (!theirs.ok()) continue;
          const auto takes = [&](const std::string& name) {
            return theirs->name == name || std::find(theirs->aliases.begin(), theirs->aliases.end(),
                                                     name) != theirs->aliases.end();
          };
          if (takes(mine->name))
            return Error{ErrorKind::conflict, "conflict",
                         "route " + other.name + " has this name as an alias", "name"};
          for (size_t i = 0; i < mine->aliases.size(); ++i) {
            if (takes(mine->aliases[i]))
              return Error{ErrorKind::conflict, "conflict",
                           "route " + other.name + " has this name",
                           "body.aliases[" + std::to_string(i) + "]"};
          }
        }
        return ok();
      },
      [row](storage::Store& store) -> Result<std::string> {
        GP_TRY(auto stored, store.upsert_route(*row));
        std::string out;
        json::Writer w(out);
        w.begin_object();
        w.field("id", stored.id);
        w.field("name", stored.name);
        w.end_object();
        return out;
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void delete_route(ContextPtr c) {
  auto id = std::make_shared<int64_t>();
  c->change(
      [c, id]() -> Result<void> {
        const auto* row = find(c->plane, c->parameters[0]);
        if (row == nullptr) return not_found(c->parameters[0]);
        GP_CHECK(check_origin(to_config(row->origin), "route " + row->name));
        *id = row->id;
        return ok();
      },
      [id](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.delete_route(*id));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

}  // namespace gproxy::admin
