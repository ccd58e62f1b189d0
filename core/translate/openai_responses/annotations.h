// Citations of an output_text on their way to becoming its annotations: they may come before the
// text they cite, and count in their origin's unit, so they wait until the text is complete.
// Internal to translate; one per encoder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "translate/model.h"

namespace gproxy::translate::responses {

class Annotations {
 public:
  static constexpr size_t kMax = 256;

  static bool has_home(const Citation& citation);
  // `begin` and `end` are the cited part's place in the text so far, in bytes. False when full.
  bool add(uint32_t part, const Citation& citation, size_t begin, size_t end);
  // The part is complete and ends at that byte.
  void part_end(uint32_t part, size_t end);
  // The annotation objects, and none is left.
  std::vector<std::string> resolve(std::string_view text);
  void clear() { cites_.clear(); }

 private:
  struct Cite {
    Citation::Unit unit = Citation::Unit::none;
    Citation::Kind kind = Citation::Kind::url;
    uint32_t part = 0;
    size_t begin = 0, end = 0;
    int64_t from = -1, to = -1;
    std::string url, title, file_id, raw;
  };
  std::vector<Cite> cites_;
};

}  // namespace gproxy::translate::responses
