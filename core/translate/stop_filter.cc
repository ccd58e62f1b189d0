#include "translate/stop_filter.h"

#include <algorithm>

namespace gproxy::translate {

void StopFilter::on(const Event& event) {
  if (met_) return;
  const bool mine = event.candidate == 0;
  if (mine && event.kind == EventKind::delta && event.part_kind == PartKind::text) {
    return text(event);
  }
  const bool ends = event.kind == EventKind::part_start || event.kind == EventKind::part_end ||
                    event.kind == EventKind::finish || event.kind == EventKind::eof;
  if (mine && ends) flush();
  inner_.on(event);
}

void StopFilter::text(const Event& event) {
  if (event.part != part_) flush();
  part_ = event.part;
  kept_ += event.data;
  size_t first = std::string::npos;
  std::string_view which;
  for (const auto& stop : stops_) {
    if (stop.empty()) continue;
    const size_t at = kept_.find(stop);
    if (at < first) {
      first = at;
      which = stop;
    }
  }
  if (first != std::string::npos) {
    say(std::string_view(kept_).substr(0, first));
    kept_.clear();
    return end(which);
  }
  // The longest end of the text that a stop sequence may begin with.
  size_t hold = 0;
  for (const auto& stop : stops_) {
    size_t n = std::min(kept_.size(), stop.empty() ? 0 : stop.size() - 1);
    while (n > hold && !kept_.ends_with(std::string_view(stop).substr(0, n))) --n;
    hold = std::max(hold, n);
  }
  say(std::string_view(kept_).substr(0, kept_.size() - hold));
  kept_.erase(0, kept_.size() - hold);
}

void StopFilter::flush() {
  if (kept_.empty()) return;
  const std::string rest = std::move(kept_);
  kept_.clear();
  say(rest);
}

void StopFilter::say(std::string_view data) {
  if (data.empty()) return;
  Event event;
  event.kind = EventKind::delta;
  event.part_kind = PartKind::text;
  event.part = part_;
  event.data = data;
  inner_.on(event);
}

void StopFilter::end(std::string_view stop) {
  met_ = true;
  Event event;
  event.kind = EventKind::part_end;
  event.part = part_;
  inner_.on(event);
  Finish finish;
  finish.reason = FinishReason::stop_sequence;
  finish.stop_sequence = stop;
  Event last;
  last.kind = EventKind::finish;
  last.finish = &finish;
  inner_.on(last);
  Event eof;
  eof.kind = EventKind::eof;
  eof.clean = true;
  inner_.on(eof);
}

}  // namespace gproxy::translate
