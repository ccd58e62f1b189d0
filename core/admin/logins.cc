#include "admin/logins.h"

#include <memory>
#include <utility>

namespace gproxy::admin {
namespace {

// The provider's row of that account; null if there is none.
const storage::CredentialRow* row_of_account(const ControlPlane& plane,
                                             const config::ProviderEntry& provider,
                                             const std::string& identity) {
  if (identity.empty()) return nullptr;
  for (const auto& one : provider.credentials) {
    if (one.slot == nullptr) continue;
    const auto opened = one.slot->open(*provider.provider);
    if (opened.ok() && (*opened)->identity() == identity) return plane.find_credential(one.id);
  }
  return nullptr;
}

}  // namespace

void save_login(ControlPlane& plane, gateway::NewLogin login,
                std::function<void(Result<gateway::SavedLogin>)> done) {
  struct Work {
    gateway::NewLogin login;
    storage::CredentialRow row;
    gateway::SavedLogin saved;
    storage::AuditRow note;
  };
  auto work = std::make_shared<Work>();
  work->login = std::move(login);
  plane.change(
      [&plane, work]() -> Result<void> {
        auto& made = work->login;
        const auto* provider = plane.find_provider(made.provider_id);
        const auto* entry =
            provider != nullptr ? plane.snapshot().find_provider(provider->name) : nullptr;
        if (entry == nullptr || entry->provider == nullptr) {
          return Error{ErrorKind::not_found, "provider_not_found",
                       "the provider is gone or without its module"};
        }
        GP_TRY(const auto opened, entry->provider->open_credential(made.credential_json.reveal()));
        if (made.identity.empty()) made.identity = opened->identity();
        if (made.name.empty()) made.name = opened->display_name();
        auto& row = work->row;
        if (const auto* known = row_of_account(plane, *entry, made.identity)) {
          row = *known;
        } else {
          work->saved.created = true;
          row.provider_id = made.provider_id;
        }
        if (!row.name && !made.name.empty()) row.name = made.name;
        if (!made.settings_json.empty()) row.settings_json = made.settings_json;
        row.secret = made.credential_json;
        work->note.at = plane.clock().wall_us();
        work->note.actor = "login";
        work->note.action = work->saved.created ? "new credential" : "credential renewed";
        work->note.target = "/providers/" + provider->name;
        return ok();
      },
      [work](storage::Store& store) -> Result<std::string> {
        if (work->saved.created) {
          GP_TRY(work->row, store.insert_credential(work->row));
        } else {
          GP_TRY(work->row, store.update_credential(work->row));
        }
        GP_CHECK(store.delete_flow(work->login.state));
        GP_CHECK(store.append_audit(work->note));
        return std::string();
      },
      [work, done = std::move(done)](Result<std::string> result) {
        if (!result.ok()) return done(std::move(result).error());
        work->saved.credential_id = work->row.id;
        work->saved.name = work->row.name.value_or("");
        done(work->saved);
      });
}

}  // namespace gproxy::admin
