// What a translation could not carry over, as data: each drop, change and invention has a path in
// the body it came from and a reason. Bounded; owned by the exchange, one loop at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "translate/model.h"

namespace gproxy::translate {

enum class LossAction : uint8_t { dropped, changed, synthesised };
std::string_view name(LossAction action);

struct Loss {
  std::string path;         // "tools[0].input_examples"; "" for the whole
  LossAction action = LossAction::dropped;
  std::string_view reason;  // static text
  // A default the target requires and that alters nothing the client said (max_tokens, a file
  // name): reported, but no reason for the lossless mode to refuse.
  bool harmless = false;
};

class LossLog {
 public:
  static constexpr size_t kMaxEntries = 64;
  static constexpr size_t kMaxPerPath = 4;  // entries whose paths differ in indices only
  static constexpr size_t kMaxPathBytes = 160;

  void dropped(const Path* at, std::string_view reason, std::string_view suffix = {}) {
    add(at, suffix, LossAction::dropped, reason);
  }
  void changed(const Path* at, std::string_view reason, std::string_view suffix = {}) {
    add(at, suffix, LossAction::changed, reason);
  }
  void synthesised(const Path* at, std::string_view reason, std::string_view suffix = {}) {
    add(at, suffix, LossAction::synthesised, reason);
  }
  // A harmless default.
  void filled(const Path* at, std::string_view reason, std::string_view suffix = {}) {
    add(at, suffix, LossAction::synthesised, reason, /*harmless=*/true);
  }
  void add(const Path* at, std::string_view suffix, LossAction action, std::string_view reason,
           bool harmless = false);
  void add_text(std::string path, LossAction action, std::string_view reason,
                bool harmless = false);

  std::span<const Loss> entries() const { return entries_; }
  bool empty() const { return total_ == 0; }
  size_t total() const { return total_; }  // also those beyond the bound
  // The first loss that the lossless mode refuses, or null.
  const Loss* blocking() const;
  // The response header x-gproxy-dropped: paths that were dropped, with "changed:" in front of those
  // that were changed; at most `max_bytes`, cut at an entry, "+N" for the rest. Printable ASCII.
  std::string header(size_t max_bytes = 1024) const;
  // One JSON object per entry: {"path":…,"action":…,"reason":…}.
  void write_json(std::string& out) const;

 private:
  std::vector<Loss> entries_;
  std::vector<size_t> generic_hashes_;  // of entries_, by path without indices and by action
  size_t total_ = 0;
  Loss first_blocking_;
  bool has_blocking_ = false;
};

// The path with its indices taken out ("messages[].content[].cache_control"): a metric's label.
std::string generic_path(std::string_view path);

}  // namespace gproxy::translate
