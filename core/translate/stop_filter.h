// Stop sequences for upstreams that have none (Options::emulate_stop): cuts the first candidate's
// text before the first of them and ends the answer there. Keeps back no more than the text that
// may begin one. Internal to translate; one per answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "translate/stream_codec.h"

namespace gproxy::translate {

class StopFilter final : public EventSink {
 public:
  // `stops` and `inner` outlive the filter.
  StopFilter(const std::vector<std::string>& stops, EventSink& inner)
      : stops_(stops), inner_(inner) {}

  void on(const Event& event) override;
  // A stop sequence was met and the end was told: nothing more is needed of the upstream.
  bool met() const { return met_; }

 private:
  void text(const Event& event);
  void flush();
  void say(std::string_view data);
  void end(std::string_view stop);

  const std::vector<std::string>& stops_;
  EventSink& inner_;
  std::string kept_;
  uint32_t part_ = 0;
  bool met_ = false;
};

}  // namespace gproxy::translate
