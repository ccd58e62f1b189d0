// The rules for names, addresses and limits, for the file and the admin API alike. Pure; any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/schema.h"

namespace gproxy::config {

// [A-Za-z0-9._-]{1,64}, not one of the words that routes use.
Result<void> check_provider_name(std::string_view name);
bool is_reserved_provider_name(std::string_view name);
// 1 to 128 characters, no control characters.
Result<void> check_user_name(std::string_view name);
Result<void> check_label(std::string_view label, std::string_view field);
// A key that fits in a header: 1 to 512 visible ASCII characters.
Result<void> check_user_key(std::string_view key, std::string_view field);
// A name, an IPv4 or IPv6 literal (with or without brackets).
Result<void> check_host(std::string_view host);
// http, https, socks5 or socks5h with a host.
Result<void> check_proxy(std::string_view url);
// What single bounds cannot say: low below high water, names, hosts.
Result<void> check_settings(const Settings& settings);
// Names, duplicates and shapes; not what only the module knows.
Result<void> check_declared(const Declared& declared);

}  // namespace gproxy::config
