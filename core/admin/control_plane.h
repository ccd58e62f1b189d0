// The configuration in force and its one writer. Every change goes the same way: validated on the
// main thread, committed on the storage thread, read back, built into a snapshot, published; the
// answer comes after every loop has it. Changes run one after the other. Main thread; owned by the
// server.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/bootstrap.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/build.h"
#include "config/publisher.h"
#include "config/snapshot.h"
#include "modhost/registry.h"
#include "storage/store.h"
#include "storage/writer_thread.h"

namespace gproxy::admin {

struct ControlPlaneDeps {
  modhost::ModuleRegistry& registry;
  config::Publisher& publisher;
  config::SlotTable& slots;
  const Clock& clock;
  // Runs a function on the main loop. Any thread.
  std::function<void(std::function<void()>)> post_main;
};

// What an admin request is answered with.
struct Response {
  int status = 200;
  std::string body;        // JSON
  std::string allow = {};  // of a 405: the path's methods
};

class ControlPlane {
 public:
  explicit ControlPlane(ControlPlaneDeps deps);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // The start, before any loop runs: rows as read, settings as merged. Builds and publishes.
  Result<void> start(storage::ConfigRows rows, config::Settings settings,
                     const storage::KeyHasher& hasher);
  // From here on changes are possible.
  void attach(storage::WriterThread& writer) { writer_ = &writer; }

  using Check = std::function<Result<void>()>;
  using Work = std::function<Result<std::string>(storage::Store&)>;
  using Done = std::function<void(Result<std::string>)>;
  // `check` runs on main when it is this change's turn; `work` on the storage thread, inside one
  // transaction, and returns what the answer needs; `done` on main after publication. Errors of
  // either reach `done` with nothing changed. At most kMaxWaiting changes wait: beyond, overloaded.
  void change(Check check, Work work, Done done);
  // Something for the store that is no change of the configuration, in a transaction of its own;
  // `done` on main. Reads of the admin API go to a reader: query().
  void work(Work work, Done done);
  // The same without a transaction around it, for what has its own.
  void job(Work work, Done done);
  // A question to a reader, which makes the answer; `done` on main. Refused (503) when too many
  // wait.
  using Query = std::function<Result<std::string>(storage::Reader&)>;
  void query(Query query, Done done);
  // A change of settings: `edit` alters a copy on main (when its turn has come).
  void change_settings(std::function<Result<void>(config::Settings&)> edit, Done done);
  // The same with something for the store in the same transaction; its answer is the change's.
  void change_settings(std::function<Result<void>(config::Settings&)> edit, Work work, Done done);
  // The configuration file again (SIGHUP): its settings over the stored ones, what the environment
  // and the command line set over that, its entries into the store. With an error nothing has
  // changed.
  void reload_file(BootstrapInputs inputs, Done done);
  // Scans the module folders and puts what is new into force; done gets what went wrong, one per
  // line.
  void reload_modules(Done done);
  // A refreshed secret: committed when `done` runs (on main). Conflict when somebody changed it
  // meanwhile.
  void save_secret(int64_t credential_id, const Secret& secret_json,
                   const std::string& settings_json, std::function<void(Result<void>)> done);

  const storage::ConfigRows& rows() const { return rows_; }
  const config::Settings& settings() const { return settings_; }
  const config::Snapshot& snapshot() const { return *deps_.publisher.current(); }
  const modhost::ModuleRegistry& registry() const { return deps_.registry; }
  config::SlotTable& slots() { return deps_.slots; }
  const Clock& clock() const { return deps_.clock; }
  std::string_view shown_dsn() const { return shown_dsn_; }
  void set_shown_dsn(std::string_view dsn) { shown_dsn_ = dsn; }
  const storage::KeyHasher& key_hasher() const { return hasher_; }
  Digest key_digest(std::string_view user_key) const { return hasher_.digest(user_key); }

  // Would this provider work? Makes an instance and lets it go again. Error: param = JSON path.
  Result<void> try_provider(const std::string& name, const std::string& kind,
                            const std::string& settings_json) const;
  // On main, before changed settings are stored: could they be put into force (may the new address
  // be bound)? An error refuses the change.
  std::function<Result<void>(const config::Settings& before, const config::Settings& after)>
      try_settings;
  // Called on main after settings changed and were published (listeners rebind); the change is
  // answered when `done` was called.
  std::function<void(const config::Settings& before, const config::Settings& after,
                     std::function<void()> done)>
      on_settings;

  // A recent request's decision as JSON, by its trace id or the client's own name for it. Set by
  // the server; empty in tests without workers.
  std::function<std::optional<std::string>(std::string_view id)> recent_decision;

  // Asks a worker to do something with a credential as requests do it; `done` on main, with the
  // answer's JSON. Set by the server; empty in tests without workers.
  enum class Action : uint8_t { refresh, test };
  std::function<void(int64_t credential_id, Action action, Done done)> on_credential_action;
  void act_on_credential(int64_t credential_id, Action action, Done done) {
    if (on_credential_action) return on_credential_action(credential_id, action, std::move(done));
    done(Error{ErrorKind::overloaded, "starting", "gproxy is still starting"});
  }

  // Rows found by what callers name. Null if unknown.
  const storage::ProviderRow* find_provider(std::string_view name) const;
  const storage::ProviderRow* find_provider(int64_t id) const;
  const storage::CredentialRow* find_credential(int64_t id) const;
  const storage::UserRow* find_user(int64_t id) const;
  const storage::UserKeyRow* find_key(int64_t id) const;

 private:
  static constexpr size_t kMaxWaiting = 256;
  struct Waiting {
    Check check;
    Work work;
    Done done;
    std::function<Result<void>(config::Settings&)> edit;
    // Something else whose turn this is; it ends by finish().
    std::function<void(std::shared_ptr<Waiting>)> run;
  };
  template <class Of>
  std::function<void(Of&)> answering(std::function<Result<std::string>(Of&)> work,
                                     std::shared_ptr<Done> done);
  bool enqueue(std::unique_ptr<Waiting> waiting);  // false: refused, done was called
  void run_next();
  void finish(Waiting& waiting, Result<std::string> result);
  void run_reload(std::shared_ptr<Waiting> waiting, BootstrapInputs inputs);
  Result<config::Built> build(const config::FindKind* find_kind);
  Result<void> rebuild(std::function<void()> published);

  ControlPlaneDeps deps_;
  storage::WriterThread* writer_ = nullptr;
  storage::KeyHasher hasher_;
  storage::ConfigRows rows_;
  config::Settings settings_;
  std::string shown_dsn_;
  uint64_t revision_ = 0;
  std::deque<std::unique_ptr<Waiting>> waiting_;
  bool busy_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gproxy::admin
