#include "admin/control_plane.h"

#include <utility>

#include "admin/api.h"
#include "admin/convert.h"
#include "base/json.h"
#include "base/log.h"

namespace gproxy::admin {
namespace {

Error starting() {
  return Error{ErrorKind::overloaded, "starting", "gproxy is still starting"};
}

}  // namespace

ControlPlane::ControlPlane(ControlPlaneDeps deps) : deps_(std::move(deps)) {}
ControlPlane::~ControlPlane() {
  *alive_ = false;
}

Result<void> ControlPlane::start(storage::ConfigRows rows, config::Settings settings,
                                 const storage::KeyHasher& hasher) {
  rows_ = std::move(rows);
  settings_ = std::move(settings);
  hasher_ = hasher;
  return rebuild([] {});
}

Result<config::Built> ControlPlane::build(const config::FindKind* find_kind) {
  config::BuildInputs inputs;
  inputs.revision = ++revision_;
  inputs.settings = settings_;
  auto declared = declared_of(rows_);
  inputs.providers = std::move(declared.providers);
  inputs.routes = std::move(declared.routes);
  inputs.users = std::move(declared.users);
  inputs.digest_key = [this](std::string_view key) { return hasher_.digest(key); };
  const config::Snapshot* previous = deps_.publisher.current().get();
  return find_kind != nullptr
             ? config::build_snapshot(inputs, *find_kind, deps_.slots, previous, deps_.clock)
             : config::build_snapshot(inputs, deps_.registry, deps_.slots, previous, deps_.clock);
}

Result<void> ControlPlane::rebuild(std::function<void()> published) {
  auto built = build(nullptr);
  if (!built.ok()) return std::move(built).error();
  for (const auto& warning : built->warnings) log::warn("configuration", {{"warning", warning}});
  deps_.publisher.publish(std::move(built->snapshot), std::move(published));
  return ok();
}

bool ControlPlane::enqueue(std::unique_ptr<Waiting> waiting) {
  if (writer_ == nullptr) {
    waiting->done(starting());
    return false;
  }
  if (waiting_.size() >= kMaxWaiting) {
    waiting->done(Error{ErrorKind::overloaded, "too_many_changes",
                        "too many configuration changes are waiting"});
    return false;
  }
  waiting_.push_back(std::move(waiting));
  run_next();
  return true;
}

void ControlPlane::change(Check check, Work work, Done done) {
  auto w = std::make_unique<Waiting>();
  w->check = std::move(check);
  w->work = std::move(work);
  w->done = std::move(done);
  enqueue(std::move(w));
}

void ControlPlane::work(Work work, Done done) {
  job(
      [work = std::move(work)](storage::Store& store) -> Result<std::string> {
        Result<std::string> answer = std::string();
        GP_CHECK(store.transaction([&]() -> Result<void> {
          answer = work(store);
          if (!answer.ok()) return answer.error();
          return ok();
        }));
        return answer;
      },
      std::move(done));
}

// `work` as a task of another thread that brings its answer back to main.
template <class Of>
std::function<void(Of&)> ControlPlane::answering(std::function<Result<std::string>(Of&)> work,
                                                 std::shared_ptr<Done> done) {
  return [alive = alive_, post_main = deps_.post_main, work = std::move(work),
          done = std::move(done)](Of& of) mutable {
    auto answer = std::make_shared<Result<std::string>>(work(of));
    // Moved: what they hold must not die over there.
    post_main([alive, answer, work = std::move(work), done = std::move(done)] {
      if (*alive) (*done)(std::move(*answer));
    });
  };
}

void ControlPlane::job(Work work, Done done) {
  if (writer_ == nullptr) return done(starting());
  auto finished = std::make_shared<Done>(std::move(done));
  auto posted = writer_->post(answering<storage::Store>(std::move(work), finished));
  if (!posted.ok()) (*finished)(std::move(posted).error());
}

void ControlPlane::query(Query query, Done done) {
  if (writer_ == nullptr) return done(starting());
  auto finished = std::make_shared<Done>(std::move(done));
  auto posted = writer_->query(answering<storage::Reader>(std::move(query), finished));
  if (!posted.ok()) (*finished)(std::move(posted).error());
}

void ControlPlane::change_settings(std::function<Result<void>(config::Settings&)> edit, Done done) {
  change_settings(std::move(edit), {}, std::move(done));
}

void ControlPlane::change_settings(std::function<Result<void>(config::Settings&)> edit, Work work,
                                   Done done) {
  auto w = std::make_unique<Waiting>();
  w->edit = std::move(edit);
  w->work = std::move(work);
  w->done = std::move(done);
  enqueue(std::move(w));
}

void ControlPlane::reload_file(BootstrapInputs inputs, Done done) {
  auto w = std::make_unique<Waiting>();
  w->run = [this, inputs = std::move(inputs)](std::shared_ptr<Waiting> waiting) {
    run_reload(std::move(waiting), inputs);
  };
  w->done = std::move(done);
  enqueue(std::move(w));
}

void ControlPlane::run_next() {
  if (busy_ || waiting_.empty()) return;
  busy_ = true;
  auto waiting = std::shared_ptr<Waiting>(std::move(waiting_.front()));
  waiting_.pop_front();
  if (waiting->run) {
    waiting->run(waiting);
    return;
  }

  // What the writer brings back: the work's answer and the configuration as it stands then.
  struct Outcome {
    Result<std::string> answer = std::string();
    storage::ConfigRows rows;
    bool committed = false;
  };
  std::shared_ptr<config::Settings> edited;
  if (waiting->edit) {
    edited = std::make_shared<config::Settings>(settings_);
    auto good = waiting->edit(*edited);
    if (good.ok() && try_settings) good = try_settings(settings_, *edited);
    if (!good.ok()) {
      finish(*waiting, std::move(good).error());
      return;
    }
  } else if (waiting->check) {
    if (auto r = waiting->check(); !r.ok()) {
      finish(*waiting, std::move(r).error());
      return;
    }
  }
  std::shared_ptr<storage::SettingsRow> settings_row;
  if (edited) {
    const auto declared = rows_.settings ? declared_secrets_of(*rows_.settings) : DeclaredSecrets{};
    settings_row = std::make_shared<storage::SettingsRow>(row_of(*edited, shown_dsn_, declared));
  }

  auto alive = alive_;
  auto post_main = deps_.post_main;
  auto posted =
      writer_->post([this, alive, post_main, waiting, edited, settings_row](storage::Store& store) {
        auto outcome = std::make_shared<Outcome>();
        auto done = store.transaction([&]() -> Result<void> {
          if (settings_row) {
            GP_TRY([[maybe_unused]] auto row, store.put_settings(*settings_row));
            // user 0's key is the admin key: it changes with it.
            GP_CHECK(ensure_operator(store, edited->admin_key));
          }
          if (waiting->work) {
            outcome->answer = waiting->work(store);
            if (!outcome->answer.ok()) return outcome->answer.error();
          }
          return ok();
        });
        if (!done.ok()) {
          outcome->answer = std::move(done).error();
        } else if (auto rows = store.load_all(); rows.ok()) {
          outcome->rows = std::move(*rows);
          outcome->committed = true;
        } else {
          // Committed but not readable: the next change, or the next start, will see it.
          outcome->answer = std::move(rows).error();
        }
        post_main([this, alive, waiting, edited, outcome] {
          if (!*alive) return;
          if (!outcome->committed) {
            finish(*waiting, std::move(outcome->answer));
            return;
          }
          const config::Settings before = settings_;
          rows_ = std::move(outcome->rows);
          if (edited) settings_ = *edited;
          auto answer = std::make_shared<Result<std::string>>(std::move(outcome->answer));
          auto built = rebuild([this, alive, waiting, edited, before, answer] {
            if (!*alive) return;
            const auto end = [this, alive, waiting, answer] {
              if (*alive) finish(*waiting, std::move(*answer));
            };
            if (edited && on_settings) return on_settings(before, settings_, end);
            end();
          });
          if (!built.ok()) finish(*waiting, std::move(built).error());
        });
      });
  if (!posted.ok()) finish(*waiting, std::move(posted).error());
}

void ControlPlane::finish(Waiting& waiting, Result<std::string> result) {
  busy_ = false;
  auto done = std::move(waiting.done);
  if (done) done(std::move(result));
  // Not by recursion: a long queue of refused changes must not grow the stack.
  if (!waiting_.empty()) {
    deps_.post_main([this, alive = alive_] {
      if (*alive) run_next();
    });
  }
}

void ControlPlane::run_reload(std::shared_ptr<Waiting> waiting, BootstrapInputs inputs) {
  auto alive = alive_;
  auto post_main = deps_.post_main;
  auto posted = writer_->post(
      [this, alive, post_main, inputs = std::move(inputs), waiting](storage::Store& store) {
        auto result = std::make_shared<Result<Bootstrapped>>(bootstrap(store, inputs));
        post_main([this, alive, result, waiting] {
          if (!*alive) return;
          if (!result->ok()) {
            finish(*waiting, std::move(*result).error());
            return;
          }
          for (const auto& warning : (*result)->warnings)
            log::info("configuration file", {{"note", warning}});
          const config::Settings before = settings_;
          settings_ = std::move((*result)->settings);
          rows_ = std::move((*result)->rows);
          auto built = rebuild([this, alive, before, waiting] {
            if (!*alive) return;
            const auto end = [this, alive, waiting] {
              if (*alive) finish(*waiting, std::string());
            };
            if (on_settings) return on_settings(before, settings_, end);
            end();
          });
          if (!built.ok()) finish(*waiting, std::move(built).error());
        });
      });
  if (!posted.ok()) finish(*waiting, std::move(posted).error());
}

void ControlPlane::reload_modules(Done done) {
  auto w = std::make_unique<Waiting>();
  w->run = [this](std::shared_ptr<Waiting> waiting) {
    auto candidate = deps_.registry.scan();
    // A new generation that refuses what the old one took is not put into force: its module stays
    // as it was. Each round takes back at least one, so this ends.
    for (;;) {
      const config::FindKind find = [candidate](std::string_view kind) {
        return candidate->find_kind(kind);
      };
      auto built = build(&find);
      if (!built.ok()) {
        finish(*waiting, std::move(built).error());
        return;
      }
      bool reverted = false;
      for (const auto& lost : built->lost) {
        auto module = candidate->find_kind(lost.kind);
        auto present = deps_.registry.find_kind(lost.kind);
        if (present == nullptr || module == present) continue;
        deps_.registry.revert(*candidate, present->id(),
                              "provider " + lost.provider + ": " + lost.fault);
        reverted = true;
        break;
      }
      if (reverted) continue;
      deps_.registry.commit(candidate);
      std::string answer;
      json::Writer json(answer);
      json.begin_object();
      json.field("ok", deps_.registry.faults().empty());
      json.field("modules", deps_.registry.modules().size());
      json.key("faults");
      json.begin_array();
      for (const auto& fault : deps_.registry.faults()) {
        json.begin_object();
        json.field("path", fault.path);
        json.field("message", fault.message);
        json.end_object();
      }
      json.end_array();
      json.end_object();
      for (const auto& warning : built->warnings)
        log::warn("configuration", {{"warning", warning}});
      deps_.publisher.publish(std::move(built->snapshot), [this, alive = alive_, waiting, answer] {
        if (*alive) finish(*waiting, answer);
      });
      return;
    }
  };
  w->done = std::move(done);
  enqueue(std::move(w));
}

void ControlPlane::save_secret(int64_t credential_id, const Secret& secret_json,
                               const std::string& settings_json,
                               std::function<void(Result<void>)> done) {
  const auto* row = find_credential(credential_id);
  if (row == nullptr || writer_ == nullptr) {
    done(Error{ErrorKind::not_found, "credential_not_found",
               "the credential was deleted meanwhile"});
    return;
  }
  struct Saved {
    Result<void> result = ok();
    storage::CredentialRow row;
  };
  auto saved = std::make_shared<Saved>();
  saved->row = *row;
  auto finished = std::make_shared<std::function<void(Result<void>)>>(std::move(done));
  auto post_main = deps_.post_main;
  auto alive = alive_;
  auto posted = writer_->post(
      [this, alive, post_main, saved, finished, secret_json, settings_json](storage::Store& store) {
        auto version =
            store.replace_secret(saved->row.id, saved->row.version, secret_json, settings_json);
        saved->result = version.ok() ? Result<void>() : Result<void>(version.error());
        if (version.ok()) saved->row.version = *version;
        post_main([this, alive, saved, finished, secret_json, settings_json] {
          if (!*alive) return;
          if (saved->result.ok()) {
            for (auto& known : rows_.credentials) {
              // Only what was saved: the rest of the row may have been edited meanwhile.
              if (known.id != saved->row.id || known.version >= saved->row.version) continue;
              known.version = saved->row.version;
              known.secret = secret_json;
              if (!settings_json.empty()) known.settings_json = settings_json;
            }
          }
          (*finished)(std::move(saved->result));
        });
      });
  if (!posted.ok()) (*finished)(std::move(posted).error());
}

Result<void> ControlPlane::try_provider(const std::string& name, const std::string& kind,
                                        const std::string& settings_json) const {
  auto module = deps_.registry.find_kind(kind);
  if (module == nullptr) {
    std::string known;
    for (const auto& k : deps_.registry.kinds()) known += (known.empty() ? "" : ", ") + k;
    return Error{ErrorKind::invalid, "unknown_kind",
                 "no loaded module offers this kind (loaded: " + known + ")", "config_json.kind"};
  }
  modhost::ProviderSpec spec{name, kind, settings_json};
  auto provider = modhost::Provider::create(std::move(module), std::move(spec), deps_.clock);
  if (!provider.ok()) return std::move(provider).error();
  return ok();
}

const storage::ProviderRow* ControlPlane::find_provider(std::string_view name) const {
  for (const auto& row : rows_.providers) {
    if (row.name == name) return &row;
  }
  return nullptr;
}
const storage::ProviderRow* ControlPlane::find_provider(int64_t id) const {
  for (const auto& row : rows_.providers) {
    if (row.id == id) return &row;
  }
  return nullptr;
}
const storage::CredentialRow* ControlPlane::find_credential(int64_t id) const {
  for (const auto& row : rows_.credentials) {
    if (row.id == id) return &row;
  }
  return nullptr;
}
const storage::UserRow* ControlPlane::find_user(int64_t id) const {
  for (const auto& row : rows_.users) {
    if (row.id == id) return &row;
  }
  return nullptr;
}
const storage::UserKeyRow* ControlPlane::find_key(int64_t id) const {
  for (const auto& row : rows_.user_keys) {
    if (row.id == id) return &row;
  }
  return nullptr;
}

}  // namespace gproxy::admin
