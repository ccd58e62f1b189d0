#include "gateway/pool_wait.h"

#include <utility>

namespace gproxy::gateway {

void PoolWait::granted(config::Lease lease) {
  // The pool is kept beyond the lease: members of a closure die in reverse order of their making.
  loop_.post(net::Task([self = shared_from_this(), lease = std::move(lease)]() mutable {
    if (self->granted_) {
      std::exchange(self->granted_, nullptr)(std::move(lease));
    } else {
      lease.release();
    }
  }));
}

}  // namespace gproxy::gateway
