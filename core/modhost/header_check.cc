#include "modhost/header_check.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "modhost/abi_text.h"

namespace gproxy::modhost {
namespace {

// An upstream's answer may have more fields than a module may send up.
constexpr size_t kMaxDown = 512;
constexpr size_t kMaxBytesUp = 128 * 1024;
constexpr size_t kMaxBytesDown = 512 * 1024;

Error broken(std::string rule) {
  return Error{ErrorKind::server, "module_error", std::move(rule), {}, 502};
}

bool frames_message(std::string_view name) {
  return iequals(name, "content-length") || iequals(name, "transfer-encoding");
}

bool host_sets(std::string_view name) {
  return iequals(name, "host") || iequals(name, "accept-encoding") || iequals(name, "expect") ||
         http::is_hop_by_hop(name);
}

}  // namespace

Result<std::span<const http::HeaderView>> check_headers(const gp_header* headers, size_t count,
                                                        Direction direction, Arena& arena) {
  auto most = direction == Direction::up ? size_t{GP_MAX_HEADERS} : kMaxDown;
  if (count > most) return broken(fmt::format("more than {} headers", most));
  if (count > 0 && headers == nullptr) return broken("headers have a count and no list");
  size_t bytes = 0, dropped = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto& header = headers[i];
    if (!is_sound(header.name) || !http::is_token(view(header.name)))
      return broken(fmt::format("the name of header {} is not a token", i));
    auto name = view(header.name);
    if (name.size() > 256)
      return broken(fmt::format("the name of header {} is longer than 256 bytes", i));
    if (!is_sound(header.value) || !http::is_field_value(view(header.value))) {
      return broken(fmt::format("the value of header {} has a control character", name));
    }
    if (direction == Direction::up && header.value.len > GP_MAX_HEADER_VALUE) {
      return broken(
          fmt::format("the value of header {} is longer than {} bytes", name, GP_MAX_HEADER_VALUE));
    }
    bytes += header.name.len + header.value.len;
    if (bytes > (direction == Direction::up ? kMaxBytesUp : kMaxBytesDown))
      return broken("the headers are too long together");
    if (frames_message(name)) {
      if (direction == Direction::up)
        return broken(fmt::format("the header {} is the host's to set", name));
      ++dropped;
    } else if (direction == Direction::up ? host_sets(name) : http::is_hop_by_hop(name)) {
      ++dropped;
    }
  }
  // The layouts are one (asserted in provider.cc): the module's list is ours.
  std::span<const http::HeaderView> all(reinterpret_cast<const http::HeaderView*>(headers), count);
  if (dropped == 0) return all;
  auto kept = arena.array<http::HeaderView>(count);
  if (kept.empty())
    return Error{ErrorKind::overloaded,
                 "memory_limit",
                 "the request needs more memory than it may have",
                 {}};
  size_t n = 0;
  for (const auto& header : all) {
    bool drop =
        frames_message(header.name) ||
        (direction == Direction::up ? host_sets(header.name) : http::is_hop_by_hop(header.name));
    if (!drop) kept[n++] = header;
  }
  return std::span<const http::HeaderView>(kept.first(n));
}

}  // namespace gproxy::modhost
