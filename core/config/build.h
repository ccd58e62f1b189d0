// Makes a Snapshot from what the store (and file) declare and the modules that are loaded. A
// provider that cannot be made stays in the snapshot with its fault: one bad row never keeps the
// others away. Main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"
#include "config/schema.h"
#include "config/snapshot.h"
#include "modhost/registry.h"

namespace gproxy::config {

struct BuildInputs {
  uint64_t revision = 0;
  Settings settings;
  std::vector<ProviderConfig> providers;  // stored rows: every id is set
  std::vector<RouteConfig> routes;
  std::vector<UserConfig> users;          // with keys that have a digest, or a key and digest_key
  // Digests the admin key and plain keys (KeyHasher::digest). Without it the
  // snapshot knows no admin key.
  std::function<Digest(std::string_view)> digest_key;
};

struct Built {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::string> warnings;  // one per fault, for the log
  // Providers that had an instance in `previous` under the same kind and settings and have none
  // now: a new generation of their module refuses what the old one took.
  struct Lost {
    std::string provider, kind, fault;
  };
  std::vector<Lost> lost;
};

// Where kinds come from: the registry in force, or a candidate that is tried before it is.
using FindKind = std::function<std::shared_ptr<const modhost::Module>(std::string_view kind)>;

// Instances of `previous` whose kind, settings and module generation did not change are kept, and
// with them the opened credentials. Error: duplicates or a missing id; nothing a module says is
// one.
Result<Built> build_snapshot(const BuildInputs& inputs, const FindKind& find_kind, SlotTable& slots,
                             const Snapshot* previous, const Clock& clock = Clock::system());
Result<Built> build_snapshot(const BuildInputs& inputs, const modhost::ModuleRegistry& registry,
                             SlotTable& slots, const Snapshot* previous,
                             const Clock& clock = Clock::system());

// Scans the module folders and builds on what they hold now. A module whose new generation loses a
// provider is put back to its old one, with a fault that says so. The registry is committed;
// publishing is the caller's.
Result<Built> reload_modules(const BuildInputs& inputs, modhost::ModuleRegistry& registry,
                             SlotTable& slots, const Snapshot* previous,
                             const Clock& clock = Clock::system());

}  // namespace gproxy::config
