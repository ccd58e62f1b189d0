#include "modhost/usage_hook.h"

#include <fmt/format.h>

#include "gproxy/ext/usage.h"
#include "modhost/abi_text.h"
#include "modhost/provider.h"

namespace gproxy::modhost {
namespace {

constexpr int64_t kMostTokens = int64_t{1} << 40;

bool is_count(int64_t tokens) {
  return tokens >= -1 && tokens <= kMostTokens;
}

}  // namespace

bool has_usage_hook(const Provider& provider) {
  return provider.module().extensions().usage != nullptr;
}

Result<bool> extract_usage(const Provider& provider, translate::Protocol protocol,
                           std::string_view bytes, ModuleUsage& usage) {
  gp_usage counts{};
  counts.size = sizeof counts;
  counts.input_tokens = usage.input_tokens;
  counts.output_tokens = usage.output_tokens;
  counts.cached_read_tokens = usage.cached_read_tokens;
  counts.cached_write_tokens = usage.cached_write_tokens;
  counts.reasoning_tokens = usage.reasoning_tokens;
  auto started = provider.clock().now_us();
  auto status = provider.module().extensions().usage->extract(
      provider.handle(), static_cast<int32_t>(protocol), to_gp(bytes), &counts);
  provider.note_duration("extract", started);
  if (status == GP_ERR_NOT_FOUND) return false;
  if (status != GP_OK) return provider.breach("extract", fmt::format("failed ({})", status));
  for (auto tokens : {counts.input_tokens, counts.output_tokens, counts.cached_read_tokens,
                      counts.cached_write_tokens, counts.reasoning_tokens}) {
    if (!is_count(tokens)) return provider.breach("extract", "a count is out of range");
  }
  usage = {counts.input_tokens, counts.output_tokens, counts.cached_read_tokens,
           counts.cached_write_tokens, counts.reasoning_tokens};
  return true;
}

}  // namespace gproxy::modhost
