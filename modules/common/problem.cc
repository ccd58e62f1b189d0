#include "common/problem.h"

#include <vector>

namespace gproxy_common {

ErrorWords error_words(const gp::Failure& failure) {
  const auto json = failure.json();
  if (!json) return {};
  return {json->get("/error/code").or_empty(), json->get("/error/type").or_empty(),
          json->get("/error/message").or_empty()};
}

std::string_view path_of_id(const gp::Arena& arena, std::string_view id) {
  if (id.empty() || id.size() > 1024) return {};
  std::vector<std::string_view> parts;
  while (true) {
    const size_t slash = std::min(id.find('/'), id.size());
    const std::string_view segment = id.substr(0, slash);
    if (!gp::usable_segment(segment)) return {};
    if (!parts.empty()) parts.push_back("/");
    parts.push_back(gp::encode_segment(arena, segment));
    if (slash == id.size()) break;
    id.remove_prefix(slash + 1);
  }
  return arena.concat(std::span<const std::string_view>(parts));
}

}  // namespace gproxy_common
