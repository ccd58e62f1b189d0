// Settings that several kinds have. Read once, in create; each refusal names the setting.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "gproxy/api_key.hpp"
#include "gproxy/module.hpp"

namespace gproxy_common {

// An address (http or https, without query, fragment or user), trailing slashes cut. Absent, null
// and empty mean `otherwise`. `names` are the setting's name and its aliases; the first that is
// there counts, errors name it.
gp::Status url_setting(const gp::Settings& settings, std::initializer_list<std::string_view> names,
                       std::string_view otherwise, std::string& out);

// A text of printable ASCII of at most 512 bytes: it goes into headers and addresses.
gp::Status text_setting(const gp::Settings& settings, std::string_view name,
                        std::string_view otherwise, std::string& out);

// `client_identity`: "honest" (default; absent, null and empty too) or "vendor".
gp::Status identity_setting(const gp::Settings& settings, bool& vendor);

}  // namespace gproxy_common
