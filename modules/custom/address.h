// Where the operations of each protocol lie below the operator's base URL. Base URLs are pasted
// from vendors' documentation and stop in different places: before the API's version, behind it,
// behind a compatibility path. Computed once, in create.
#pragma once

#include <string>
#include <string_view>

namespace gproxy_custom {

// Addresses to which "/messages", "/models/…", "/chat/completions" are appended.
struct Bases {
  std::string claude, gemini, openai;
};

// `base` is a usable base URL without trailing slashes.
//   claude   what ends with a version is complete, else /v1 follows
//   openai   what has a version in it is complete ("/v1", "/api/paas/v4", "/v1beta/openai"), but
//   for
//            Google's ".../v1beta", whose OpenAI surface is below /openai; else /v1 follows
//   gemini   what ends with a version or with a publisher is complete, "/openai" behind a version
//   is
//            cut; else /v1beta follows
Bases bases_of(std::string_view base);

}  // namespace gproxy_custom
