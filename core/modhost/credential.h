// One version of one secret, opened by one provider instance. Immutable, any thread; shared by the
// credential's slot and the exchanges that started with it; closed by its last holder (closing is
// an any-thread function of the ABI).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

struct gp_credential;

namespace gproxy::modhost {

class Provider;

class OpenCredential {
 public:
  ~OpenCredential();
  OpenCredential(const OpenCredential&) = delete;
  OpenCredential& operator=(const OpenCredential&) = delete;

  const gp_credential* handle() const { return handle_; }
  // The instance that opened it; no other may be given it.
  const Provider& provider() const { return *provider_; }
  int64_t expires_at_ms() const { return expires_at_ms_; }           // UTC, 0 = never
  const std::string& identity() const { return identity_; }          // account id, may be empty
  const std::string& display_name() const { return display_name_; }  // never secret
  bool refreshable() const { return refreshable_; }  // gproxy.credential/1 can renew it
  bool incomplete() const { return incomplete_; }    // must be refreshed before its first use
  uint64_t version() const { return version_; }      // of the secret in its slot

 private:
  friend class Provider;
  OpenCredential() = default;
  std::shared_ptr<const Provider> provider_;
  gp_credential* handle_ = nullptr;  // may be null
  bool opened_ = false;
  int64_t expires_at_ms_ = 0;
  std::string identity_;
  std::string display_name_;
  bool refreshable_ = false;
  bool incomplete_ = false;
  uint64_t version_ = 0;
};

using CredentialHandle = std::shared_ptr<const OpenCredential>;

}  // namespace gproxy::modhost
