#include "net/task.h"

#include <doctest/doctest.h>

#include <array>
#include <memory>

using gproxy::net::Task;

TEST_CASE("a task owns a move-only closure and runs it") {
  int out = 0;
  Task task([p = std::make_unique<int>(7), &out] { out = *p; });
  Task moved = std::move(task);
  CHECK_FALSE(static_cast<bool>(task));
  moved();
  CHECK(out == 7);
}

TEST_CASE("a closure too large for the task lives on the heap and dies with it") {
  auto token = std::make_shared<int>(1);
  {
    Task task([token, big = std::array<char, 200>{}] { (void)big; });
    Task other = std::move(task);
    other();
    CHECK(token.use_count() == 2);
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE("reset destroys the closure at once") {
  auto token = std::make_shared<int>(1);
  Task task([token] {});
  task.reset();
  CHECK(token.use_count() == 1);
  CHECK_FALSE(static_cast<bool>(task));
}
