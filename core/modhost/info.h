// What a module says about itself, copied out of the library and validated, so that none of it
// depends on the library staying loaded. Plain values; made on the main thread, read anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "translate/protocol.h"

namespace gproxy::modhost {

enum class RouteMode : uint8_t { unsupported, native, translate, local };
std::string_view name(RouteMode mode);

// One row of an instance's route table.
struct Route {
  translate::Protocol protocol = translate::Protocol::none;
  translate::Operation operation = translate::Operation::none;
  RouteMode mode = RouteMode::unsupported;
  translate::Protocol target = translate::Protocol::none;  // translate only
};

// A kind: what a provider row names.
struct KindInfo {
  std::string name;
  std::string title;
  std::string
      credential_tag;  // the one key of a credential's JSON, {"<tag>": {…}}; empty = takes none
  std::string gen_ai_name;        // value of gen_ai.provider.name in metrics
  std::string settings_schema;    // JSON Schema draft 4, empty = an object without members
  std::string credential_schema;  // of the object under the tag
  struct Alias {
    std::string from, field;
  };
  std::vector<Alias> aliases;  // import: other tools' names of credential fields
  std::vector<std::string>
      forward_headers;  // client headers that may go upstream, lower case; a final * is a prefix
  bool seed = false;    // gets a provider row at bootstrap, can only be disabled
  bool user_created = false;  // the operator makes and deletes rows of it
};

struct ModuleInfo {
  std::string id;  // reverse domain; unique among the loaded files
  std::string title;
  std::string version;
  std::string licence;
  std::string homepage;
  std::string path;  // the file, absolute
  uint32_t abi_major = 0;
  uint32_t abi_minor = 0;
  uint64_t generation = 0;  // 1 for the first load of a file's id, counted up by reloads
  std::vector<KindInfo> kinds;
  std::vector<std::string> extensions;  // the ids it answered, in the host's order

  const KindInfo* find_kind(std::string_view kind) const {
    for (const auto& k : kinds) {
      if (k.name == kind) return &k;
    }
    return nullptr;
  }
};

}  // namespace gproxy::modhost
