#include "address.h"

#include <algorithm>

namespace gproxy_custom {
namespace {

// "v1", "v4", "v1beta", "v1beta1", "v1alpha".
bool is_version(std::string_view segment) {
  if (segment.size() < 2 || segment.size() > 12 || segment[0] != 'v' || segment[1] < '0' ||
      segment[1] > '9') {
    return false;
  }
  for (char c : segment) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) return false;
  }
  return true;
}

std::string_view path_of(std::string_view base) {
  const size_t host = base.find("://") + 3;
  const size_t slash = base.find('/', host);
  return slash == std::string_view::npos ? std::string_view() : base.substr(slash);
}

std::string_view last_segment(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
}

bool has_version(std::string_view path) {
  while (!path.empty()) {
    const std::string_view segment = last_segment(path);
    if (is_version(segment)) return true;
    path.remove_suffix(segment.size() + 1);
  }
  return false;
}

std::string_view host_of(std::string_view base) {
  const std::string_view rest = base.substr(base.find("://") + 3);
  return rest.substr(0, rest.find_first_of(":/"));
}

}  // namespace

Bases bases_of(std::string_view base) {
  const std::string_view path = path_of(base);
  const std::string_view last = last_segment(path);
  const std::string text(base);
  Bases out;

  out.claude = is_version(last) ? text : text + "/v1";

  if (last.starts_with("v1beta")) {
    out.openai = text + "/openai";
  } else if (has_version(path)) {
    out.openai = text;
  } else if (host_of(base) == "generativelanguage.googleapis.com") {
    out.openai = text + "/v1beta/openai";
  } else {
    out.openai = text + "/v1";
  }

  static constexpr std::string_view kCompatible = "/openai";
  const std::string_view before =
      base.ends_with(kCompatible) ? base.substr(0, base.size() - kCompatible.size()) : base;
  const std::string_view parent =
      path.substr(0, path.size() - std::min(path.size(), last.size() + 1));
  if (is_version(last_segment(path_of(before)))) {
    out.gemini = std::string(before);
  } else if (last_segment(parent) == "publishers") {
    out.gemini = text;
  } else {
    out.gemini = text + "/v1beta";
  }
  return out;
}

}  // namespace gproxy_custom
