// The setting `json_param_mask`: members of the request body that must not reach the upstream.
// Paths are parsed once, in create; applying them walks the body once for all paths and answers
// with splices.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_custom {

struct Segment {
  enum class Kind : uint8_t { key, index, wildcard };
  Kind kind = Kind::key;
  std::string key;
  uint64_t index = 0;
};
using Path = std::vector<Segment>;

// Parses one entry: dots and brackets ("a.b[0]", `a["x.y"]`, "a[*].b", "*"), or a JSON Pointer
// ("/a/0/b").
// `*` is every value, digits are an array index, everything else an object's key; text in quotes is
// always a key. Returns an empty text, or what is wrong.
std::string_view parse_path(std::string_view text, Path& out);

enum class MaskMode : uint8_t { null, remove };

class Mask {
 public:
  // Entries that are blank or begin with '#' are comments. Errors name the entry.
  gp::Status add(std::string_view entry, size_t position, const gp::Arena& arena);
  void set_mode(MaskMode mode) { mode_ = mode; }

  bool empty() const { return paths_.empty(); }
  // True if an entry takes the object member at this path of keys, or something that it stands in.
  bool takes(std::initializer_list<std::string_view> keys) const;
  // Adds the edits for a request body (its root is an object).
  void apply(const gp::Json& body, gp::BodyEdit& edit) const;

 private:
  std::vector<Path> paths_;
  MaskMode mode_ = MaskMode::null;
};

}  // namespace gproxy_custom
