// The certificates this process trusts, loaded once and shared by every TLS connection to an
// upstream. libcurl left to itself reads the bundle again for each new connection (16 ms of a
// blocked loop). Made by the application, shared by all loops; immutable once loaded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

struct x509_store_st;

namespace gproxy::upstream {

struct CaConfig {
  // Replace the system's bundle and folder when set. Usual values: $SSL_CERT_FILE, $SSL_CERT_DIR.
  std::string system_file = {};
  std::string system_dir = {};
  // Trusted in addition: the operator's own authority. A file that cannot be read is an error.
  std::string extra_file = {};
  enum class System : uint8_t { trusted, ignored } system = System::trusted;

  // With system_file and system_dir from the environment.
  static CaConfig from_environment();
};

class CaStore {
 public:
  // Reads the files now (about 15 ms with Debian's bundle): not for a running loop.
  static Result<std::shared_ptr<const CaStore>> load(const CaConfig& config);
  // Reads them on a thread of its own; store() waits for it if need be. Start this first, so that
  // the rest of the start hides it.
  static std::shared_ptr<const CaStore> load_async(CaConfig config);

  ~CaStore();
  CaStore(const CaStore&) = delete;
  CaStore& operator=(const CaStore&) = delete;

  // Waits until the files are read; says why they could not be.
  Result<void> wait() const;
  // The same, but no longer than this. Says whether they are read.
  bool wait_at_most(int64_t ms) const;
  // Null when loading failed: then nothing is trusted. Any thread.
  x509_store_st* native() const;
  size_t certificates() const;

 private:
  struct State;
  explicit CaStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gproxy::upstream
