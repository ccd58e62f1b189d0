// Arguments of a Gemini functionCall that arrive in pieces by JSON path (partialArgs,
// willContinue). Internal; one per call, freed with it.
#pragma once

#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/json.h"

namespace gproxy::translate {

class PartialArgs {
 public:
  // `piece`: {"jsonPath":"$.a.b[0]","stringValue"|"numberValue"|"boolValue"|"nullValue":…}. Strings
  // for the same path are joined.
  void add(const json::Value& piece);
  // The object so far, as JSON text.
  std::string text() const { return json::write(root_); }

 private:
  Arena arena_{1024, size_t{64} << 20};
  json::Value root_ = json::Value::object();
};

}  // namespace gproxy::translate
