#include <doctest/doctest.h>
#include <signal.h>

#include "net/signal_watcher.h"
#include "support.h"

using namespace gproxy::net;

TEST_CASE("a signal to the process calls the watcher on the loop") {
  Loop loop;
  int calls = 0;
  auto watcher = SignalWatcher::watch(loop, SIGUSR1, [&] { ++calls; });
  REQUIRE(watcher.ok());
  ::kill(::getpid(), SIGUSR1);
  CHECK(test::run_until(loop, [&] { return calls == 1; }));
}

TEST_CASE("a signal that cannot be watched is an error, not a crash") {
  Loop loop;
  auto watcher = SignalWatcher::watch(loop, SIGKILL, [] {});
  CHECK_FALSE(watcher.ok());
}
