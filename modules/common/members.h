// Edits of the top-level members of a request body: some are set, some are taken out, all others go
// up as the client wrote them. One pass over the body; lives for one prepare.
#pragma once

#include <string_view>
#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_common {

class MemberEdits {
 public:
  void drop(std::string_view name) { rules_.push_back({name, {}, Rule::What::drop}); }
  // The member becomes this JSON value, whatever it was.
  void set(std::string_view name, std::string_view json) {
    rules_.push_back({name, json, Rule::What::set});
  }
  // The same, but only where it is absent or null.
  void set_missing(std::string_view name, std::string_view json) {
    rules_.push_back({name, json, Rule::What::set_missing});
  }

  // REQUIRES: the body is an object (has GP_FIELD_ROOT). Edits of values below members that are
  // neither set nor dropped may stand beside these.
  void apply(const gp::Request& request, gp::BodyEdit& edit);

 private:
  struct Rule {
    enum class What : uint8_t { drop, set, set_missing };
    std::string_view name, json;
    What what;
    bool met = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace gproxy_common
