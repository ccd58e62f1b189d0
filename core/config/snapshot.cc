#include "config/snapshot.h"

#include <cstring>

namespace gproxy::config {

size_t Snapshot::DigestHash::operator()(const Digest& digest) const {
  // Any eight bytes of a digest are as good as a hash of it.
  size_t hash;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

const ProviderEntry* Snapshot::find_provider(std::string_view name) const {
  auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : &providers_[at->second];
}

const CredentialEntry* Snapshot::find_credential(int64_t id) const {
  auto at = by_credential_.find(id);
  return at == by_credential_.end()
             ? nullptr
             : &providers_[at->second.provider].credentials[at->second.credential];
}

const ProviderEntry* Snapshot::provider_of_credential(int64_t id) const {
  auto at = by_credential_.find(id);
  return at == by_credential_.end() ? nullptr : &providers_[at->second.provider];
}

const KeyEntry* Snapshot::find_key(const Digest& digest) const {
  auto at = keys_.find(digest);
  return at == keys_.end() ? nullptr : &at->second;
}

bool Snapshot::any_key(int64_t id, const std::function<bool(const KeyEntry&)>& holds) const {
  for (const auto& [digest, key] : keys_) {
    if (key.id == id && holds(key)) return true;
  }
  return false;
}

}  // namespace gproxy::config
