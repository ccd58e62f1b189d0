// SPDX-License-Identifier: MIT
//
// What most provider kinds share: a credential that is one API key, and an optional base_url.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "gproxy/base.hpp"
#include "gproxy/module.hpp"

namespace gp {

// {"<Tag>": {"api_key": "…"}}; other members are ignored. Immutable; wiped when closed.
struct ApiKey {
  std::string key;
  std::string bearer;  // "Bearer <key>", so that no request has to build it
  std::string display;

  ~ApiKey() {
    wipe(key);
    wipe(bearer);
  }

  static Status open(const CredentialText& text, std::string_view tag, std::unique_ptr<ApiKey>& out,
                     gp_credential_info& info) {
    const Json::Value value = text.json().get(text.arena.concat({"/", tag, "/api_key"}));
    const std::string_view key = trim(value.or_empty());
    const std::string_view param = "api_key";
    if (!value.found || key.empty()) return invalid("the API key is missing", param);
    if (!value.is_string()) return invalid("the API key must be a string", param);
    if (key.size() > 4096) return invalid("the API key is longer than 4096 bytes", param);
    for (char c : key) {
      // It becomes a header: nothing in it may end a line.
      if (c <= ' ' || c >= 0x7f)
        return invalid("the API key has a character that no key has", param);
    }
    out = std::make_unique<ApiKey>();
    out->key = key;
    out->bearer = "Bearer " + out->key;
    out->display = key.size() >= 20 ? std::string(key.substr(0, 4)) + "..." +
                                          std::string(key.substr(key.size() - 4))
                                    : "...";
    info.display_name = str(out->display);
    return ok();
  }
};

inline constexpr std::string_view kApiKeySchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","required":["api_key"],)"
    R"("properties":{"api_key":{"type":"string","title":"API key","format":"password","minLength":1}}})";

// Names that other tools give it, for import.
inline constexpr gp_alias kApiKeyAliases[] = {{str("apiKey"), str("api_key")},
                                              {str("key"), str("api_key")}};

// The setting base_url: absent, null and empty mean `otherwise`.
inline Status base_url_setting(const Settings& settings, std::string_view otherwise,
                               std::string& out) {
  const Json::Value value = settings.json().get("/base_url");
  if (value.found && value.type != GP_JSON_STRING && value.type != GP_JSON_NULL) {
    return invalid("base_url must be a string", "base_url");
  }
  std::string_view url = trim(value.or_empty());
  if (url.empty()) url = otherwise;
  url = without_trailing_slashes(url);
  if (!usable_base_url(url)) {
    return invalid("base_url must be an http or https address without query, fragment or user",
                   "base_url");
  }
  out = url;
  return ok();
}

}  // namespace gp
