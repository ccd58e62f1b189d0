// Base64 (RFC 4648 section 4) and base64url (section 5, no padding). The decoder accepts both
// alphabets, with or without padding, and refuses everything else, white space included.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gproxy {

std::string base64_encode(std::string_view bytes);
std::string base64url_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);
std::string hex_encode(std::string_view bytes);
std::optional<std::string> hex_decode(std::string_view text);

// Percent-encoding (RFC 3986): everything but unreserved characters (and, for paths, `/`).
std::string percent_encode(std::string_view text, std::string_view keep = {});
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

}  // namespace gproxy
