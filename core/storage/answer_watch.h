// Ends the wait for a server that has gone silent: libpq waits for an answer without end, and a
// peer that acknowledges and says nothing (a hung server, a balancer that lost its other side) is
// found by no keepalive. A thread of its own shuts the socket down when an answer is overdue, so
// the waiting call fails like any broken connection. Owned by a Db of PostgreSQL; cut() on any
// thread, the rest on the Db's.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace gproxy::storage {

class AnswerWatch {
 public:
  AnswerWatch();
  ~AnswerWatch();
  AnswerWatch(const AnswerWatch&) = delete;
  AnswerWatch& operator=(const AnswerWatch&) = delete;

  // The socket from now on; a duplicate is kept, as libpq may close its own meanwhile. -1 = none.
  void set_socket(int fd);
  // An answer is due within `limit_ms` (0 = whenever it comes), until came().
  void expect(int64_t limit_ms);
  // True when it was overdue and the socket has been shut down.
  bool came();
  // Shuts the socket down now.
  void cut();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  int fd_ = -1;
  int64_t due_ms_ = 0;       // 0 = nothing is awaited
  int64_t sleeps_till_ = 0;  // the thread looks again then; 0 = when it is told
  bool overdue_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gproxy::storage
