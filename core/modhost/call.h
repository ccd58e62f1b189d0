// One attempt as the module sees it: made by Provider::prepare, released exactly once. Lives on the
// loop that made it; owned by the exchange, whose snapshot keeps the Provider alive and whose arena
// outlives the Call.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/arena.h"
#include "base/result.h"
#include "http/headers.h"
#include "modhost/prepared.h"
#include "modhost/verdict.h"

struct gp_call;
struct gp_sink;

namespace gproxy::modhost {

class Provider;

// A response head or a whole answer.
struct Reply {
  int status = 0;
  std::span<const http::HeaderView> headers;
  std::string_view body;
};

// Takes what a data hook (or a local answer) writes, while the hook runs. An error stops the hook.
class DataSink {
 public:
  virtual Result<void> on_module_data(std::string_view bytes) = 0;

 protected:
  ~DataSink() = default;
};

enum class Last : uint8_t { no, yes };

class Call {
 public:
  Call() = default;
  ~Call() { release(); }
  Call(Call&& other) noexcept { *this = std::move(other); }
  Call& operator=(Call&& other) noexcept;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const Prepared& upstream() const { return upstream_; }
  // Absent means identity: the caller skips what is absent.
  bool has_head() const;
  bool has_data() const;
  bool has_body() const;  // only with upstream().buffer
  bool has_classify() const;

  // The head to send down. Views into `in`, the arena or the module's static storage.
  Result<Reply> head(const Reply& in);
  // One piece of the answer; may call the sink any number of times before it returns.
  Result<void> data(std::string_view in, Last last, DataSink& sink);
  // The whole answer.
  Result<Reply> body(const Reply& whole);
  // What a failure means. Falls back to default_verdict when the hook is absent or breaks its
  // contract. The verdict's durations are bounded.
  Verdict classify(const Failure& failure, const CoolDownLimits& limits = {});
  // Idempotent; also by the destructor.
  void release();

 private:
  friend class Provider;
  const Provider* provider_ = nullptr;
  gp_call* call_ = nullptr;
  Arena* arena_ = nullptr;
  Prepared upstream_;
  size_t room_ = size_t{1} << 20;  // what the data hook may write; grows with what it is given
};

// A failure of an attempt that never got a Call (prepare refused): the module's classify without
// one.
Verdict classify(const Provider& provider, gp_call* call, const Failure& failure, Arena& arena,
                 const CoolDownLimits& limits = {});

}  // namespace gproxy::modhost
