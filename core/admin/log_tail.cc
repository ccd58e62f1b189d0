#include "admin/log_tail.h"

#include <algorithm>
#include <utility>

#include "admin/api.h"
#include "admin/log_json.h"
#include "net/timer.h"

namespace gproxy::admin {
namespace {

constexpr int64_t kPingMs = 15'000;
constexpr size_t kMaxText = size_t{1} << 20;  // of one batch for one subscriber

storage::LogRecord record_of(const storage::RequestRow& row) {
  storage::LogRecord r;
  r.id = row.id;
  r.at = row.at;
  r.trace_id = row.trace_id;
  r.provider = row.provider;
  r.model = row.model;
  r.method = row.method;
  r.path = row.path;
  r.user_id = row.user_id;
  r.user_key_id = row.user_key_id;
  r.protocol = row.protocol;
  r.operation = row.operation;
  r.status = row.status;
  r.stream = row.stream;
  r.outcome = row.outcome;
  r.error_kind = row.error_code;
  r.request_bytes = row.request_bytes;
  r.response_bytes = row.response_bytes;
  r.ttft_us = row.ttft_us;
  r.duration_us = row.duration_us;
  return r;
}

storage::LogRecord record_of(const storage::UpstreamRequestRow& row) {
  storage::LogRecord r;
  r.upstream = true;
  r.id = row.id;
  r.at = row.at;
  r.trace_id = row.trace_id;
  r.provider = row.provider;
  r.model = row.model;
  r.method = row.method;
  r.path = row.path;
  r.credential_id = row.credential_id;
  r.user_id = row.user_id;
  r.user_key_id = row.user_key_id;
  r.attempt_no = row.attempt_no;
  r.protocol = row.protocol;
  r.operation = row.operation;
  r.status = row.status;
  r.internal = row.internal;
  r.stream = row.stream;
  r.outcome = row.outcome;
  r.error_kind = row.error_kind;
  r.error_message = row.error_message;
  r.request_bytes = row.request_bytes;
  r.response_bytes = row.response_bytes;
  r.ttft_us = row.ttft_us;
  r.duration_us = row.duration_us;
  return r;
}

bool wants(const storage::LogQuery& q, const storage::LogRecord& r) {
  if (r.upstream ? !q.upstream : !q.downstream) return false;
  if (r.upstream) {
    if (q.provider && r.provider != *q.provider) return false;
    if (q.credential_id && r.credential_id != *q.credential_id) return false;
    if (q.operation && r.operation != *q.operation) return false;
  }
  return (!q.user_id || r.user_id == *q.user_id) &&
         (!q.user_key_id || r.user_key_id == *q.user_key_id) &&
         (!q.trace_id || r.trace_id == *q.trace_id) &&
         (!q.path_contains || r.path.find(*q.path_contains) != std::string::npos) &&
         (!q.status_min || (r.status != 0 && r.status >= *q.status_min)) &&
         (!q.status_max || (r.status != 0 && r.status <= *q.status_max));
}

void put_event(std::string& out, const storage::LogRecord& row) {
  out += "event: row\ndata: ";
  json::Writer w(out);
  put_log_row(w, row, {});
  out += "\n\n";
}

}  // namespace

// Its filter never changes; everything else belongs to the loop.
struct LogTail::Subscriber {
  Subscriber(std::shared_ptr<gateway::HttpCall> c, storage::LogQuery f)
      : call(std::move(c)), filter(std::move(f)), ping(call->loop(), [this] { on_ping(); }) {}

  void write(std::string_view text, size_t rows) {
    if (!call->alive()) return;
    if (behind) {
      missed += rows;
      return;
    }
    behind = !call->write(text);
  }
  void on_writable() {
    behind = false;
    tell_missed();
  }
  // Rows that were not formed into text at all.
  void miss(size_t rows) {
    missed += rows;
    if (!behind) tell_missed();
  }
  void tell_missed() {
    if (missed == 0) return;
    const std::string text =
        "event: missed\ndata: {\"rows\":" + std::to_string(std::exchange(missed, 0)) + "}\n\n";
    write(text, 0);
  }
  void on_ping() {
    if (!behind) write(": ping\n\n", 0);
  }

  const std::shared_ptr<gateway::HttpCall> call;
  const storage::LogQuery filter;
  net::Timer ping;
  bool behind = false;
  size_t missed = 0;
};

void LogTail::subscribe(std::shared_ptr<gateway::HttpCall> call, storage::LogQuery filter) {
  auto subscriber = std::make_shared<Subscriber>(call, std::move(filter));
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || subscribers_.size() >= kMaxSubscribers) {
      const auto r = error_response(Error{ErrorKind::overloaded, "too_many_tails",
                                          "too many log tails are open, or gproxy is stopping"});
      call->reply(r.status, {{"content-type", "application/json"}}, r.body);
      return;
    }
    subscribers_.push_back(subscriber);
    count_.store(subscribers_.size(), std::memory_order_relaxed);
  }
  // The call keeps these for as long as it lives, so they must not keep it.
  std::weak_ptr<Subscriber> weak = subscriber;
  call->on_writable([weak] {
    if (auto s = weak.lock()) s->on_writable();
  });
  call->on_gone([this, weak] {
    if (auto s = weak.lock()) remove(s.get());
  });
  subscriber->ping.start(kPingMs, kPingMs);
  call->begin_stream(200, {{"content-type", "text/event-stream"},
                           {"cache-control", "no-store"},
                           {"x-accel-buffering", "no"},
                           {"x-content-type-options", "nosniff"}});
  subscriber->write(": open\n\n", 0);
}

std::vector<LogTail::SubscriberPtr> LogTail::all() {
  const std::lock_guard lock(mutex_);
  return subscribers_;
}

void LogTail::remove(const Subscriber* subscriber) {
  const std::lock_guard lock(mutex_);
  std::erase_if(subscribers_, [&](const auto& s) { return s.get() == subscriber; });
  count_.store(subscribers_.size(), std::memory_order_relaxed);
}

void LogTail::publish(const storage::Batch& batch) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  std::vector<storage::LogRecord> rows;
  rows.reserve(batch.requests.size() + batch.upstream.size());
  for (const auto& row : batch.requests) rows.push_back(record_of(row));
  for (const auto& row : batch.upstream) rows.push_back(record_of(row));
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.at != b.at ? a.at < b.at : a.id < b.id; });
  for (auto& subscriber : all()) {
    std::string text;
    size_t count = 0, left_out = 0;
    for (const auto& row : rows) {
      if (!wants(subscriber->filter, row)) continue;
      if (text.size() > kMaxText) {
        ++left_out;
        continue;
      }
      put_event(text, row);
      ++count;
    }
    net::Loop& loop = subscriber->call->loop();
    // Moved, even where there is nothing to say: a subscriber must die on its own loop.
    loop.post([subscriber = std::move(subscriber), text = std::move(text), count, left_out] {
      if (count != 0) subscriber->write(text, count);
      if (left_out != 0) subscriber->miss(left_out);
    });
  }
}

void LogTail::close() {
  std::vector<SubscriberPtr> open;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    open.swap(subscribers_);
    count_.store(0, std::memory_order_relaxed);
  }
  for (auto& subscriber : open) {
    net::Loop& loop = subscriber->call->loop();
    loop.post([subscriber = std::move(subscriber)] {
      if (subscriber->call->alive()) subscriber->call->end_stream();
    });
  }
}

}  // namespace gproxy::admin
