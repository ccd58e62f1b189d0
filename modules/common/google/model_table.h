// A table of Gemini models that a kind answers lists and gets from: data that comes with the
// module, or the setting `model_table`. Other protocols are translated by the host. Filled in
// create, immutable afterwards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_google {

class ModelTable {
 public:
  // `built_in` is {"models":[{"name":"models/x", …}]}, valid JSON in the shape of the Gemini API.
  // The setting model_table, {"models":[{"id", "display_name"?}]}, replaces it. Errors name the
  // entry.
  gp::Status read(const gp::Settings& settings, std::string_view built_in);

  // MODEL_LIST (pageSize and pageToken hold) and MODEL_GET; an unknown id is a 404.
  gp::Status respond(const gp::Request& request, gp::Local& out) const;

 private:
  struct Model {
    std::string id;    // without "models/"
    std::string json;  // the object
  };
  gp::Status read_setting(const gp::Settings& settings, const gp::Json& json);
  std::vector<Model> models_;
};

// Local answers of lists and gets are never streamed.
struct NoStream {
  gp::Status next(gp_piece&) { return gp::internal("a whole answer has no pieces"); }
};

inline constexpr std::string_view kModelNotFound =
    R"({"error":{"code":404,"message":"model not found","status":"NOT_FOUND"}})";

// The schema of the setting model_table, for a kind's settings schema.
#define GPROXY_GOOGLE_MODEL_TABLE_SCHEMA                                                        \
  R"("model_table":{"type":"object","title":"Model table","description":"Replaces the models )" \
  R"(that lists show.","additionalProperties":false,"required":["models"],"properties":{)"      \
  R"("models":{"type":"array","minItems":1,"maxItems":500,"items":{"type":"object",)"           \
  R"("additionalProperties":false,"required":["id"],"properties":{)"                            \
  R"("id":{"type":"string","minLength":1,"maxLength":256},)"                                    \
  R"("display_name":{"type":"string","maxLength":256}}}}}})"

}  // namespace gproxy_google
