#include "gateway/conversation.h"

#include <functional>

#include "base/json_scan.h"
#include "base/strings.h"
#include "translate/body_index.h"

namespace gproxy::gateway {
namespace {

using translate::BodyField;

// What clients call the session in; lower case.
constexpr std::string_view kSessionHeaders[] = {"x-session-id",    "session_id",
                                                "session-id",      "x-claude-code-session-id",
                                                "conversation_id", "x-conversation-id"};
constexpr size_t kMostHashed = 64 * 1024;  // of each part of the prompt

uint64_t hash(std::string_view text, uint64_t seed) {
  return (std::hash<std::string_view>{}(text.substr(0, kMostHashed)) ^ seed) *
         0x9e3779b97f4a7c15ULL;
}

std::string_view raw(const ConversationHints& hints, BodyField field) {
  for (const auto& span : hints.spans) {
    if (span.field == static_cast<int32_t>(field)) return hints.body.substr(span.at, span.len);
  }
  return {};
}

uint64_t not_zero(uint64_t key) {
  return key == 0 ? 1 : key;
}

}  // namespace

uint64_t conversation_key(const ConversationHints& hints) {
  const auto cache_key = raw(hints, BodyField::prompt_cache_key);
  if (cache_key.size() > 2 && cache_key.front() == '"') return not_zero(hash(cache_key, 1));
  for (const auto name : kSessionHeaders) {
    for (const auto& header : hints.headers) {
      if (!std::string_view(header.value).empty() && iequals(header.name, name))
        return not_zero(hash(header.value, 2));
    }
  }
  const auto metadata = raw(hints, BodyField::metadata);
  if (!metadata.empty() && metadata.front() == '{') {
    const auto user = json::find(metadata, {"user_id"});
    if (user.found && user.kind == json::Kind::string && user.len > 2)
      return not_zero(hash(metadata.substr(user.at, user.len), 3));
  }
  uint64_t key = 0;
  bool any = false;
  for (const auto field : {BodyField::system, BodyField::instructions, BodyField::tools}) {
    const auto part = raw(hints, field);
    if (part.empty()) continue;
    key = hash(part, key + 4);
    any = true;
  }
  for (const auto field : {BodyField::messages, BodyField::input, BodyField::contents}) {
    auto part = raw(hints, field);
    if (part.empty()) continue;
    if (part.front() == '[') {
      const auto first = json::find(part, {"0"});
      if (!first.found) continue;
      part = part.substr(first.at, first.len);
    }
    key = hash(part, key + 5);
    any = true;
  }
  return any ? not_zero(hash(hints.model, key)) : 0;
}

}  // namespace gproxy::gateway
