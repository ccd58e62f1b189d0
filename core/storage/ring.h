// A crash-proof bounded queue of byte frames between one producer (a loop) and one consumer (the
// writer thread): a memory-mapped file of fixed size. What was published survives the death of the
// process; each frame carries its position and a checksum, so that an unfinished one is never taken
// for data. open() runs on the main thread before either side does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gproxy::storage {

class Ring {
 public:
  struct Options {
    std::string path;  // empty: memory of this process alone
    size_t bytes = 0;  // payload area, a multiple of 4096; an existing file keeps its own size
    std::string database_id;  // at most 63 bytes; a file of another database is set aside
  };
  static Result<std::unique_ptr<Ring>> open(const Options& options);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // ---- Producer. reserve() gives `bytes` of room or null when the ring is full; publish() makes
  // the frame visible (and safe). Only one reservation at a time; one that is not published is
  // forgotten.
  char* reserve(size_t bytes);
  void publish(uint32_t type);
  // The producer's own note, kept in the file: the last id it gave.
  int64_t note() const;
  void set_note(int64_t value);
  // Bytes waiting, as the producer sees them (never too few).
  size_t used() const;
  size_t capacity() const { return capacity_; }

  // ---- Consumer. A cursor starts at head() and walks by next(); release() gives everything before
  // it back to the producer. Payloads stay valid until then.
  struct Frame {
    uint32_t type = 0;
    std::string_view payload;
  };
  uint64_t head() const;
  bool next(uint64_t& cursor, Frame& out) const;
  void release(uint64_t cursor);

  // Any thread.
  bool empty() const;
  double fill() const;
  uint64_t published() const {
    return published_.load(std::memory_order_acquire);
  }                                                          // frames, this run
  uint64_t recovered() const { return recovered_; }          // frames found by open()
  uint64_t damaged_bytes() const { return damaged_bytes_; }  // skipped by open()
  const std::string& path() const { return path_; }
  // Unlinks the file; the mapping stays.
  void remove_file();

 private:
  struct Header;
  struct FrameHeader;

  Ring() = default;
  void recover();
  // Size of the valid frame at `position` (payload, padding and header), or 0.
  size_t valid_frame(uint64_t position) const;
  char* at(uint64_t position) const { return area_ + position % capacity_; }

  std::string path_;
  void* mapping_ = nullptr;
  size_t mapped_bytes_ = 0;
  Header* header_ = nullptr;
  char* area_ = nullptr;
  size_t capacity_ = 0;

  // Producer's.
  uint64_t tail_ = 0;
  uint64_t head_seen_ = 0;
  uint64_t reserved_at_ = 0;
  size_t reserved_bytes_ = 0;
  std::atomic<uint64_t> published_{0};

  uint64_t recovered_ = 0;
  uint64_t damaged_bytes_ = 0;
};

}  // namespace gproxy::storage
