// The writer's log stays bounded beside readers that never pause.
#include "storage/sqlite_gate.h"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "storage/rollup.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

TEST_CASE("readers wait while the gate is shut, those inside finish, and an interrupt ends it") {
  ReaderGate gate;
  std::atomic<bool> interrupted{false};
  gate.enter(interrupted);
  CHECK_FALSE(gate.empty());
  gate.shut();
  CHECK(gate.is_shut());
  std::atomic<int> inside{0};
  std::thread next([&] {
    gate.enter(interrupted);
    ++inside;
    gate.leave();
  });
  gate.leave();
  CHECK(gate.empty());
  CHECK(inside == 0);
  gate.open();
  next.join();
  CHECK(inside == 1);
  CHECK(gate.empty());

  gate.shut();
  std::thread stopped([&] {
    gate.enter(interrupted);
    ++inside;
    gate.leave();
  });
  interrupted = true;
  gate.wake();
  stopped.join();
  CHECK(inside == 2);
  CHECK(gate.is_shut());
}

TEST_CASE("the log of a database does not grow as long as readers overlap") {
  if (postgres_url() != nullptr) return;
  const Folder folder;
  StoreOptions options;
  options.dsn = folder.dsn();
  auto store = open_store(options);
  REQUIRE(store);
  // Rows that a report has to read one by one: it takes a while.
  std::vector<UsageRow> rows;
  for (int64_t i = 0; i < 40'000; ++i) {
    UsageRow& row = rows.emplace_back(a_usage_row(i + 1));
    row.user_key_id = i % 50;
    row.credential_id = i % 7;
  }
  REQUIRE((*store)->append_batch({.usage = rows}));
  UsageQuery slow;
  slow.filter.to = INT64_MAX;
  slow.filter.credential_id = 3;
  slow.by = UsageQuery::By::key;  // of two dimensions: no sums of these are kept

  std::atomic<bool> over{false}, failed{false};
  std::atomic<int> answers{0};
  std::vector<std::unique_ptr<Reader>> readers;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    auto reader = (*store)->open_reader();
    REQUIRE(reader);
    readers.push_back(std::move(*reader));
    threads.emplace_back([&, r = readers.back().get()] {
      while (!over) {
        if (!r->usage_report(slow)) failed = true;
        ++answers;
        answers.notify_all();
      }
    });
  }
  // 180 MB of bodies, some with each answer.
  const std::string text(60'000, 'b');
  const std::string log = folder.file("gproxy.db-wal");
  uintmax_t longest = 0;
  bool good = true;
  for (int64_t batch = 0; batch < 30 && good; ++batch) {
    const int seen = answers;
    std::vector<BodyRow> bodies;
    for (int64_t i = 0; i < 100; ++i) {
      BodyRow& b = bodies.emplace_back();
      b.id = 1'000'000 + 100 * batch + i;
      b.at = b.id;
      b.trace_id = "t";
      b.body = text;
    }
    good = (*store)->append_batch({.bodies = bodies}).ok();
    longest = std::max(longest, std::filesystem::file_size(log));
    if (good) answers.wait(seen);
  }
  over = true;
  for (auto& thread : threads) thread.join();
  CHECK(good);
  CHECK_FALSE(failed);
  CHECK(longest < 110'000'000);
  CHECK(rows_in(**store, Table::bodies) == 3'000);
}
