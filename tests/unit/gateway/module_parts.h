// What the modules of the gateway's tests share: texts and memory in the terms of the C ABI, and
// the tables a module is known by. Without linkage: each module has a `host` of its own, set by its
// init.
#pragma once

#include <cstring>
#include <span>
#include <string_view>

#include "gproxy/abi.h"

namespace gproxy::gateway::test {
namespace {

const gp_host* host = nullptr;

constexpr gp_str str(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(gp_str text) {
  return text.len == 0 ? std::string_view() : std::string_view(text.ptr, text.len);
}
// A copy that lives as long as the arena.
gp_str keep(gp_arena* arena, std::string_view text) {
  auto* at = static_cast<char*>(host->alloc(arena, text.size() + 1, 1));
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

constexpr gp_kind a_kind(std::string_view name, std::string_view tag) {
  gp_kind out{};
  out.size = sizeof(gp_kind);
  out.flags = GP_KIND_USER_CREATED;
  out.name = str(name);
  out.credential_tag = str(tag);
  out.title = str(name);
  out.gen_ai_name = str(name);
  return out;
}

// A module's tables; static, as the host keeps pointers into them.
struct ModuleTables {
  gp_info info{};
  gp_provider_vt provider{};
  gp_entry entry{};

  // `hooks` without its size.
  ModuleTables(std::string_view id, std::string_view name, std::span<const gp_kind* const> kinds,
               gp_provider_vt hooks, const void* (*extension)(gp_str))
      : provider(hooks) {
    info.size = sizeof(gp_info);
    info.id = str(id);
    info.name = str(name);
    info.version = str("1.0.0");
    info.licence = str("MIT");
    info.kinds = kinds.data();
    info.kind_count = kinds.size();
    provider.size = sizeof(gp_provider_vt);
    entry.size = sizeof(gp_entry);
    entry.abi_major = GP_ABI_MAJOR;
    entry.abi_minor = GP_ABI_MINOR;
    entry.info = &info;
    entry.provider = &provider;
    entry.init = [](const gp_host* given, gp_error*) -> gp_status {
      host = given;
      return GP_OK;
    };
    entry.deinit = [] {};
    entry.extension = extension;
  }
  ModuleTables(const ModuleTables&) = delete;
  ModuleTables& operator=(const ModuleTables&) = delete;
};

}  // namespace
}  // namespace gproxy::gateway::test
