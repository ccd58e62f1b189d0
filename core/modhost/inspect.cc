// What a module is, for people and programs: `gproxy module inspect` and the admin API.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/json.h"
#include "modhost/provider.h"
#include "modhost/registry.h"

namespace gproxy::modhost {

Inspection inspect(const std::shared_ptr<const Module>& module) {
  Inspection out;
  out.info = module->info();
  for (const auto& kind : out.info.kinds) {
    Inspection::KindTable table;
    table.kind = kind.name;
    auto provider = Provider::create(module, {kind.name, kind.name, "{}"});
    if (provider.ok()) {
      auto rows = (*provider)->routes().rows();
      table.routes.assign(rows.begin(), rows.end());
    } else {
      const auto& error = provider.error();
      table.note =
          error.param.empty() ? error.message : fmt::format("{}: {}", error.param, error.message);
    }
    out.tables.push_back(std::move(table));
  }
  module->reaper()->drain();
  return out;
}

std::string inspection_json(const Inspection& inspection) {
  std::string out;
  json::Writer w(out);
  const auto& info = inspection.info;
  w.begin_object();
  w.field("id", info.id);
  w.field("name", info.title);
  w.field("version", info.version);
  w.field("licence", info.licence);
  w.field("homepage", info.homepage);
  w.field("path", info.path);
  w.field("abi", fmt::format("{}.{}", info.abi_major, info.abi_minor));
  w.field("generation", info.generation);
  w.key("extensions");
  w.begin_array();
  for (const auto& id : info.extensions) w.string(id);
  w.end_array();
  w.key("kinds");
  w.begin_array();
  for (size_t i = 0; i < info.kinds.size(); ++i) {
    const auto& kind = info.kinds[i];
    w.begin_object();
    w.field("name", kind.name);
    w.field("title", kind.title);
    w.field("credential_tag", kind.credential_tag);
    w.field("gen_ai_name", kind.gen_ai_name);
    w.field("seed", kind.seed);
    w.field("user_created", kind.user_created);
    for (auto [name, schema] :
         {std::pair<std::string_view, const std::string*>{"settings_schema", &kind.settings_schema},
          {"credential_schema", &kind.credential_schema}}) {
      w.key(name);
      if (schema->empty()) {
        w.null();
      } else {
        w.raw(*schema);
      }
    }
    w.key("aliases");
    w.begin_object();
    for (const auto& alias : kind.aliases) w.field(alias.from, alias.field);
    w.end_object();
    w.key("forward_headers");
    w.begin_array();
    for (const auto& header : kind.forward_headers) w.string(header);
    w.end_array();
    w.key("routes");
    const auto& table = inspection.tables[i];
    if (!table.note.empty()) {
      w.null();
      w.field("routes_note", table.note);
    } else {
      w.begin_array();
      for (const auto& row : table.routes) {
        w.begin_object();
        w.field("protocol", translate::name(row.protocol));
        w.field("operation", translate::name(row.operation));
        w.field("mode", name(row.mode));
        if (row.mode == RouteMode::translate) w.field("target", translate::name(row.target));
        w.end_object();
      }
      w.end_array();
    }
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

std::string inspection_text(const Inspection& inspection) {
  const auto& info = inspection.info;
  std::string out = fmt::format(
      "{} {} ({})\n  path        {}\n  abi         {}.{}\n  licence     {}\n  generation  {}\n  "
      "extensions  {}\n",
      info.id, info.version, info.title, info.path, info.abi_major, info.abi_minor, info.licence,
      info.generation,
      info.extensions.empty() ? "none" : fmt::format("{}", fmt::join(info.extensions, ", ")));
  for (size_t i = 0; i < info.kinds.size(); ++i) {
    const auto& kind = info.kinds[i];
    out += fmt::format("kind {} ({})\n  credential  {}\n", kind.name, kind.title,
                       kind.credential_tag.empty() ? "none" : kind.credential_tag);
    out += fmt::format("  rows        {}\n", kind.seed           ? "one at first start"
                                             : kind.user_created ? "the operator's"
                                                                 : "by configuration");
    const auto& table = inspection.tables[i];
    if (!table.note.empty())
      out += fmt::format("  routes      depend on settings: {}\n", table.note);
    for (const auto& row : table.routes) {
      out += fmt::format("  {:<16} {:<22} {}{}\n", translate::name(row.protocol),
                         translate::name(row.operation), name(row.mode),
                         row.mode == RouteMode::translate
                             ? fmt::format(" to {}", translate::name(row.target))
                             : std::string());
    }
  }
  return out;
}

}  // namespace gproxy::modhost
