// Model lists and single models in the three dialects (wire-formats 6.2): reading what upstreams
// say, merging, paging, writing. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "translate/protocol.h"
#include "translate/response.h"

namespace gproxy::translate {

struct ModelInfo {
  std::string id;            // without "models/"
  std::string display_name;  // empty: the id
  std::string description;
  std::string owner;    // OpenAI's owned_by; empty: the default given when writing
  std::string version;  // Gemini
  int64_t created = 0;  // seconds, 0 = unknown
  int64_t input_limit = 0, output_limit = 0;  // 0 = unknown
  std::optional<bool> thinking;
  std::vector<std::string> methods;  // Gemini's supportedGenerationMethods, empty = default
  bool generates() const;            // may be shown to clients of other dialects
};

struct ModelPage {
  std::vector<ModelInfo> models;
  std::string next;     // query parameters of the next page ("after_id=x", "pageToken=y"), or empty
  bool single = false;  // the body was one model, not a list
};

// Reads one page of an upstream's list, or one model. Errors are kind server, 502.
Result<ModelPage> read_models(Protocol upstream, std::string_view body);

// The query's page of a list that is sorted by id here. `query` is the client's
// ("limit=2&after_id=b", "pageSize=2&pageToken=…"); OpenAI gets everything. Errors: kind invalid
// with the parameter's name. Models that cannot generate are left out for OpenAI and Claude
// clients.
Result<std::string> write_model_list(Protocol client, std::vector<ModelInfo> models,
                                     std::string_view query, std::string_view default_owner);
std::string write_model(Protocol client, const ModelInfo& model, std::string_view default_owner);

// An upstream's list or model in the client's dialect, by shape; `query` pages it.
TranslatedAnswer translate_models(Protocol client, Protocol upstream, int status,
                                  std::string_view body, std::string_view query,
                                  std::string_view default_owner = {});
// The same for a list whose pages were read one by one.
TranslatedAnswer translate_model_list(Protocol client, Protocol upstream,
                                      std::vector<ModelInfo> models, std::string_view query,
                                      std::string_view default_owner = {});

// Which dialect a GET /v1/models speaks: header anthropic-version, then x-goog-api-key or ?key=.
Protocol models_dialect(bool has_anthropic_version, bool has_goog_key, std::string_view path);

}  // namespace gproxy::translate
