// A model's name of the operator's own and where requests for it go: tiers of (provider, model,
// weight), tried in order; inside a tier by weight. Pure values, part of a snapshot; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "config/origin.h"

namespace gproxy::config {

struct RouteTarget {
  std::string provider;
  // Empty = as the client wrote it; a '*' stands for what the pattern's '*' took.
  std::string model;
  uint32_t weight = 1;  // 0 .. 1000; 0 = only when nothing else of the tier is left
};

struct ModelRoute {
  int64_t id = 0;
  std::string name;  // exact, or with one '*' ("claude-sonnet-*")
  std::vector<std::string> aliases;
  std::vector<std::vector<RouteTarget>> tiers;
  // Who sees and uses it: users by name, keys by id or as "user/label"; all empty = everybody.
  std::vector<std::string> users;
  std::vector<int64_t> keys;
  std::vector<std::string> key_names;
  bool listed = true;  // in /v1/models; patterns never are
  bool enabled = true;
  Origin origin = Origin::db;

  bool is_pattern() const { return name.find('*') != std::string::npos; }
};

// As stored and declared; the body is {"aliases": […], "tiers": [[{"provider", "model",
// "weight"}]], "users": […], "keys": [7, "user/label"], "listed": true}.
struct RouteConfig {
  int64_t id = 0;
  std::string name;
  std::string body_json = "{}";
  bool enabled = true;
  Origin origin = Origin::db;
};
// Error: invalid, param = the member's path. Whether its providers exist is not asked: they may
// come later.
Result<ModelRoute> parse_route(const RouteConfig& config);
// 1 to 128 visible characters without '/', so that no provider/model can look like one.
Result<void> check_route_name(std::string_view name, std::string_view field);
// Every member.
std::string route_body_json(const ModelRoute& route);

// The routes by what clients may write.
class RouteIndex {
 public:
  struct Match {
    const ModelRoute* route = nullptr;
    std::string_view taken;  // by the pattern's '*'; of the model asked for
  };
  // The first declared of two that take the same name counts; the other is told of.
  std::vector<std::string> build(std::vector<ModelRoute> routes);
  // Exact names and aliases first, then the pattern with the most literal characters. Disabled ones
  // are not there.
  Match find(std::string_view model) const;
  const std::vector<ModelRoute>& all() const { return routes_; }
  bool empty() const { return routes_.empty(); }

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::vector<ModelRoute> routes_;
  std::unordered_map<std::string, size_t, TextHash, std::equal_to<>> exact_;
  struct Pattern {
    std::string before, after;
    size_t route;
  };
  std::vector<Pattern> patterns_;  // most literal first
};

}  // namespace gproxy::config
