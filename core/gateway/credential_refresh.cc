#include "gateway/credential_refresh.h"

#include <utility>

#include "base/log.h"
#include "gateway/step_runner.h"

namespace gproxy::gateway {
namespace {

// A refresh that failed for no definite reason is tried again after this.
constexpr int64_t kRestAfterFailureMs = 30'000;

}  // namespace

void store_credential(WorkerContext& context, const config::ProviderEntry& provider,
                      const config::CredentialEntry& credential, Secret secret,
                      std::string settings_json, RefreshDone done) {
  // The slot outlives every snapshot that lists it; this snapshot is kept until the store has
  // answered.
  auto* slot = credential.slot;
  auto put = [slot, secret, instance = provider.provider, snapshot = context.snapshots.current(),
              done = std::move(done)](const Result<void>& saved) {
    if (!saved.ok()) {
      done(saved);
      return;
    }
    auto opened = slot->replace(secret, *instance);
    done(opened.ok() ? Result<void>() : Result<void>(opened.error()));
  };
  if (context.saver != nullptr) {
    context.saver->save(credential.id, secret, settings_json, context.loop, std::move(put));
  } else {
    context.loop.defer([put = std::move(put)] { put(ok()); });
  }
}

void refresh_credential(WorkerContext& context, const config::LoopSnapshotPtr& snapshot,
                        const config::ProviderEntry& provider,
                        const config::CredentialEntry& credential, modhost::CredentialHandle handle,
                        int32_t cause, RefreshDone done) {
  auto& table = context.shared.refreshes;
  const auto id = credential.id;
  if (table.join(id, context.loop, std::move(done)) == RefreshTable::Role::waits) return;
  // Somebody may have just finished: then its version is the answer.
  if (handle != nullptr && credential.slot->version() != handle->version()) {
    table.finish(id, ok());
    return;
  }
  auto machine = modhost::StepMachine::refresh(provider.provider, std::move(handle),
                                               credential.slot->secret(), cause);
  if (!machine.ok()) {
    credential.slot->cool_down(context.clock.now_ms() + kRestAfterFailureMs, "auth_invalid");
    table.finish(id, machine.error());
    return;
  }
  log::info("credential is refreshed", {{"provider", provider.name}, {"credential", id}});
  StepRunner::run(
      context, snapshot, std::move(*machine),
      [&context, &table, &provider, &credential, snapshot, id](Result<modhost::Step> step) {
        if (!step.ok() || step->kind != modhost::StepKind::done) {
          const bool definitive =
              step.ok() && step->kind == modhost::StepKind::fail && step->definitive;
          auto error =
              step.ok() ? Error{ErrorKind::server, "provider_error", step->message} : step.error();
          log::warn("refresh failed", {{"provider", provider.name},
                                       {"credential", id},
                                       {"definitive", definitive},
                                       {"error", error.message}});
          if (definitive) {
            credential.slot->mark_dead("auth_invalid");
          } else {
            credential.slot->cool_down(context.clock.now_ms() + kRestAfterFailureMs,
                                       "refresh_failed");
          }
          table.finish(id, std::move(error));
          return;
        }
        if (step->credential_json.empty()) {
          table.finish(id, ok());
          return;
        }
        store_credential(
            context, provider, credential, std::move(step->credential_json),
            std::move(step->settings_json),
            [&table, id, snapshot](const Result<void>& stored) { table.finish(id, stored); });
      });
}

}  // namespace gproxy::gateway
