#include "storage/recorder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "base/strings.h"
#include "storage/dsn.h"
#include "storage/ring.h"
#include "storage/row_codec.h"

namespace gproxy::storage {
namespace {

// Row ids: 44 bits of 64 µs ticks since 2026-01-01, 9 bits of the ring's number. They fit into the
// 53 bits a JSON number keeps, grow with time (so a table is filled at its end, and a range of time
// is a range of ids), and need nobody's leave. A ring that gives more than one id a tick borrows
// from the future; its last tick stands in the ring file, so a restart never gives an id twice.
constexpr int64_t kEpochUs = 1'767'225'600'000'000;
constexpr int64_t kTickUs = 64;
constexpr int kNumberBits = 9;
static_assert(Recorders::kMaxLoops == size_t{1} << kNumberBits);

// Above this fill of the usage ring the writer is behind: logs make way.
constexpr double kDropLogsAbove = 0.75;
// Above this fill of the log ring bodies make way for the rows of requests, which are much smaller.
constexpr double kDropBodiesAbove = 0.75;

std::string ring_path(const std::string& directory, std::string_view purpose, size_t number) {
  if (directory.empty()) return {};
  return directory + "/" + std::string(purpose) + "-" + std::to_string(number) + ".ring";
}

// The number in "usage-12.ring", or nothing.
std::optional<uint64_t> ring_number(std::string_view file, std::string_view purpose) {
  if (!file.starts_with(purpose) || !file.ends_with(".ring")) return std::nullopt;
  file.remove_prefix(purpose.size());
  file.remove_suffix(5);
  if (file.empty() || file.front() != '-') return std::nullopt;
  return parse_uint(file.substr(1));
}

}  // namespace

int64_t Recorder::next_id(int64_t at) {
  const int64_t tick = std::max((at - kEpochUs) / kTickUs, last_tick_ + 1);
  last_tick_ = tick;
  return tick << kNumberBits | number_;
}

bool Recorder::usage(const UsageRow& row) {
  if (last_tick_ == 0) last_tick_ = usage_.note();
  UsageRow numbered = row;
  numbered.id = next_id(row.at);
  // Before the row: an id that was noted and not used is no harm, the reverse would be.
  usage_.set_note(last_tick_);
  if (push(usage_, numbered)) return true;
  const uint64_t lost = lost_usage_.load(std::memory_order_relaxed) + 1;
  lost_usage_.store(lost, std::memory_order_relaxed);
  log::error("a usage row is lost: its ring is full", {{"trace_id", row.trace_id},
                                                       {"provider", row.provider},
                                                       {"model", row.model},
                                                       {"input", row.input},
                                                       {"output", row.output},
                                                       {"lost", lost}});
  return false;
}

template <class Row>
bool Recorder::log_row(const Row& row) {
  if (last_tick_ == 0) last_tick_ = usage_.note();
  Row numbered = row;
  numbered.id = next_id(row.at);
  usage_.set_note(last_tick_);
  if (usage_.used() <=
          static_cast<size_t>(kDropLogsAbove * static_cast<double>(usage_.capacity())) &&
      push(log_, numbered)) {
    return true;
  }
  dropped_logs_.store(dropped_logs_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return false;
}

bool Recorder::response(const ResponseRow& row) {
  if (static_cast<double>(usage_.used()) > kRefuseAbove * static_cast<double>(usage_.capacity())) {
    return false;  // usage rows go first
  }
  if (last_tick_ == 0) last_tick_ = usage_.note();
  ResponseRow numbered = row;
  numbered.id = next_id(row.at);
  usage_.set_note(last_tick_);
  return push(usage_, numbered);
}

bool Recorder::request(const RequestRow& row) {
  return log_row(row);
}
bool Recorder::upstream(const UpstreamRequestRow& row) {
  return log_row(row);
}
bool Recorder::event(const InternalEvent& row) {
  return log_row(row);
}

bool Recorder::body(const BodyRow& row) {
  if (static_cast<double>(log_.used()) <= kDropBodiesAbove * static_cast<double>(log_.capacity()))
    return log_row(row);
  dropped_logs_.store(dropped_logs_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return false;
}

bool Recorder::decision(const DecisionRow& row) {
  return log_row(row);
}

double Recorder::level() const {
  return usage_.fill();
}

bool Recorder::admits(size_t in_flight) const {
  const size_t owed = (in_flight + 1) * kReservePerExchange;
  return static_cast<double>(usage_.used() + owed) <
         kRefuseAbove * static_cast<double>(usage_.capacity());
}

Result<std::unique_ptr<Recorders>> Recorders::open(const RecorderOptions& options, size_t loops) {
  GP_ASSERT(loops >= 1 && loops <= kMaxLoops);
  auto all = std::unique_ptr<Recorders>(new Recorders());
  const std::string& directory = options.directory;
  if (!directory.empty()) {
    GP_CHECK(create_directories(directory));
    const std::string lock = directory + "/lock";
    all->lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (all->lock_fd_ < 0) {
      return Error{ErrorKind::server, errno == EACCES ? "no_permission" : "cannot_create",
                   "cannot open " + lock + ": " + std::strerror(errno)};
    }
    if (::flock(all->lock_fd_, LOCK_EX | LOCK_NB) != 0) {
      return Error{ErrorKind::conflict, "database_in_use",
                   "another process writes to the rings in " + directory};
    }
  }
  auto add = [&](std::string path, size_t bytes) -> Result<Ring*> {
    bytes = std::max<size_t>((bytes + 4095) / 4096 * 4096, 4096);
    GP_TRY(
        auto ring,
        Ring::open({.path = std::move(path), .bytes = bytes, .database_id = options.database_id}));
    all->rings_.push_back(std::move(ring));
    return all->rings_.back().get();
  };
  for (size_t i = 0; i < loops; ++i) {
    GP_TRY(Ring * usage, add(ring_path(directory, "usage", i), options.usage_ring_bytes));
    GP_TRY(Ring * log, add(ring_path(directory, "log", i), options.log_ring_bytes));
    all->recorders_.push_back(std::make_unique<Recorder>(*usage, *log, static_cast<uint32_t>(i)));
  }
  // An earlier start with more loops has left rings that still hold rows.
  if (!directory.empty()) {
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator(directory, ec)) {
      const std::string file = entry.path().filename().string();
      for (std::string_view purpose : {"usage", "log"}) {
        const auto number = ring_number(file, purpose);
        if (!number || *number < loops) continue;
        GP_CHECK(add(entry.path().string(), 4096));
      }
    }
  }
  uint64_t recovered = 0;
  for (const auto& ring : all->rings_) recovered += ring->recovered();
  if (recovered != 0) log::info("rows of an earlier run are in the rings", {{"rows", recovered}});
  return all;
}

Recorders::~Recorders() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

void Recorders::remove_drained() {
  for (size_t i = 2 * recorders_.size(); i < rings_.size(); ++i) {
    if (rings_[i]->empty()) rings_[i]->remove_file();
  }
}

double Recorders::level() const {
  double level = 0;
  for (const auto& recorder : recorders_) level = std::max(level, recorder->level());
  return level;
}

uint64_t Recorders::dropped_logs() const {
  uint64_t sum = 0;
  for (const auto& recorder : recorders_) sum += recorder->dropped_logs();
  return sum;
}

uint64_t Recorders::lost_usage() const {
  uint64_t sum = 0;
  for (const auto& recorder : recorders_) sum += recorder->lost_usage();
  return sum;
}

}  // namespace gproxy::storage
