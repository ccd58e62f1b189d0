#include "modhost/abi_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/arena.h"
#include "modhost/abi_text.h"
#include "modhost/schema_check.h"

namespace gproxy::modhost {
namespace {

constexpr size_t kMaxKinds = 32;
constexpr size_t kMaxSchemaBytes = 256 * 1024;
constexpr size_t kMaxAliases = 256;
constexpr size_t kMaxForwardHeaders = 64;

struct Refusal {
  const std::string& path;
  Error operator()(std::string why) const {
    return Error{ErrorKind::server, "module_refused", fmt::format("{}: {}", path, why), {}};
  }
};

bool matches(std::string_view text, size_t max, bool dots) {
  if (text.empty() || text.size() > max) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (dots && c == '.');
  });
}

bool is_header_pattern(std::string_view text) {
  if (text.ends_with('*')) text.remove_suffix(1);
  if (text.empty() || text.size() > 64) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Result<void> check_schema_field(gp_str text, const char* field, const KindInfo& kind,
                                const Refusal& refuse, std::string& out) {
  if (!is_sound(text) || text.len > kMaxSchemaBytes) {
    return refuse(
        fmt::format("kind {}: {} is longer than {} bytes", kind.name, field, kMaxSchemaBytes));
  }
  out = view(text);
  Arena arena;
  if (auto schema = parse_schema(out, arena); !schema.ok()) {
    return refuse(
        fmt::format("kind {}: {} cannot be used: {}", kind.name, field, schema.error().message));
  }
  return ok();
}

Result<KindInfo> check_kind(const gp_kind* from, size_t index, const Refusal& refuse) {
  if (from == nullptr) return refuse(fmt::format("kind {} is null", index));
  if (from->size < GP_FIRST_SIZE(gp_kind, forward_header_count)) {
    return refuse(fmt::format("kind {} has {} bytes, at least {} are needed", index, from->size,
                              GP_FIRST_SIZE(gp_kind, forward_header_count)));
  }
  KindInfo kind;
  auto name = plain_text(from->name, 32);
  if (!name || !matches(*name, 32, /*dots=*/false))
    return refuse(fmt::format("kind {}: its name is not [a-z0-9-]{{1,32}}", index));
  kind.name = *name;
  auto text = [&](gp_str field, const char* what, size_t max, std::string& out) -> Result<void> {
    auto copied = plain_text(field, max);
    if (!copied)
      return refuse(
          fmt::format("kind {}: {} is not a text of at most {} bytes", kind.name, what, max));
    out = std::move(*copied);
    return ok();
  };
  GP_CHECK(text(from->credential_tag, "credential_tag", 64, kind.credential_tag));
  GP_CHECK(text(from->title, "title", 128, kind.title));
  GP_CHECK(text(from->gen_ai_name, "gen_ai_name", 64, kind.gen_ai_name));
  if (kind.title.empty()) kind.title = kind.name;
  if (kind.gen_ai_name.empty()) kind.gen_ai_name = kind.name;
  GP_CHECK(check_schema_field(from->settings_schema, "settings_schema", kind, refuse,
                              kind.settings_schema));
  GP_CHECK(check_schema_field(from->credential_schema, "credential_schema", kind, refuse,
                              kind.credential_schema));

  if (from->alias_count > kMaxAliases || (from->alias_count > 0 && from->aliases == nullptr)) {
    return refuse(
        fmt::format("kind {}: aliases are not a list of at most {}", kind.name, kMaxAliases));
  }
  for (size_t i = 0; i < from->alias_count; ++i) {
    auto alias = plain_text(from->aliases[i].from, 64),
         field = plain_text(from->aliases[i].field, 64);
    if (!alias || !field || alias->empty() || field->empty())
      return refuse(fmt::format("kind {}: alias {} has no names", kind.name, i));
    kind.aliases.push_back({std::move(*alias), std::move(*field)});
  }
  if (from->forward_header_count > kMaxForwardHeaders ||
      (from->forward_header_count > 0 && from->forward_headers == nullptr)) {
    return refuse(fmt::format("kind {}: forward_headers are not a list of at most {}", kind.name,
                              kMaxForwardHeaders));
  }
  for (size_t i = 0; i < from->forward_header_count; ++i) {
    auto header = plain_text(from->forward_headers[i], 64);
    if (!header || !is_header_pattern(*header)) {
      return refuse(fmt::format("kind {}: forward_headers[{}] is not a header name in lower case",
                                kind.name, i));
    }
    kind.forward_headers.push_back(std::move(*header));
  }
  kind.seed = (from->flags & GP_KIND_SEED) != 0;
  kind.user_created = (from->flags & GP_KIND_USER_CREATED) != 0;
  return kind;
}

Result<void> check_hooks(const gp_provider_vt* vt, const ModuleInfo& info, const Refusal& refuse) {
  if (vt == nullptr) return refuse("its provider table is null");
  if (vt->size < GP_FIRST_SIZE(gp_provider_vt, release)) {
    return refuse(fmt::format("its provider table has {} bytes, at least {} are needed", vt->size,
                              GP_FIRST_SIZE(gp_provider_vt, release)));
  }
  auto missing = [&](const char* hook) {
    return refuse(fmt::format("the required hook {} is null", hook));
  };
  if (vt->create == nullptr) return missing("create");
  if (vt->destroy == nullptr) return missing("destroy");
  if (vt->prepare == nullptr) return missing("prepare");
  if (vt->release == nullptr) return missing("release");
  bool tags = std::any_of(info.kinds.begin(), info.kinds.end(),
                          [](const auto& k) { return !k.credential_tag.empty(); });
  if (tags && vt->credential_open == nullptr) return missing("credential_open");
  if (tags && vt->credential_close == nullptr) return missing("credential_close");
  return ok();
}

}  // namespace

std::string host_abi_version() {
  return fmt::format("{}.{}", GP_ABI_MAJOR, GP_ABI_MINOR);
}

Result<ModuleInfo> check_entry(const gp_entry* entry, const std::string& path) {
  Refusal refuse{path};
  if (entry == nullptr) return refuse(GP_ENTRY_SYMBOL "() returned no table");
  // The first eight bytes, which are the same in every version, decide whether the rest may be
  // read.
  if (entry->size < GP_FIRST_SIZE(gp_entry, abi_minor)) {
    return refuse(
        fmt::format("its entry table has {} bytes, too short for a version", entry->size));
  }
  auto version = fmt::format("{}.{}", entry->abi_major, entry->abi_minor);
  // Any minor of our major is welcome: an older one is a part of ours, and of a newer one we leave
  // out what we do not know.
  if (entry->abi_major != GP_ABI_MAJOR) {
    return refuse(fmt::format(
        "made for module ABI {}, this gproxy speaks {}: {}", version, host_abi_version(),
        entry->abi_major > GP_ABI_MAJOR ? "it needs a newer gproxy" : "build it anew"));
  }
  if (entry->size < GP_FIRST_SIZE(gp_entry, extension)) {
    return refuse(fmt::format(
        "its entry table has {} bytes, at least {} are needed (its ABI {}, this gproxy's {})",
        entry->size, GP_FIRST_SIZE(gp_entry, extension), version, host_abi_version()));
  }
  const auto* from = entry->info;
  if (from == nullptr) return refuse("its info is null");
  if (from->size < GP_FIRST_SIZE(gp_info, kind_count)) {
    return refuse(fmt::format("its info has {} bytes, at least {} are needed", from->size,
                              GP_FIRST_SIZE(gp_info, kind_count)));
  }

  ModuleInfo info;
  info.path = path;
  info.abi_major = entry->abi_major;
  info.abi_minor = entry->abi_minor;
  auto text = [&](gp_str field, const char* what, size_t max, std::string& out) -> Result<void> {
    auto copied = plain_text(field, max);
    if (!copied) return refuse(fmt::format("info.{} is not a text of at most {} bytes", what, max));
    out = std::move(*copied);
    return ok();
  };
  GP_CHECK(text(from->id, "id", 64, info.id));
  if (!matches(info.id, 64, /*dots=*/true)) return refuse("info.id is not [a-z0-9.-]{1,64}");
  GP_CHECK(text(from->name, "name", 128, info.title));
  GP_CHECK(text(from->version, "version", 64, info.version));
  GP_CHECK(text(from->licence, "licence", 128, info.licence));
  GP_CHECK(text(from->homepage, "homepage", 256, info.homepage));
  if (from->kind_count == 0 || from->kind_count > kMaxKinds || from->kinds == nullptr) {
    return refuse(fmt::format("it has {} kinds, must have 1 to {}", from->kind_count, kMaxKinds));
  }
  std::set<std::string, std::less<>> names;
  for (size_t i = 0; i < from->kind_count; ++i) {
    GP_TRY(auto kind, check_kind(from->kinds[i], i, refuse));
    if (!names.insert(kind.name).second)
      return refuse(fmt::format("kind {} occurs twice", kind.name));
    info.kinds.push_back(std::move(kind));
  }
  GP_CHECK(check_hooks(entry->provider, info, refuse));
  return info;
}

}  // namespace gproxy::modhost
