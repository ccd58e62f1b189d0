// What upstream errors say in words, for classify: the places where OpenAI-like APIs put them.
#pragma once

#include <string_view>

#include "gproxy/module.hpp"

namespace gproxy_common {

// error.code and error.type of {"error":{…}}; empty where there are none. Views into the failure.
struct ErrorWords {
  std::string_view code, type, message;
  bool has(std::string_view word) const { return code == word || type == word; }
};
ErrorWords error_words(const gp::Failure& failure);

// One path of an id that may have slashes ("meta/llama"): each segment encoded, slashes kept. Empty
// if a segment cannot stand in a path.
std::string_view path_of_id(const gp::Arena& arena, std::string_view id);

// GP_ROUTE_LOCAL rows and the like: true for lists and gets of models.
inline bool about_models(int32_t operation) {
  return operation == GP_OP_MODEL_LIST || operation == GP_OP_MODEL_GET;
}

}  // namespace gproxy_common
