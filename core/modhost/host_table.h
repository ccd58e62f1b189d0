// gp_host as one module sees it: the host's functions, with log lines that carry the module's id
// and a bound on how many there are. Owned by its Module; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "gproxy/abi.h"

namespace gproxy::modhost {

class HostTable {
 public:
  explicit HostTable(std::string module_id);
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;

  const gp_host* table() const { return &bound_.host; }

  static constexpr int kLinesPerSecond = 50;
  static constexpr int64_t kMuteMs = 10'000;

 private:
  // What `self` points at: the table first, its owner behind it.
  struct Bound {
    gp_host host{};
    HostTable* owner = nullptr;
  };
  static void on_log(const gp_host* self, int32_t level, gp_str message);
  void log(int32_t level, gp_str message);
  bool may_log(int64_t now_ms);

  std::string id_;
  Bound bound_;
  std::atomic<int64_t> second_{0};
  std::atomic<int> lines_{0};
  std::atomic<int64_t> muted_until_{0};
};

}  // namespace gproxy::modhost
