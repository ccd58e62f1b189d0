#include "modhost/module.h"

#include <fmt/format.h>

#include "base/log.h"
#include "gproxy/abi.h"
#include "gproxy/ext/count.h"
#include "gproxy/ext/credential.h"
#include "gproxy/ext/limits.h"
#include "gproxy/ext/local.h"
#include "gproxy/ext/oauth.h"
#include "gproxy/ext/quota.h"
#include "gproxy/ext/usage.h"
#include "modhost/abi_check.h"
#include "modhost/abi_text.h"
#include "modhost/host_table.h"
#include "modhost/schema_check.h"

namespace gproxy::modhost {
namespace {

Error refused(const std::string& path, std::string why) {
  return Error{ErrorKind::server, "module_refused", fmt::format("{}: {}", path, why), {}};
}

// Asks for one extension; refuses a table that is too short for its first version.
template <class T>
Result<const T*> query(const gp_entry* entry, const char* id, size_t first_size,
                       const std::string& path) {
  const auto* table = static_cast<const T*>(entry->extension(to_gp(id)));
  if (table != nullptr && table->size < first_size) {
    return refused(path, fmt::format("the table of {} has {} bytes, at least {} are needed", id,
                                     table->size, first_size));
  }
  return table;
}

Result<void> query_all(const gp_entry* entry, const std::string& path, Extensions& out,
                       std::vector<std::string>& ids) {
  if (entry->extension == nullptr) return ok();
  auto missing = [&](const char* id, const char* function) {
    return refused(path, fmt::format("{}: the required function {} is null", id, function));
  };
  GP_TRY(out.oauth,
         query<gp_oauth_ext>(entry, GP_EXT_OAUTH, GP_FIRST_SIZE(gp_oauth_ext, resume), path));
  GP_TRY(out.credential, query<gp_credential_ext>(entry, GP_EXT_CREDENTIAL,
                                                  GP_FIRST_SIZE(gp_credential_ext, resume), path));
  GP_TRY(out.local,
         query<gp_local_ext>(entry, GP_EXT_LOCAL, GP_FIRST_SIZE(gp_local_ext, release), path));
  GP_TRY(out.count,
         query<gp_count_ext>(entry, GP_EXT_COUNT, GP_FIRST_SIZE(gp_count_ext, plan), path));
  GP_TRY(out.quota,
         query<gp_quota_ext>(entry, GP_EXT_QUOTA, GP_FIRST_SIZE(gp_quota_ext, resume), path));
  GP_TRY(out.usage,
         query<gp_usage_ext>(entry, GP_EXT_USAGE, GP_FIRST_SIZE(gp_usage_ext, extract), path));
  GP_TRY(out.limits,
         query<gp_limits_ext>(entry, GP_EXT_LIMITS, GP_FIRST_SIZE(gp_limits_ext, read), path));
  if (out.limits != nullptr) {
    if (out.limits->read == nullptr) return missing(GP_EXT_LIMITS, "read");
    ids.emplace_back(GP_EXT_LIMITS);
  }
  if (out.oauth != nullptr) {
    if (out.oauth->start == nullptr) return missing(GP_EXT_OAUTH, "start");
    if (out.oauth->callback == nullptr) return missing(GP_EXT_OAUTH, "callback");
    ids.emplace_back(GP_EXT_OAUTH);
  }
  if (out.credential != nullptr) {
    if (out.credential->refresh == nullptr) return missing(GP_EXT_CREDENTIAL, "refresh");
    ids.emplace_back(GP_EXT_CREDENTIAL);
  }
  if (out.local != nullptr) {
    if (out.local->respond == nullptr) return missing(GP_EXT_LOCAL, "respond");
    ids.emplace_back(GP_EXT_LOCAL);
  }
  if (out.count != nullptr) {
    if (out.count->plan == nullptr) return missing(GP_EXT_COUNT, "plan");
    ids.emplace_back(GP_EXT_COUNT);
  }
  if (out.quota != nullptr) {
    if (out.quota->start == nullptr) return missing(GP_EXT_QUOTA, "start");
    ids.emplace_back(GP_EXT_QUOTA);
  }
  if (out.usage != nullptr) {
    if (out.usage->extract == nullptr) return missing(GP_EXT_USAGE, "extract");
    ids.emplace_back(GP_EXT_USAGE);
  }
  return ok();
}

}  // namespace

Module::Module() = default;

Result<std::shared_ptr<const Module>> Module::load(const std::string& path, uint64_t generation,
                                                   std::shared_ptr<Reaper> reaper) {
  GP_TRY(auto library, Library::open(path));
  const auto* entry = library->entry();
  return start(std::move(library), entry, path, generation, std::move(reaper));
}

Result<std::shared_ptr<const Module>> Module::from_entry(const gp_entry* entry,
                                                         const std::string& name,
                                                         std::shared_ptr<Reaper> reaper) {
  return start(nullptr, entry, name, 1, std::move(reaper));
}

Result<std::shared_ptr<const Module>> Module::start(std::unique_ptr<Library> library,
                                                    const gp_entry* entry, const std::string& path,
                                                    uint64_t generation,
                                                    std::shared_ptr<Reaper> reaper) {
  std::shared_ptr<Module> module(new Module);
  if (library) module->file_ = library->file();
  module->library_ = std::move(library);
  GP_TRY(module->info_, check_entry(entry, path));
  module->info_.generation = generation;
  module->entry_ = entry;
  module->vt_ = entry->provider;
  module->reaper_ = std::move(reaper);
  for (const auto& kind : module->info_.kinds) {
    auto schemas = std::make_unique<KindSchemas>();
    GP_TRY(schemas->settings, parse_schema(kind.settings_schema, schemas->arena));
    GP_TRY(schemas->credential, parse_schema(kind.credential_schema, schemas->arena));
    module->schemas_.push_back(std::move(schemas));
  }

  module->host_ = std::make_unique<HostTable>(module->info_.id);
  if (entry->init != nullptr) {
    gp_error error{};
    error.size = sizeof error;
    auto status = entry->init(module->host_->table(), &error);
    if (status != GP_OK) {
      return refused(path, fmt::format("init failed ({}): {}", status,
                                       message_text(error.message, "no reason given")));
    }
  }
  module->initialised_ = true;
  GP_CHECK(query_all(entry, path, module->extensions_, module->info_.extensions));
  return std::shared_ptr<const Module>(std::move(module));
}

Module::~Module() {
  if (initialised_ && entry_->deinit != nullptr) entry_->deinit();
}

}  // namespace gproxy::modhost
