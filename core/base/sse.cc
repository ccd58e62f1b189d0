#include "base/sse.h"

#include <cstring>

namespace gproxy::sse {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";

// Finds line ends. Streams rarely hold a CR, so the next one is remembered instead of being looked
// for in every line.
class LineEnds {
 public:
  LineEnds(const char* p, const char* end) : end_(end), cr_(seek(p, '\r')) {}
  // The first CR or LF in [p, end), or end.
  const char* next(const char* p) {
    if (cr_ < p) cr_ = seek(p, '\r');
    const auto* lf = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(cr_ - p)));
    return lf != nullptr ? lf : cr_;
  }

 private:
  const char* seek(const char* p, char c) const {
    const auto* found =
        p < end_ ? static_cast<const char*>(std::memchr(p, c, static_cast<size_t>(end_ - p)))
                 : nullptr;
    return found != nullptr ? found : end_;
  }
  const char* const end_;
  const char* cr_;  // the first CR at or behind the last position asked for
};

Error too_large(size_t limit) {
  return Error{ErrorKind::server,
               "sse_event_too_large",
               "an event of the stream exceeds " + std::to_string(limit) + " bytes",
               {},
               502};
}

}  // namespace

bool Reader::take_line(std::string_view line, Thunk thunk, void* self, bool& go_on) {
  if (line.empty()) {
    if (has_data_) {
      const Event event{name_, data_view_.data() != nullptr ? data_view_ : std::string_view(data_)};
      go_on = thunk(self, event);
    }
    has_data_ = false;
    data_view_ = {};
    data_.clear();
    name_.clear();
    return true;
  }
  if (line.front() == ':') return true;  // a comment
  // Most lines are data lines: their colon needs no search.
  const size_t colon = line.substr(0, 5) == "data:" ? 4 : line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value =
      colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (field == "data") {
    if (value.data() == nullptr) value = std::string_view("", 0);
    if (!has_data_) {
      data_view_ = value;
      has_data_ = true;
      return value.size() <= max_event_bytes_;
    }
    // The second data line: from here on the event's data is kept in data_.
    if (data_view_.data() != nullptr) {
      data_.assign(data_view_);
      data_view_ = {};
    }
    if (data_.size() + 1 + value.size() > max_event_bytes_) return false;
    data_ += '\n';
    data_ += value;
  } else if (field == "event") {
    if (value.size() > max_event_bytes_) return false;
    name_.assign(value);
  }
  return true;  // id, retry and unknown fields are ignored
}

Result<void> Reader::feed_raw(std::string_view bytes, Thunk thunk, void* self) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  // A BOM may arrive in pieces. What turns out not to be one is the beginning of the first line.
  while (!started_ && p < end) {
    if (*p == kBom[static_cast<size_t>(bom_)]) {
      ++p;
      if (++bom_ == 3) started_ = true;
    } else {
      line_.assign(kBom.substr(0, static_cast<size_t>(bom_)));
      started_ = true;
    }
  }
  bool go_on = true;
  LineEnds ends(p, end);
  while (p < end) {
    if (last_cr_) {
      last_cr_ = false;
      if (*p == '\n') {
        ++p;
        continue;
      }
    }
    const char* const stop = ends.next(p);
    const std::string_view piece(p, static_cast<size_t>(stop - p));
    if (line_.size() + piece.size() > max_event_bytes_ + 64) return too_large(max_event_bytes_);
    if (stop == end) {
      line_ += piece;
      break;
    }
    last_cr_ = *stop == '\r';
    p = stop + 1;
    bool fits;
    if (line_.empty()) {
      fits = take_line(piece, thunk, self, go_on);
    } else {
      line_ += piece;
      fits = take_line(line_, thunk, self, go_on);
      // The view points into line_, which is about to be used again.
      if (data_view_.data() != nullptr) {
        data_.assign(data_view_);
        data_view_ = {};
      }
      line_.clear();
    }
    if (!fits) return too_large(max_event_bytes_);
    if (!go_on) {
      line_.clear();
      break;
    }
  }
  // What stays beyond this call must not point into the caller's bytes.
  if (data_view_.data() != nullptr) {
    data_.assign(data_view_);
    data_view_ = {};
  }
  mid_line_ = !line_.empty();
  return {};
}

void Reader::finish_raw(Thunk thunk, void* self) {
  bool go_on = true;
  if (!started_ && bom_ > 0) line_.assign(kBom.substr(0, static_cast<size_t>(bom_)));
  if (!line_.empty()) {
    const std::string last = std::move(line_);
    line_.clear();
    take_line(last, thunk, self, go_on);
    if (data_view_.data() != nullptr) {
      data_.assign(data_view_);
      data_view_ = {};
    }
  }
  if (has_data_) take_line({}, thunk, self, go_on);
  line_.clear();
  data_.clear();
  name_.clear();
  has_data_ = last_cr_ = mid_line_ = started_ = false;
  bom_ = 0;
}

void write(std::string& out, std::string_view name, std::string_view data) {
  if (!name.empty()) {
    out += "event: ";
    out += name;
    out += '\n';
  }
  while (true) {
    const size_t at = data.find_first_of("\r\n");
    out += "data: ";
    out += data.substr(0, at);
    out += '\n';
    if (at == std::string_view::npos) break;
    const bool crlf = data[at] == '\r' && at + 1 < data.size() && data[at + 1] == '\n';
    data.remove_prefix(at + (crlf ? 2 : 1));
  }
  out += '\n';
}

}  // namespace gproxy::sse
