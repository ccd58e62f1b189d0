// Where something stands in a JSON text with comments: parsed values do not know, and an error in a
// configuration file should say line and column. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gproxy::config {

// One step down: a member by name (the n-th of that name), or an element by index.
struct PlaceStep {
  std::string key;
  size_t index = 0;       // of an element
  size_t occurrence = 0;  // of a member
  bool is_member = false;

  static PlaceStep member(std::string_view key, size_t occurrence = 0) {
    return {std::string(key), 0, occurrence, true};
  }
  static PlaceStep element(size_t index) { return {{}, index, 0, false}; }
};
using PlacePath = std::vector<PlaceStep>;

enum class PlaceOf { key, value };  // for a last step that is a member: its name or its value

// The byte offset, or nothing if there is no such place. REQUIRES: `text` was parsed successfully.
std::optional<size_t> find_place(std::string_view text, const PlacePath& path, PlaceOf of);

// "providers[0].channel_settings.base_url"
std::string path_text(const PlacePath& path);
// The other way; a name with a dot in it comes out as two steps.
PlacePath path_of(std::string_view text);

}  // namespace gproxy::config
