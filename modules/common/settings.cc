#include "common/settings.h"

#include <algorithm>

namespace gproxy_common {
namespace {

gp::Status read_text(const gp::Settings& settings, std::string_view name, std::string_view& out) {
  const auto value = settings.json().get(settings.arena.concat({"/", name}));
  if (value.found && value.type != GP_JSON_STRING && value.type != GP_JSON_NULL)
    return gp::invalid("must be a text", settings.arena.copy(name));
  out = gp::trim(value.or_empty());
  return gp::ok();
}

}  // namespace

gp::Status url_setting(const gp::Settings& settings, std::initializer_list<std::string_view> names,
                       std::string_view otherwise, std::string& out) {
  std::string_view url, named = *names.begin();
  for (std::string_view name : names) {
    if (auto status = read_text(settings, name, url); !status.ok()) return status;
    named = name;
    if (!url.empty()) break;
  }
  if (url.empty()) url = otherwise;
  url = gp::without_trailing_slashes(url);
  if (!gp::usable_base_url(url)) {
    return gp::invalid("must be an http or https address without query, fragment or user",
                       settings.arena.copy(named));
  }
  out = url;
  return gp::ok();
}

gp::Status text_setting(const gp::Settings& settings, std::string_view name,
                        std::string_view otherwise, std::string& out) {
  std::string_view text;
  if (auto status = read_text(settings, name, text); !status.ok()) return status;
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  if (!printable || text.size() > 512) {
    return gp::invalid("must be printable ASCII of at most 512 bytes", settings.arena.copy(name));
  }
  out = text.empty() ? otherwise : text;
  return gp::ok();
}

gp::Status identity_setting(const gp::Settings& settings, bool& vendor) {
  std::string_view text;
  if (auto status = read_text(settings, "client_identity", text); !status.ok()) return status;
  if (!text.empty() && text != "honest" && text != "vendor")
    return gp::invalid("must be \"honest\" or \"vendor\"", "client_identity");
  vendor = text == "vendor";
  return gp::ok();
}

}  // namespace gproxy_common
