#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "admin/api.h"
#include "gateway/route_table.h"

namespace {
std::string read(const std::string& path) {
  std::ifstream in(path);
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}
}  // namespace

TEST_CASE("docs/routes.md is what the route tables say") {
  const std::string page = read(std::string(GPROXY_SOURCE_DIR) + "/docs/routes.md");
  CHECK(page.starts_with(gproxy::gateway::routes_markdown()));
  for (const auto& route : gproxy::admin::routes()) {
    const std::string want = "/admin" + std::string(route.pattern);
    const bool found = page.find(want) != std::string::npos;
    INFO(std::string(route.method), " ", want);
    CHECK(found);
  }
}

TEST_CASE("the OpenAPI document has each route of the table once, and nothing else") {
  gproxy::Arena arena;
  const auto document = gproxy::json::parse(gproxy::admin::openapi_json(), arena);
  REQUIRE(document.ok());
  size_t operations = 0;
  for (const auto& path : (*document)["paths"].members()) operations += path.value.size();
  CHECK(operations == gproxy::admin::routes().size());
  for (const auto& route : gproxy::admin::routes()) {
    std::string method(route.method);
    for (auto& c : method) c = static_cast<char>(c - 'A' + 'a');
    INFO(method, " ", std::string(route.pattern));
    const auto& operation = (*document)["paths"][route.pattern][method];
    CHECK(operation.is_object());
    CHECK(operation.has("requestBody") == (route.body == gproxy::admin::Body::object));
  }
}
