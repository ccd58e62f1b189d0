// Which conversation a request belongs to, as a number: what the client names it by, else a hash of
// the part of its prompt that stays the same from turn to turn, which is what a vendor's prompt
// cache goes by. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "http/headers.h"
#include "modhost/spans.h"

namespace gproxy::gateway {

struct ConversationHints {
  std::span<const http::HeaderView> headers;
  std::string_view model;
  std::string_view body;  // valid JSON, or empty
  std::span<const modhost::FieldSpan> spans;
};
// In this order: prompt_cache_key; a session's header; metadata.user_id; model, system prompt,
// tools and the first message. 0 where there is nothing to go by.
uint64_t conversation_key(const ConversationHints& hints);

}  // namespace gproxy::gateway
