// One loaded generation of a module: its library, tables and extensions. Made and destroyed on the
// main thread, read on any. Shared by the registry and by every Provider made from it; when the
// last of them is gone (Reaper), deinit runs and the library is closed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/json.h"
#include "base/result.h"
#include "modhost/info.h"
#include "modhost/library.h"
#include "modhost/reaper.h"

struct gp_provider_vt;
struct gp_oauth_ext;
struct gp_credential_ext;
struct gp_count_ext;
struct gp_limits_ext;
struct gp_local_ext;
struct gp_quota_ext;
struct gp_usage_ext;

namespace gproxy::modhost {

class HostTable;

// Null where the module has none.
struct Extensions {
  const gp_oauth_ext* oauth = nullptr;
  const gp_credential_ext* credential = nullptr;
  const gp_local_ext* local = nullptr;
  const gp_count_ext* count = nullptr;
  const gp_quota_ext* quota = nullptr;
  const gp_usage_ext* usage = nullptr;
  const gp_limits_ext* limits = nullptr;
};

// A kind's schemas, parsed once.
struct KindSchemas {
  Arena arena;
  json::Value settings;
  json::Value credential;
};

class Module {
 public:
  // Opens the file and calls init. [main]
  static Result<std::shared_ptr<const Module>> load(const std::string& path, uint64_t generation,
                                                    std::shared_ptr<Reaper> reaper);
  // A module linked into this program (static twins in tests). [main]
  static Result<std::shared_ptr<const Module>> from_entry(const gp_entry* entry,
                                                          const std::string& name,
                                                          std::shared_ptr<Reaper> reaper);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const ModuleInfo& info() const { return info_; }
  const std::string& id() const { return info_.id; }
  const gp_provider_vt& vt() const { return *vt_; }
  const Extensions& extensions() const { return extensions_; }
  // REQUIRES: `kind` is one of info().kinds.
  const KindSchemas& schemas(const KindInfo& kind) const {
    return *schemas_[static_cast<size_t>(&kind - info_.kinds.data())];
  }
  // Of the file it was loaded from; zeroes for a static twin.
  const FileId& file() const { return file_; }
  const std::shared_ptr<Reaper>& reaper() const { return reaper_; }

 private:
  Module();
  static Result<std::shared_ptr<const Module>> start(std::unique_ptr<Library> library,
                                                     const gp_entry* entry, const std::string& path,
                                                     uint64_t generation,
                                                     std::shared_ptr<Reaper> reaper);

  std::unique_ptr<Library> library_;  // null for a static twin
  const gp_entry* entry_ = nullptr;
  const gp_provider_vt* vt_ = nullptr;
  std::unique_ptr<HostTable> host_;  // its own: log lines carry the module's id
  ModuleInfo info_;
  std::vector<std::unique_ptr<KindSchemas>> schemas_;  // as info_.kinds
  Extensions extensions_;
  FileId file_;
  std::shared_ptr<Reaper> reaper_;
  bool initialised_ = false;
};

}  // namespace gproxy::modhost
