// Small text helpers over views. ASCII case rules only (headers, enum words).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gproxy {

bool iequals(std::string_view a, std::string_view b);
std::string to_lower(std::string_view text);
std::string_view trim(std::string_view text);  // ASCII white space
std::optional<int64_t> parse_int(std::string_view text);
std::optional<uint64_t> parse_uint(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
bool is_valid_utf8(std::string_view text);
// The word in `candidates` nearest to `word` (edit distance <= 3), for did-you-mean; empty if none.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace gproxy
