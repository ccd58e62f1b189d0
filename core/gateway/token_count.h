// One token count that gproxy makes itself: reading the request, having the tokenizer at hand
// (loaded, from disk, fetched), counting; short ones in place, long ones and everything that waits
// on the thread pool. On the exchange's loop; owned by the exchange, and destroying it cancels it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "modhost/count_plan.h"
#include "net/work.h"
#include "tokenize/library.h"
#include "translate/protocol.h"

namespace gproxy::gateway {

struct WorkerContext;

struct Counted {
  int64_t tokens = 0;
  bool estimated = false;
};

// What is counted, with what. Views of the exchange: it outlives the TokenCount, which copies what
// goes to the pool.
struct CountInput {
  translate::Protocol client = translate::Protocol::none;
  std::string_view body;
  std::string_view model;
  json::Limits limits;
  size_t max_arena_bytes = 0;
  modhost::CountPlan plan;
  std::string_view proxy;  // for a fetch
};

class TokenCount : public std::enable_shared_from_this<TokenCount> {
 public:
  using Done = std::function<void(Result<Counted>)>;
  // `done` is called once, perhaps before start() returns, never after this is destroyed. Errors:
  // the client's body, or code unknown_encoding. A tokenizer that cannot be had makes the count an
  // estimate.
  static std::shared_ptr<TokenCount> start(WorkerContext& context, const CountInput& input,
                                           Done done);
  TokenCount(WorkerContext& context, const CountInput& input, Done done);
  ~TokenCount();

  static constexpr size_t kInlineBytes = size_t{64} << 10;

 private:
  struct Job;
  void begin();
  void run_in_pool();
  void fetch();
  void finish(Result<Counted> result);

  WorkerContext& context_;
  CountInput input_;
  std::shared_ptr<Job> job_;
  net::PendingWork work_;
  bool fetched_ = false;
  Done done_;
};

}  // namespace gproxy::gateway
