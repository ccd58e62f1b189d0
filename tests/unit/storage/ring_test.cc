#include "storage/ring.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

std::unique_ptr<Ring> a_ring(const std::string& path, size_t bytes = 4096,
                             const std::string& database = "db") {
  auto ring = Ring::open({.path = path, .bytes = bytes, .database_id = database});
  REQUIRE(ring);
  return std::move(*ring);
}

bool push(Ring& ring, std::string_view text, uint32_t type = 1) {
  char* room = ring.reserve(text.size());
  if (room == nullptr) return false;
  std::memcpy(room, text.data(), text.size());
  ring.publish(type);
  return true;
}

std::vector<std::string> read_all(Ring& ring, bool give_back = true) {
  std::vector<std::string> out;
  uint64_t cursor = ring.head();
  Ring::Frame frame;
  while (ring.next(cursor, frame)) out.emplace_back(frame.payload);
  if (give_back) ring.release(cursor);
  return out;
}

}  // namespace

TEST_CASE("frames come out as they went in") {
  auto ring = a_ring("");
  REQUIRE(push(*ring, "one"));
  REQUIRE(push(*ring, ""));
  REQUIRE(push(*ring, "three", 3));
  uint64_t cursor = ring->head();
  Ring::Frame frame;
  REQUIRE(ring->next(cursor, frame));
  CHECK(frame.type == 1);
  CHECK(frame.payload == "one");
  CHECK(read_all(*ring) == std::vector<std::string>{"one", "", "three"});
  CHECK(ring->empty());
}

TEST_CASE("a full ring refuses and goes on when there is room again") {
  auto ring = a_ring("");
  const std::string text(100, 'x');
  size_t count = 0;
  while (push(*ring, text)) ++count;
  CHECK(count == 4096 / 128);
  CHECK(ring->fill() == doctest::Approx(1.0));
  CHECK(read_all(*ring).size() == count);
  CHECK(ring->fill() == 0.0);
  CHECK(push(*ring, text));
  CHECK_FALSE(push(*ring, std::string(5000, 'x')));
}

TEST_CASE("frames of any size survive any number of laps") {
  auto ring = a_ring("");
  std::mt19937 random(7);
  std::vector<std::string> expected, got;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text(random() % 700, static_cast<char>('a' + i % 26));
    if (push(*ring, text)) {
      expected.push_back(text);
    } else {
      for (auto& one : read_all(*ring)) got.push_back(std::move(one));
    }
  }
  for (auto& one : read_all(*ring)) got.push_back(std::move(one));
  CHECK(got == expected);
}

TEST_CASE("what was published is found by the next opener, what was given back is not") {
  const Folder folder;
  const std::string path = folder.file("r");
  {
    auto ring = a_ring(path);
    REQUIRE(push(*ring, "old"));
    read_all(*ring);
    REQUIRE(push(*ring, "one"));
    REQUIRE(push(*ring, "two"));
    ring->set_note(77);
    REQUIRE(ring->reserve(10) != nullptr);  // never published
  }
  auto ring = a_ring(path);
  CHECK(ring->recovered() == 2);
  CHECK(ring->damaged_bytes() == 0);
  CHECK(ring->note() == 77);
  CHECK(read_all(*ring) == std::vector<std::string>{"one", "two"});
  REQUIRE(push(*ring, "three"));
  CHECK(read_all(*ring) == std::vector<std::string>{"three"});
}

TEST_CASE("a ring reopened at every step of many laps loses and doubles nothing") {
  const Folder folder;
  const std::string path = folder.file("r");
  std::mt19937 random(11);
  std::vector<std::string> expected, got;
  for (int i = 0; i < 600; ++i) {
    auto ring = a_ring(path);
    for (int j = 0; j < 3; ++j) {
      const std::string text = std::to_string(i) + "-" + std::string(random() % 500, 'y');
      if (push(*ring, text)) expected.push_back(text);
    }
    if (i % 2 == 1) {
      for (auto& one : read_all(*ring)) got.push_back(std::move(one));
    }
  }
  auto ring = a_ring(path);
  for (auto& one : read_all(*ring)) got.push_back(std::move(one));
  CHECK(got == expected);
}

TEST_CASE("a damaged frame is skipped, those around it are kept") {
  const Folder folder;
  const std::string path = folder.file("r");
  {
    auto ring = a_ring(path);
    for (const char* text : {"first", "broken", "third"}) REQUIRE(push(*ring, text));
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes = bytes_of(path);
    file.seekp(static_cast<std::streamoff>(bytes.find("broken")));
    file << "BROKEN";
  }
  auto ring = a_ring(path);
  CHECK(ring->damaged_bytes() == 32);
  CHECK(ring->recovered() == 2);
  CHECK(read_all(*ring) == std::vector<std::string>{"first", "third"});
}

TEST_CASE("any flipped byte of the file is survived") {
  const Folder folder;
  const std::string path = folder.file("r");
  {
    auto ring = a_ring(path);
    for (int i = 0; i < 8; ++i) REQUIRE(push(*ring, "frame " + std::to_string(i)));
  }
  const std::string good = bytes_of(path);
  std::mt19937 random(3);
  for (int i = 0; i < 400; ++i) {
    std::string bad = good;
    const size_t at = i < 250 ? static_cast<size_t>(i) : 4096 + random() % 320;
    bad[at] = static_cast<char>(bad[at] ^ static_cast<char>(1 + random() % 255));
    std::ofstream(path, std::ios::binary) << bad;
    auto ring = Ring::open({.path = path, .bytes = 4096, .database_id = "db"});
    REQUIRE(ring);
    for (const std::string& text : read_all(**ring)) CHECK(good.find(text) != std::string::npos);
    CHECK(push(**ring, "more"));
    CHECK(read_all(**ring).size() == 1);
  }
}

TEST_CASE("the ring of another database is set aside, not replayed and not deleted") {
  const Folder folder;
  const std::string path = folder.file("r");
  REQUIRE(push(*a_ring(path, 4096, "one"), "row"));
  auto ring = a_ring(path, 4096, "two");
  CHECK(ring->empty());
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path()))
    ++files;
  CHECK(files == 2);
}

TEST_CASE("a producer and a consumer do not see half a frame") {
  auto ring = a_ring("", 64 * 1024);
  constexpr int kFrames = 60'000;
  std::thread producer([&] {
    for (int i = 0; i < kFrames;) {
      const std::string text(static_cast<size_t>(8 + i % 90), static_cast<char>('a' + i % 26));
      if (push(*ring, text)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  int seen = 0;
  bool whole = true;
  while (seen < kFrames) {
    uint64_t cursor = ring->head();
    Ring::Frame frame;
    while (ring->next(cursor, frame)) {
      whole = whole && frame.payload == std::string(static_cast<size_t>(8 + seen % 90),
                                                    static_cast<char>('a' + seen % 26));
      ++seen;
    }
    ring->release(cursor);
    std::this_thread::yield();
  }
  producer.join();
  CHECK(whole);
  CHECK(ring->empty());
}
