#include "base/thread.h"

#include <doctest/doctest.h>

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

using namespace gproxy;

namespace {

int nice_of_this_thread() {
  return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)));
}

}  // namespace

TEST_CASE("a thread that runs behind others does so alone") {
  const int before = nice_of_this_thread();
  int inside = -100;
  std::thread behind([&] {
    run_behind_others();
    inside = nice_of_this_thread();
  });
  behind.join();
  CHECK(inside == std::min(before + 15, 19));
  CHECK(nice_of_this_thread() == before);
}
#endif
