// What a journal row costs: the push on the loop, and the writer's way from the ring to the
// database. Prints one JSON line per measurement, CPU time of this thread.
//   storage_bench [rows] [batch] [dsn] [usage|logs]
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "storage/recorder.h"
#include "storage/ring_drain.h"
#include "storage/store.h"

using namespace gproxy;
using namespace gproxy::storage;

namespace {

double cpu_us() {
  struct timespec t {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

// Rows as a busy gateway makes them: a few providers and models, many keys, times that grow.
class Traffic {
 public:
  UsageRow usage() {
    UsageRow row;
    row.at = at_ += 70;
    trace_ = "01980000-0000-7000-8000-";
    const std::string n = std::to_string(at_);
    trace_ += n.substr(n.size() - 12);
    row.trace_id = trace_;
    row.final = row.has_usage = true;
    row.credential_id = static_cast<int64_t>(next() % 100);
    // A credential is one provider's.
    row.provider_id = row.credential_id % static_cast<int64_t>(kProviders.size());
    row.provider = kProviders[static_cast<size_t>(row.provider_id)];
    row.user_key_id = static_cast<int64_t>(next() % 500);
    row.user_id = row.user_key_id / 5;
    row.model = kModels[next() % kModels.size()];
    row.protocol = 2;
    row.operation = 2;
    row.status = 200;
    row.input = static_cast<int64_t>(next() % 8'000);
    row.output = static_cast<int64_t>(next() % 2'000);
    row.cache_read = static_cast<int64_t>(next() % 4'000);
    row.ttft_us = static_cast<int64_t>(next() % 900'000);
    row.duration_us = static_cast<int64_t>(next() % 9'000'000);
    return row;
  }
  RequestRow request(const UsageRow& usage) {
    RequestRow row;
    row.at = usage.at;
    row.trace_id = usage.trace_id;
    row.user_id = usage.user_id;
    row.user_key_id = usage.user_key_id;
    row.method = "POST";
    row.path = "/v1/chat/completions";
    row.request_headers_json = kHeaders;
    row.response_headers_json = kHeaders;
    row.client = "10.20.30.40";
    row.provider = usage.provider;
    row.model = usage.model;
    row.protocol = row.operation = 2;
    row.status = 200;
    row.attempts = 1;
    row.duration_us = usage.duration_us;
    return row;
  }
  UpstreamRequestRow upstream(const UsageRow& usage) {
    UpstreamRequestRow row;
    row.at = usage.at;
    row.trace_id = usage.trace_id;
    row.user_id = usage.user_id;
    row.user_key_id = usage.user_key_id;
    row.provider = usage.provider;
    row.provider_id = usage.provider_id;
    row.credential_id = usage.credential_id;
    row.model = usage.model;
    row.method = "POST";
    row.path = "/v1/chat/completions";
    row.request_headers_json = kHeaders;
    row.response_headers_json = kHeaders;
    row.protocol = row.operation = 2;
    row.status = 200;
    row.duration_us = usage.duration_us;
    return row;
  }

 private:
  uint64_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 33;
  }

  static inline const std::vector<std::string> kProviders = {"alpha", "beta", "gamma", "delta"};
  static inline const std::vector<std::string> kModels = {
      "small-model-1", "large-model-2", "vision-model", "reasoning-model-long-name-20260101"};
  static constexpr std::string_view kHeaders =
      R"([["content-type","application/json"],["user-agent","client/1.2.3"],["authorization","***"]])";
  std::string trace_;
  int64_t at_ = 1'780'000'000'000'000;
  uint64_t state_ = 42;
};

void report(const char* what, size_t rows, double us) {
  std::printf("{\"measure\":\"%s\",\"rows\":%zu,\"us_per_row\":%.3f}\n", what, rows,
              us / static_cast<double>(rows));
}

// One measurement: `rows` requests, journalled with or without their log rows.
bool measure(Recorders& recorders, Store& store, size_t rows, size_t batch, bool logs) {
  Traffic traffic;
  RingDrain drain(recorders, 4 * batch);
  double push_us = 0, write_us = 0;
  std::vector<std::string> traces(batch);
  std::vector<UsageRow> made(batch);
  for (size_t done = 0; done < rows; done += batch) {
    for (size_t i = 0; i < batch; ++i) {
      made[i] = traffic.usage();
      traces[i] = std::string(made[i].trace_id);
      made[i].trace_id = traces[i];
    }
    double start = cpu_us();
    for (const UsageRow& row : made) {
      if (!recorders.at(0).usage(row)) return false;
    }
    push_us += cpu_us() - start;
    if (logs) {
      for (const UsageRow& row : made) {
        recorders.at(0).request(traffic.request(row));
        recorders.at(0).upstream(traffic.upstream(row));
      }
    }
    start = cpu_us();
    for (;;) {
      auto outcome = drain.pass(store);
      if (!outcome) {
        std::fprintf(stderr, "%s\n", outcome.error().message.c_str());
        return false;
      }
      if (!outcome->more) break;
    }
    write_us += cpu_us() - start;
  }
  report("push_usage", rows, push_us);
  report(logs ? "write_usage_and_two_logs" : "write_usage", rows, write_us);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 200'000;
  const size_t batch = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 512;
  std::string folder = (std::filesystem::temp_directory_path() / "gproxy-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  const std::string_view dsn = argc > 3 ? argv[3] : "";
  const std::string_view only = argc > 4 ? argv[4] : "";
  int status = 0;
  {
    StoreOptions options;
    options.dsn = dsn.empty() ? "sqlite://" + folder + "/gproxy.db?mode=rwc" : std::string(dsn);
    auto store = open_store(options);
    if (!store) {
      std::fprintf(stderr, "%s\n", store.error().message.c_str());
      return 1;
    }
    RecorderOptions rings;
    rings.directory = folder + "/rings";
    rings.database_id = std::string((*store)->database_id());
    auto recorders = Recorders::open(rings, 1);
    if (!recorders) return 1;
    for (const bool logs : {false, true}) {
      if (!only.empty() && only != (logs ? "logs" : "usage")) continue;
      if (!measure(**recorders, **store, rows, batch, logs)) status = 1;
    }
  }
  std::error_code ec;
  std::filesystem::remove_all(folder, ec);
  return status;
}
