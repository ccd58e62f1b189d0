// /admin/modules.
#include "admin/api.h"

namespace gproxy::admin {

void list_modules(ContextPtr c) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("modules");
  w.begin_array();
  for (const auto& module : c->plane.registry().modules())
    w.raw(modhost::inspection_json(modhost::inspect(module)));
  w.end_array();
  w.key("faults");
  w.begin_array();
  for (const auto& fault : c->plane.registry().faults()) {
    w.begin_object();
    w.field("path", fault.path);
    w.field("message", fault.message);
    w.end_object();
  }
  w.end_array();
  w.key("directories");
  w.begin_array();
  for (const auto& directory : c->plane.registry().directories()) w.string(directory);
  w.end_array();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

void reload_modules(ContextPtr c) {
  c->plane.reload_modules([c](Result<std::string> r) { answer(c, std::move(r)); });
}

}  // namespace gproxy::admin
