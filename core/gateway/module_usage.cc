#include "gateway/module_usage.h"

#include <algorithm>

namespace gproxy::gateway {

std::unique_ptr<ModuleUsageReader> ModuleUsageReader::of(const modhost::Provider& provider,
                                                         translate::Protocol protocol,
                                                         translate::Framing framing,
                                                         size_t max_bytes) {
  if (!modhost::has_usage_hook(provider)) return nullptr;
  return std::make_unique<ModuleUsageReader>(provider, protocol, framing, max_bytes);
}

ModuleUsageReader::ModuleUsageReader(const modhost::Provider& provider,
                                     translate::Protocol protocol, translate::Framing framing,
                                     size_t max_bytes)
    : provider_(provider),
      protocol_(protocol),
      framing_(framing),
      max_bytes_(max_bytes),
      events_(max_bytes) {}

void ModuleUsageReader::feed(std::string_view bytes) {
  if (stopped_) return;
  if (framing_ == translate::Framing::json) {
    if (bytes.size() > max_bytes_ - whole_.size()) {
      stopped_ = true;
      whole_ = {};
      return;
    }
    whole_.append(bytes);
    unread_ = true;
    return;
  }
  const auto fed = events_.feed(bytes, [this](const sse::Event& event) {
    extract(event.data);
    return !stopped_;
  });
  if (!fed.ok()) stopped_ = true;
}

void ModuleUsageReader::finish() {
  if (stopped_ || framing_ == translate::Framing::json) return;
  events_.finish([this](const sse::Event& event) {
    extract(event.data);
    return true;
  });
}

void ModuleUsageReader::extract(std::string_view bytes) {
  if (stopped_) return;
  if (!modhost::extract_usage(provider_, protocol_, bytes, usage_).ok()) stopped_ = true;
}

translate::Usage ModuleUsageReader::over(translate::Usage told) {
  // A whole answer is shown once, when somebody wants to know.
  if (unread_) {
    unread_ = false;
    extract(whole_);
  }
  const auto known = [](int64_t tokens) { return tokens >= 0 && tokens <= translate::kMaxTokens; };
  if (known(usage_.cached_read_tokens)) told.cache_read = usage_.cached_read_tokens;
  if (known(usage_.cached_write_tokens)) told.cache_write = usage_.cached_write_tokens;
  if (known(usage_.input_tokens)) {
    const int64_t cached =
        std::max<int64_t>(told.cache_read, 0) + std::max<int64_t>(told.cache_write, 0);
    told.input = std::max<int64_t>(usage_.input_tokens - cached, 0);
  }
  if (known(usage_.output_tokens)) told.output = usage_.output_tokens;
  if (known(usage_.reasoning_tokens)) told.reasoning = usage_.reasoning_tokens;
  return told;
}

}  // namespace gproxy::gateway
