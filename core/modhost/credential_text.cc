#include "modhost/credential_text.h"

#include <algorithm>

#include "modhost/provider.h"

namespace gproxy::modhost {
namespace {

using Alias = KindInfo::Alias;

const Alias* alias_of(const KindInfo& kind, std::string_view name) {
  const auto at = std::find_if(kind.aliases.begin(), kind.aliases.end(),
                               [&](const Alias& alias) { return alias.from == name; });
  return at == kind.aliases.end() ? nullptr : &*at;
}

// A tag is one member that holds an object, be it this kind's or another's.
bool looks_tagged(const KindInfo& kind, const json::Value& secret) {
  return secret.has(kind.credential_tag) ||
         (secret.size() == 1 && secret.members()[0].value.is_object());
}

bool has_field(const KindInfo& kind, const json::Value& schema, const json::Value& secret) {
  const auto members = secret.members();
  return std::any_of(members.begin(), members.end(), [&](const json::Member& member) {
    return schema["properties"].has(member.key) || alias_of(kind, member.key) != nullptr;
  });
}

json::Value with_own_names(const KindInfo& kind, const json::Value& fields, Arena& arena) {
  auto out = json::Value::object();
  for (const auto& [name, value] : fields.members()) {
    const Alias* alias = alias_of(kind, name);
    // Two aliases of one field: the first that stands there counts.
    const bool renamed = alias != nullptr && !fields.has(alias->field) && !out.has(alias->field);
    out.add(arena, renamed ? std::string_view(alias->field) : name, value);
  }
  return out;
}

}  // namespace

json::Value tagged_credential(const KindInfo& kind, const json::Value& schema,
                              const json::Value& secret, Arena& arena) {
  if (!secret.is_object() || secret.empty()) return secret;
  auto out = json::Value::object();
  if (!looks_tagged(kind, secret)) {
    if (!has_field(kind, schema, secret)) return secret;
    out.add(arena, kind.credential_tag, with_own_names(kind, secret, arena));
    return out;
  }
  const auto* fields = secret.find(kind.credential_tag);
  if (secret.size() != 1 || fields == nullptr || !fields->is_object()) return secret;
  out.add(arena, kind.credential_tag, with_own_names(kind, *fields, arena));
  return out;
}

Secret tagged_credential(const Provider& provider, const Secret& secret_json) {
  const KindInfo& kind = provider.kind_info();
  Arena arena;
  const auto secret = json::parse(secret_json.reveal(), arena);
  if (!secret.ok() || kind.credential_tag.empty()) return secret_json;
  const auto& schema = provider.module().schemas(kind).credential;
  return Secret(json::write(tagged_credential(kind, schema, *secret, arena)));
}

}  // namespace gproxy::modhost
