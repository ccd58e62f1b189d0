// How quickly large books answer: fills a database with rows of ten days (fixed seed), then asks
// every list and aggregation and prints one JSON line each, the median of five.
//   bench_books [rows] [dsn]     rows of usage and of logs each, default 10,000,000
// A tenth of them falls into the last 24 hours. A database that is named is kept, and one that has
// rows is only measured. PostgreSQL: GPROXY_MASTER_KEY must be set. What autovacuum does in time is
// left to it. `worst_ms` is the first of the five as a rule: nothing is warmed up.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "storage/prices.h"
#include "storage/store.h"

using namespace gproxy;
using namespace gproxy::storage;

namespace {

constexpr int64_t kNow = 1'780'000'000'000'000;
constexpr int64_t kDays = 10;

// Shows the time of the row that is being written, so that sums are joined as they would have been.
class DataClock final : public Clock {
 public:
  int64_t now_ms() const override { return at_us / 1000; }
  int64_t now_us() const override { return at_us; }
  int64_t wall_us() const override { return at_us; }
  int64_t at_us = kNow - kDays * kDayUs;
};

class Random {
 public:
  uint64_t next(uint64_t below) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % below;
  }

 private:
  uint64_t state_ = 42;
};

constexpr std::string_view kProviders[] = {"alpha", "beta", "gamma", "delta"};
constexpr std::string_view kModels[] = {"small-model-1", "large-model-2", "vision-model",
                                        "reasoning-model-long-name-20260101"};
constexpr std::string_view kPaths[] = {"/v1/chat/completions", "/v1/messages", "/v1/responses",
                                       "/v1beta/models/vision-model:generateContent"};
constexpr std::string_view kHeaders =
    R"([["content-type","application/json"],["user-agent","client/1.2.3"],["authorization","***"]])";

bool fail(const Error& error) {
  std::fprintf(stderr, "%s: %s\n", std::string(error.code).c_str(), error.message.c_str());
  return false;
}

bool fill(Store& store, DataClock& clock, int64_t rows) {
  Random random;
  constexpr int64_t kBatch = 2'000;
  const int64_t step = kDays * kDayUs / rows;
  int64_t id = 1, at = clock.at_us;
  std::vector<std::string> traces(kBatch);
  for (int64_t done = 0; done < rows; done += kBatch) {
    std::vector<UsageRow> usage;
    std::vector<RequestRow> requests;
    std::vector<UpstreamRequestRow> upstream;
    for (int64_t i = 0; i < kBatch; ++i) {
      at += step;
      // As UUIDv7: they grow with time.
      char trace[48];
      const auto ms = static_cast<unsigned long long>(at / 1000);
      std::snprintf(trace, sizeof trace, "%08llx-%04llx-7%03x-8%03x-%012llx", ms >> 16, ms & 0xffff,
                    static_cast<unsigned>(random.next(4096)),
                    static_cast<unsigned>(random.next(4096)), static_cast<unsigned long long>(id));
      traces[static_cast<size_t>(i)] = trace;
      UsageRow u;
      u.id = id++;
      u.at = at;
      u.trace_id = traces[static_cast<size_t>(i)];
      u.final = random.next(20) != 0;
      u.has_usage = random.next(10) != 0;
      u.outcome = random.next(30) == 0 ? Outcome::failed : Outcome::ok;
      u.status = u.outcome == Outcome::ok ? 200 : 500;
      u.credential_id = static_cast<int64_t>(random.next(100));
      u.provider_id = u.credential_id % 4;
      u.provider = kProviders[u.provider_id];
      u.user_key_id = static_cast<int64_t>(random.next(500));
      u.user_id = u.user_key_id / 5;
      u.model = kModels[random.next(4)];
      u.protocol = 2;
      u.operation = 2;
      u.input = static_cast<int64_t>(random.next(8'000));
      u.output = static_cast<int64_t>(random.next(2'000));
      u.cache_read = static_cast<int64_t>(random.next(4'000));
      u.ttft_us = static_cast<int64_t>(random.next(900'000));
      u.duration_us = static_cast<int64_t>(random.next(9'000'000));
      u.cost_nanousd = u.input * 1'000;
      u.price_revision = 1;
      usage.push_back(u);
      // Log rows in all are as many as usage rows: both sides of every other request.
      if (i % 2 == 0) {
        RequestRow d;
        d.id = id++;
        d.at = at;
        d.trace_id = u.trace_id;
        d.user_id = u.user_id;
        d.user_key_id = u.user_key_id;
        d.method = "POST";
        d.path = kPaths[random.next(4)];
        d.request_headers_json = d.response_headers_json = kHeaders;
        d.client = "10.20.30.40";
        d.provider = u.provider;
        d.model = u.model;
        d.protocol = d.operation = 2;
        d.status = u.status;
        d.attempts = 1;
        d.duration_us = u.duration_us;
        requests.push_back(d);
        UpstreamRequestRow r;
        r.id = id++;
        r.at = at;
        r.trace_id = u.trace_id;
        r.user_id = u.user_id;
        r.user_key_id = u.user_key_id;
        r.provider = u.provider;
        r.provider_id = u.provider_id;
        r.credential_id = u.credential_id;
        r.model = u.model;
        r.method = "POST";
        r.path = d.path;
        r.request_headers_json = r.response_headers_json = kHeaders;
        r.protocol = r.operation = 2;
        r.status = u.status;
        r.duration_us = u.duration_us;
        upstream.push_back(r);
      }
    }
    clock.at_us = at;
    if (auto r = store.append_batch({.usage = usage, .requests = requests, .upstream = upstream});
        !r)
      return fail(r.error());
    for (;;) {
      auto more = store.maintain({});
      if (!more) return fail(more.error());
      if (!*more) break;
    }
  }
  return true;
}

// Of this thread: what SQLite's answers take on an idle machine.
double cpu_ms() {
  struct timespec t {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

bool time(const std::string& what, const std::function<Result<void>()>& work) {
  std::vector<double> took;
  double cpu = 1e9;
  for (int i = 0; i < 5; ++i) {
    const double cpu_begin = cpu_ms();
    const auto begin = std::chrono::steady_clock::now();
    if (auto r = work(); !r) return fail(r.error());
    took.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
            .count());
    cpu = std::min(cpu, cpu_ms() - cpu_begin);
  }
  std::sort(took.begin(), took.end());
  std::printf("{\"measure\":\"%s\",\"ms\":%.1f,\"worst_ms\":%.1f,\"cpu_ms\":%.1f}\n", what.c_str(),
              took[2], took[4], cpu);
  std::fflush(stdout);
  return true;
}

bool measure(Reader& reader) {
  const int64_t day = kNow - kDayUs;
  bool good = true;
  auto logs = [&](const std::string& name, const std::function<void(LogQuery&)>& edit) {
    LogQuery q;
    q.from = day;
    q.to = kNow;
    edit(q);
    good = time("logs " + name,
                [&]() -> Result<void> {
                  GP_TRY([[maybe_unused]] auto page, reader.list_logs(q));
                  return ok();
                }) &&
           good;
  };
  auto hundredth = [&](auto list, auto query) {
    for (int i = 0; i < 99; ++i) {
      auto page = list(query);
      if (!page || page->rows.empty()) break;
      query.before = Cursor{page->rows.back().at, page->rows.back().id};
    }
    return query.before;
  };
  logs("first page", [](LogQuery&) {});
  LogQuery plain;
  plain.from = day;
  plain.to = kNow;
  const auto log_cursor = hundredth([&](const LogQuery& q) { return reader.list_logs(q); }, plain);
  logs("100th page", [&](LogQuery& q) { q.before = log_cursor; });
  logs("provider", [](LogQuery& q) { q.provider = "beta"; });
  logs("provider, none", [](LogQuery& q) { q.provider = "nobody"; });
  logs("credential_id", [](LogQuery& q) { q.credential_id = 57; });
  logs("credential_id, none", [](LogQuery& q) { q.credential_id = 5'700; });
  logs("operation, none", [](LogQuery& q) { q.operation = 9; });
  logs("user_id", [](LogQuery& q) { q.user_id = 17; });
  logs("user_id, none", [](LogQuery& q) { q.user_id = 1'700; });
  logs("user_key_id, none", [](LogQuery& q) { q.user_key_id = 17'000; });
  logs("trace_id, none", [](LogQuery& q) { q.trace_id = "01980000-0000-7000-8000-ffffffffffff"; });
  logs("status_min, none", [](LogQuery& q) { q.status_min = 599; });
  logs("path_contains", [](LogQuery& q) { q.path_contains = "messages"; });
  logs("path_contains, none", [](LogQuery& q) { q.path_contains = "nowhere"; });

  auto rows = [&](const std::string& name, const std::function<void(UsageListQuery&)>& edit) {
    UsageListQuery q;
    q.filter.from = day;
    q.filter.to = kNow;
    edit(q);
    good = time("usage rows " + name,
                [&]() -> Result<void> {
                  GP_TRY([[maybe_unused]] auto page, reader.list_usage(q));
                  return ok();
                }) &&
           good;
  };
  rows("first page", [](UsageListQuery&) {});
  UsageListQuery all;
  all.filter.from = day;
  all.filter.to = kNow;
  const auto row_cursor =
      hundredth([&](const UsageListQuery& q) { return reader.list_usage(q); }, all);
  rows("100th page", [&](UsageListQuery& q) { q.before = row_cursor; });
  rows("provider, none", [](UsageListQuery& q) { q.filter.provider = "nobody"; });
  rows("model, none", [](UsageListQuery& q) { q.filter.model = "none"; });
  rows("model_contains, none", [](UsageListQuery& q) { q.filter.model_contains = "none"; });
  rows("credential_id, none", [](UsageListQuery& q) { q.filter.credential_id = 5'700; });
  rows("user_id, none", [](UsageListQuery& q) { q.filter.user_id = 1'700; });
  rows("user_key_id, none", [](UsageListQuery& q) { q.filter.user_key_id = 17'000; });
  rows("outcome, none", [](UsageListQuery& q) { q.outcome = Outcome::truncated; });
  rows("trace_id, none",
       [](UsageListQuery& q) { q.trace_id = "01980000-0000-7000-8000-ffffffffffff"; });
  rows("status_min, none", [](UsageListQuery& q) { q.status_min = 599; });

  using By = UsageQuery::By;
  const std::pair<const char*, By> groups[] = {
      {"nothing", By::nothing},       {"provider", By::provider}, {"model", By::model},
      {"credential", By::credential}, {"user", By::user},         {"key", By::key}};
  const std::pair<const char*, std::pair<int64_t, int64_t>> ranges[] = {
      {"24 h", {day, kNow}},
      {"10 days", {kNow - kDays * kDayUs, kNow}},
      {"crooked", {kNow - 9 * kDayUs - 5'123'456'789, kNow - 3'987'654'321}},
      {"3 minutes", {kNow - 200'000'000, kNow - 20'000'000}}};
  auto sums = [&](const std::string& name, const UsageQuery& q) {
    good = time("usage " + name,
                [&]() -> Result<void> {
                  GP_TRY([[maybe_unused]] auto report, reader.usage_report(q));
                  return ok();
                }) &&
           good;
  };
  for (const auto& [range_name, range] : ranges) {
    for (const auto& [by_name, by] : groups) {
      UsageQuery q;
      q.filter.from = range.first;
      q.filter.to = range.second;
      q.by = by;
      sums(std::string("by ") + by_name + ", " + range_name, q);
    }
    UsageQuery q;
    q.filter.from = range.first;
    q.filter.to = range.second;
    q.bucket_us = kHourUs;
    sums(std::string("by hour, ") + range_name, q);
    q.filter.user_key_id = 17;
    sums(std::string("by hour of one key, ") + range_name, q);
    q.filter.user_key_id.reset();
    q.bucket_us = 0;
    q.filter.model_contains = "vision";
    sums(std::string("model_contains, ") + range_name, q);
    q.filter.model_contains.reset();
    q.filter.user_id = 17;
    q.by = By::provider;
    sums(std::string("by provider of one user, ") + range_name, q);
    q.filter.user_id.reset();
    q.filter.provider = "beta";
    q.by = By::key;
    sums(std::string("by key of one provider, ") + range_name, q);
    // Who used which credential is in no sum: these read rows.
    q.filter.provider.reset();
    q.filter.user_key_id = 17;
    q.by = By::credential;
    sums(std::string("by credential of one key, ") + range_name, q);
    q.filter.user_key_id.reset();
    q.filter.user_id = 17;
    sums(std::string("by credential of one user, ") + range_name, q);
    q.filter.user_id.reset();
    q.filter.credential_id = 57;
    q.by = By::user;
    sums(std::string("by user of one credential, ") + range_name, q);
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t rows = argc > 1 ? std::strtoll(argv[1], nullptr, 10) : 10'000'000;
  std::string folder = (std::filesystem::temp_directory_path() / "gproxy-books-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  int status = 1;
  {
    DataClock clock;
    StoreOptions options;
    options.clock = &clock;
    options.dsn = argc > 2 ? argv[2] : "sqlite://" + folder + "/gproxy.db?mode=rwc";
    if (const char* key = std::getenv("GPROXY_MASTER_KEY")) options.master_key.key = Secret(key);
    auto store = open_store(options);
    if (!store) {
      fail(store.error());
    } else {
      const auto begin = std::chrono::steady_clock::now();
      auto there = (*store)->open_reader();
      const bool filled = there && (*there)->count_rows(Table::usage).value_or(0) > 0;
      if (filled) clock.at_us = kNow;
      if (filled || fill(**store, clock, rows)) {
        const double s =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        std::printf("{\"measure\":\"fill\",\"rows\":%lld,\"s\":%.1f}\n",
                    static_cast<long long>(rows), s);
        auto reader = (*store)->open_reader();
        if (reader && measure(**reader)) status = 0;
      }
    }
  }
  std::error_code ec;
  std::filesystem::remove_all(folder, ec);
  return status;
}
