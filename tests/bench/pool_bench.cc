// What it costs to pick a credential and give it back, with 1,000 of them and 0, 500 or 999 at
// rest, and how two loops scale. Prints one JSON object.
#include <time.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "config/credential_pool.h"

using namespace gproxy;
using namespace gproxy::config;

namespace {

constexpr size_t kCredentials = 1000;

std::shared_ptr<CredentialPool> make_pool(Strategy strategy, size_t resting,
                                          std::vector<std::shared_ptr<CredentialSlot>>& slots) {
  auto signal = std::make_shared<HealthSignal>();
  std::vector<CredentialPool::Member> members;
  for (size_t i = 0; i < kCredentials; ++i) {
    slots.push_back(
        std::make_shared<CredentialSlot>(static_cast<int64_t>(i) + 1, Secret("x"), 1, signal));
    members.push_back({slots.back(), i, 1 + static_cast<uint32_t>(i % 7), 0});
  }
  // Spread over the list, the one that is left not at its start.
  for (size_t i = 0; i < resting; ++i) slots[i * 7 % kCredentials]->mark_dead("test");
  PoolSettings settings;
  settings.strategy = strategy;
  return std::make_shared<CredentialPool>(settings, std::move(members), Clock::system());
}

// Of this thread, so that what else the machine does is left out.
double cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

double ns_per_pick(CredentialPool& pool, uint32_t loop, size_t picks) {
  const CredentialPool::Ask ask{.model = "some-model", .operation = "@generate", .loop = loop};
  size_t found = 0;
  // Some requests are always under way.
  std::vector<Lease> running(64);
  const double from = cpu_ns();
  for (size_t i = 0; i < picks; ++i) {
    auto& place = running[i % running.size()];
    place.release();
    place = pool.pick(ask);
    found += place ? 1 : 0;
  }
  const double took = cpu_ns() - from;
  if (found != picks) std::fprintf(stderr, "no credential\n");
  return took / static_cast<double>(picks);
}

// Picks per microsecond of `loops` loops together.
double together(CredentialPool& pool, uint32_t loops, size_t picks) {
  std::vector<std::thread> threads;
  std::vector<double> each(loops);
  for (uint32_t loop = 0; loop < loops; ++loop)
    threads.emplace_back([&, loop] { each[loop] = ns_per_pick(pool, loop, picks); });
  for (auto& thread : threads) thread.join();
  double sum = 0;
  for (const double ns : each) sum += 1000 / ns;
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t picks = argc > 1 && std::strcmp(argv[1], "--smoke") == 0 ? 1'000 : 1'000'000;
  std::printf("{\"credentials\":%zu,\"pick_ns\":{", kCredentials);
  bool first = true;
  for (const auto strategy :
       {Strategy::round_robin, Strategy::weighted, Strategy::least_in_flight, Strategy::sticky}) {
    std::printf("%s\"%s\":{", first ? "" : ",", std::string(name(strategy)).c_str());
    first = false;
    for (const size_t resting : {size_t{0}, size_t{500}, size_t{999}}) {
      std::vector<std::shared_ptr<CredentialSlot>> slots;
      auto pool = make_pool(strategy, resting, slots);
      ns_per_pick(*pool, 0, 2'000);  // what rests is found once
      double best = 1e9;
      for (int round = 0; round < 20; ++round)
        best = std::min(best, ns_per_pick(*pool, 0, picks / 20));
      std::printf("%s\"%zu\":%.1f", resting == 0 ? "" : ",", resting, best);
    }
    std::printf("}");
  }
  std::printf("},\"two_loops_to_one\":{");
  first = true;
  for (const auto strategy :
       {Strategy::round_robin, Strategy::weighted, Strategy::least_in_flight}) {
    double best = 0;
    for (int round = 0; round < 5; ++round) {
      std::vector<std::shared_ptr<CredentialSlot>> slots;
      auto pool = make_pool(strategy, 0, slots);
      const double one = together(*pool, 1, picks / 2);
      best = std::max(best, together(*pool, 2, picks / 2) / one);
    }
    std::printf("%s\"%s\":%.2f", first ? "" : ",", std::string(name(strategy)).c_str(), best);
    first = false;
  }
  std::printf("}}\n");
  return 0;
}
