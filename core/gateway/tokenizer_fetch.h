// Fetches a tokenizer.json and keeps it in the data directory: once per worker and address however
// many counts wait for it, and on to its end though they leave. Redirects are followed, also to
// other hosts, to which the token is never sent. On the worker's loop; owned by its context while
// it runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/work.h"
#include "upstream/client.h"

namespace gproxy::gateway {

struct WorkerContext;

class TokenizerFetch final : private upstream::TransferSink {
 public:
  using Waiter = std::function<void()>;
  // `waiter` is called when it is kept or has failed (a failure is noted, and for a while all that
  // want it hear at once), in a later turn.
  static void join(WorkerContext& context, std::string_view url, std::string_view bearer,
                   std::string_view proxy, Waiter waiter);
  TokenizerFetch(WorkerContext& context, std::string_view url, std::string_view bearer,
                 std::string_view proxy);
  ~TokenizerFetch();

 private:
  void send(std::string url);
  void on_head(const upstream::Head& head) override;
  void on_data(std::string_view bytes) override;
  void on_complete(const upstream::Completion& completion) override;
  void keep();
  void end(std::string_view why);  // empty: it is kept

  WorkerContext& context_;
  const std::string wanted_;
  std::string url_;  // where redirects have led
  std::string bearer_;
  const std::string proxy_;
  std::string location_;
  std::string body_;
  int status_ = 0;
  int redirects_ = 0;
  bool too_large_ = false;
  std::unique_ptr<upstream::Transfer> transfer_;
  net::PendingWork work_;
  std::vector<Waiter> waiters_;
};

// Where `location` leads from `url`; empty if nowhere: not http(s), or from https down to http.
std::string follow_redirect(std::string_view url, std::string_view location);
bool is_same_origin(std::string_view a, std::string_view b);

}  // namespace gproxy::gateway
