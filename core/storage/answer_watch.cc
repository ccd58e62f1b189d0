#include "storage/answer_watch.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace gproxy::storage {

AnswerWatch::AnswerWatch() : thread_([this] { run(); }) {}

AnswerWatch::~AnswerWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
  if (fd_ >= 0) ::close(fd_);
}

void AnswerWatch::set_socket(int fd) {
  const std::lock_guard lock(mutex_);
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd >= 0 ? ::fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
}

void AnswerWatch::expect(int64_t limit_ms) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    overdue_ = false;
    due_ms_ = limit_ms > 0 ? Clock::system().now_ms() + limit_ms : 0;
    // Deadlines mostly grow: a thread that sleeps till an older one finds this one then.
    wake = due_ms_ != 0 && (sleeps_till_ == 0 || due_ms_ < sleeps_till_);
  }
  if (wake) changed_.notify_one();
}

bool AnswerWatch::came() {
  const std::lock_guard lock(mutex_);
  due_ms_ = 0;
  return overdue_;
}

void AnswerWatch::cut() {
  const std::lock_guard lock(mutex_);
  if (fd_ >= 0) (void)::shutdown(fd_, SHUT_RDWR);
}

void AnswerWatch::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (due_ms_ == 0) {
      sleeps_till_ = 0;
      changed_.wait(lock);
      continue;
    }
    const int64_t left_ms = due_ms_ - Clock::system().now_ms();
    if (left_ms > 0) {
      sleeps_till_ = due_ms_;
      (void)changed_.wait_for(lock, std::chrono::milliseconds(left_ms));
      continue;
    }
    overdue_ = true;
    due_ms_ = 0;
    if (fd_ >= 0) (void)::shutdown(fd_, SHUT_RDWR);
  }
}

}  // namespace gproxy::storage
