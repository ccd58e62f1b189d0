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
