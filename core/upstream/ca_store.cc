#include "upstream/ca_store.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "upstream/tls_warm_up.h"

namespace gproxy::upstream {
namespace {

// Where distributions keep the bundle; the first that exists is taken.
constexpr const char* kSystemBundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",  // openSUSE
    "/etc/ssl/cert.pem",       // Arch, macOS, BSD
};

struct FreeStore {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
using StorePtr = std::unique_ptr<X509_STORE, FreeStore>;

Error ca_error(std::string what, std::string param) {
  return Error{ErrorKind::server, "bad_ca_file", std::move(what), std::move(param)};
}

// Adds all certificates of a PEM file; how many, or -1 when it cannot be opened.
int add_file(X509_STORE* store, const std::string& path) {
  BIO* file = BIO_new_file(path.c_str(), "r");
  if (file == nullptr) {
    ERR_clear_error();
    return -1;
  }
  int count = 0;
  while (X509* certificate = PEM_read_bio_X509_AUX(file, nullptr, nullptr, nullptr)) {
    // One that is there already is not an error in OpenSSL 3.
    if (X509_STORE_add_cert(store, certificate) == 1) ++count;
    X509_free(certificate);
  }
  BIO_free(file);
  ERR_clear_error();  // the end of the file is one
  return count;
}

// Every file of the folder, read now: OpenSSL's own folder lookup would read files during a
// handshake on the loop. Each one once: a folder for OpenSSL holds links by hash to its own files.
int add_folder(X509_STORE* store, const std::string& path) {
  std::error_code error;
  std::set<std::filesystem::path> seen;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (!entry.is_regular_file(error)) continue;
    std::error_code unresolved;
    if (!seen.insert(std::filesystem::canonical(entry.path(), unresolved)).second && !unresolved)
      continue;
    if (const int added = add_file(store, entry.path().string()); added > 0) count += added;
  }
  return error ? -1 : count;
}

struct Loaded {
  StorePtr store;
  size_t certificates = 0;
};

Result<int> add_system(X509_STORE* store, const CaConfig& config) {
  int count = 0;
  if (!config.system_file.empty()) {
    const int added = add_file(store, config.system_file);
    if (added < 0) return ca_error("cannot read the file " + config.system_file, "SSL_CERT_FILE");
    count += added;
  }
  if (!config.system_dir.empty()) {
    // A list of folders, as OpenSSL reads it.
    std::string_view rest = config.system_dir;
    while (!rest.empty()) {
      const size_t colon = rest.find(':');
      const std::string folder(rest.substr(0, colon));
      rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
      if (folder.empty()) continue;
      const int added = add_folder(store, folder);
      if (added < 0) return ca_error("cannot read the folder " + folder, "SSL_CERT_DIR");
      count += added;
    }
  }
  if (!config.system_file.empty() || !config.system_dir.empty()) return count;
  for (const char* path : kSystemBundles) {
    if (const int added = add_file(store, path); added > 0) return added;
  }
  return 0;  // a machine without certificates may still have an extra file, or speak plain http
}

Result<Loaded> read_all(const CaConfig& config) {
  StorePtr store(X509_STORE_new());
  if (store == nullptr) return ca_error("out of memory", {});
  // As libcurl sets its own: a trusted intermediate ends the chain, trusted issuers are tried
  // first.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
  size_t count = 0;
  if (config.system == CaConfig::System::trusted) {
    GP_TRY(const int added, add_system(store.get(), config));
    count += static_cast<size_t>(added);
  }
  if (!config.extra_file.empty()) {
    const int added = add_file(store.get(), config.extra_file);
    if (added < 0) return ca_error("cannot read the file " + config.extra_file, "ca_file");
    if (added == 0) return ca_error("no certificate in " + config.extra_file, "ca_file");
    count += static_cast<size_t>(added);
  }
  return Loaded{std::move(store), count};
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

CaConfig CaConfig::from_environment() {
  CaConfig config;
  config.system_file = variable("SSL_CERT_FILE");
  config.system_dir = variable("SSL_CERT_DIR");
  return config;
}

struct CaStore::State {
  // Set by the loading thread before `done`; read after it.
  std::thread thread;
  std::promise<void> promise;
  std::shared_future<void> done = promise.get_future().share();
  StorePtr store;
  size_t certificates = 0;
  std::optional<Error> error;

  void load(const CaConfig& config) {
    auto loaded = read_all(config);
    if (loaded.ok()) {
      store = std::move(loaded->store);
      certificates = loaded->certificates;
    } else {
      error = std::move(loaded.error());
    }
    promise.set_value();
  }
};

CaStore::CaStore(std::unique_ptr<State> state) : state_(std::move(state)) {}

CaStore::~CaStore() {
  if (state_->thread.joinable()) state_->thread.join();
}

Result<std::shared_ptr<const CaStore>> CaStore::load(const CaConfig& config) {
  auto state = std::make_unique<State>();
  state->load(config);
  if (state->error) return *std::move(state->error);
  return std::shared_ptr<const CaStore>(new CaStore(std::move(state)));
}

std::shared_ptr<const CaStore> CaStore::load_async(CaConfig config) {
  auto state = std::make_unique<State>();
  State& s = *state;
  s.thread = std::thread([&s, config = std::move(config)] {
    s.load(config);
    // Here, where nobody waits for it, and not in the first request's handshake.
    warm_up_tls(s.store.get());
  });
  return std::shared_ptr<const CaStore>(new CaStore(std::move(state)));
}

Result<void> CaStore::wait() const {
  state_->done.wait();
  if (state_->error) return *state_->error;
  return ok();
}

bool CaStore::wait_at_most(int64_t ms) const {
  return state_->done.wait_for(std::chrono::milliseconds(ms)) == std::future_status::ready;
}

x509_store_st* CaStore::native() const {
  state_->done.wait();
  return state_->store.get();
}

size_t CaStore::certificates() const {
  state_->done.wait();
  return state_->certificates;
}

}  // namespace gproxy::upstream
