// Memory is given back after a burst, once, and not while there is one.
#include "app/idle_release.h"

#include <doctest/doctest.h>

using gproxy::app::IdleRelease;

namespace {
// The second of the first release, 0 when there was none.
int first_due(IdleRelease& idle, size_t connections, int seconds) {
  for (int i = 1; i <= seconds; ++i) {
    if (idle.due(connections)) return i;
  }
  return 0;
}
}  // namespace

TEST_CASE("a burst that went away is followed by one release") {
  IdleRelease idle;
  CHECK(first_due(idle, 5000, 100) == 0);
  CHECK(first_due(idle, 10, 100) == 5);
  CHECK(first_due(idle, 10, 100) == 0);
}

TEST_CASE("a burst that comes back in between starts the wait anew") {
  IdleRelease idle;
  CHECK(first_due(idle, 1000, 1) == 0);
  CHECK(first_due(idle, 0, 4) == 0);
  CHECK(first_due(idle, 800, 1) == 0);
  CHECK(first_due(idle, 0, 4) == 0);
  CHECK(first_due(idle, 0, 1) == 1);
}

TEST_CASE("few connections, and those that stay, cause none") {
  IdleRelease idle;
  CHECK(first_due(idle, 255, 10) == 0);
  CHECK(first_due(idle, 0, 100) == 0);
  CHECK(first_due(idle, 1000, 10) == 0);
  CHECK(first_due(idle, 400, 100) == 0);
}
