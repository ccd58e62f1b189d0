// A model table: lists and gets answered by the module itself, in the shapes of the three families
// (Claude, Gemini, OpenAI). Filled in create, immutable afterwards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_common {

// Local answers of lists and gets are never streamed.
struct NoStream {
  gp::Status next(gp_piece&) { return gp::internal("a whole answer has no pieces"); }
};

class ModelTable {
 public:
  // {"models":[{"id", "display_name"?}]}, as it stands in settings at `pointer` ("/model_table") or
  // in a module's own data (pointer ""). Absent and null leave the table as it is, an entry
  // replaces it. Errors name the entry, `param` standing for the table.
  gp::Status read(const gp::Json& json, std::string_view pointer, std::string_view param,
                  const gp::Arena& arena);

  bool empty() const { return models_.empty(); }
  // MODEL_LIST and MODEL_GET of the request's protocol; ids compare without leading '/' and
  // "models/". An unknown id is a 404 in the protocol's own shape.
  gp::Status respond(const gp::Request& request, std::string_view owner, gp::Local& out) const;

 private:
  struct Model {
    std::string id;  // without leading '/' and "models/"
    std::string display_name;
  };
  std::vector<Model> models_;
};

// `id` without leading '/' and "models/".
std::string_view plain_model_id(std::string_view id);

}  // namespace gproxy_common
