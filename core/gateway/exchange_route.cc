// Exchange, where the client asked for one of the operator's own model names: which target serves,
// and the next one when it cannot.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "gateway/aggregate_list.h"
#include "gateway/conversation.h"
#include "gateway/cool_scope.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/route_plan.h"
#include "gateway/translation.h"
#include "translate/models.h"

namespace gproxy::gateway {

// ---- the plan
// ------------------------------------------------------------------------------------

bool route_is_visible(const config::ModelRoute& route, const config::Snapshot& snapshot,
                      const config::KeyEntry* key) {
  if (route.users.empty() && route.keys.empty() && route.key_names.empty()) return true;
  if (key == nullptr) return false;
  const auto among = [](const auto& list, const auto& one) {
    return std::find(list.begin(), list.end(), one) != list.end();
  };
  if (among(route.keys, key->id)) return true;
  for (const auto& user : snapshot.users()) {
    if (user.id != key->user_id) continue;
    return among(route.users, user.name) ||
           (!route.key_names.empty() && among(route.key_names, user.name + "/" + key->label));
  }
  return false;
}

std::vector<const config::RouteTarget*> order_targets(const config::ModelRoute& route,
                                                      uint64_t seed) {
  std::vector<const config::RouteTarget*> out;
  for (const auto& tier : route.tiers) {
    std::vector<const config::RouteTarget*> left;
    for (const auto& target : tier) left.push_back(&target);
    while (!left.empty()) {
      uint64_t sum = 0;
      for (const auto* target : left) sum += target->weight;
      size_t at = 0;
      if (sum > 0) {
        // A step of splitmix64: the same seed gives the same order.
        seed += 0x9e3779b97f4a7c15ULL;
        auto mixed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ULL;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
        auto point = (mixed ^ (mixed >> 31)) % sum;
        while (point >= left[at]->weight) point -= left[at++]->weight;
      }
      out.push_back(left[at]);
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  return out;
}

// Does a route take this model? Then its first target is chosen.
Result<bool> Exchange::plan_route() {
  auto asked = trim(model_);
  constexpr std::string_view kModels = "models/";
  if (asked.starts_with(kModels)) asked.remove_prefix(kModels.size());
  const auto& snapshot = **snapshot_;
  const auto found = snapshot.routes().find(asked);
  if (found.route == nullptr || !route_is_visible(*found.route, snapshot, key_)) return false;
  plan_ = std::make_unique<RoutePlan>(context_.blocks);
  plan_->route = found.route;
  plan_->asked = arena_.copy(asked);
  plan_->taken = plan_->asked.substr(
      static_cast<size_t>(found.taken.data() == nullptr ? 0 : found.taken.data() - asked.data()),
      found.taken.size());
  if (operation_ == translate::Operation::model_get) return true;
  // A conversation keeps its place, so that its prompt cache does.
  auto seed = conversation_key(
      {.headers = head_->headers, .model = asked, .body = body_.view(), .spans = spans_});
  if (seed == 0) seed = context_.random();
  plan_->order = order_targets(*found.route, seed);
  if (next_target()) return true;
  Error error{ErrorKind::overloaded, "no_route_target",
              "no target of this route can serve the request"};
  error.param = "model";
  return error;
}

// The next one that could serve at all. Whether it has a credential to spare is seen when it is
// asked for one.
const config::RouteTarget* Exchange::peek_target(size_t& at) const {
  for (; plan_ != nullptr && !plan_->stuck && at < plan_->order.size(); ++at) {
    if (target_fault(*plan_->order[at]).empty()) return plan_->order[at];
  }
  return nullptr;
}

// Why it cannot serve this at all; empty = it can.
std::string_view Exchange::target_fault(const config::RouteTarget& target) const {
  const auto* entry = (*snapshot_)->find_provider(target.provider);
  if (entry == nullptr) return "provider_not_found";
  if (!entry->enabled) return "provider_disabled";
  if (!entry->usable()) return "provider_unavailable";
  if (!check_allowed(entry->name, {}).ok()) return kNotAllowed;
  if (!entry->provider->route(match_.protocol, operation_).supported()) return kNotServed;
  return {};
}

bool Exchange::has_next_target() const {
  size_t at = plan_ != nullptr ? plan_->next : 0;
  return peek_target(at) != nullptr;
}

// Is there one that has a credential to spare at this moment?
bool Exchange::next_target_ready() const {
  size_t at = plan_ != nullptr ? plan_->next : 0;
  for (const auto* target = peek_target(at); target != nullptr; target = peek_target(++at)) {
    const auto* entry = (*snapshot_)->find_provider(target->provider);
    if (entry->provider->kind_info().credential_tag.empty()) return true;
    const config::CredentialPool::Ask ask{
        .model = target->model, .operation = operation_scope(operation_), .loop = context_.number};
    if (entry->pool->pick(ask)) return true;
  }
  return false;
}

bool Exchange::next_target() {
  auto passed = plan_->next;
  const auto* target = peek_target(plan_->next);
  for (; passed < plan_->next; ++passed)
    note_target(*plan_->order[passed], target_fault(*plan_->order[passed]));
  if (target == nullptr) return false;
  ++plan_->next;
  plan_->failures = 0;
  provider_ = (*snapshot_)->find_provider(target->provider);
  match_.provider = provider_->name;
  const auto star = target->model.find('*');
  if (target->model.empty()) {
    model_ = plan_->asked;
  } else if (star == std::string::npos) {
    model_ = target->model;
  } else {
    model_ = arena_.concat({std::string_view(target->model).substr(0, star), plan_->taken,
                            std::string_view(target->model).substr(star + 1)});
  }
  model_differs_ = true;
  return true;
}

// ---- failing over
// --------------------------------------------------------------------------------

// From the client's own request, at the next target. False where there is none. The caller calls
// enter_target() then.
bool Exchange::fail_over() {
  if (plan_ == nullptr || budget_.content_sent || local_ != nullptr) return false;
  if (!next_target()) return false;
  drop_credential();
  handle_.reset();
  conversation_ = 0;
  wait_until_ms_ = 0;
  translation_.reset();
  path_.reset();
  budget_.same_tried = budget_.patched = budget_.refreshed = false;
  context_.metrics.fallbacks.add();
  log::info("next target of the route", {{"id", trace_id_},
                                         {"route", plan_->route->name},
                                         {"provider", provider_->name},
                                         {"model", model_}});
  if (plan_->client_body.size() > 0) {
    body_.swap(plan_->client_body);
    plan_->client_body.release();
    const auto charged = std::exchange(plan_->charged, 0);
    charged_ -= charged;
    if (charged > 0) context_.shared.memory.give_back(charged);
    if (!index_body(translate::ModelRule::elsewhere, body_.size() + 1).ok()) return false;
    model_differs_ = true;
  }
  return true;
}

// Before the translated body takes the client's place: both are in memory from here on, and both
// are charged. Where there is no room for two, this target is the last.
void Exchange::keep_client_body() {
  if (!has_next_target()) return;
  const size_t bytes = body_.size() > kUnchargedBytes ? body_.size() : 0;
  if (bytes > 0 && !context_.shared.memory.take(bytes, settings().limits.memory_budget_bytes)) {
    plan_->stuck = true;
    for (auto at = plan_->next; at < plan_->order.size(); ++at)
      note_target(*plan_->order[at], "memory");
    return;
  }
  charged_ += bytes;
  plan_->charged = bytes;
  body_.swap(plan_->client_body);
}

void Exchange::reply_route_model() {
  const http::HeaderView type{"content-type", "application/json"};
  translate::ModelInfo info;
  info.id = plan_->asked;
  outcome_ = storage::Outcome::ok;
  reply_whole(200, {&type, 1}, translate::write_model(match_.protocol, info, "gproxy"));
}

}  // namespace gproxy::gateway
