#include "app/server.h"

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "admin/bootstrap.h"
#include "admin/control_plane.h"
#include "admin/convert.h"
#include "admin/frontend.h"
#include "app/accounts.h"
#include "app/address.h"
#include "app/health_keeper.h"
#include "app/idle_release.h"
#include "app/parts.h"
#include "app/prices.h"
#include "app/secret_saver.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base_version.h"
#include "config/parse.h"
#include "config/publisher.h"
#include "gateway/gateway.h"
#include "modhost/host_api.h"
#include "net/loop.h"
#include "net/signal_watcher.h"
#include "net/timer.h"
#include "storage/recorder.h"
#include "storage/writer_thread.h"
#include "upstream/ca_store.h"
#include "upstream/curl_loop.h"

namespace gproxy::app {
namespace {

constexpr int64_t kCertificatesMs = 50;  // of the start, at most

// One loop on one thread, with everything that lives there. Members go in reverse order on that
// thread.
struct WorkerThread {
  net::Loop loop;
  Metrics metrics;
  gateway::LoopTarget target{loop};
  std::unique_ptr<upstream::CurlClient> client;
  std::unique_ptr<gateway::Worker> worker;
  // Published by its own thread: the loop's statistics belong to it alone.
  net::Timer watch{loop, [this] { publish_turns(); }};
  std::thread thread;

  void publish_turns() {
    metrics
        .gauge("gproxy_loop_longest_turn_seconds", "longest turn of an event loop since the start")
        .set(static_cast<double>(loop.stats().longest_turn_ms) / 1000);
  }
};

void raise_descriptor_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

std::string bracketed(const std::string& host) {
  return host.find(':') != std::string::npos && host.front() != '[' ? "[" + host + "]" : host;
}

}  // namespace

struct Server::State {
  explicit State(const Options& given) : options(given) {}
  ~State() { stop_everything(); }

  Result<void> start();
  int run();

  Options options;
  const int64_t started_at_us = Clock::system().wall_us();
  net::Loop main_loop;
  Metrics main_metrics;
  Metrics book_metrics;  // the writer thread's
  gateway::LoopTarget main_target{main_loop};
  gateway::SharedState shared;
  modhost::ModuleRegistry registry;
  config::SlotTable slots;
  config::Publisher publisher{main_target};
  std::unique_ptr<storage::Recorders> recorders;
  std::unique_ptr<storage::WriterThread> writer;
  std::unique_ptr<admin::ControlPlane> plane;
  std::unique_ptr<admin::Frontend> frontend;
  std::unique_ptr<SecretSaver> saver;
  std::unique_ptr<HealthKeeper> health_keeper;
  std::unique_ptr<Accounts> accounts;
  std::vector<std::unique_ptr<WorkerThread>> workers;
  std::vector<std::unique_ptr<net::SignalWatcher>> signals;
  std::unique_ptr<net::Timer> housekeeping;
  IdleRelease idle_release;
  bool draining = false;
  size_t drained = 0;
  bool threads_running = false;
  int exit_code = kExitOk;

  void post_main(std::function<void()> task) { main_loop.post(net::Task(std::move(task))); }
  void watch_signals();
  Result<config::Settings> early_settings(storage::Store& store);
  void apply_log_settings(const config::Settings& settings);
  void apply_book_settings(const config::Settings& settings);
  void keep_house();
  void begin_drain();
  void reload();
  void stop_everything();
  void fill_gauges(Metrics& into);
  Result<uint16_t> open_listeners(const config::Settings& settings);
  void rebind(const config::Settings& before, const config::Settings& after,
              std::function<void()> done);
  void rebind_next(size_t index, uint16_t port, std::function<void()> done);
  void act_on_credential(int64_t id, admin::ControlPlane::Action action,
                         admin::ControlPlane::Done done);
};

// What must be known before modules are loaded: the stored settings with the file's over them.
Result<config::Settings> Server::State::early_settings(storage::Store& store) {
  GP_TRY(auto rows, store.load_all());
  config::Settings settings;
  size_t dropped = 0;
  if (rows.settings) admin::overlay_row(*rows.settings, settings, dropped);
  if (options.config_file.empty()) return settings;
  auto file = config::load_config(options.config_file, settings);
  if (!file.ok()) return with_exit(file.error(), kExitConfig);
  return std::move(file->settings);
}

void Server::State::apply_log_settings(const config::Settings& settings) {
  log::Level level = log::Level::info;
  log::parse_level(settings.log_level, level);
  log::configure(options.log_level.value_or(level),
                 options.log_format.value_or(settings.log_format == "json" ? log::Format::json
                                                                           : log::Format::text));
}

// What rows cost, and how long they are kept.
void Server::State::apply_book_settings(const config::Settings& settings) {
  // Checked when they were configured; the file may have changed since.
  auto prices = price_table(settings);
  if (prices.ok()) {
    writer->set_prices(std::make_shared<const storage::PriceTable>(std::move(*prices)));
  } else {
    log::error("prices are not in force: the ones before stay", prices.error());
  }
  constexpr int64_t kDayUs = 86'400'000'000;
  storage::Retention keep;
  keep.usage_us = settings.retention.usage_days * kDayUs;
  keep.logs_us = settings.retention.log_days * kDayUs;
  keep.bodies_us = settings.retention.body_days * kDayUs;
  keep.audit_us = settings.retention.audit_days * kDayUs;
  keep.logs_bytes = settings.retention.log_megabytes << 20;
  writer->set_retention(keep);
}

Result<void> Server::State::start() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit is a full disk, not the end
  raise_descriptor_limit();
  auto ca = upstream::CaStore::load_async(upstream::CaConfig::from_environment());

  GP_TRY(auto dsn, dsn_of(options));
  const auto store_options = store_options_of(options, dsn);
  auto store = storage::open_store(store_options);
  if (!store.ok()) return with_exit(store.error(), storage::exit_code(store.error()));

  modhost::mark_main_thread();
  const auto early = early_settings(**store);
  if (!early.ok()) return with_exit(early.error(), storage::exit_code(early.error()));
  apply_log_settings(*early);
  registry.set_directories(module_directories(options, early->modules_dirs));
  registry.load_all();

  admin::BootstrapInputs inputs;
  inputs.config_path = options.config_file;
  inputs.overrides = overrides_of(options);
  inputs.seed_kinds = seed_kinds(registry);
  inputs.check = [](const config::Settings& settings) -> Result<void> {
    GP_CHECK(check_prices(settings));
    return try_address(settings);
  };
  inputs.left_file = options.prune ? admin::BootstrapInputs::Left::deleted
                                   : admin::BootstrapInputs::Left::becomes_ordinary;
  auto booted = admin::bootstrap(**store, inputs);
  if (!booted.ok()) {
    const bool address = booted.error().code == kCannotBind;
    return with_exit(booted.error(), address ? kExitUnavailable : kExitConfig);
  }
  for (const auto& warning : booted->warnings) log::info("configuration", {{"note", warning}});
  const config::Settings& settings = booted->settings;

  size_t count = options.workers ? *options.workers : settings.workers;
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());

  storage::RecorderOptions recorder_options;
  recorder_options.directory =
      storage::ring_directory(dsn, storage::data_directory(dsn, options.data_dir));
  shared.tokenizers.set_data_dir(storage::data_directory(dsn, options.data_dir));
  recorder_options.database_id = std::string((*store)->database_id());
  auto opened = storage::Recorders::open(recorder_options, count + 1);  // the last is main's
  if (!opened.ok()) return with_exit(opened.error(), storage::exit_code(opened.error()));
  recorders = std::move(*opened);

  const auto hasher = (*store)->key_hasher();
  const std::string shown_dsn((*store)->shown_dsn());
  auto started =
      storage::WriterThread::start(std::move(*store), *recorders, {.metrics = &book_metrics});
  if (!started.ok()) return with_exit(started.error(), kExitIo);
  writer = std::move(*started);
  // What a killed run has left is in the database before anybody can ask for it.
  constexpr int64_t kRecoverMs = 5'000;
  if (!writer->flush(kRecoverMs)) log::warn("rows of an earlier run are still being written");

  auto to_main = [this](std::function<void()> task) { post_main(std::move(task)); };
  plane = std::make_unique<admin::ControlPlane>(
      admin::ControlPlaneDeps{registry, publisher, slots, Clock::system(), to_main});
  plane->set_shown_dsn(shown_dsn);
  plane->try_settings = [this](const config::Settings& before,
                               const config::Settings& after) -> Result<void> {
    if (before.prices_file != after.prices_file) GP_CHECK(check_prices(after));
    return try_other_address(before, after);
  };
  plane->on_settings = [this](const config::Settings& before, const config::Settings& after,
                              std::function<void()> done) {
    apply_log_settings(after);
    apply_book_settings(after);
    rebind(before, after, std::move(done));
  };
  plane->on_credential_action = [this](int64_t id, admin::ControlPlane::Action action,
                                       admin::ControlPlane::Done done) {
    act_on_credential(id, action, std::move(done));
  };
  plane->recent_decision = [this](std::string_view id) { return shared.decisions.find(id); };
  apply_book_settings(settings);
  frontend = std::make_unique<admin::Frontend>(*plane, to_main);
  writer->set_observer(
      [tail = &frontend->tail()](const storage::Batch& batch) { tail->publish(batch); });
  saver = std::make_unique<SecretSaver>(*plane, *writer, to_main);
  accounts = std::make_unique<Accounts>(*plane, *writer, to_main);
  registry.reaper()->set_wake([this] { post_main([this] { registry.reaper()->drain(); }); });

  // Before the loops are known to the publisher: each gets what is in force when it is added.
  const config::Settings at_start = settings;
  GP_CHECK(plane->start(std::move(booted->rows), std::move(booted->settings), hasher));
  plane->attach(*writer);
  health_keeper =
      std::make_unique<HealthKeeper>(Clock::system(), *writer, recorders->at(count), to_main);
  health_keeper->restore(slots, plane->rows().health);
  slots.listen(health_keeper.get());

  for (size_t i = 0; i < count; ++i) {
    auto w = std::make_unique<WorkerThread>();
    upstream::CurlConfig curl;
    curl.ca = ca;
    curl.max_head_bytes = at_start.limits.max_upstream_header_bytes;
    curl.max_decode_ratio = at_start.limits.max_decompress_ratio;
    if (!at_start.upstream_tls_verify) {
      curl.verify = upstream::CurlConfig::Verify::nothing;
      if (i == 0)
        log::warn("upstream certificates are not verified", {{"setting", "upstream_tls_verify"}});
    }
    w->client = std::make_unique<upstream::CurlClient>(w->loop, std::move(curl));
    gateway::WorkerDeps deps;
    deps.loop = &w->loop;
    deps.client = w->client.get();
    deps.metrics = &w->metrics;
    deps.shared = &shared;
    deps.hasher = &plane->key_hasher();
    deps.recorder = &recorders->at(i);
    deps.handler = frontend.get();
    deps.saver = saver.get();
    deps.accounts = accounts.get();
    deps.refreshes_ahead = i == 0;
    w->worker = std::make_unique<gateway::Worker>(deps);
    shared.metrics.push_back(&w->metrics);
    publisher.add_loop(w->target, w->worker->snapshots());
    workers.push_back(std::move(w));
  }
  shared.metrics.push_back(&main_metrics);
  shared.metrics.push_back(&book_metrics);
  shared.on_scrape = [this](Metrics& into) { fill_gauges(into); };

  // A first request would wait for it on a loop. Usually it is there by now.
  ca->wait_at_most(kCertificatesMs);
  // Before anybody can know that we listen: a signal that comes right then must not kill the
  // process.
  watch_signals();
  GP_TRY(const uint16_t port, open_listeners(plane->settings()));
  if (options.print_admin_key)
    std::printf("admin key: %s\n", std::string(plane->settings().admin_key.reveal()).c_str());
  std::printf("listening on %s:%u\n", bracketed(plane->settings().host).c_str(), port);
  std::fflush(stdout);
  log::info("started", {{"version", GPROXY_VERSION},
                        {"workers", count},
                        {"port", port},
                        {"modules", registry.modules().size()},
                        {"providers", publisher.current()->providers().size()}});

  // Whoever is answered is answered by a worker that runs.
  shared.readiness.set_started();
  for (auto& w : workers) {
    WorkerThread* raw = w.get();
    raw->thread = std::thread([raw] {
      raw->watch.start(500, 500);
      raw->loop.run();
      raw->watch.stop();
      raw->worker.reset();
      raw->client.reset();
      // What their ends have deferred.
      for (int i = 0; i < 3; ++i) raw->loop.run_once(net::Loop::Wait::no);
    });
  }
  threads_running = true;
  return ok();
}

Result<uint16_t> Server::State::open_listeners(const config::Settings& settings) {
  uint16_t port = settings.port;
  for (auto& w : workers) {
    auto bound = w->worker->listen(settings.host, port, net::ListenerConfig::Reuse::share_port);
    if (!bound.ok()) return with_exit(bound.error(), kExitUnavailable);
    // Port 0: the kernel chose for the first worker, the others share it.
    port = *bound;
  }
  return port;
}

// All workers listen on the new address, one after the other; what is open stays open.
void Server::State::rebind(const config::Settings& before, const config::Settings& after,
                           std::function<void()> done) {
  const bool same = before.host == after.host && before.port == after.port;
  if (same || !threads_running || draining) return done();
  rebind_next(0, after.port, std::move(done));
}

void Server::State::rebind_next(size_t index, uint16_t port, std::function<void()> done) {
  if (index == workers.size()) {
    // With port 0 this alone tells where.
    const auto& host = plane->settings().host;
    std::printf("listening on %s:%u\n", bracketed(host).c_str(), port);
    std::fflush(stdout);
    log::info("listening on another address", {{"host", host}, {"port", port}});
    return done();
  }
  gateway::Worker* worker = workers[index]->worker.get();
  const std::string host = plane->settings().host;
  workers[index]->loop.post([this, worker, host, port, index, done = std::move(done)]() mutable {
    auto bound = worker->listen(host, port, net::ListenerConfig::Reuse::share_port);
    post_main([this, index, port, bound = std::move(bound), done = std::move(done)]() mutable {
      // It was bound a moment ago: this worker goes on where it listens, the others follow.
      if (!bound.ok()) log::error("a worker keeps its old address", bound.error());
      rebind_next(index + 1, bound.ok() ? *bound : port, std::move(done));
    });
  });
}

void Server::State::act_on_credential(int64_t id, admin::ControlPlane::Action action,
                                      admin::ControlPlane::Done done) {
  if (!threads_running || draining) {
    return done(Error{ErrorKind::overloaded, "starting", "gproxy is starting or ending"});
  }
  const auto what = action == admin::ControlPlane::Action::refresh
                        ? gateway::CredentialAction::refresh
                        : gateway::CredentialAction::test;
  gateway::Worker* worker = workers.front()->worker.get();
  workers.front()->loop.post([this, worker, id, what, done = std::move(done)]() mutable {
    worker->act_on_credential(id, what, [this, done](Result<std::string> answer) {
      post_main([done, answer = std::move(answer)]() mutable { done(std::move(answer)); });
    });
  });
}

void Server::State::fill_gauges(Metrics& into) {
  into.gauge("gproxy_build_info", "constant 1, with the version", {{"version", GPROXY_VERSION}})
      .set(1);
  const auto& health = writer->health();
  into.gauge("gproxy_storage_up", "1 = the database takes rows")
      .set(storage::takes_rows(health, Clock::system().now_ms()) ? 1 : 0);
  into.counter("gproxy_db_rows_written_total", "rows written to the database")
      .set(static_cast<double>(health.rows.load()));
  into.counter("gproxy_db_failed_batches_total", "batches that failed and were tried again")
      .set(static_cast<double>(health.failed_batches.load()));
  into.gauge("gproxy_log_queue_level", "fill of the fullest usage ring, 0 to 1")
      .set(recorders->level());
  into.counter("gproxy_log_dropped_total", "request log rows dropped because the ring was full")
      .set(static_cast<double>(recorders->dropped_logs()));
  into.counter("gproxy_usage_lost_total", "usage rows lost; must stay 0")
      .set(static_cast<double>(recorders->lost_usage()));
  into.gauge("gproxy_open_connections", "client connections")
      .set(static_cast<double>(shared.connections.open()));
  into.gauge("gproxy_workers", "event loops that serve").set(static_cast<double>(workers.size()));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  into.counter("process_cpu_seconds_total", "user and system CPU time")
      .set(static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  into.gauge("process_resident_memory_peak_bytes", "largest resident size so far")
      .set(static_cast<double>(usage.ru_maxrss) * 1024);
  into.gauge("process_resident_memory_bytes", "resident size")
      .set(static_cast<double>(resident_bytes()));
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    into.gauge("process_max_fds", "file descriptors it may open")
        .set(static_cast<double>(files.rlim_cur));
  }
  into.gauge("process_start_time_seconds", "when it was started, in seconds since 1970")
      .set(static_cast<double>(started_at_us) * 1e-6);
}

void Server::State::keep_house() {
  registry.reaper()->drain();
  health_keeper->sweep();
  const auto& health = writer->health();
  const char* why = health.last_error.load();
  std::map<std::string, std::string> degraded;
  if (health.state.load() != storage::HealthState::ok) {
    degraded["storage"] = why != nullptr ? why : "failing";
  } else if (!storage::takes_rows(health, Clock::system().now_ms())) {
    degraded["storage"] = "no answer";
  }
  const auto faults = registry.faults().size();
  main_metrics.gauge("gproxy_modules_not_loaded", "module files that were not loaded")
      .set(static_cast<double>(faults));
  if (faults > 0) {
    degraded["modules"] = "files that were not loaded: " + std::to_string(faults);
  }
  for (const auto& provider : publisher.current()->providers()) {
    if (!provider.enabled) continue;
    if (provider.provider == nullptr) {
      degraded["provider " + provider.name] = "not usable as configured";
    } else if (!provider.provider->healthy()) {
      degraded["provider " + provider.name] = "its module fails";
    }
  }
  shared.readiness.set_degraded(std::move(degraded));
  shared.readiness.set_refusing(recorders->level() > storage::Recorder::kRefuseAbove);
  if (idle_release.due(shared.connections.open())) IdleRelease::release();
}

void Server::State::reload() {
  log::info("reloading configuration and modules");
  admin::BootstrapInputs inputs;
  inputs.config_path = options.config_file;
  inputs.overrides = overrides_of(options);
  // Called on the writer's thread.
  inputs.check = [before = plane->settings()](const config::Settings& after) -> Result<void> {
    GP_CHECK(check_prices(after));
    return try_other_address(before, after);
  };
  inputs.left_file = options.prune ? admin::BootstrapInputs::Left::deleted
                                   : admin::BootstrapInputs::Left::becomes_ordinary;
  plane->reload_modules([this, inputs = std::move(inputs)](Result<std::string> modules) mutable {
    auto& total = main_metrics;
    if (!modules.ok()) log::error("modules not reloaded", modules.error());
    inputs.seed_kinds = seed_kinds(registry);
    plane->reload_file(
        std::move(inputs), [&total, modules_ok = modules.ok()](Result<std::string> file) {
          if (!file.ok()) log::error("configuration not reloaded: the old one stays", file.error());
          const bool good = file.ok() && modules_ok;
          total
              .counter("gproxy_config_reload_total", "reloads by result",
                       {{"result", good ? "ok" : "error"}})
              .add();
          if (good) log::info("reloaded");
        });
  });
}

void Server::State::begin_drain() {
  if (draining) {
    log::warn("second signal: stopping at once");
    exit_code = kExitOk;
    main_loop.stop();
    return;
  }
  draining = true;
  log::info("draining");
  shared.readiness.set_draining();
  frontend->tail().close();
  for (auto& w : workers) {
    gateway::Worker* worker = w->worker.get();
    w->loop.post([this, worker] {
      worker->begin_drain([this] {
        post_main([this] {
          if (++drained == workers.size()) main_loop.stop();
        });
      });
    });
  }
}

void Server::State::stop_everything() {
  for (auto& w : workers) {
    w->loop.stop();
    if (w->thread.joinable()) {
      w->thread.join();
    } else {
      w->worker.reset();
      w->client.reset();
    }
  }
  slots.listen(nullptr);
  // Requests have ended: what their rows wait for is the writer alone.
  if (writer != nullptr && !writer->stop())
    log::error("rows stay in the journal and are written at the next start");
  housekeeping.reset();
  signals.clear();
  // From here on this function drains the reaper itself; what it has posted until now runs below,
  // while everything it needs is there.
  registry.reaper()->set_wake({});
  for (int i = 0; i < 3; ++i) main_loop.run_once(net::Loop::Wait::no);
  // Snapshots end before the modules they use: loops, publisher, then what they left to the reaper.
  workers.clear();
  publisher.close();
  plane.reset();
  registry.reaper()->drain();
}

void Server::State::watch_signals() {
  const auto watch = [this](int number, std::function<void()> on_signal) {
    auto watcher = net::SignalWatcher::watch(main_loop, number, std::move(on_signal));
    if (watcher.ok()) signals.push_back(std::move(*watcher));
  };
  watch(SIGTERM, [this] { begin_drain(); });
  watch(SIGINT, [this] { begin_drain(); });
  watch(SIGHUP, [this] { reload(); });
}

int Server::State::run() {
  State* self = this;
  housekeeping = std::make_unique<net::Timer>(main_loop, [self] { self->keep_house(); });
  housekeeping->start(1000, 1000);
  main_loop.run();
  log::info("stopped");
  return exit_code;
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(const Options& options) {
  auto state = std::make_unique<State>(options);
  GP_CHECK(state->start());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

int Server::run() {
  return state_->run();
}

}  // namespace gproxy::app
