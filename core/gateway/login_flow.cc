#include "gateway/login_flow.h"

#include <charconv>

namespace gproxy::gateway {

// STATE[ KEY_ID]\nMODULE'S TEXT. A state has neither spaces nor lines.
Secret LoginFlow::text() const {
  std::string out = state;
  if (key_id != storage::kNoId) out.append(" ").append(std::to_string(key_id));
  return Secret(out.append("\n").append(module));
}

LoginFlow LoginFlow::read(std::string_view text) {
  LoginFlow out;
  const size_t line = text.find('\n');
  const auto head = text.substr(0, line);
  if (line != std::string_view::npos) out.module = text.substr(line + 1);
  const size_t space = head.find(' ');
  out.state = head.substr(0, space);
  if (space != std::string_view::npos)
    std::from_chars(head.data() + space + 1, head.data() + head.size(), out.key_id);
  return out;
}

bool opener_may_finish(const config::Snapshot& snapshot, int64_t user_id, int64_t key_id,
                       int64_t wall_us) {
  if (key_id == storage::kNoId) return true;
  return snapshot.any_key(key_id, [&](const config::KeyEntry& key) {
    return key.user_id == user_id && key.usable(wall_us) && key.permissions.oauth;
  });
}

}  // namespace gproxy::gateway
