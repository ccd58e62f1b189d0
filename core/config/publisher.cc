#include "config/publisher.h"

#include <utility>

namespace gproxy::config {

LoopSnapshot::LoopSnapshot(std::shared_ptr<const Snapshot> base)
    : base_(std::move(base)), held_(base_->credential_count()) {}

Result<modhost::CredentialHandle> LoopSnapshot::credential(const ProviderEntry& provider,
                                                           const CredentialEntry& credential) {
  auto& held = held_[credential.ordinal];
  auto version = credential.slot->version();
  if (held.handle != nullptr && held.version == version) return held.handle;
  if (provider.provider == nullptr) {
    return Error{ErrorKind::server,
                 "provider_config_invalid",
                 "the provider has no instance: " + provider.fault,
                 {}};
  }
  GP_TRY(auto shared, credential.slot->open(*provider.provider));
  held.version = shared->version();
  // A handle with a count of this loop's own: the shared one's is touched by every core.
  const auto* raw = shared.get();
  held.handle =
      modhost::CredentialHandle(raw, [keep = std::move(shared)](const modhost::OpenCredential*) {});
  return held.handle;
}

void Publisher::add_loop(PostTarget& loop, SnapshotSlot& slot) {
  loops_.push_back({&loop, &slot});
  if (current_ != nullptr) slot.set(current_);
}

void Publisher::publish(std::shared_ptr<const Snapshot> snapshot, std::function<void()> done) {
  current_ = snapshot;
  if (loops_.empty()) {
    if (done) done();
    return;
  }
  struct Round {
    size_t waiting;
    std::function<void()> done;
  };
  auto round = std::make_shared<Round>(Round{loops_.size(), std::move(done)});
  ++pending_;
  // On main: one loop has it, or is gone.
  auto acknowledge = [this, round] {
    if (--round->waiting > 0) return;
    --pending_;
    if (round->done) round->done();
  };
  for (const auto& loop : loops_) {
    auto* slot = loop.slot;
    auto& main = main_;
    bool taken = loop.target->post([slot, snapshot, &main, acknowledge]() mutable {
      slot->set(std::move(snapshot));
      (void)main.post(acknowledge);
    });
    if (!taken) (void)main_.post(acknowledge);
  }
}

}  // namespace gproxy::config
