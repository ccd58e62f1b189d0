#include "storage/ring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/log.h"

namespace gproxy::storage {

namespace {

constexpr char kMagic[8] = {'g', 'p', 'r', 'i', 'n', 'g', '0', '1'};
constexpr size_t kHeaderBytes = 4096;
constexpr size_t kAlign = 8;
constexpr uint32_t kPad = 0xffffffff;  // a frame that only fills the end of the area

static_assert(std::atomic<uint64_t>::is_always_lock_free &&
              std::atomic<int64_t>::is_always_lock_free);

constexpr size_t aligned(size_t bytes) {
  return (bytes + kAlign - 1) & ~(kAlign - 1);
}

// Tells a torn or stale frame from a whole one; not meant against an adversary (whoever can write
// the file can write the database). Eight bytes a step: `bytes` is padded to that with zeros.
uint64_t checksum(uint64_t position, uint32_t length, uint32_t type, const char* bytes, size_t n) {
  constexpr uint64_t k1 = 0x9e3779b97f4a7c15u, k2 = 0xff51afd7ed558ccdu;
  uint64_t h = (position + k1) * k2 ^ (uint64_t{length} << 32 | type);
  for (size_t i = 0; i < n; i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    h = (h ^ word) * k1;
    h ^= h >> 29;
  }
  h *= k2;
  return h ^ h >> 32;
}

}  // namespace

// Three cache lines, so that the two sides do not slow each other down.
struct Ring::Header {
  char magic[8];
  uint64_t capacity;
  char database_id[64];
  alignas(64) std::atomic<uint64_t> head;
  alignas(64) std::atomic<uint64_t> tail;
  std::atomic<int64_t> note;
};

struct Ring::FrameHeader {
  uint64_t position;
  uint32_t length;  // of the payload, without padding
  uint32_t type;
  uint64_t sum;
};

Result<std::unique_ptr<Ring>> Ring::open(const Options& options) {
  static_assert(sizeof(FrameHeader) == 24 && sizeof(Header) <= kHeaderBytes);
  GP_ASSERT(options.bytes >= 4096 && options.bytes % 4096 == 0);
  auto ring = std::unique_ptr<Ring>(new Ring());
  ring->path_ = options.path;
  auto failed = [&](const char* what) {
    const char* code = errno == EACCES ? "no_permission" : "cannot_create";
    return Error{ErrorKind::server, code,
                 std::string("cannot ") + what + " the ring file " + options.path + ": " +
                     std::strerror(errno)};
  };

  ring->capacity_ = options.bytes;
  ring->mapped_bytes_ = kHeaderBytes + options.bytes;
  bool found = false;
  int fd = -1;
  if (options.path.empty()) {
    ring->mapping_ = ::mmap(nullptr, ring->mapped_bytes_, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  } else {
    fd = ::open(options.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return failed("open");
    struct stat info {};
    Header header{};
    if (::fstat(fd, &info) == 0 && info.st_size >= static_cast<off_t>(kHeaderBytes) &&
        ::pread(fd, static_cast<void*>(&header), sizeof header, 0) ==
            static_cast<ssize_t>(sizeof header)) {
      const bool ours = std::memcmp(header.magic, kMagic, sizeof kMagic) == 0 &&
                        header.capacity >= 4096 && header.capacity % 4096 == 0 &&
                        static_cast<uint64_t>(info.st_size) == kHeaderBytes + header.capacity;
      header.database_id[sizeof header.database_id - 1] = '\0';
      const uint64_t waiting = header.tail.load() - header.head.load();
      if (ours && options.database_id == header.database_id && waiting <= header.capacity) {
        found = true;
        ring->capacity_ = header.capacity;
        ring->mapped_bytes_ = kHeaderBytes + header.capacity;
      } else if (std::memcmp(header.magic, "\0\0\0\0\0\0\0\0", sizeof kMagic) != 0) {
        // Damaged, or the rows of another database: kept for the operator, out of our way.
        const std::string aside =
            options.path + ".aside-" + std::to_string(Clock::system().wall_us());
        ::close(fd);
        if (::rename(options.path.c_str(), aside.c_str()) != 0) return failed("set aside");
        log::warn("a ring file of another database or a damaged one was set aside",
                  {{"file", aside}, {"damaged", !ours}});
        fd = ::open(options.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) return failed("create");
      }
    }
    if (!found) {
      // All blocks are reserved now: a disk that fills up later cannot fault a write to the
      // mapping.
      const int rc = ::posix_fallocate(fd, 0, static_cast<off_t>(ring->mapped_bytes_));
      if (rc != 0 || ::ftruncate(fd, static_cast<off_t>(ring->mapped_bytes_)) != 0) {
        if (rc != 0) errno = rc;
        auto error = failed("reserve room for");
        ::close(fd);
        ::unlink(options.path.c_str());
        return error;
      }
    }
    ring->mapping_ =
        ::mmap(nullptr, ring->mapped_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const int map_error = errno;
    ::close(fd);
    errno = map_error;
  }
  if (ring->mapping_ == MAP_FAILED) {
    ring->mapping_ = nullptr;
    return failed("map");
  }
  ring->header_ = static_cast<Header*>(ring->mapping_);
  ring->area_ = static_cast<char*>(ring->mapping_) + kHeaderBytes;
  if (!found) {
    ring->header_->capacity = ring->capacity_;
    const size_t n = std::min(options.database_id.size(), sizeof ring->header_->database_id - 1);
    std::memcpy(ring->header_->database_id, options.database_id.data(), n);
    // Last: a file without it is as good as new.
    std::memcpy(ring->header_->magic, kMagic, sizeof kMagic);
  }
  ring->recover();
  return ring;
}

Ring::~Ring() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_bytes_);
}

// After a kill every published frame is whole, and at most one more was finished but not published.
// After a loss of power pages may be missing: then the frames that are whole are kept, the rest
// skipped.
void Ring::recover() {
  const uint64_t head = header_->head.load(std::memory_order_acquire);
  const uint64_t hint = header_->tail.load(std::memory_order_acquire);
  uint64_t p = head;
  while (p - head <= capacity_) {
    if (const size_t size = valid_frame(p); size != 0) {
      if (p - head + size > capacity_) break;
      FrameHeader frame;
      std::memcpy(&frame, at(p), std::min(sizeof frame, size));
      if (size >= sizeof frame && frame.type != kPad) ++recovered_;
      p += size;
    } else if (p < hint) {
      p += kAlign;
      damaged_bytes_ += kAlign;
    } else {
      break;
    }
  }
  tail_ = std::max(p, hint);
  head_seen_ = head;
  header_->tail.store(tail_, std::memory_order_release);
  if (damaged_bytes_ != 0) {
    log::error("a ring file has damaged parts, rows may be missing",
               {{"file", path_}, {"bytes", damaged_bytes_}});
  }
}

size_t Ring::valid_frame(uint64_t position) const {
  const size_t room = capacity_ - position % capacity_;
  if (room < sizeof(FrameHeader)) {
    // Too little for a frame: both sides skip it. Valid only as part of what was published; the
    // caller finds out by the frame that follows.
    return position < header_->tail.load(std::memory_order_relaxed) ? room : 0;
  }
  FrameHeader frame;
  std::memcpy(&frame, at(position), sizeof frame);
  if (frame.position != position) return 0;
  const size_t size = sizeof frame + aligned(frame.length);
  if (size > room) return 0;
  const size_t summed = frame.type == kPad ? 0 : aligned(frame.length);
  if (frame.sum !=
      checksum(position, frame.length, frame.type, at(position) + sizeof frame, summed))
    return 0;
  return size;
}

char* Ring::reserve(size_t bytes) {
  const size_t size = sizeof(FrameHeader) + aligned(bytes);
  const size_t room = capacity_ - tail_ % capacity_;
  const size_t skip = size > room ? room : 0;
  if (size > capacity_ || tail_ + skip + size - head_seen_ > capacity_) {
    head_seen_ = header_->head.load(std::memory_order_acquire);
    if (size > capacity_ || tail_ + skip + size - head_seen_ > capacity_) return nullptr;
  }
  if (skip >= sizeof(FrameHeader)) {
    const auto length = static_cast<uint32_t>(skip - sizeof(FrameHeader));
    const FrameHeader pad{tail_, length, kPad, checksum(tail_, length, kPad, nullptr, 0)};
    std::memcpy(at(tail_), &pad, sizeof pad);
  }
  reserved_at_ = tail_ + skip;
  reserved_bytes_ = bytes;
  return at(reserved_at_) + sizeof(FrameHeader);
}

void Ring::publish(uint32_t type) {
  char* const payload = at(reserved_at_) + sizeof(FrameHeader);
  const size_t padded = aligned(reserved_bytes_);
  std::memset(payload + reserved_bytes_, 0, padded - reserved_bytes_);
  const auto length = static_cast<uint32_t>(reserved_bytes_);
  const FrameHeader frame{reserved_at_, length, type,
                          checksum(reserved_at_, length, type, payload, padded)};
  std::memcpy(at(reserved_at_), &frame, sizeof frame);
  tail_ = reserved_at_ + sizeof frame + padded;
  header_->tail.store(tail_, std::memory_order_release);
  published_.store(published_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

int64_t Ring::note() const {
  return header_->note.load(std::memory_order_relaxed);
}
void Ring::set_note(int64_t value) {
  header_->note.store(value, std::memory_order_relaxed);
}

size_t Ring::used() const {
  return tail_ - header_->head.load(std::memory_order_acquire);
}

uint64_t Ring::head() const {
  return header_->head.load(std::memory_order_relaxed);
}

bool Ring::next(uint64_t& cursor, Frame& out) const {
  const uint64_t tail = header_->tail.load(std::memory_order_acquire);
  while (cursor < tail) {
    const size_t size = valid_frame(cursor);
    if (size == 0) {
      cursor += kAlign;  // a damaged part that recover() has reported
      continue;
    }
    const uint64_t position = cursor;
    cursor += size;
    if (size < sizeof(FrameHeader)) continue;
    FrameHeader frame;
    std::memcpy(&frame, at(position), sizeof frame);
    if (frame.type == kPad) continue;
    out.type = frame.type;
    out.payload = {at(position) + sizeof frame, frame.length};
    return true;
  }
  return false;
}

void Ring::release(uint64_t cursor) {
  header_->head.store(cursor, std::memory_order_release);
}

bool Ring::empty() const {
  return header_->head.load(std::memory_order_acquire) ==
         header_->tail.load(std::memory_order_acquire);
}

double Ring::fill() const {
  // Head first: a tail read later can only make the ring look fuller.
  const uint64_t head = header_->head.load(std::memory_order_acquire);
  const uint64_t tail = header_->tail.load(std::memory_order_acquire);
  return static_cast<double>(std::min<uint64_t>(tail - head, capacity_)) /
         static_cast<double>(capacity_);
}

void Ring::remove_file() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace gproxy::storage
