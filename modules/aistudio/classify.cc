// What Google's errors mean for a key. A bad one is a 400 here; only the reason tells it from a bad
// request.
#include "aistudio.h"
#include "common/google/errors.h"

namespace gproxy_aistudio {

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  return gproxy_google::judge(failure, verdict, gproxy_google::Rejected::dead);
}

}  // namespace gproxy_aistudio
