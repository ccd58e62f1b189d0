#include "storage/writer_thread.h"

#include <doctest/doctest.h>

#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <random>
#include <thread>

#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

// Polls for something that another thread does; a minute is only against hanging.
template <class F>
bool eventually(F&& holds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

struct Running {
  explicit Running(const Folder& folder, WriterOptions options = {},
                   int64_t busy_timeout_ms = 5'000) {
    auto store = open(folder, busy_timeout_ms);
    REQUIRE(store);
    auto opened = Recorders::open(rings_in(folder, **store), 1);
    REQUIRE(opened);
    recorders = std::move(*opened);
    auto started = WriterThread::start(std::move(*store), *recorders, options);
    REQUIRE(started);
    writer = std::move(*started);
  }
  Recorder& recorder() { return recorders->at(0); }
  int64_t count(Table table) {
    auto promise = std::make_shared<std::promise<int64_t>>();
    auto asked = writer->query(
        [=](Reader& reader) { promise->set_value(reader.count_rows(table).value_or(-1)); });
    return asked ? promise->get_future().get() : -1;
  }
  std::unique_ptr<Recorders> recorders;
  std::unique_ptr<WriterThread> writer;
};

WriterOptions impatient() {
  WriterOptions options;
  options.retry_first_ms = 5;
  options.retry_max_ms = 20;
  options.down_after_ms = 60;
  return options;
}

}  // namespace

TEST_CASE("rows reach the database within the flush interval") {
  const Folder folder;
  Running run(folder);
  REQUIRE(run.recorder().usage(a_usage_row()));
  REQUIRE(run.recorder().request({}));
  CHECK(
      eventually([&] { return run.count(Table::usage) == 1 && run.count(Table::requests) == 1; }));
  CHECK(run.writer->health().state.load() == HealthState::ok);
  CHECK(run.writer->health().rows.load() == 2);
}

TEST_CASE("flush returns when everything is committed") {
  const Folder folder;
  WriterOptions options;
  options.flush_ms = 60'000;
  options.flush_rows = 1'000'000;
  Running run(folder, options);
  for (int i = 0; i < 100; ++i) REQUIRE(run.recorder().usage(a_usage_row()));
  CHECK(run.writer->flush(60'000));
  CHECK(run.count(Table::usage) == 100);
}

TEST_CASE("stop drains the rings and runs the jobs it has accepted") {
  const Folder folder;
  std::atomic<int> ran{0};
  {
    WriterOptions options;
    options.flush_ms = 60'000;
    Running run(folder, options);
    for (int i = 0; i < 300; ++i) REQUIRE(run.recorder().usage(a_usage_row()));
    for (int i = 0; i < 50; ++i) REQUIRE(run.writer->post([&](Store&) { ++ran; }));
    CHECK(run.writer->stop());
    CHECK(run.recorders->rings().size() == 2);
    CHECK_FALSE(run.writer->post([](Store&) {}).ok());
    CHECK_FALSE(run.writer->query([](Reader&) {}).ok());
  }
  CHECK(ran == 50);
  auto store = open(folder);
  REQUIRE(store);
  CHECK(rows_in(**store, Table::usage) == 300);
}

TEST_CASE("a configuration job answers through the caller's function") {
  const Folder folder;
  Running run(folder);
  auto promise = std::make_shared<std::promise<Result<ProviderRow>>>();
  REQUIRE(run.writer->submit<ProviderRow>(
      [](Store& store) { return store.upsert_provider(a_provider("alpha")); },
      [=](Result<ProviderRow> row) { promise->set_value(std::move(row)); }));
  auto row = promise->get_future().get();
  REQUIRE(row);
  CHECK(row->id == 1);
}

TEST_CASE("a full queue of jobs or queries refuses at once") {
  const Folder folder;
  WriterOptions options;
  options.max_jobs = 2;
  options.max_queries = 2;
  options.readers = 1;
  // Before the threads, so that it outlives them.
  std::atomic<bool> gate_open{false};
  std::atomic<int> waiting{0};
  auto block = [&] {
    ++waiting;
    gate_open.wait(false);
  };
  Running run(folder, options);
  REQUIRE(run.writer->post([&](Store&) { block(); }));
  REQUIRE(run.writer->query([&](Reader&) { block(); }));
  REQUIRE(eventually([&] { return waiting == 2; }));
  for (int i = 0; i < 2; ++i) {
    CHECK(run.writer->post([](Store&) {}));
    CHECK(run.writer->query([](Reader&) {}));
  }
  auto job = run.writer->post([](Store&) {});
  auto query = run.writer->query([](Reader&) {});
  REQUIRE_FALSE(job.ok());
  REQUIRE_FALSE(query.ok());
  CHECK(job.error().http() == 503);
  CHECK(query.error().http() == 503);
  CHECK(run.writer->health().refused.load() == 2);
  gate_open = true;
  gate_open.notify_all();
}

TEST_CASE("a locked database degrades, keeps the rows, and recovers by itself") {
  const Folder folder;
  Running run(folder, impatient(), /*busy_timeout_ms=*/1);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(folder.file("gproxy.db").c_str(), &other) == SQLITE_OK);
  sqlite3_busy_timeout(other, 60'000);  // the writer may be at its own work
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  for (int i = 0; i < 10; ++i) REQUIRE(run.recorder().usage(a_usage_row()));
  const Health& health = run.writer->health();
  // Whether it is still degraded or already down when we look is a matter of moments.
  CHECK(eventually([&] { return health.state.load() != HealthState::ok; }));
  CHECK(health.failing_since_us.load() > 0);
  CHECK(std::string_view(health.last_error.load()) == "storage_unavailable");
  CHECK(eventually([&] { return health.state.load() == HealthState::down; }));
  CHECK_FALSE(run.writer->flush(10));
  auto promise = std::make_shared<std::promise<Result<ProviderRow>>>();
  REQUIRE(run.writer->submit<ProviderRow>(
      [](Store& store) { return store.upsert_provider(a_provider("alpha")); },
      [=](Result<ProviderRow> row) { promise->set_value(std::move(row)); }));
  CHECK(promise->get_future().get().error().http() == 503);
  CHECK(run.count(Table::usage) == 0);  // reading goes on
  REQUIRE(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(other);
  CHECK(eventually([&] { return health.state.load() == HealthState::ok; }));
  CHECK(health.failing_since_us.load() == 0);
  CHECK(run.writer->flush(60'000));
  CHECK(run.count(Table::usage) == 10);
}

TEST_CASE("a database that does not answer shows before its time is over") {
  Health health;
  CHECK(takes_rows(health, 1'000'000));
  health.writing_since_ms = 1'000'000;
  CHECK(takes_rows(health, 1'000'000 + kSilentMs - 1));
  CHECK_FALSE(takes_rows(health, 1'000'000 + kSilentMs));
  health.writing_since_ms = 0;
  CHECK(takes_rows(health, 9'000'000));
  health.state = HealthState::degraded;
  CHECK_FALSE(takes_rows(health, 9'000'000));
}

TEST_CASE("a batch that waits for the database shows since when") {
  const Folder folder;
  Running run(folder, {}, /*busy_timeout_ms=*/60'000);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(folder.file("gproxy.db").c_str(), &other) == SQLITE_OK);
  sqlite3_busy_timeout(other, 60'000);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  REQUIRE(run.recorder().usage(a_usage_row()));
  const Health& health = run.writer->health();
  CHECK(eventually([&] { return health.writing_since_ms.load() != 0; }));
  CHECK(health.state.load() == HealthState::ok);
  REQUIRE(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(other);
  CHECK(run.writer->flush(60'000));
  CHECK(eventually([&] { return health.writing_since_ms.load() == 0; }));
}

TEST_CASE("what fails is degraded, and not down before its time") {
  const Folder folder;
  WriterOptions options = impatient();
  options.down_after_ms = 3'600'000;
  Running run(folder, options, /*busy_timeout_ms=*/1);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(folder.file("gproxy.db").c_str(), &other) == SQLITE_OK);
  sqlite3_busy_timeout(other, 60'000);  // the writer may be at its own work
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  REQUIRE(run.recorder().usage(a_usage_row()));
  const Health& health = run.writer->health();
  CHECK(eventually([&] { return health.failed_batches.load() > 3; }));
  CHECK(health.state.load() == HealthState::degraded);
  sqlite3_close(other);
  CHECK(eventually([&] { return health.state.load() == HealthState::ok; }));
}

TEST_CASE("a database that is gone shows although nobody writes") {
  const Folder folder;
  WriterOptions options = impatient();
  options.flush_ms = 5;
  options.probe_ms = 10;
  Running run(folder, options, /*busy_timeout_ms=*/1);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(folder.file("gproxy.db").c_str(), &other) == SQLITE_OK);
  sqlite3_busy_timeout(other, 60'000);  // the writer may be at its own work
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  CHECK(eventually([&] { return run.writer->health().state.load() == HealthState::down; }));
  sqlite3_close(other);
  CHECK(eventually([&] { return run.writer->health().state.load() == HealthState::ok; }));
}

TEST_CASE("a full disk degrades, keeps the rows, and recovers by itself") {
  const Folder folder;
  Running run(folder, impatient());
  REQUIRE(run.recorder().usage(a_usage_row()));
  REQUIRE(run.writer->flush(60'000));
  // Files may not grow any more: what a full disk does to a database.
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto* const old_handler = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit none = before;
  none.rlim_cur = 4096;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  int kept = 0;
  for (int i = 0; i < 500; ++i) kept += run.recorder().usage(a_usage_row()) ? 1 : 0;
  const bool degraded =
      eventually([&] { return run.writer->health().state.load() != HealthState::ok; });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, old_handler);
  CHECK(kept == 500);
  CHECK(degraded);
  CHECK(run.writer->flush(60'000));
  CHECK(run.writer->health().state.load() == HealthState::ok);
  CHECK(run.count(Table::usage) == 501);
}

TEST_CASE("a configuration write that finds the disk full shows, and so does its end") {
  const Folder folder;
  WriterOptions options = impatient();
  options.probe_ms = 60'000;  // nobody would look by himself
  Running run(folder, options);
  const auto put = [&] {
    auto promise = std::make_shared<std::promise<Result<ProviderRow>>>();
    REQUIRE(run.writer->submit<ProviderRow>(
        [](Store& store) {
          auto row = a_provider("alpha");
          row.settings_json = "{\"x\":\"" + std::string(20'000, 'x') + "\"}";
          return store.upsert_provider(row);
        },
        [=](Result<ProviderRow> row) { promise->set_value(std::move(row)); }));
    return promise->get_future().get();
  };
  REQUIRE(put());
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto* const old_handler = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit none = before;
  none.rlim_cur = 4096;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  const auto refused = put();
  const Health& health = run.writer->health();
  const bool shown = eventually([&] { return health.state.load() != HealthState::ok; });
  // It is not taken for well by a look that writes nothing.
  const bool stays = eventually([&] { return health.failed_batches.load() > 3; });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, old_handler);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == "storage_unavailable");
  CHECK(shown);
  CHECK(stays);
  CHECK(eventually([&] { return health.state.load() == HealthState::ok; }));
  CHECK(put().ok());
}

TEST_CASE("stop gives up on a dead database in time, and the next start writes the rows") {
  const Folder folder;
  sqlite3* other = nullptr;
  {
    WriterOptions options = impatient();
    options.drain_timeout_ms = 50;
    Running run(folder, options, /*busy_timeout_ms=*/1);
    REQUIRE(sqlite3_open(folder.file("gproxy.db").c_str(), &other) == SQLITE_OK);
    sqlite3_busy_timeout(other, 60'000);  // the writer may be at its own work
    REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
    for (int i = 0; i < 10; ++i) REQUIRE(run.recorder().usage(a_usage_row()));
    CHECK_FALSE(run.writer->stop());
  }
  sqlite3_close(other);
  Running run(folder);
  CHECK(run.writer->flush(60'000));
  CHECK(run.count(Table::usage) == 10);
}

TEST_CASE("a row the database will never take does not hold up the others") {
  const Folder folder;
  Running run(folder, impatient());
  {
    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open(folder.file("gproxy.db").c_str(), &other) == SQLITE_OK);
    sqlite3_busy_timeout(other, 60'000);
    REQUIRE(
        sqlite3_exec(other,
                     "CREATE TRIGGER no_bad BEFORE INSERT ON upstream_usages WHEN new.model = 'bad'"
                     " BEGIN SELECT raise(ABORT, 'bad row'); END",
                     nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(other);
  }
  UsageRow bad = a_usage_row();
  bad.model = "bad";
  for (int i = 0; i < 5; ++i) REQUIRE(run.recorder().usage(a_usage_row()));
  REQUIRE(run.recorder().usage(bad));
  for (int i = 0; i < 5; ++i) REQUIRE(run.recorder().usage(a_usage_row()));
  CHECK(run.writer->flush(60'000));
  CHECK(run.count(Table::usage) == 10);
  CHECK(run.writer->health().rejected_rows.load() == 1);
}

TEST_CASE("reports that run all the time keep no batch from being written") {
  const Folder folder;
  Running running(folder);
  for (int i = 0; i < 5'000;) {
    UsageRow row = a_usage_row();
    row.at += int64_t{i} * 1'000'000;
    row.user_key_id = i % 300;
    if (running.recorder().admits(1) && running.recorder().usage(row)) ++i;
  }
  REQUIRE(running.writer->flush(60'000));
  std::atomic<bool> stop{false};
  std::atomic<int> reports{0}, failed{0}, busy{0};
  for (int reader = 0; reader < 2; ++reader) {
    REQUIRE(running.writer->query([&](Reader& r) {
      ++busy;
      UsageQuery q;
      q.by = UsageQuery::By::key;
      while (!stop) r.usage_report(q) ? ++reports : ++failed;
      --busy;
    }));
  }
  REQUIRE(eventually([&] { return busy == 2 && reports > 2; }));
  const uint64_t batches = running.writer->health().batches;
  for (int i = 0; i < 50; ++i) {
    REQUIRE(running.recorder().usage(a_usage_row()));
    REQUIRE(running.writer->flush(60'000));  // a batch of its own, while both readers are at work
  }
  CHECK(running.writer->health().batches - batches >= 50);
  CHECK(running.writer->health().failed_batches == 0);
  const int meanwhile = reports;
  CHECK(eventually([&] { return reports > meanwhile; }));
  stop = true;
  CHECK(eventually([&] { return busy == 0; }));
  CHECK(failed == 0);
  CHECK(running.count(Table::usage) == 5'050);
}

TEST_CASE("loops record while jobs and queries run") {
  const Folder folder;
  auto store = open(folder);
  REQUIRE(store);
  RecorderOptions options = rings_in(folder, **store);
  auto recorders = Recorders::open(options, 2);
  REQUIRE(recorders);
  auto writer = WriterThread::start(std::move(*store), **recorders);
  REQUIRE(writer);
  std::atomic<int64_t> recorded{0};
  std::vector<std::thread> loops;
  for (size_t loop = 0; loop < 2; ++loop) {
    loops.emplace_back([&, loop] {
      for (int i = 0; i < 3'000;) {
        Recorder& recorder = (*recorders)->at(loop);
        if (!recorder.admits(1)) {
          std::this_thread::yield();
          continue;
        }
        if (recorder.usage(a_usage_row())) ++recorded;
        recorder.request({});
        ++i;
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    (void)(*writer)->post([](Store& s) { (void)s.upsert_provider(a_provider("alpha")); });
    (void)(*writer)->query([](Reader& r) { (void)r.usage_report({}); });
    (void)(*recorders)->level();
  }
  for (auto& loop : loops) loop.join();
  CHECK((*writer)->stop());
  writer->reset();
  CHECK(recorded == 6'000);
  auto again = open(folder);
  REQUIRE(again);
  CHECK(rows_in(**again, Table::usage) == 6'000);
}

TEST_CASE("kill -9 at any moment: every acknowledged row is written exactly once") {
  const Folder folder;
  // What the children did, in memory that outlives them.
  constexpr int64_t kMaxRows = 1 << 20;
  struct Shared {
    std::atomic<int64_t> taken;                    // numbers given to rows
    std::atomic<int64_t> count;                    // rows acknowledged
    std::atomic<bool> acknowledged[kMaxRows + 1];  // by number
  };
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  auto& shared = *static_cast<Shared*>(memory);  // zeros are a valid state
  std::mt19937 random(20'260'101);
  for (int round = 0; round < 15; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto store = open(folder);
      if (!store) ::_exit(1);
      auto recorders = Recorders::open(rings_in(folder, **store), 1);
      if (!recorders) ::_exit(2);
      WriterOptions options;
      options.flush_rows = 64;
      options.flush_ms = 5;
      auto writer = WriterThread::start(std::move(*store), **recorders, options);
      if (!writer) ::_exit(3);
      Recorder& recorder = (*recorders)->at(0);
      for (;;) {
        if (!recorder.admits(1)) {
          std::this_thread::yield();
          continue;
        }
        UsageRow row = a_usage_row();
        row.input = shared.taken.fetch_add(1) + 1;  // how the parent knows the row again
        if (row.input > kMaxRows || !recorder.usage(row)) ::_exit(4);
        shared.acknowledged[row.input] = true;
        shared.count.fetch_add(1);
        if (row.input % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(500));
      }
    }
    const int64_t before = shared.count.load();
    // Some rows in each life, however slow the machine; then any moment will do.
    REQUIRE(eventually([&] { return shared.count.load() >= before + 80; }));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 40'000));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
  }
  {
    Running run(folder);
    CHECK(run.writer->stop());
  }
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(folder.file("gproxy.db").c_str(), &db) == SQLITE_OK);
  sqlite3_stmt* query = nullptr;
  REQUIRE(sqlite3_prepare_v2(db, "SELECT input_tokens FROM upstream_usages", -1, &query, nullptr) ==
          SQLITE_OK);
  std::vector<int> written(kMaxRows + 1);
  while (sqlite3_step(query) == SQLITE_ROW)
    ++written[static_cast<size_t>(sqlite3_column_int64(query, 0))];
  sqlite3_finalize(query);
  sqlite3_close(db);
  int64_t lost = 0, doubled = 0;
  for (int64_t n = 1; n <= shared.taken.load(); ++n) {
    lost += shared.acknowledged[n] && written[static_cast<size_t>(n)] == 0 ? 1 : 0;
    doubled += written[static_cast<size_t>(n)] > 1 ? 1 : 0;
  }
  CHECK(lost == 0);
  CHECK(doubled == 0);
  CHECK(shared.count.load() > 1'000);
  ::munmap(memory, sizeof(Shared));
}
