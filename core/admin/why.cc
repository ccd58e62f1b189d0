// GET /admin/requests/{trace_id}/why: from memory, where the request is young enough, else from the
// database.
#include "admin/api.h"

namespace gproxy::admin {

void get_why(ContextPtr c) {
  const auto id = c->parameters[0];
  if (c->plane.recent_decision) {
    if (auto found = c->plane.recent_decision(id))
      return c->respond(json_response(std::move(*found)));
  }
  c->query([id](storage::Reader& reader) -> Result<std::string> {
    GP_TRY(auto found, reader.decision_of(id));
    if (found) return std::move(*found);
    return Error{ErrorKind::not_found, "decision_not_found",
                 "no decision is kept for a request with this id"};
  });
}

}  // namespace gproxy::admin
