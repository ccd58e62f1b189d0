// A request's place in the queue of a credential pool. The pool tells it on any thread; the answer
// reaches the request on its loop, or nobody, if it has gone: then the credential is given back.
#pragma once

#include <functional>
#include <memory>

#include "config/credential_pool.h"
#include "net/loop.h"

namespace gproxy::gateway {

class PoolWait final : public config::CredentialPool::Waiter,
                       public std::enable_shared_from_this<PoolWait> {
 public:
  using Granted = std::function<void(config::Lease)>;
  // `granted` runs on `loop`, once at most, unless forget() was called there. The loop outlives it.
  PoolWait(net::Loop& loop, std::shared_ptr<config::CredentialPool> pool, Granted granted)
      : loop_(loop), pool_(std::move(pool)), granted_(std::move(granted)) {}

  void granted(config::Lease lease) override;
  // [loop] True when it still waited.
  bool leave() { return pool_->leave(*this); }
  // [loop] The request has gone.
  void forget() { granted_ = nullptr; }
  config::CredentialPool& pool() { return *pool_; }

 private:
  net::Loop& loop_;
  const std::shared_ptr<config::CredentialPool> pool_;
  Granted granted_;  // on the loop only
};

}  // namespace gproxy::gateway
