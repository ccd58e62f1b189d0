#include "config/build.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace gproxy::config {

// Friend of Snapshot: the one place that fills it.
struct SnapshotBuilder {
  const BuildInputs& inputs;
  const FindKind& find_kind;
  SlotTable& slots;
  const Snapshot* previous;
  const Clock& clock;
  Built built;
  Snapshot* snapshot = nullptr;
  std::shared_ptr<modhost::Reaper> reaper;
  std::vector<std::pair<Digest, KeyEntry>> former_keys;

  void warn(std::string text) { built.warnings.push_back(std::move(text)); }

  // The instance of the last snapshot, if nothing that made it has changed.
  std::shared_ptr<const modhost::Provider> kept(
      const ProviderConfig& config, const std::shared_ptr<const modhost::Module>& module) const {
    const auto* before = previous != nullptr ? previous->find_provider(config.name) : nullptr;
    if (before == nullptr || before->provider == nullptr) return nullptr;
    const auto& old = *before->provider;
    bool same = old.kind() == config.kind && before->settings_json == config.settings_json &&
                &old.module() == module.get();
    return same ? before->provider : nullptr;
  }

  void make_instance(const ProviderConfig& config, ProviderEntry& entry) {
    auto module = find_kind(config.kind);
    if (module != nullptr && reaper == nullptr) reaper = module->reaper();
    if (module == nullptr) {
      entry.fault = fmt::format("no loaded module offers the kind `{}`", config.kind);
    } else if (auto old = kept(config, module)) {
      entry.provider = std::move(old);
      return;
    } else {
      auto made = modhost::Provider::create(
          module, {config.name, config.kind, config.settings_json}, clock);
      if (made.ok()) {
        entry.provider = std::move(*made);
        return;
      }
      const auto& error = made.error();
      entry.fault =
          error.param.empty() ? error.message : fmt::format("{}: {}", error.param, error.message);
    }
    warn(fmt::format("provider {}: {}", config.name, entry.fault));
    const auto* before = previous != nullptr ? previous->find_provider(config.name) : nullptr;
    if (before != nullptr && before->provider != nullptr && before->kind == config.kind &&
        before->settings_json == config.settings_json) {
      built.lost.push_back({config.name, config.kind, entry.fault});
    }
  }

  Result<void> add_credentials(const ProviderConfig& config, ProviderEntry& entry,
                               size_t provider_index) {
    for (const auto& c : config.credentials) {
      if (c.id == 0)
        return internal_error(fmt::format("credential `{}` of {} has no id", c.name, config.name));
      auto slot = slots.put(c.id, c.secret_json, c.revision);
      CredentialEntry credential;
      credential.id = c.id;
      credential.name = c.name;
      credential.settings_json = c.settings_json;
      credential.enabled = c.enabled;
      credential.origin = c.origin;
      credential.slot = slot.get();
      credential.ordinal = snapshot->credential_count_++;
      if (entry.provider != nullptr && c.enabled) {
        // Opened here once, so that no request pays for it and a bad one is known at once.
        auto opened = slot->open(*entry.provider);
        if (opened.ok()) {
          credential.opened = std::move(*opened);
        } else {
          const auto& error = opened.error();
          credential.fault = error.param.empty()
                                 ? error.message
                                 : fmt::format("{}: {}", error.param, error.message);
          warn(fmt::format("credential {} ({}) of {}: {}", c.id, c.name, config.name,
                           credential.fault));
        }
      }
      bool fresh = snapshot->by_credential_
                       .emplace(c.id, Snapshot::Place{provider_index, entry.credentials.size()})
                       .second;
      if (!fresh) return internal_error(fmt::format("credential id {} occurs twice", c.id));
      snapshot->slots_.push_back(std::move(slot));
      entry.credentials.push_back(std::move(credential));
    }
    return ok();
  }

  // How the credentials are used. Kept while nothing about them changes, so that what is known of
  // them, and who waits for them, lives on.
  void make_pool(const ProviderConfig& config, ProviderEntry& entry, size_t first_slot) {
    auto settings = parse_pool_settings(config.pool_json);
    if (!settings.ok()) {
      const auto& error = settings.error();
      warn(fmt::format("provider {}: pool.{}: {}; the defaults are used", config.name, error.param,
                       error.message));
      settings = PoolSettings{};
    }
    std::vector<CredentialPool::Member> members;
    for (size_t i = 0; i < entry.credentials.size(); ++i) {
      const auto& credential = entry.credentials[i];
      if (!credential.enabled || !credential.fault.empty()) continue;
      CredentialPool::Member member;
      member.slot = snapshot->slots_[first_slot + i];
      member.position = i;
      member.limit = settings->max_concurrent;
      auto own = parse_member_settings(credential.settings_json);
      if (own.ok()) {
        member.weight = own->weight;
        if (own->max_concurrent >= 0) member.limit = static_cast<uint32_t>(own->max_concurrent);
      } else {
        warn(fmt::format("credential {} of {}: {}: {}; the default is used", credential.id,
                         config.name, own.error().param, own.error().message));
      }
      members.push_back(std::move(member));
    }
    const auto* before = previous != nullptr ? previous->find_provider(config.name) : nullptr;
    const auto* last = before != nullptr ? before->pool.get() : nullptr;
    if (last != nullptr && last->settings() == *settings && last->members() == members) {
      entry.pool = before->pool;
      return;
    }
    entry.pool = std::make_shared<CredentialPool>(*settings, std::move(members), clock, last);
  }

  Result<void> add_providers() {
    std::vector<const ProviderConfig*> sorted;
    for (const auto& provider : inputs.providers) sorted.push_back(&provider);
    std::sort(sorted.begin(), sorted.end(),
              [](const auto* a, const auto* b) { return a->name < b->name; });
    for (const auto* config : sorted) {
      if (config->id == 0)
        return internal_error(fmt::format("provider `{}` has no id", config->name));
      ProviderEntry entry;
      entry.id = config->id;
      entry.name = config->name;
      entry.kind = config->kind;
      entry.enabled = config->enabled;
      entry.origin = config->origin;
      entry.settings_json = config->settings_json;
      entry.ordinal = snapshot->providers_.size();
      make_instance(*config, entry);
      const size_t first_slot = snapshot->slots_.size();
      GP_CHECK(add_credentials(*config, entry, entry.ordinal));
      make_pool(*config, entry, first_slot);
      if (!snapshot->by_name_.emplace(entry.name, entry.ordinal).second) {
        return internal_error(fmt::format("the provider `{}` occurs twice", entry.name));
      }
      snapshot->providers_.push_back(std::move(entry));
    }
    return ok();
  }

  // Under a changed limit nothing is used yet: who raises it wants to be served at once.
  void start_afresh(const Bounds& before, const Bounds& now, RateSlot& rate) const {
    const auto reset = [&](MinuteMeter& meter, int64_t old_limit, int64_t limit) {
      if (old_limit > 0 && old_limit != limit) meter.adjust(-old_limit, old_limit, clock.now_us());
    };
    reset(rate.requests, before.requests_per_minute, now.requests_per_minute);
    reset(rate.tokens, before.tokens_per_minute, now.tokens_per_minute);
  }

  Result<void> add_key(const UserConfig& user, const std::shared_ptr<const Bounds>& user_bounds,
                       const KeyConfig& config) {
    Digest digest{};
    if (config.digest.size() == digest.size()) {
      std::memcpy(digest.data(), config.digest.data(), digest.size());
    } else if (!config.key.empty() && inputs.digest_key) {
      digest = inputs.digest_key(config.key.reveal());
    } else {
      return internal_error(fmt::format("key {} of user {} has no digest", config.id, user.id));
    }
    KeyEntry key;
    key.id = config.id;
    key.user_id = user.id;
    key.label = config.label;
    key.enabled = config.enabled;
    key.user_enabled = user.enabled;
    key.permissions = config.permissions;
    key.origin = config.origin;
    key.bounds = std::make_shared<const Bounds>(config.bounds);
    key.user_bounds = user_bounds;
    key.rate = slots.rates().key(config.id);
    key.user_rate = slots.rates().user(user.id);
    if (const auto* before = previous != nullptr ? previous->find_key(digest) : nullptr) {
      start_afresh(*before->bounds, config.bounds, *key.rate);
      start_afresh(*before->user_bounds, *user_bounds, *key.user_rate);
    }
    for (const auto* bounds : {&config.bounds, user_bounds.get()}) {
      key.limited = key.limited || bounds->limits_rate();
      key.restricted = key.restricted || !bounds->providers.empty() || !bounds->models.empty();
    }
    for (const int64_t end : {config.bounds.expires_at_us, user_bounds->expires_at_us}) {
      if (end > 0) key.valid_until_us = std::min(key.valid_until_us, end);
    }
    if (config.previous_digest.size() == digest.size()) {
      Digest previous{};
      std::memcpy(previous.data(), config.previous_digest.data(), previous.size());
      KeyEntry former = key;
      former.valid_until_us = std::min(key.valid_until_us, config.previous_until_us);
      // A key that has this very text now goes first.
      former_keys.emplace_back(previous, std::move(former));
    }
    // The store forbids equal keys; should it happen, the first one counts.
    auto [at, fresh] = snapshot->keys_.emplace(digest, std::move(key));
    if (!fresh) warn(fmt::format("keys {} and {} are the same", at->second.id, config.id));
    return ok();
  }

  Result<void> add_users() {
    for (const auto& user : inputs.users) {
      auto bounds = std::make_shared<const Bounds>(user.bounds);
      snapshot->users_.push_back({user.id, user.name, user.enabled, bounds, user.origin});
      for (const auto& key : user.keys) GP_CHECK(add_key(user, bounds, key));
    }
    for (auto& [digest, key] : former_keys) snapshot->keys_.emplace(digest, std::move(key));
    return ok();
  }

  void add_routes() {
    std::vector<ModelRoute> routes;
    for (const auto& config : inputs.routes) {
      auto route = parse_route(config);
      if (route.ok()) {
        routes.push_back(std::move(*route));
      } else {
        warn(fmt::format("route {}: {}: {}", config.name, route.error().param,
                         route.error().message));
      }
    }
    for (auto& clash : snapshot->routes_.build(std::move(routes))) warn(std::move(clash));
  }

  Result<Built> run() {
    std::unique_ptr<Snapshot> made(new Snapshot);
    snapshot = made.get();
    snapshot->revision_ = inputs.revision;
    snapshot->settings_ = inputs.settings;
    snapshot->profiles_ = translate::ProfileSet::builtin();
    if (const auto& rules = inputs.settings.translation.model_profiles.json; !rules.empty()) {
      GP_TRY(auto own, translate::ProfileSet::parse_rules(rules));
      snapshot->profiles_.append(own);
    }
    GP_CHECK(add_providers());
    GP_CHECK(add_users());
    add_routes();
    if (inputs.digest_key && !inputs.settings.admin_key.empty()) {
      snapshot->admin_key_digest_ = inputs.digest_key(inputs.settings.admin_key.reveal());
    }
    std::vector<int64_t> ids;
    for (const auto& slot : snapshot->slots_) ids.push_back(slot->id());
    slots.retain(ids);
    // The last holder may be a loop, whose turn must not pay for taking large tables apart.
    built.snapshot =
        std::shared_ptr<const Snapshot>(made.release(), [reaper = reaper](const Snapshot* dead) {
          std::shared_ptr<const void> corpse(static_cast<const void*>(dead),
                                             [dead](const void*) { delete dead; });
          if (reaper != nullptr) reaper->bury(std::move(corpse));
        });
    return std::move(built);
  }
};

Result<Built> build_snapshot(const BuildInputs& inputs, const FindKind& find_kind, SlotTable& slots,
                             const Snapshot* previous, const Clock& clock) {
  return SnapshotBuilder{inputs, find_kind, slots, previous, clock, {}, nullptr, nullptr, {}}.run();
}

Result<Built> build_snapshot(const BuildInputs& inputs, const modhost::ModuleRegistry& registry,
                             SlotTable& slots, const Snapshot* previous, const Clock& clock) {
  return build_snapshot(
      inputs, [&registry](std::string_view kind) { return registry.find_kind(kind); }, slots,
      previous, clock);
}

Result<Built> reload_modules(const BuildInputs& inputs, modhost::ModuleRegistry& registry,
                             SlotTable& slots, const Snapshot* previous, const Clock& clock) {
  auto candidate = registry.scan();
  FindKind find_kind = [&candidate](std::string_view kind) { return candidate->find_kind(kind); };
  GP_TRY(auto built, build_snapshot(inputs, find_kind, slots, previous, clock));
  bool reverted = false;
  for (const auto& lost : built.lost) {
    auto before = registry.find_kind(lost.kind);
    if (before == nullptr || before == candidate->find_kind(lost.kind)) continue;
    registry.revert(
        *candidate, before->id(),
        fmt::format("{}: kept the generation in force: provider {} fails without it: {}",
                    before->info().path, lost.provider, lost.fault));
    reverted = true;
  }
  if (reverted) {
    auto again = build_snapshot(inputs, find_kind, slots, previous, clock);
    if (!again.ok()) return std::move(again).error();
    built = std::move(*again);
  }
  registry.commit(candidate);
  return built;
}

}  // namespace gproxy::config
