#include "config/sanitize.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "base/strings.h"

namespace gproxy::config {

std::optional<std::string> sanitize(std::string_view raw) {
  auto text = trim(raw);
  if (text.empty()) return std::nullopt;
  if (text.starts_with("${") && text.ends_with("}")) return std::nullopt;
  return std::string(text);
}

std::optional<bool> parse_bool(std::string_view text) {
  for (auto word : {"1", "true", "yes", "on"}) {
    if (iequals(text, word)) return true;
  }
  for (auto word : {"0", "false", "no", "off"}) {
    if (iequals(text, word)) return false;
  }
  return std::nullopt;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<std::optional<std::string>> read_variable(const Environment& environment,
                                                 const std::string& name) {
  auto plain = environment(name).has_value() ? sanitize(*environment(name)) : std::nullopt;
  auto file_name = name + "_FILE";
  auto file = environment(file_name).has_value() ? sanitize(*environment(file_name)) : std::nullopt;
  if (plain && file)
    return invalid_error(fmt::format("{} and {} are both set", name, file_name), name);
  if (plain || !file) return plain;
  GP_TRY(auto content, read_secret_file(*file, file_name));
  return sanitize(content);
}

Result<std::string> read_secret_file(const std::string& path, std::string_view field) {
  constexpr size_t kMax = 64 * 1024;
  auto fail = [&](std::string_view why) {
    return invalid_error(fmt::format("{}: the file {} {}", field, path, why), std::string(field));
  };
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail("cannot be opened");
  std::string content(kMax + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (in.bad()) return fail("cannot be read");
  content.resize(static_cast<size_t>(in.gcount()));
  if (content.size() > kMax) return fail(fmt::format("is longer than {} bytes", kMax));
  // Editors end files with a line break; the secret does not.
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) content.pop_back();
  if (content.empty()) return fail("is empty");
  return content;
}

}  // namespace gproxy::config
