#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/pause_set.h"
#include "base/secret.h"
#include "base/spsc_ring.h"

using namespace gproxy;

TEST_CASE("an arena aligns, keeps what it was given and grows") {
  Arena arena(256);
  std::vector<std::pair<std::string_view, std::string>> kept;
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 700, static_cast<char>('a' + i % 26));
    kept.emplace_back(arena.copy(text), text);
    for (size_t align : {1, 2, 4, 8, 16}) {
      auto* p = arena.alloc(random() % 40 + 1, align);
      REQUIRE(reinterpret_cast<uintptr_t>(p) % align == 0);
      *static_cast<char*>(p) = 1;
    }
  }
  for (const auto& [view, text] : kept) REQUIRE(view == text);
  CHECK_FALSE(arena.exhausted());
}

TEST_CASE("a large object in an arena does not waste the block in use") {
  Arena arena(4096);
  char* small = static_cast<char*>(arena.alloc(8));
  arena.alloc(1 << 20);
  char* next = static_cast<char*>(arena.alloc(8));
  CHECK(next == small + 8);
}

TEST_CASE("reset gives everything back but the first block") {
  Arena arena(4096);
  arena.copy("x");
  const size_t first = arena.used();
  for (int i = 0; i < 100; ++i) arena.alloc(10000);
  CHECK(arena.used() > 1000000);
  arena.reset();
  CHECK(arena.used() == first);
  CHECK(arena.copy("again") == "again");
  CHECK(arena.used() == first);
}

TEST_CASE("an arena stops at its bound and says so") {
  Arena arena(1024, 8192);
  CHECK(arena.alloc(100000) == nullptr);
  CHECK(arena.exhausted());
  arena.reset();
  CHECK_FALSE(arena.exhausted());
  size_t taken = 0;
  while (arena.alloc(100) != nullptr) taken += 100;
  CHECK(arena.used() <= 8192);
  CHECK(taken > 4000);
  CHECK(arena.copy("more than is left: " + std::string(200, 'x')).empty());
  CHECK(arena.alloc(SIZE_MAX - 8) == nullptr);
  CHECK(arena.array<uint64_t>(SIZE_MAX / 4).empty());
}

TEST_CASE("concat joins, and an empty copy is an empty text, not an absent one") {
  Arena arena;
  CHECK(arena.concat({"a", "", "bc", "d"}) == "abcd");
  CHECK(arena.copy("").data() != nullptr);
  CHECK(arena.copy(std::string_view()).data() == nullptr);
}

TEST_CASE("a buffer refuses what would exceed its maximum, whole") {
  Buffer buffer(10);
  CHECK(buffer.append("12345678"));
  CHECK_FALSE(buffer.append("abc"));
  CHECK(buffer.to_string() == "12345678");
  CHECK(buffer.append("90"));
  CHECK(buffer.prepare().empty());
  buffer.consume(4);
  CHECK(buffer.prepare().size() == 4);
}

TEST_CASE("what goes into a buffer comes out in order, whatever the pieces") {
  std::mt19937 random(11);
  Buffer buffer(300000);
  std::string model;
  char next = 0;
  for (int step = 0; step < 20000; ++step) {
    switch (random() % 3) {
      case 0: {
        std::string text(random() % 40000, '\0');
        for (char& c : text) c = next++;
        if (buffer.append(text)) model += text;
        break;
      }
      case 1: {
        auto room = buffer.prepare();
        if (room.empty()) break;
        REQUIRE(room.size() <= Buffer::kBlockBytes);
        const size_t n = random() % (room.size() + 1);
        for (size_t i = 0; i < n; ++i) room[i] = next++;
        model.append(room.data(), n);
        buffer.commit(n);
        break;
      }
      default: {
        const size_t n = random() % (model.size() + 1);
        buffer.consume(n);
        model.erase(0, n);
      }
    }
    REQUIRE(buffer.size() == model.size());
    REQUIRE(buffer.empty() == buffer.front().empty());
    if (step % 64 == 0) REQUIRE(buffer.to_string() == model);
  }
  std::array<std::string_view, 4> pieces;
  const size_t n = buffer.slices(pieces);
  std::string joined;
  for (size_t i = 0; i < n; ++i) joined += pieces[i];
  CHECK(model.substr(0, joined.size()) == joined);
}

TEST_CASE("moving a buffer leaves an empty one behind") {
  Buffer a(100);
  REQUIRE(a.append("abc"));
  Buffer b(std::move(a));
  CHECK(b.to_string() == "abc");
  CHECK(a.empty());
  a = std::move(b);
  CHECK(a.to_string() == "abc");
  CHECK(a.max() == 100);
}

TEST_CASE("secrets compare by value and leave nothing behind when moved") {
  Secret a("short");
  Secret b(std::move(a));
  CHECK(a.empty());
  CHECK(b.equals("short"));
  CHECK_FALSE(b.equals("shorT"));
  CHECK_FALSE(b.equals("shor"));
  Secret c(b);
  c = Secret("a longer secret that is certainly on the heap");
  CHECK(c.size() == 45);
  CHECK(constant_time_equal("", ""));
}

TEST_CASE("pause reasons are a set") {
  PauseSet pauses;
  CHECK(pauses.add(Pause::chain));
  CHECK_FALSE(pauses.add(Pause::chain));
  CHECK_FALSE(pauses.add(Pause::module));
  CHECK_FALSE(pauses.remove(Pause::chain));
  CHECK(pauses.remove(Pause::module));
  CHECK_FALSE(pauses.remove(Pause::module));
}

TEST_CASE("a ring is bounded and keeps the order") {
  SpscRing<int> ring(3);
  CHECK(ring.capacity() == 4);
  for (int i = 0; i < 4; ++i) CHECK(ring.push(int{i}));
  CHECK_FALSE(ring.push(9));
  int out = -1;
  for (int i = 0; i < 4; ++i) {
    CHECK(ring.pop(out));
    CHECK(out == i);
  }
  CHECK_FALSE(ring.pop(out));
}
