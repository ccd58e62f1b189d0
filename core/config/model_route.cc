#include "config/model_route.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/arena.h"
#include "base/json.h"
#include "base/strings.h"

namespace gproxy::config {
namespace {

constexpr size_t kMaxTiers = 16, kMaxTargets = 64, kMaxNames = 64;
constexpr int64_t kMaxWeight = 1000;

Result<void> known(const json::Value& object, const std::string& path,
                   std::vector<std::string_view> names) {
  if (!object.is_object()) return invalid_error("must be an object", path);
  for (const auto& member : object.members()) {
    if (std::find(names.begin(), names.end(), member.key) != names.end()) continue;
    const auto near = nearest(member.key, names);
    return invalid_error(
        near.empty() ? std::string("unknown member")
                     : fmt::format("unknown member, did you mean `{}`?", near),
        path.empty() ? std::string(member.key) : fmt::format("{}.{}", path, member.key));
  }
  return ok();
}

Result<RouteTarget> read_target(const json::Value& value, const std::string& path) {
  GP_CHECK(known(value, path, {"provider", "model", "weight"}));
  RouteTarget out;
  const auto* provider = value.find("provider");
  if (provider == nullptr || !provider->is_string() || trim(provider->str()).empty())
    return invalid_error("must be the name of a provider", path + ".provider");
  out.provider = trim(provider->str());
  if (const auto* model = value.find("model"); model != nullptr && !model->is_null()) {
    if (!model->is_string() || model->str().size() > 256)
      return invalid_error("must be a string of at most 256 bytes", path + ".model");
    out.model = trim(model->str());
  }
  if (const auto* weight = value.find("weight"); weight != nullptr && !weight->is_null()) {
    const auto n = weight->as_int();
    if (!n || *n < 0 || *n > kMaxWeight)
      return invalid_error(fmt::format("must be a whole number from 0 to {}", kMaxWeight),
                           path + ".weight");
    out.weight = static_cast<uint32_t>(*n);
  }
  return out;
}

Result<void> each(const json::Value& root, std::string_view key, size_t most,
                  const std::function<Result<void>(const json::Value&, const std::string&)>& read) {
  const auto* list = root.find(key);
  if (list == nullptr || list->is_null()) return ok();
  if (!list->is_array() || list->size() > most)
    return invalid_error(fmt::format("must be a list of at most {}", most), std::string(key));
  for (size_t i = 0; i < list->size(); ++i)
    GP_CHECK(read((*list)[i], fmt::format("{}[{}]", key, i)));
  return ok();
}

}  // namespace

Result<void> check_route_name(std::string_view name, std::string_view field) {
  const bool visible = std::all_of(name.begin(), name.end(),
                                   [](char c) { return c > 0x20 && c < 0x7f && c != '/'; });
  if (name.empty() || name.size() > 128 || !visible)
    return invalid_error("must have 1 to 128 visible ASCII characters and no '/'",
                         std::string(field));
  if (std::count(name.begin(), name.end(), '*') > 1)
    return invalid_error("may have one '*'", std::string(field));
  return ok();
}

Result<ModelRoute> parse_route(const RouteConfig& config) {
  ModelRoute out;
  out.id = config.id;
  out.name = config.name;
  out.enabled = config.enabled;
  out.origin = config.origin;
  GP_CHECK(check_route_name(out.name, "name"));
  Arena arena;
  auto parsed = json::parse(config.body_json, arena);
  if (!parsed.ok()) return invalid_error("must be a JSON object", "");
  const auto& root = *parsed;
  GP_CHECK(known(root, "", {"aliases", "tiers", "users", "keys", "listed"}));
  GP_CHECK(each(root, "aliases", kMaxNames,
                [&](const json::Value& item, const std::string& path) -> Result<void> {
                  if (!item.is_string()) return invalid_error("must be a string", path);
                  GP_CHECK(check_route_name(item.str(), path));
                  if (item.str().find('*') != item.str().npos)
                    return invalid_error("an alias has no '*'", path);
                  out.aliases.emplace_back(item.str());
                  return ok();
                }));
  GP_CHECK(each(root, "tiers", kMaxTiers,
                [&](const json::Value& tier, const std::string& path) -> Result<void> {
                  if (!tier.is_array() || tier.size() == 0 || tier.size() > kMaxTargets)
                    return invalid_error(
                        fmt::format("must be a list of 1 to {} targets", kMaxTargets), path);
                  auto& targets = out.tiers.emplace_back();
                  for (size_t i = 0; i < tier.size(); ++i) {
                    GP_TRY(auto target, read_target(tier[i], fmt::format("{}[{}]", path, i)));
                    if (!out.is_pattern() && target.model.find('*') != std::string::npos)
                      return invalid_error("has a '*', the route's name none",
                                           fmt::format("{}[{}].model", path, i));
                    targets.push_back(std::move(target));
                  }
                  return ok();
                }));
  if (out.tiers.empty()) return invalid_error("needs at least one tier with a target", "tiers");
  GP_CHECK(each(root, "users", 4096,
                [&](const json::Value& item, const std::string& path) -> Result<void> {
                  if (!item.is_string() || item.str().empty())
                    return invalid_error("must be a user's name", path);
                  out.users.emplace_back(item.str());
                  return ok();
                }));
  GP_CHECK(each(root, "keys", 4096,
                [&](const json::Value& item, const std::string& path) -> Result<void> {
                  const auto id = item.as_int();
                  if (id) {
                    out.keys.push_back(*id);
                  } else if (item.is_string() && item.str().find('/') != item.str().npos) {
                    out.key_names.emplace_back(item.str());
                  } else {
                    return invalid_error("must be a key's id or \"user/label\"", path);
                  }
                  return ok();
                }));
  if (const auto* listed = root.find("listed"); listed != nullptr && !listed->is_null()) {
    if (!listed->is_bool()) return invalid_error("must be true or false", "listed");
    out.listed = listed->as_bool();
  }
  return out;
}

std::string route_body_json(const ModelRoute& route) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("aliases");
  w.begin_array();
  for (const auto& alias : route.aliases) w.string(alias);
  w.end_array();
  w.key("tiers");
  w.begin_array();
  for (const auto& tier : route.tiers) {
    w.begin_array();
    for (const auto& target : tier) {
      w.begin_object();
      w.field("provider", target.provider);
      if (!target.model.empty()) w.field("model", target.model);
      w.field("weight", int64_t{target.weight});
      w.end_object();
    }
    w.end_array();
  }
  w.end_array();
  w.key("users");
  w.begin_array();
  for (const auto& user : route.users) w.string(user);
  w.end_array();
  w.key("keys");
  w.begin_array();
  for (const auto key : route.keys) w.integer(key);
  for (const auto& key : route.key_names) w.string(key);
  w.end_array();
  w.field("listed", route.listed);
  w.end_object();
  return out;
}

std::vector<std::string> RouteIndex::build(std::vector<ModelRoute> routes) {
  std::vector<std::string> clashes;
  routes_ = std::move(routes);
  for (size_t i = 0; i < routes_.size(); ++i) {
    const auto& route = routes_[i];
    if (!route.enabled) continue;
    const auto take = [&](const std::string& name) {
      if (!exact_.emplace(name, i).second)
        clashes.push_back(
            fmt::format("route {}: `{}` is another route's name already", route.name, name));
    };
    if (route.is_pattern()) {
      const auto star = route.name.find('*');
      patterns_.push_back({route.name.substr(0, star), route.name.substr(star + 1), i});
    } else {
      take(route.name);
    }
    for (const auto& alias : route.aliases) take(alias);
  }
  std::stable_sort(patterns_.begin(), patterns_.end(), [](const auto& a, const auto& b) {
    return a.before.size() + a.after.size() > b.before.size() + b.after.size();
  });
  return clashes;
}

RouteIndex::Match RouteIndex::find(std::string_view model) const {
  if (routes_.empty()) return {};
  if (const auto at = exact_.find(model); at != exact_.end()) return {&routes_[at->second], {}};
  for (const auto& pattern : patterns_) {
    if (model.size() < pattern.before.size() + pattern.after.size()) continue;
    if (!model.starts_with(pattern.before) || !model.ends_with(pattern.after)) continue;
    return {&routes_[pattern.route],
            model.substr(pattern.before.size(),
                         model.size() - pattern.before.size() - pattern.after.size())};
  }
  return {};
}

}  // namespace gproxy::config
