// The start: what the store holds, overlaid by file, environment and command line, then written
// back; user 0 and its key; rows for the kinds that ask for one; what the file declares. Also the
// file's part again on reload. Runs on whichever thread owns the Store at that moment.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "admin/convert.h"
#include "base/result.h"
#include "config/parse.h"
#include "config/schema.h"
#include "modhost/registry.h"
#include "storage/store.h"

namespace gproxy::admin {

// What the environment or the command line sets, by setting name ("port"), as text.
struct Override {
  std::string setting;
  std::string text;
  config::Origin origin = config::Origin::cli;
};

struct BootstrapInputs {
  std::string config_path;          // empty = no file
  std::vector<Override> overrides;  // applied in order, the strongest last
  std::vector<std::string> seed_kinds;
  // What else must be right with the settings, before any of it is stored.
  std::function<Result<void>(const config::Settings&)> check;
  enum class Left : uint8_t { becomes_ordinary, deleted } left_file = Left::becomes_ordinary;
};

struct Bootstrapped {
  config::Settings settings;
  storage::ConfigRows rows;
  std::vector<std::string> warnings;
  bool admin_key_made = false;
};

// DB < file < overrides. A setting that left the file or the environment stays as an ordinary one.
// Error: "config_invalid" with file, line and column.
Result<Bootstrapped> bootstrap(storage::Store& store, const BootstrapInputs& inputs);

// Makes the stored entries agree with what the file declares: matched by provider name, (provider,
// credential name), user name, key label. A secret is taken from the file only when the file's text
// changed since the last time (`secrets`, brought up to date): a refreshed token is not set back.
Result<void> apply_declared(storage::Store& store, const config::Declared& declared,
                            BootstrapInputs::Left left, DeclaredSecrets& secrets,
                            std::vector<std::string>& warnings);

// The same for an import: entries become ordinary ones, nothing is taken away, and what a file
// declares is left alone (`notes` says so).
Result<void> import_declared(storage::Store& store, const config::Declared& declared,
                             std::vector<std::string>& notes);

// user 0 and its `bootstrap` key, which follows the admin key.
inline constexpr std::string_view kBootstrapLabel = "bootstrap";
Result<void> ensure_operator(storage::Store& store, const Secret& admin_key);

}  // namespace gproxy::admin
