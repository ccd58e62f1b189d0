// The model table: list and get answered here.
#include "custom.h"

namespace gproxy_custom {

gp::Status Provider::respond(const gp::Request& request, gp::Local& out,
                             std::unique_ptr<LocalCall>&) const {
  return models_.respond(request, "custom", out);
}

}  // namespace gproxy_custom
