#include "config/parse.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/strings.h"
#include "config/json_place.h"
#include "config/sanitize.h"
#include "config/settings_table.h"
#include "config/validate.h"

namespace gproxy::config {
namespace {

using json::Value;

constexpr size_t kMaxFileBytes = size_t{16} << 20;

// Reads one file's members, strictly: what it does not know is an error with its place.
class FileReader {
 public:
  FileReader(std::string_view text, const ParseOptions& options, Arena& arena)
      : text_(text), options_(options), arena_(arena) {}

  Result<ConfigFile> read(const Value& root) {
    ConfigFile out;
    out.settings = options_.base;
    if (!root.is_object()) return fail({}, PlaceOf::value, "must be an object");
    GP_CHECK(known(root, {}, {"$schema", "settings", "providers", "users", "routes"}));
    if (const auto* settings = root.find("settings")) {
      GP_CHECK(read_settings(*settings, {PlaceStep::member("settings")}, "", out.settings));
    }
    GP_CHECK(
        each(root, {}, "providers", [&](const Value& item, const PlacePath& path) -> Result<void> {
          GP_TRY(auto provider, read_provider(item, path));
          out.declared.providers.push_back(std::move(provider));
          return ok();
        }));
    GP_CHECK(
        each(root, {}, "routes", [&](const Value& item, const PlacePath& path) -> Result<void> {
          GP_TRY(auto route, read_route(item, path));
          out.declared.routes.push_back(std::move(route));
          return ok();
        }));
    GP_CHECK(each(root, {}, "users", [&](const Value& item, const PlacePath& path) -> Result<void> {
      GP_TRY(auto user, read_user(item, path));
      out.declared.users.push_back(std::move(user));
      return ok();
    }));
    return out;
  }

  Error fail(const PlacePath& path, PlaceOf of, std::string message) const {
    // A member that is missing is where it ought to be: in the thing around it.
    auto at = find_place(text_, path, of);
    for (auto around = path; !at && !around.empty();) {
      around.pop_back();
      at = find_place(text_, around, PlaceOf::value);
    }
    auto place = json::position_of(text_, at.value_or(0));
    auto where = path_text(path);
    if (!where.empty()) message = fmt::format("{}: {}", where, message);
    return Error{ErrorKind::invalid, "config_invalid",
                 fmt::format("{}:{}:{}: {}", options_.path, place.line, place.column, message),
                 where};
  }

 private:
  static PlacePath below(PlacePath path, PlaceStep step) {
    path.push_back(std::move(step));
    return path;
  }

  Error unknown(const PlacePath& path, std::string_view word, std::string_view near) const {
    return fail(path, PlaceOf::key,
                near.empty() ? fmt::format("unknown member `{}`", word)
                             : fmt::format("unknown member `{}`, did you mean `{}`?", word, near));
  }

  // No member twice: the parser takes the last, which is rarely what was meant.
  Result<void> unique(const Value& object, const PlacePath& path) const {
    std::set<std::string_view> seen;
    for (const auto& member : object.members()) {
      if (!seen.insert(member.key).second) {
        return fail(below(path, PlaceStep::member(member.key, 1)), PlaceOf::key, "occurs twice");
      }
    }
    return ok();
  }

  Result<void> known(const Value& object, const PlacePath& path,
                     std::vector<std::string_view> names) const {
    if (!object.is_object()) return fail(path, PlaceOf::value, "must be an object");
    GP_CHECK(unique(object, path));
    for (const auto& member : object.members()) {
      if (std::find(names.begin(), names.end(), member.key) != names.end()) continue;
      return unknown(below(path, PlaceStep::member(member.key)), member.key,
                     nearest(member.key, names));
    }
    return ok();
  }

  template <class F>
  Result<void> each(const Value& object, const PlacePath& path, std::string_view key,
                    F&& read) const {
    const auto* list = object.find(key);
    if (list == nullptr) return ok();
    auto where = below(path, PlaceStep::member(key));
    if (!list->is_array()) return fail(where, PlaceOf::value, "must be a list");
    for (size_t i = 0; i < list->size(); ++i)
      GP_CHECK(read((*list)[i], below(where, PlaceStep::element(i))));
    return ok();
  }

  Result<std::string> text(const Value& object, const PlacePath& path, std::string_view key) const {
    const auto* value = object.find(key);
    if (value == nullptr) return std::string();
    auto where = below(path, PlaceStep::member(key));
    if (!value->is_string()) return fail(where, PlaceOf::value, "must be a string");
    return std::string(trim(value->str()));
  }

  Result<bool> flag(const Value& object, const PlacePath& path, std::string_view key,
                    bool otherwise) const {
    const auto* value = object.find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_bool())
      return fail(below(path, PlaceStep::member(key)), PlaceOf::value, "must be true or false");
    return value->as_bool();
  }

  Result<std::string> object_text(const Value& object, const PlacePath& path,
                                  std::string_view key) const {
    const auto* value = object.find(key);
    if (value == nullptr) return std::string("{}");
    if (!value->is_object())
      return fail(below(path, PlaceStep::member(key)), PlaceOf::value, "must be an object");
    return json::write(*value);
  }

  // What a *_file member names; relative names start at this file's folder.
  Result<std::string> file_content(const Value& value, const PlacePath& where) const {
    if (!value.is_string() || trim(value.str()).empty())
      return fail(where, PlaceOf::value, "must be the name of a file");
    std::filesystem::path name(std::string(trim(value.str())));
    if (name.is_relative()) name = std::filesystem::path(options_.path).parent_path() / name;
    auto content = read_secret_file(name.string(), path_text(where));
    if (!content.ok()) {
      // fail() names the member itself.
      std::string_view why = content.error().message;
      if (auto named = path_text(where) + ": "; why.starts_with(named))
        why.remove_prefix(named.size());
      return fail(where, PlaceOf::value, std::string(why));
    }
    return std::move(*content);
  }

  // A secret text: `key`, or the content of the file that `key`_file names. Empty when neither is
  // there.
  Result<Secret> secret_text(const Value& object, const PlacePath& path,
                             std::string_view key) const {
    auto file_key = std::string(key) + "_file";
    const auto* file = object.find(file_key);
    GP_TRY(auto plain, text(object, path, key));
    if (file == nullptr) {
      if (plain.empty()) return Secret();
      auto clean = sanitize(plain);
      if (!clean)
        return fail(below(path, PlaceStep::member(key)), PlaceOf::value,
                    "is an unexpanded placeholder");
      return Secret(*clean);
    }
    auto where = below(path, PlaceStep::member(file_key));
    if (object.has(key))
      return fail(where, PlaceOf::key,
                  fmt::format("stands beside `{}`; one of them is enough", key));
    GP_TRY(auto content, file_content(*file, where));
    return Secret(trim(content));
  }

  // --- settings ---

  Result<void> read_settings(const Value& object, const PlacePath& path, const std::string& prefix,
                             Settings& settings) const {
    if (!object.is_object()) return fail(path, PlaceOf::value, "must be an object");
    GP_CHECK(unique(object, path));
    for (const auto& member : object.members()) {
      auto name = prefix + std::string(member.key);
      auto where = below(path, PlaceStep::member(member.key));
      if (find_setting(name) != nullptr) {
        GP_CHECK(read_setting(member.value, where, name, settings));
      } else if (is_group(name)) {
        GP_CHECK(read_settings(member.value, where, name + ".", settings));
      } else if (auto stem = secret_of_file(name); !stem.empty()) {
        if (object.has(stem))
          return fail(where, PlaceOf::key,
                      fmt::format("stands beside `{}`; one of them is enough", stem));
        GP_TRY(auto content, file_content(member.value, where));
        GP_CHECK(placed(where, apply_setting_text(settings, stem, content, Origin::file)));
      } else {
        return unknown(where, member.key, nearest_member(prefix, member.key));
      }
    }
    return ok();
  }

  Result<void> read_setting(const Value& value, const PlacePath& where, const std::string& name,
                            Settings& settings) const {
    // Texts obey the rules of variables: an empty one, or a placeholder nobody filled, sets
    // nothing.
    if (value.is_string() && !sanitize(value.str())) return ok();
    return placed(where, apply_setting(settings, name, value, Origin::file));
  }

  Result<void> placed(const PlacePath& where, Result<void> result) const {
    if (result.ok()) return ok();
    return fail(where, PlaceOf::value, result.error().message);
  }

  static bool is_group(std::string_view name) {
    auto rows = setting_rows();
    return std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
      return row.name.size() > name.size() && row.name.starts_with(name) &&
             row.name[name.size()] == '.';
    });
  }

  // "admin_key" for "admin_key_file" where that is a secret setting, else empty.
  static std::string_view secret_of_file(std::string_view name) {
    if (!name.ends_with("_file")) return {};
    const auto* row = find_setting(name.substr(0, name.size() - 5));
    Settings scratch;
    return row != nullptr && std::holds_alternative<Secret*>(row->slot(scratch))
               ? row->name
               : std::string_view();
  }

  static std::string nearest_member(std::string_view prefix, std::string_view key) {
    std::vector<std::string_view> names;
    std::set<std::string_view> groups;
    for (const auto& row : setting_rows()) {
      if (!row.name.starts_with(prefix)) continue;
      auto rest = row.name.substr(prefix.size());
      auto dot = rest.find('.');
      if (dot == rest.npos) {
        names.push_back(rest);
      } else if (groups.insert(rest.substr(0, dot)).second) {
        names.push_back(rest.substr(0, dot));
      }
    }
    if (auto near = nearest(key, names); !near.empty()) return std::string(near);
    // The right word in the wrong group is named in full.
    names.clear();
    for (const auto& row : setting_rows()) {
      if (row.name.substr(row.name.rfind('.') + 1) == key)
        return "settings." + std::string(row.name);
      names.push_back(row.name);
    }
    return std::string(prefix.empty() ? nearest(key, names) : std::string_view());  // dotted
  }

  // --- providers ---

  Result<ProviderConfig> read_provider(const Value& object, const PlacePath& path) {
    GP_CHECK(known(object, path,
                   {"name", "kind", "enabled", "channel_settings", "pool", "credentials"}));
    ProviderConfig out;
    out.origin = Origin::file;
    GP_TRY(out.name, text(object, path, "name"));
    if (out.name.empty()) return fail(path, PlaceOf::value, "the member `name` is missing");
    GP_TRY(out.kind, text(object, path, "kind"));
    if (out.kind.empty()) out.kind = out.name;  // as the rows of the first start
    GP_TRY(out.enabled, flag(object, path, "enabled", true));
    GP_TRY(out.settings_json, object_text(object, path, "channel_settings"));
    GP_TRY(out.pool_json, object_text(object, path, "pool"));
    GP_CHECK(each(object, path, "credentials",
                  [&](const Value& item, const PlacePath& where) -> Result<void> {
                    GP_TRY(auto credential, read_credential(item, where));
                    out.credentials.push_back(std::move(credential));
                    return ok();
                  }));
    return out;
  }

  Result<CredentialConfig> read_credential(const Value& object, const PlacePath& path) {
    GP_CHECK(known(object, path, {"name", "secret", "secret_file", "settings", "enabled"}));
    CredentialConfig out;
    out.origin = Origin::file;
    GP_TRY(out.name, text(object, path, "name"));
    if (out.name.empty())
      return fail(path, PlaceOf::value,
                  "the member `name` is missing: it is what finds the credential again");
    GP_TRY(out.enabled, flag(object, path, "enabled", true));
    GP_TRY(out.settings_json, object_text(object, path, "settings"));
    const auto* secret = object.find("secret");
    const auto* file = object.find("secret_file");
    if ((secret != nullptr) == (file != nullptr))
      return fail(path, PlaceOf::value, "needs one of `secret` and `secret_file`");
    if (secret != nullptr) {
      auto where = below(path, PlaceStep::member("secret"));
      if (!secret->is_object())
        return fail(where, PlaceOf::value, "must be an object: {\"<tag>\": {…}}");
      GP_TRY(auto filled, with_files(*secret, where));
      out.secret_json = Secret(json::write(filled));
      return out;
    }
    auto where = below(path, PlaceStep::member("secret_file"));
    GP_TRY(auto content, file_content(*file, where));
    Arena scratch;
    auto parsed = json::parse(content, scratch);
    // The parser could quote the secret; that it is no JSON is all that is said.
    if (!parsed.ok() || !parsed->is_object())
      return fail(where, PlaceOf::value, "the file does not hold a JSON object");
    out.secret_json = Secret(content);
    return out;
  }

  // "api_key_file": "name" becomes "api_key": "<what the file holds>", at any depth of a secret.
  Result<Value> with_files(const Value& value, const PlacePath& path) {
    if (!value.is_object()) return value;
    GP_CHECK(unique(value, path));
    auto out = Value::object();
    for (const auto& member : value.members()) {
      auto where = below(path, PlaceStep::member(member.key));
      if (member.key.ends_with("_file") && member.value.is_string()) {
        auto key = member.key.substr(0, member.key.size() - 5);
        if (value.has(key))
          return fail(where, PlaceOf::key,
                      fmt::format("stands beside `{}`; one of them is enough", key));
        GP_TRY(auto content, file_content(member.value, where));
        out.add(arena_, key, Value::string(arena_.copy(content)));
        continue;
      }
      if (member.value.is_string() && !member.value.str().empty() &&
          !sanitize(member.value.str())) {
        return fail(where, PlaceOf::value, "is an unexpanded placeholder");
      }
      GP_TRY(auto inner, with_files(member.value, where));
      out.add(arena_, member.key, inner);
    }
    return out;
  }

  // --- routes ---

  Result<RouteConfig> read_route(const Value& object, const PlacePath& path) {
    GP_CHECK(
        known(object, path, {"name", "enabled", "aliases", "tiers", "users", "keys", "listed"}));
    RouteConfig out;
    out.origin = Origin::file;
    GP_TRY(out.name, text(object, path, "name"));
    if (out.name.empty()) return fail(path, PlaceOf::value, "the member `name` is missing");
    GP_TRY(out.enabled, flag(object, path, "enabled", true));
    auto body = Value::object();
    for (const auto& member : object.members()) {
      if (member.key != "name" && member.key != "enabled")
        body.add(arena_, member.key, member.value);
    }
    out.body_json = json::write(body);
    if (auto route = parse_route(out); !route.ok()) {
      auto where = path;
      for (auto& step : path_of(route.error().param)) where.push_back(std::move(step));
      return fail(where, PlaceOf::key, route.error().message);
    }
    return out;
  }

  // --- users ---

  static std::vector<std::string_view> with_bounds(std::vector<std::string_view> names) {
    names.insert(names.end(), bound_names().begin(), bound_names().end());
    return names;
  }

  Result<void> read_bounds(const Value& object, const PlacePath& path, Bounds& bounds) const {
    for (const auto& member : object.members()) {
      if (!is_bound(member.key)) continue;
      GP_CHECK(placed(below(path, PlaceStep::member(member.key)),
                      apply_bound(bounds, member.key, member.value)));
    }
    return ok();
  }

  Result<UserConfig> read_user(const Value& object, const PlacePath& path) {
    GP_CHECK(known(object, path, with_bounds({"name", "enabled", "keys"})));
    UserConfig out;
    out.origin = Origin::file;
    GP_TRY(out.name, text(object, path, "name"));
    if (out.name.empty()) return fail(path, PlaceOf::value, "the member `name` is missing");
    GP_TRY(out.enabled, flag(object, path, "enabled", true));
    GP_CHECK(read_bounds(object, path, out.bounds));
    GP_CHECK(
        each(object, path, "keys", [&](const Value& item, const PlacePath& where) -> Result<void> {
          GP_TRY(auto key, read_key(item, where));
          out.keys.push_back(std::move(key));
          return ok();
        }));
    return out;
  }

  Result<KeyConfig> read_key(const Value& object, const PlacePath& path) {
    GP_CHECK(
        known(object, path,
              with_bounds({"label", "key", "key_file", "enabled", "keep_copy", "permissions"})));
    KeyConfig out;
    out.origin = Origin::file;
    GP_TRY(out.label, text(object, path, "label"));
    if (out.label.empty())
      return fail(path, PlaceOf::value,
                  "the member `label` is missing: it is what finds the key again");
    GP_TRY(out.key, secret_text(object, path, "key"));
    if (out.key.empty()) return fail(path, PlaceOf::value, "needs one of `key` and `key_file`");
    GP_TRY(out.enabled, flag(object, path, "enabled", true));
    GP_TRY(out.keep_copy, flag(object, path, "keep_copy", false));
    GP_CHECK(read_bounds(object, path, out.bounds));
    GP_CHECK(each(object, path, "permissions",
                  [&](const Value& item, const PlacePath& where) -> Result<void> {
                    if (item.str() == "oauth") {
                      out.permissions.oauth = true;
                    } else if (item.str() == "quota") {
                      out.permissions.quota = true;
                    } else {
                      return fail(where, PlaceOf::value, "must be one of oauth, quota");
                    }
                    return ok();
                  }));
    return out;
  }

  std::string_view text_;
  const ParseOptions& options_;
  Arena& arena_;
};

Result<Secret> read_text(const std::string& path) {
  auto fail = [&](std::string_view why) {
    return Error{ErrorKind::invalid, "config_invalid", fmt::format("{}: {}", path, why), {}};
  };
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(fmt::format("cannot be opened: {}", std::strerror(errno)));
  std::string text;
  char block[64 * 1024];
  while (in.read(block, sizeof block) || in.gcount() > 0) {
    text.append(block, static_cast<size_t>(in.gcount()));
    if (text.size() > kMaxFileBytes)
      return fail(fmt::format("is longer than {} bytes", kMaxFileBytes));
  }
  if (in.bad()) return fail("cannot be read");
  // Editors of other systems put a byte order mark there.
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  Secret out(std::string_view(text).substr(text.starts_with(kMark) ? kMark.size() : 0));
  wipe_memory(text.data(), text.size());
  return out;
}

// REQUIRES: `text` was parsed successfully.
std::string place_text(const std::string& file, std::string_view text, std::string_view param) {
  auto path = path_of(param);
  for (; !path.empty(); path.pop_back()) {
    if (const auto at = find_place(text, path, PlaceOf::key)) {
      const auto place = json::position_of(text, *at);
      return fmt::format("{}:{}:{}: ", file, place.line, place.column);
    }
  }
  return {};
}

}  // namespace

Result<ConfigFile> parse_config(std::string_view text, const ParseOptions& options) {
  Arena arena;
  json::Position place;
  auto root = json::parse_with_comments(text, arena, &place);
  if (!root.ok()) {
    const auto where =
        place.line > 0 ? fmt::format(":{}:{}", place.line, place.column) : std::string();
    return Error{ErrorKind::invalid,
                 "config_invalid",
                 fmt::format("{}{}: {}", options.path, where, root.error().message),
                 {}};
  }
  return FileReader(text, options, arena).read(*root);
}

Result<ConfigFile> load_config(const std::string& path, const Settings& base) {
  GP_TRY(const auto text, read_text(path));
  auto file = parse_config(text.reveal(), {path, base});
  if (!file.ok()) return file;
  if (auto checked = check_declared(file->declared); !checked.ok()) {
    const auto& error = checked.error();
    const bool named = error.param.empty() || error.message.starts_with(error.param);
    return Error{ErrorKind::invalid, "config_invalid",
                 fmt::format("{}{}{}{}", place_text(path, text.reveal(), error.param),
                             named ? "" : error.param, named ? "" : ": ", error.message),
                 error.param};
  }
  return file;
}

std::string place_in_config(const std::string& file, std::string_view param) {
  const auto text = read_text(file);
  return text.ok() ? place_text(file, text->reveal(), param) : std::string();
}

}  // namespace gproxy::config
