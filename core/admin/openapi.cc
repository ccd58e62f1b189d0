// GET /admin/openapi.json: the route table as OpenAPI 3.1. What it knows of bodies is what the
// table knows; fields are in docs/routes.md and docs/configuration.md.
#include <map>
#include <string>

#include "admin/api.h"
#include "base/strings.h"
#include "base_version.h"

namespace gproxy::admin {
namespace {

// "GET", "/users/{id}/keys" -> "get_users_id_keys": unique, as method and pattern are.
std::string operation_id(const Route& route) {
  std::string out = to_lower(route.method);
  for (const char c : route.pattern) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter) {
      out += c;
    } else if (out.back() != '_') {
      out += '_';
    }
  }
  while (out.back() == '_') out.pop_back();
  return out;
}

void write_answer(json::Writer& w, std::string_view status, std::string_view description,
                  std::string_view schema) {
  w.key(status);
  w.begin_object();
  w.field("description", description);
  if (!schema.empty()) {
    w.key("content");
    w.raw(R"({"application/json":{"schema":{"$ref":"#/components/schemas/)" + std::string(schema) +
          "\"}}}");
  }
  w.end_object();
}

void write_operation(json::Writer& w, const Route& route) {
  w.key(to_lower(route.method));
  w.begin_object();
  w.field("operationId", operation_id(route));
  w.field("summary", route.help);
  w.key("parameters");
  w.begin_array();
  for (const auto part : split(route.pattern.substr(1), '/')) {
    if (!part.starts_with("{")) continue;
    const auto name = part.substr(1, part.size() - 2);
    w.begin_object();
    w.field("name", name);
    w.field("in", "path");
    w.field("required", true);
    w.key("schema");
    w.raw(name == "id" ? R"({"type":"integer","format":"int64"})" : R"({"type":"string"})");
    w.end_object();
  }
  w.end_array();
  if (route.body == Body::object) {
    w.key("requestBody");
    w.raw(R"({"required":true,"content":{"application/json":{"schema":{"type":"object"}}}})");
  }
  w.key("responses");
  w.begin_object();
  write_answer(w, "200", route.help, "Answer");
  write_answer(w, "401", "the admin key is missing or wrong; no body", "");
  write_answer(w, "default", "refused or failed", "Error");
  w.end_object();
  w.end_object();
}

}  // namespace

std::string openapi_json() {
  std::map<std::string_view, std::vector<const Route*>> paths;
  for (const auto& route : routes()) paths[route.pattern].push_back(&route);
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("openapi", "3.1.0");
  w.key("info");
  w.raw(R"({"title":"gproxy admin API","version":")" GPROXY_VERSION R"("})");
  w.key("servers");
  w.raw(R"([{"url":"/admin"}])");
  w.key("security");
  w.raw(R"([{"adminKey":[]},{"bearer":[]}])");
  w.key("paths");
  w.begin_object();
  for (const auto& [pattern, all] : paths) {
    w.key(pattern);
    w.begin_object();
    for (const auto* route : all) write_operation(w, *route);
    w.end_object();
  }
  w.end_object();
  w.key("components");
  w.raw(R"({"securitySchemes":{"adminKey":{"type":"apiKey","in":"header","name":"x-admin-key"},)"
        R"("bearer":{"type":"http","scheme":"bearer"}},"schemas":{"Answer":{"type":"object"},)"
        R"("Error":{"type":"object","required":["error","detail"],"properties":{)"
        R"("error":{"type":"string"},"detail":{"type":["string","null"]}}}}})");
  w.end_object();
  return out;
}

void get_openapi(ContextPtr c) {
  c->respond(json_response(openapi_json()));
}

}  // namespace gproxy::admin
