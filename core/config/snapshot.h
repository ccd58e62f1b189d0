// Everything a request needs to know about the configuration, immutable. Built and validated on the
// main thread, published to each loop (publisher.h), dead when its last exchange ends.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "config/credential_pool.h"
#include "config/credential_slot.h"
#include "config/model_route.h"
#include "config/rate_slot.h"
#include "config/schema.h"
#include "modhost/provider.h"
#include "modhost/registry.h"
#include "translate/profile.h"

namespace gproxy::config {

struct CredentialEntry {
  int64_t id = 0;
  std::string name;
  std::string settings_json;
  bool enabled = true;
  Origin origin = Origin::db;
  CredentialSlot* slot = nullptr;  // kept alive by the snapshot
  // The version that was current when the snapshot was built; LoopSnapshot::credential gives
  // today's.
  modhost::CredentialHandle opened;
  size_t ordinal = 0;  // over the whole snapshot, dense: index of per-loop state
  std::string fault;   // why its secret does not open; empty = usable
};

struct ProviderEntry {
  int64_t id = 0;
  std::string name;
  std::string kind;
  bool enabled = true;
  Origin origin = Origin::db;
  std::string settings_json;
  std::shared_ptr<const modhost::Provider> provider;  // null with a fault
  std::string fault;  // why there is no instance: kind not loaded, settings refused, module error
  std::vector<CredentialEntry> credentials;  // all, in the store's order
  size_t ordinal = 0;                        // dense, as the credentials'
  // Which of them serves: those that are enabled and open. Never null.
  std::shared_ptr<CredentialPool> pool;

  bool usable() const { return enabled && provider != nullptr; }
};

struct UserEntry {
  int64_t id = 0;
  std::string name;
  bool enabled = true;
  std::shared_ptr<const Bounds> bounds;  // never null
  Origin origin = Origin::db;
};

struct KeyEntry {
  int64_t id = 0;
  int64_t user_id = 0;
  std::string label;
  bool enabled = true;
  bool user_enabled = true;
  Permissions permissions;
  Origin origin = Origin::db;
  // Both must hold; the user's is shared by all its keys. Never null.
  std::shared_ptr<const Bounds> bounds;
  std::shared_ptr<const Bounds> user_bounds;
  // What they have used of their limits. Never null.
  std::shared_ptr<RateSlot> rate;
  std::shared_ptr<RateSlot> user_rate;
  bool limited = false;     // there is a limit of rate or concurrency
  bool restricted = false;  // not every provider and model is allowed
  // The first moment (wall clock) at which it is not taken any more: the earliest of the expiries
  // and, for the text before a rotation, the end of the grace period. INT64_MAX = never.
  int64_t valid_until_us = INT64_MAX;

  bool usable(int64_t wall_us) const { return enabled && user_enabled && wall_us < valid_until_us; }
};

class Snapshot {
 public:
  uint64_t revision() const { return revision_; }
  const Settings& settings() const { return settings_; }
  // What models accept: the built-in rules and the operator's.
  const translate::ProfileSet& profiles() const { return profiles_; }
  // Sorted by name.
  const std::vector<ProviderEntry>& providers() const { return providers_; }
  const ProviderEntry* find_provider(std::string_view name) const;
  // Credentials have process-wide ids. Null if unknown.
  const CredentialEntry* find_credential(int64_t id) const;
  const ProviderEntry* provider_of_credential(int64_t id) const;
  size_t credential_count() const { return credential_count_; }
  const std::vector<UserEntry>& users() const { return users_; }
  // By KeyHasher::digest of the presented key. Null if unknown.
  const KeyEntry* find_key(const Digest& digest) const;
  // Is there a key of that id of which `holds` is true? A key has an entry more while its text
  // before a rotation is still taken. Looks at all keys: not for each request.
  bool any_key(int64_t id, const std::function<bool(const KeyEntry&)>& holds) const;
  // By KeyHasher::digest of the admin key.
  const Digest& admin_key_digest() const { return admin_key_digest_; }
  size_t key_count() const { return keys_.size(); }
  // The operator's own model names.
  const RouteIndex& routes() const { return routes_; }

 private:
  friend struct SnapshotBuilder;
  Snapshot() = default;

  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct DigestHash {
    size_t operator()(const Digest& digest) const;
  };
  struct Place {
    size_t provider = 0, credential = 0;
  };

  uint64_t revision_ = 0;
  Settings settings_;
  translate::ProfileSet profiles_;
  RouteIndex routes_;
  std::vector<ProviderEntry> providers_;
  std::unordered_map<std::string, size_t, TextHash, std::equal_to<>> by_name_;
  std::unordered_map<int64_t, Place> by_credential_;
  std::vector<std::shared_ptr<CredentialSlot>> slots_;
  size_t credential_count_ = 0;
  std::vector<UserEntry> users_;
  std::unordered_map<Digest, KeyEntry, DigestHash> keys_;
  Digest admin_key_digest_{};
};

}  // namespace gproxy::config
