// SPDX-License-Identifier: MIT
//
// Telling the host what an answer's headers say about a credential's limits (gproxy.limits/1). A
// module names windows; each is a gp_limit whose amounts start as "not told".
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "gproxy/base.hpp"
#include "gproxy/ext/limits.h"

namespace gp {

// The head of an answer that came for a credential. Views die with the call.
class LimitsIn {
 public:
  explicit LimitsIn(const gp_limits_in* raw) : raw_(raw) {}

  const gp_limits_in& raw() const { return *raw_; }
  int32_t status() const { return raw_->status; }
  int64_t now_ms() const { return raw_->now_ms; }
  std::span<const gp_header> headers() const { return {raw_->headers, raw_->header_count}; }
  std::string_view header(std::string_view name) const { return find_header(headers(), name); }

 private:
  const gp_limits_in* raw_;
};

class Limits {
 public:
  explicit Limits(std::span<gp_limit> room) : room_(room) {}

  // The window of that name and subject, as told so far or new. Null when there is no room for one
  // more. Both texts must be static or the headers' own.
  gp_limit* window(std::string_view name, int32_t scope, std::string_view subject = {}) {
    for (gp_limit& one : room_.first(count_)) {
      if (view(one.name) == name && view(one.subject) == subject) return &one;
    }
    if (count_ == room_.size()) return nullptr;
    gp_limit& made = room_[count_++];
    made = {};
    made.name = str(name);
    made.subject = str(subject);
    made.scope = scope;
    made.used_ppm = made.limit = made.remaining = -1;
    return &made;
  }
  std::span<gp_limit> told() const { return room_.first(count_); }
  size_t count() const { return count_; }

 private:
  std::span<gp_limit> room_;
  size_t count_ = 0;
};

}  // namespace gp
