#include "config/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/strings.h"
#include "config/pool_settings.h"

namespace gproxy::config {
namespace {

// First path segments that routes use.
constexpr std::string_view kReserved[] = {"admin",   "assets",  "healthz", "readyz", "livez",
                                          "metrics", "version", "v1",      "v1beta", "favicon.ico"};

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool is_host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool is_ipv6(std::string_view text) {
  if (std::count(text.begin(), text.end(), ':') < 2) return false;
  auto zone = text.find('%');
  return std::all_of(text.begin(), text.begin() + static_cast<long>(std::min(zone, text.size())),
                     [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
                              (c >= 'A' && c <= 'F') || c == ':' || c == '.';
                     });
}

}  // namespace

bool is_reserved_provider_name(std::string_view name) {
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

Result<void> check_provider_name(std::string_view name) {
  bool shape =
      !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), is_host_byte);
  if (!shape)
    return invalid_error(
        fmt::format("a provider's name is [A-Za-z0-9._-]{{1,64}}, not `{}`", name.substr(0, 80)),
        "name");
  // A segment of dots would be lost when the path is normalised on the way here.
  if (name == "." || name == "..")
    return invalid_error("a provider's name must hold more than dots", "name");
  if (is_reserved_provider_name(name))
    return invalid_error(fmt::format("the name `{}` is one of gproxy's own routes", name), "name");
  return ok();
}

Result<void> check_user_name(std::string_view name) {
  if (name.empty() || characters(name) > 128 || has_control(name) || !is_valid_utf8(name)) {
    return invalid_error("a user's name has 1 to 128 characters and no control characters", "name");
  }
  return ok();
}

Result<void> check_label(std::string_view label, std::string_view field) {
  if (characters(label) > 128 || has_control(label) || !is_valid_utf8(label)) {
    return invalid_error(
        fmt::format("{} has at most 128 characters and no control characters", field),
        std::string(field));
  }
  return ok();
}

Result<void> check_user_key(std::string_view key, std::string_view field) {
  bool visible = std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (key.empty() || key.size() > 512 || !visible) {
    return invalid_error(fmt::format("{} must have 1 to 512 visible ASCII characters", field),
                         std::string(field));
  }
  return ok();
}

Result<void> check_host(std::string_view host) {
  auto bare = host;
  if (bare.starts_with('[') && bare.ends_with(']')) bare = bare.substr(1, bare.size() - 2);
  bool name =
      !bare.empty() && bare.size() <= 253 && std::all_of(bare.begin(), bare.end(), is_host_byte);
  if (!name && !is_ipv6(bare))
    return invalid_error(
        fmt::format("must be a host name or an address, is `{}`", host.substr(0, 80)), "host");
  return ok();
}

Result<void> check_proxy(std::string_view url) {
  if (url.empty()) return ok();
  // The URL may hold a password: no message quotes it.
  auto fail = [](std::string what) { return invalid_error(std::move(what), "proxy"); };
  auto scheme = url.find("://");
  if (scheme == url.npos)
    return fail("must be a URL: http://, https://, socks5:// or socks5h:// and a host");
  auto word = to_lower(url.substr(0, scheme));
  if (word != "http" && word != "https" && word != "socks5" && word != "socks5h") {
    return fail(fmt::format("the scheme `{}` is none of http, https, socks5, socks5h", word));
  }
  auto rest = url.substr(scheme + 3);
  if (std::any_of(rest.begin(), rest.end(), [](char c) { return c <= 0x20 || c >= 0x7f; }))
    return fail("has a byte that must be encoded");
  auto authority = rest.substr(0, rest.find_first_of("/?#"));
  if (auto tail = rest.substr(authority.size()); !tail.empty() && tail != "/")
    return fail("must not have a path");
  if (auto at = authority.rfind('@'); at != authority.npos) authority = authority.substr(at + 1);
  if (authority.empty()) return fail("has no host");
  auto port = authority.starts_with('[') ? authority.find("]:") : authority.rfind(':');
  if (port != authority.npos) {
    auto digits = authority.substr(port + (authority.starts_with('[') ? 2 : 1));
    auto number = parse_uint(digits);
    if (!number || *number == 0 || *number > 65535) return fail("its port is not 1 to 65535");
    authority = authority.substr(0, port + (authority.starts_with('[') ? 1 : 0));
  }
  if (auto host = check_host(authority); !host.ok()) return fail("its host is malformed");
  return ok();
}

Result<void> check_settings(const Settings& settings) {
  GP_CHECK(check_host(settings.host));
  GP_CHECK(check_proxy(settings.proxy));
  if (!settings.admin_key.empty())
    GP_CHECK(check_user_key(settings.admin_key.reveal(), "admin_key"));
  if (!settings.metrics_token.empty())
    GP_CHECK(check_user_key(settings.metrics_token.reveal(), "metrics_token"));
  const auto& limits = settings.limits;
  if (limits.output_low_bytes >= limits.output_high_bytes) {
    return invalid_error("must be lower than limits.output_high_bytes", "limits.output_low_bytes");
  }
  if (limits.max_request_line_bytes > limits.max_header_bytes) {
    return invalid_error("must not exceed limits.max_header_bytes",
                         "limits.max_request_line_bytes");
  }
  if (limits.max_request_bytes > limits.memory_budget_bytes) {
    return invalid_error("must not exceed limits.memory_budget_bytes", "limits.max_request_bytes");
  }
  if (settings.retry.backoff_ms > settings.retry.max_backoff_ms) {
    return invalid_error("must not exceed retry.max_backoff_ms", "retry.backoff_ms");
  }
  for (size_t i = 0; i < settings.modules_dirs.size(); ++i) {
    if (!settings.modules_dirs[i].starts_with('/')) {
      return invalid_error(fmt::format("`{}` is not an absolute path", settings.modules_dirs[i]),
                           fmt::format("modules_dirs[{}]", i));
    }
  }
  return ok();
}

namespace {

Error at(Error error, const std::string& path) {
  error.param = error.param.empty() ? path : fmt::format("{}.{}", path, error.param);
  return error;
}

Result<void> check_credential(const CredentialConfig& credential, std::set<std::string>& names,
                              const std::string& path) {
  if (auto label = check_label(credential.name, "name"); !label.ok())
    return at(label.error(), path);
  if (!credential.name.empty() && !names.insert(credential.name).second) {
    return invalid_error(fmt::format("the credential `{}` occurs twice", credential.name),
                         path + ".name");
  }
  Arena arena;
  auto settings = json::parse(credential.settings_json, arena);
  if (!settings.ok() || !settings->is_object())
    return invalid_error("must be a JSON object", path + ".settings");
  if (auto member = parse_member_settings(credential.settings_json); !member.ok())
    return at(member.error(), path + ".settings");
  return ok();
}

Result<void> check_user(const UserConfig& user, const std::string& path) {
  if (auto name = check_user_name(user.name); !name.ok()) return at(name.error(), path);
  std::set<std::string> labels;
  for (size_t i = 0; i < user.keys.size(); ++i) {
    const auto& key = user.keys[i];
    auto where = fmt::format("{}.keys[{}]", path, i);
    if (auto label = check_label(key.label, "label"); !label.ok()) return at(label.error(), where);
    if (!key.label.empty() && !labels.insert(key.label).second) {
      return invalid_error(fmt::format("the label `{}` occurs twice", key.label), where + ".label");
    }
    if (!key.key.empty()) {
      if (auto text = check_user_key(key.key.reveal(), "key"); !text.ok())
        return at(text.error(), where);
    }
  }
  return ok();
}

}  // namespace

Result<void> check_declared(const Declared& declared) {
  std::set<std::string> names;
  for (size_t i = 0; i < declared.providers.size(); ++i) {
    const auto& provider = declared.providers[i];
    auto path = fmt::format("providers[{}]", i);
    if (auto name = check_provider_name(provider.name); !name.ok()) return at(name.error(), path);
    if (!names.insert(provider.name).second)
      return invalid_error(fmt::format("the provider `{}` occurs twice", provider.name),
                           path + ".name");
    if (provider.kind.empty()) return invalid_error("the kind is missing", path + ".kind");
    if (auto pool = parse_pool_settings(provider.pool_json); !pool.ok())
      return at(pool.error(), path + ".pool");
    std::set<std::string> credentials;
    for (size_t c = 0; c < provider.credentials.size(); ++c) {
      GP_CHECK(check_credential(provider.credentials[c], credentials,
                                fmt::format("{}.credentials[{}]", path, c)));
    }
  }
  names.clear();
  for (size_t i = 0; i < declared.routes.size(); ++i) {
    auto route = parse_route(declared.routes[i]);
    auto path = fmt::format("routes[{}]", i);
    if (!route.ok()) return at(route.error(), path);
    for (const auto& alias : route->aliases) {
      if (!names.insert(alias).second)
        return invalid_error(fmt::format("the name `{}` occurs twice", alias), path + ".aliases");
    }
    if (!names.insert(route->name).second)
      return invalid_error(fmt::format("the route `{}` occurs twice", route->name), path + ".name");
  }
  names.clear();
  for (size_t i = 0; i < declared.users.size(); ++i) {
    auto path = fmt::format("users[{}]", i);
    GP_CHECK(check_user(declared.users[i], path));
    if (!names.insert(declared.users[i].name).second) {
      return invalid_error(fmt::format("the user `{}` occurs twice", declared.users[i].name),
                           path + ".name");
    }
  }
  return ok();
}

}  // namespace gproxy::config
