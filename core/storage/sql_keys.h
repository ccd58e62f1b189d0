// What sql_keys.cc and sql_rekey.cc share: the names of sealed records. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gproxy::storage {

// What a record is bound to, so that none can be moved: "credentials/7/secret".
std::string sealed_place(std::string_view table, int64_t id, std::string_view column);
std::string sealed_key_place(std::string_view name);

// Rows of sealed_keys: the key of user keys' digests, which never changes, and, while a rekey is
// under way, each of the two master keys sealed with the other.
inline constexpr std::string_view kLookupKey = "user_key_lookup";
inline constexpr std::string_view kNewerKey = "rekey_newer";  // sealed with the older
inline constexpr std::string_view kOlderKey = "rekey_older";  // sealed with the newer

// Beside the generated key file: a key that takes its place when everything is sealed with it.
inline constexpr std::string_view kNextFile = ".next";

}  // namespace gproxy::storage
