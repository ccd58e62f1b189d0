// GET /admin/logs/tail: request rows as server-sent events, when they have been written. The writer
// thread hands each batch over; what a subscriber wants is formed into text there and posted to the
// subscriber's loop. A client that does not keep up misses rows and is told how many.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "gateway/http_handler.h"
#include "storage/queries.h"
#include "storage/store.h"

namespace gproxy::admin {

class LogTail {
 public:
  static constexpr size_t kMaxSubscribers = 16;

  // On the call's loop; `filter` as for the list, its times and pages are ignored. Replies.
  void subscribe(std::shared_ptr<gateway::HttpCall> call, storage::LogQuery filter);
  // Writer thread, after a commit; the rows' views live as long as this call.
  void publish(const storage::Batch& batch);
  // Ends all streams. Any thread.
  void close();

 private:
  struct Subscriber;
  using SubscriberPtr = std::shared_ptr<Subscriber>;
  std::vector<SubscriberPtr> all();
  void remove(const Subscriber* subscriber);

  std::mutex mutex_;
  std::vector<SubscriberPtr> subscribers_;
  std::atomic<size_t> count_{0};
  bool closed_ = false;
};

}  // namespace gproxy::admin
