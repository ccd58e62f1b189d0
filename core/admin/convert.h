// Store rows to configuration values and back: the one place where the two floors' types meet.
// Pure; main thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/schema.h"
#include "storage/records.h"

namespace gproxy::admin {

storage::Origin to_storage(config::Origin origin);
config::Origin to_config(storage::Origin origin);

config::Permissions permissions_of(int32_t stored);
int32_t stored_permissions(const config::Permissions& permissions);

// Providers with their credentials, users with their keys, all with ids.
config::Declared declared_of(const storage::ConfigRows& rows);

// What each key, by id, is called in a file, which finds it again by its label: each has one, and
// none of a user twice.
std::map<int64_t, std::string> key_labels(const storage::ConfigRows& rows);
// "user/label" of each key: how a file's routes name it.
std::map<int64_t, std::string> key_names(const storage::ConfigRows& rows);

// What the row holds, over `settings`, with its origins; a row that an older version wrote and that
// names a setting nobody knows any more loses that setting (`dropped` counts).
void overlay_row(const storage::SettingsRow& row, config::Settings& settings, size_t& dropped);
// Digests (hex) of the secrets that the file last declared, by "provider/credential": how a start
// tells a secret that the operator changed in the file from one that a refresh has changed in the
// store.
using DeclaredSecrets = std::map<std::string, std::string>;
DeclaredSecrets declared_secrets_of(const storage::SettingsRow& row);
// The settings that are to be stored: the named columns and, as JSON, whatever else was set.
storage::SettingsRow row_of(const config::Settings& settings, std::string_view shown_dsn,
                            const DeclaredSecrets& declared);

// What GET shows of a secret: the same JSON with every text masked, its last four characters kept.
std::string mask_text(std::string_view secret);
std::string mask_json(std::string_view secret_json);
// A masked text that comes back unchanged means "keep": texts of `incoming` that equal the mask of
// the stored text at the same place are replaced by it.
std::string unmask_json(std::string_view incoming, std::string_view stored);
// Is a mask left in it?
bool has_mask(std::string_view json);
// The same for a provider's settings, of which only some are secret: texts whose name ends with
// token, secret, password, key, authorization or cookie (hf_token, client_secret, an extra header).
std::string mask_settings(std::string_view settings_json);

}  // namespace gproxy::admin
