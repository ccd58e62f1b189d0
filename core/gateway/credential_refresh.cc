#include "gateway/credential_refresh.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gateway/step_runner.h"

namespace gproxy::gateway {
namespace {

// A refresh that failed for no definite reason is tried again after this, doubled each time.
constexpr int64_t kRestAfterFailureMs = 30'000;
constexpr int64_t kLongestRestMs = 3'600'000;

int64_t rest_ms(int failures) {
  return std::min(kRestAfterFailureMs << std::clamp(failures - 1, 0, 10), kLongestRestMs);
}

// Stores the new version, puts it in force and ends the refresh. The slot outlives every snapshot
// that lists it; this one is kept until the store has answered.
void store(WorkerContext& context, const config::LoopSnapshotPtr& snapshot,
           const RefreshWanted& wanted, Secret secret, const std::string& settings_json) {
  const auto id = wanted.credential.id;
  auto put = [&table = context.shared.refreshes, id, snapshot, slot = wanted.credential.slot,
              secret, instance = wanted.provider.provider](const Result<void>& saved) {
    if (!saved.ok()) {
      log::warn("new secret not stored", {{"credential", id}, {"error", saved.error().message}});
      table.finish(id, saved);
      return;
    }
    auto opened = slot->replace(secret, *instance);
    table.finish(id, opened.ok() ? Result<void>() : Result<void>(opened.error()));
  };
  if (context.saver != nullptr) {
    context.saver->save(id, secret, settings_json, context.loop, std::move(put));
  } else {
    context.loop.defer([put = std::move(put)] { put(ok()); });
  }
}

// The credential's end of a failed refresh.
void note_failure(WorkerContext& context, const RefreshWanted& wanted, const Error& error,
                  bool definitive) {
  log::warn("refresh failed", {{"provider", wanted.provider.name},
                               {"credential", wanted.credential.id},
                               {"definitive", definitive},
                               {"error", error.message}});
  if (wanted.need == RefreshWanted::Need::ahead) return;
  auto& slot = *wanted.credential.slot;
  if (definitive) {
    slot.mark_dead("auth_invalid");
  } else {
    const int failures = context.shared.refreshes.count_failure(wanted.credential.id);
    slot.cool_down(context.clock.now_ms() + rest_ms(failures), "refresh_failed");
  }
}

// Takes part in the credential's one refresh; true if it is ours to run.
bool is_ours(WorkerContext& context, const RefreshWanted& wanted, RefreshDone done) {
  auto& table = context.shared.refreshes;
  const auto id = wanted.credential.id;
  if (table.join(id, context.loop, std::move(done)) == RefreshTable::Role::waits) return false;
  // Somebody may have just finished: then that version is the answer.
  if (wanted.credential.slot->version() == wanted.handle->version()) return true;
  table.finish(id, ok());
  return false;
}

}  // namespace

bool needs_refresh(const modhost::OpenCredential& credential, const Clock& clock, int32_t& cause) {
  if (!credential.refreshable()) return false;
  if (credential.incomplete()) {
    cause = modhost::kRefreshIncomplete;
    return true;
  }
  if (credential.expires_at_ms() == 0 || clock.wall_ms() < credential.expires_at_ms()) return false;
  cause = modhost::kRefreshExpiring;
  return true;
}

void refresh_credential(WorkerContext& context, const config::LoopSnapshotPtr& snapshot,
                        RefreshWanted wanted, RefreshDone done) {
  if (!is_ours(context, wanted, std::move(done))) return;
  auto& table = context.shared.refreshes;
  const auto id = wanted.credential.id;
  auto machine = modhost::StepMachine::refresh(wanted.provider.provider, wanted.handle,
                                               wanted.credential.slot->secret(), wanted.cause);
  if (!machine.ok()) {
    note_failure(context, wanted, machine.error(), /*definitive=*/false);
    table.finish(id, machine.error());
    return;
  }
  log::info("credential is refreshed", {{"provider", wanted.provider.name}, {"credential", id}});
  StepRunner::Purpose purpose;
  purpose.provider = &wanted.provider;
  purpose.credential_id = id;
  purpose.trace_id = wanted.trace_id;
  StepRunner::run(
      context, snapshot, std::move(*machine), purpose,
      [&context, &table, wanted = std::move(wanted), snapshot, id](Result<modhost::Step> step,
                                                                   const StepRunner&) {
        if (step.ok() && step->kind == modhost::StepKind::done && !step->credential_json.empty()) {
          store(context, snapshot, wanted, std::move(step->credential_json), step->settings_json);
          return;
        }
        const bool definitive =
            step.ok() && step->kind == modhost::StepKind::fail && step->definitive;
        auto error =
            step.ok() ? Error{ErrorKind::server, "provider_error", step->message} : step.error();
        if (definitive) error.code = "refresh_refused";
        note_failure(context, wanted, error, definitive);
        table.finish(id, std::move(error));
      });
}

void patch_credential(WorkerContext& context, const config::LoopSnapshotPtr& snapshot,
                      RefreshWanted wanted, Secret secret, RefreshDone done) {
  if (is_ours(context, wanted, std::move(done)))
    store(context, snapshot, wanted, std::move(secret), {});
}

}  // namespace gproxy::gateway
