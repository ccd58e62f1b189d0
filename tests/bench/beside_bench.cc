// What aggregations do to those beside them: a writer that commits the rows of a busy gateway and a
// loop that keeps its times, by turns without and with readers that sum up ten days without a
// pause.
//   bench_beside [rows] [seconds] [requests per second] [dsn]
// Fills a database with `rows` usage rows of ten days (default 1,000,000), then takes five rounds
// of two turns of `seconds` each (default 3). Prints JSON lines: times in milliseconds, the median
// over the rounds, without (off) and with (on) aggregations, and of their ratio within a round.
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/thread.h"
#include "storage/recorder.h"
#include "storage/ring_drain.h"
#include "storage/store.h"

using namespace gproxy;
using namespace gproxy::storage;

namespace {

constexpr int64_t kNow = 1'780'000'000'000'000;
constexpr int64_t kDays = 10;
constexpr int kRounds = 5;
constexpr int kReaders = 2;  // as the gateway has

int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The time of the row that is written while the database is filled; then it runs on from there.
class BenchClock final : public Clock {
 public:
  int64_t now_ms() const override { return steady_us() / 1000; }
  int64_t now_us() const override { return steady_us(); }
  int64_t wall_us() const override {
    const int64_t started = started_.load();
    return started == 0 ? at_us : kNow + steady_us() - started;
  }
  void run() { started_ = steady_us(); }
  int64_t at_us = kNow - kDays * kDayUs;

 private:
  std::atomic<int64_t> started_{0};
};

class Traffic {
 public:
  UsageRow usage(int64_t at) {
    static constexpr std::array<std::string_view, 4> kProviders = {"alpha", "beta", "gamma",
                                                                   "delta"};
    static constexpr std::array<std::string_view, 4> kModels = {
        "small-model-1", "large-model-2", "vision-model", "reasoning-model-long-name-20260101"};
    UsageRow row;
    row.at = at;
    std::snprintf(trace_, sizeof trace_, "01980000-0000-7000-8000-%012llx",
                  static_cast<unsigned long long>(++count_));
    row.trace_id = trace_;
    row.final = row.has_usage = true;
    row.credential_id = next(100);
    row.provider_id = row.credential_id % 4;
    row.provider = kProviders[static_cast<size_t>(row.provider_id)];
    row.user_key_id = next(500);
    row.user_id = row.user_key_id / 5;
    row.model = kModels[static_cast<size_t>(next(4))];
    row.protocol = row.operation = 2;
    row.status = 200;
    row.input = next(8'000);
    row.output = next(2'000);
    row.ttft_us = next(900'000);
    row.duration_us = next(9'000'000);
    row.cost_nanousd = row.input * 1'000;
    return row;
  }

 private:
  int64_t next(uint64_t below) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>((state_ >> 33) % below);
  }
  char trace_[48];
  uint64_t state_ = 42, count_ = 0;
};

constexpr std::string_view kHeaders =
    R"([["content-type","application/json"],["user-agent","client/1.2.3"],["authorization","***"]])";

template <class Row>
Row log_row(const UsageRow& usage) {
  Row row;
  row.at = usage.at;
  row.trace_id = usage.trace_id;
  row.user_id = usage.user_id;
  row.user_key_id = usage.user_key_id;
  row.method = "POST";
  row.path = "/v1/chat/completions";
  row.request_headers_json = row.response_headers_json = kHeaders;
  row.provider = usage.provider;
  row.model = usage.model;
  row.status = 200;
  row.duration_us = usage.duration_us;
  return row;
}

bool settle(Store& store) {
  for (;;) {
    auto more = store.maintain({});
    if (!more) return false;
    if (!*more) return true;
  }
}

bool fill(Store& store, BenchClock& clock, Traffic& traffic, int64_t rows) {
  constexpr int64_t kBatch = 2'000;
  const int64_t step = kDays * kDayUs / rows;
  std::vector<std::string> traces(kBatch);
  for (int64_t done = 0; done < rows; done += kBatch) {
    std::vector<UsageRow> batch;
    for (int64_t i = 0; i < kBatch; ++i) {
      UsageRow& row = batch.emplace_back(traffic.usage(clock.at_us += step));
      row.id = done + i + 1;
      row.trace_id = traces[static_cast<size_t>(i)] = row.trace_id;
    }
    if (!store.append_batch({.usage = batch}) || !settle(store)) return false;
  }
  return true;
}

// What a turn saw, in microseconds.
struct Seen {
  std::vector<int64_t> commits;  // a batch's way from the ring to the end of its transaction
  std::vector<int64_t> late;     // how much later than asked the loop woke
  std::vector<int64_t> reports;
};

double percentile_ms(std::vector<int64_t>& of, double share) {
  if (of.empty()) return 0;
  const auto at =
      std::min(of.size() - 1, static_cast<size_t>(share * static_cast<double>(of.size())));
  std::nth_element(of.begin(), of.begin() + static_cast<std::ptrdiff_t>(at), of.end());
  return static_cast<double>(of[at]) / 1e3;
}

class Turn {
 public:
  Turn(Store& store, Recorders& recorders, std::vector<std::unique_ptr<Reader>>& readers,
       int64_t per_second)
      : store_(store),
        recorders_(recorders),
        readers_(readers),
        per_second_(per_second),
        drain_(recorders, 4'096) {}

  bool run(bool aggregations, int64_t seconds, const Clock& clock, Traffic& traffic, Seen& seen) {
    std::atomic<bool> over{false}, good{true};
    std::vector<std::vector<int64_t>> reports(readers_.size());
    std::vector<std::thread> threads;
    threads.emplace_back([&] { good = write(over, seen) && good; });
    if (aggregations) {
      for (size_t i = 0; i < readers_.size(); ++i) {
        threads.emplace_back([&, i] { good = report(*readers_[i], over, reports[i]) && good; });
      }
    }
    loop(seconds, clock, traffic, seen);
    over = true;
    for (auto& thread : threads) thread.join();
    for (const auto& some : reports) {
      seen.reports.insert(seen.reports.end(), some.begin(), some.end());
    }
    return good;
  }

 private:
  // A loop at half its load: by turns it sleeps for half a millisecond and answers as long.
  void loop(int64_t seconds, const Clock& clock, Traffic& traffic, Seen& seen) {
    int64_t slept = steady_us();
    const int64_t end = slept + seconds * 1'000'000;
    double owed = 0;
    for (int64_t last = slept; slept < end; slept = steady_us()) {
      std::this_thread::sleep_for(std::chrono::microseconds(500));
      const int64_t woke = steady_us();
      seen.late.push_back(woke - slept - 500);
      owed += static_cast<double>((woke - last) * per_second_) / 1e6;
      last = woke;
      for (; owed >= 1; owed -= 1) {
        const UsageRow row = traffic.usage(clock.wall_us());
        recorders_.at(0).usage(row);
        recorders_.at(0).request(log_row<RequestRow>(row));
        recorders_.at(0).upstream(log_row<UpstreamRequestRow>(row));
      }
      while (steady_us() < woke + 500) continue;
    }
  }

  // As the gateway's writer thread: batches of 512 rows or 100 ms, a step of housekeeping between.
  bool write(const std::atomic<bool>& over, Seen& seen) {
    int64_t since = steady_us();
    bool housekeeping = false;
    while (!over) {
      if (drain_.waiting() < 512 && (drain_.empty() || steady_us() - since < 100'000)) {
        if (!housekeeping) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      } else {
        const int64_t begin = steady_us();
        if (!drain_.pass(store_)) return false;
        since = steady_us();
        seen.commits.push_back(since - begin);
      }
      auto more = store_.maintain({});
      if (!more) return false;
      housekeeping = *more;
    }
    for (;;) {
      auto outcome = drain_.pass(store_);
      if (!outcome) return false;
      if (!outcome->more) return true;
    }
  }

  static bool report(Reader& reader, const std::atomic<bool>& over, std::vector<int64_t>& took) {
    using By = UsageQuery::By;
    run_behind_others();
    constexpr By kGroups[] = {By::nothing, By::provider, By::model, By::key, By::user};
    for (size_t i = 0; !over; ++i) {
      UsageQuery q;
      q.filter.from = kNow - kDays * kDayUs + 12'345'678;
      q.by = kGroups[i % std::size(kGroups)];
      const int64_t begin = steady_us();
      if (!reader.usage_report(q)) return false;
      took.push_back(steady_us() - begin);
    }
    return true;
  }

  Store& store_;
  Recorders& recorders_;
  std::vector<std::unique_ptr<Reader>>& readers_;
  const int64_t per_second_;
  RingDrain drain_;
};

double median(std::vector<double> of) {
  std::sort(of.begin(), of.end());
  return of.empty() ? 0 : of[of.size() / 2];
}

// One line for each percentile.
void print(const char* what, std::array<std::array<Seen, 2>, kRounds>& seen,
           std::vector<int64_t> Seen::*of) {
  for (const double share : {0.5, 0.99}) {
    std::vector<double> off, on, ratio;
    for (auto& round : seen) {
      off.push_back(percentile_ms(round[0].*of, share));
      on.push_back(percentile_ms(round[1].*of, share));
      if (off.back() > 0) ratio.push_back(on.back() / off.back());
    }
    std::printf("{\"measure\":\"%s, p%.0f\",\"off_ms\":%.2f,\"on_ms\":%.2f,\"ratio\":%.2f}\n", what,
                share * 100, median(off), median(on), median(ratio));
  }
}

bool run(const std::string& folder, int argc, char** argv) {
  const int64_t rows = argc > 1 ? std::strtoll(argv[1], nullptr, 10) : 1'000'000;
  const int64_t seconds = argc > 2 ? std::strtoll(argv[2], nullptr, 10) : 3;
  const int64_t per_second = argc > 3 ? std::strtoll(argv[3], nullptr, 10) : 10'000;
  const std::string file = folder + "/gproxy.db";
  BenchClock clock;
  Traffic traffic;
  StoreOptions options;
  options.clock = &clock;
  options.dsn = argc > 4 ? argv[4] : "sqlite://" + file + "?mode=rwc";
  if (const char* key = std::getenv("GPROXY_MASTER_KEY")) options.master_key.key = Secret(key);
  auto store = open_store(options);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return false;
  }
  if (!fill(**store, clock, traffic, rows)) return false;
  clock.run();
  RecorderOptions rings;
  rings.directory = folder + "/rings";
  rings.database_id = std::string((*store)->database_id());
  auto recorders = Recorders::open(rings, 1);
  if (!recorders) return false;
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < kReaders; ++i) {
    auto reader = (*store)->open_reader();
    if (!reader) return false;
    readers.push_back(std::move(*reader));
  }
  std::array<std::array<Seen, 2>, kRounds> seen;
  uintmax_t log_bytes = 0;
  std::vector<int64_t> reports;
  Turn turn(**store, **recorders, readers, per_second);
  for (auto& round : seen) {
    for (const bool aggregations : {false, true}) {
      if (!turn.run(aggregations, seconds, clock, traffic, round[aggregations])) return false;
      std::error_code ec;
      const auto size = std::filesystem::file_size(file + "-wal", ec);
      if (!ec) log_bytes = std::max(log_bytes, size);
    }
    reports.insert(reports.end(), round[1].reports.begin(), round[1].reports.end());
  }
  print("batch commit", seen, &Seen::commits);
  print("loop woken late", seen, &Seen::late);
  std::printf("{\"measure\":\"aggregations\",\"count\":%zu,\"p50_ms\":%.1f,\"p99_ms\":%.1f}\n",
              reports.size(), percentile_ms(reports, 0.5), percentile_ms(reports, 0.99));
  std::printf(
      "{\"measure\":\"write-ahead log\",\"mib\":%.1f,\"rows_lost\":%llu}\n",
      static_cast<double>(log_bytes) / (1 << 20),
      static_cast<unsigned long long>((*recorders)->lost_usage() + (*recorders)->dropped_logs()));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = (std::filesystem::temp_directory_path() / "gproxy-beside-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  const bool good = run(folder, argc, argv);
  std::error_code ec;
  std::filesystem::remove_all(folder, ec);
  return good ? 0 : 1;
}
