// Listens in on JSON bytes as they pass: finds the few members one cares about, whatever the
// pieces, without keeping or validating the rest. Bounded memory, no allocation. Used for usage
// scanning and for splicing the model name of an answer. Not thread-safe; one per answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/json.h"

namespace gproxy::translate {

// One member of interest: a dotted path ("usage.input_tokens") and the number it is reported as
// (not 0). Arrays on the way are transparent: "choices.finish_reason" is found in each element.
struct TapPath {
  std::string_view path;
  uint8_t leaf = 0;
};

// The paths as a tree whose children lie side by side; built at compile time.
struct TapTree {
  static constexpr size_t kMaxNodes = 40;
  struct Node {
    std::string_view prefix;  // the whole path down to here
    std::string_view key;
    uint8_t leaf = 0;
    uint8_t first_child = 0;
    uint8_t child_count = 0;
  };
  std::array<Node, kMaxNodes> nodes{};
  size_t size = 1;  // node 0 is the root

  constexpr TapTree(std::initializer_list<TapPath> paths) {
    for (size_t i = 0; i < size; ++i) {
      nodes[i].first_child = static_cast<uint8_t>(size);
      for (const auto& row : paths) {
        const size_t cut = nodes[i].prefix.size();
        if (i != 0 && row.path == nodes[i].prefix) nodes[i].leaf = row.leaf;
        if (row.path.substr(0, cut) != nodes[i].prefix || row.path.size() == cut) continue;
        if (i != 0 && row.path[cut] != '.') continue;
        const size_t from = i == 0 ? 0 : cut + 1;
        size_t to = row.path.find('.', from);
        if (to == std::string_view::npos) to = row.path.size();
        add_child(i, row.path.substr(0, to), row.path.substr(from, to - from));
      }
    }
  }

 private:
  constexpr void add_child(size_t parent, std::string_view prefix, std::string_view key) {
    for (size_t k = nodes[parent].first_child; k < size; ++k) {
      if (nodes[k].key == key) return;
    }
    nodes[size].prefix = prefix;
    nodes[size].key = key;
    ++size;
    ++nodes[parent].child_count;
  }
};

class JsonTap {
 public:
  static constexpr size_t kMaxText = 128;

  enum class Event : uint8_t {
    need_more,     // all bytes seen
    string_begin,  // `at` is right behind the opening quote of a leaf's string
    leaf,          // a leaf's value: scalars when they end, containers when they begin
  };

  // `tree` is static storage.
  explicit JsonTap(const TapTree& tree) : tree_(&tree) {}

  // Goes on from bytes[at], stops behind the next event and moves `at` there.
  Event next(std::string_view bytes, size_t& at);
  // The text so far is over: the next byte begins another one.
  void reset();

  // Right inside the outermost container, between two of its elements or members.
  bool at_top() const {
    return depth_ == 1 && nest_ == 0 && (state_ == State::after_value || awaits_value());
  }
  bool awaits_value() const { return state_ == State::value; }
  // Outside of every container: before a text, or behind a whole one.
  bool at_rest() const {
    return depth_ == 0 && nest_ == 0 && (state_ == State::after_value || awaits_value());
  }

  uint8_t leaf() const { return leaf_; }
  json::Kind kind() const { return kind_; }
  // Of a scalar: its source text without quotes, escapes untouched, cut at kMaxText.
  std::string_view text() const { return {text_, text_len_}; }
  // The number of the leaf, or -1 when it is not a non-negative integer.
  int64_t number() const;

 private:
  enum class State : uint8_t {
    value,
    key_or_end,
    key,
    key_escape,
    after_value,
    scalar,
    text,
    text_escape,
    skip,
    skip_string,
    skip_escape,
  };
  static constexpr uint8_t kNone = 0xff;
  static constexpr size_t kMaxDepth = 10;
  static constexpr size_t kMaxKey = 40;
  struct Frame {
    uint8_t node;
    bool is_array;
  };

  bool begin_value(char c);  // true: an event is to be reported
  void end_container();
  uint8_t find_child(uint8_t node) const;

  const TapTree* tree_;
  uint32_t nest_ = 0;  // open containers being skipped
  State state_ = State::value;
  uint8_t depth_ = 0;
  uint8_t pending_ = 0;  // node of the value to come, or kNone
  uint8_t leaf_ = 0;
  json::Kind kind_ = json::Kind::null;
  uint8_t text_len_ = 0;
  uint8_t key_len_ = 0;
  bool key_plain_ = true;
  bool capture_ = false;
  Frame stack_[kMaxDepth] = {};
  char key_[kMaxKey];
  char text_[kMaxText];
};

}  // namespace gproxy::translate
