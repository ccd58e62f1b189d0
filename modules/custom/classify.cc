// Nothing is known of this upstream's error words: the status decides.
#include "custom.h"
#include "gproxy/verdicts.hpp"

namespace gproxy_custom {

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  gp::judge_by_status(failure, verdict);
  return gp::ok();
}

}  // namespace gproxy_custom
