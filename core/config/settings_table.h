// One row per setting: its dotted name, where it lives in Settings, its bounds and what it is for.
// The file parser, the command line, the admin API and docs/configuration.md all read this table.
// Static; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/schema.h"

namespace gproxy::config {

using SettingSlot = std::variant<bool*, uint16_t*, size_t*, int64_t*, std::string*, Secret*,
                                 std::vector<std::string>*, ModelProfiles*>;

// When a change takes effect.
enum class Applies : uint8_t { at_once, restart };

struct SettingRow {
  std::string_view name;  // "port", "limits.max_request_bytes"
  SettingSlot (*slot)(Settings&);
  int64_t min = 0, max = INT64_MAX;  // numbers
  std::string_view words;            // allowed texts, separated by spaces; empty = any
  Applies applies = Applies::at_once;
  std::string_view help;  // one line
};

std::span<const SettingRow> setting_rows();
const SettingRow* find_setting(std::string_view name);
// The setting with the nearest name, for did-you-mean; empty if none.
std::string_view nearest_setting(std::string_view name);

// Sets one setting from JSON and records its origin. Error: invalid, param = the name.
Result<void> apply_setting(Settings& settings, std::string_view name, const json::Value& value,
                           Origin origin);
// The same from a variable's or option's text, after core's sanitising rules (sanitize.h): an unset
// text changes nothing. Lists are separated by ':'.
Result<void> apply_setting_text(Settings& settings, std::string_view name, std::string_view text,
                                Origin origin);
// The current value as JSON text; secrets give null.
std::string setting_json(const Settings& settings, const SettingRow& row);

}  // namespace gproxy::config
