// An answer that the module makes itself (LOCAL routes): whole, or in pieces with a delay between
// them. No credential, no upstream. Lives on the loop that made it; owned by the exchange.
#pragma once

#include <cstdint>
#include <utility>

#include "base/result.h"
#include "modhost/call.h"
#include "modhost/provider.h"

struct gp_local;

namespace gproxy::modhost {

class LocalAnswer {
 public:
  // Asks gproxy.local/1 for the answer. Errors as Provider::prepare.
  static Result<LocalAnswer> respond(const Provider& provider, const CallRequest& request);
  ~LocalAnswer() { release(); }
  LocalAnswer(LocalAnswer&& other) noexcept { *this = std::move(other); }
  LocalAnswer& operator=(LocalAnswer&& other) noexcept;
  LocalAnswer(const LocalAnswer&) = delete;
  LocalAnswer& operator=(const LocalAnswer&) = delete;

  const Reply& reply() const { return reply_; }  // status, headers; the body too unless streamed()
  bool streamed() const { return streamed_; }

  struct Piece {
    std::string_view bytes;  // valid until the next call
    int64_t delay_ms = 0;    // to send it so much later than the piece before
    bool last = false;
  };
  // REQUIRES: streamed(), and no piece with `last` came yet.
  Result<Piece> next();
  void release();

 private:
  LocalAnswer() = default;
  const Provider* provider_ = nullptr;
  gp_call* call_ = nullptr;
  Arena* arena_ = nullptr;
  Reply reply_;
  bool streamed_ = false;
  int idle_ = 0;  // pieces in a row without bytes and without delay
};

}  // namespace gproxy::modhost
