// Brings logins and response owners from the workers' loops to the store and back. Called on a loop;
// works on main or a storage thread; answers on the loop that asked.
#pragma once

#include <functional>

#include "admin/control_plane.h"
#include "gateway/account_store.h"
#include "storage/writer_thread.h"

namespace gproxy::app {

class Accounts final : public gateway::AccountStore {
 public:
  Accounts(admin::ControlPlane& plane, storage::WriterThread& writer,
           std::function<void(std::function<void()>)> post_main)
      : plane_(plane), writer_(writer), post_main_(std::move(post_main)) {}

  void put_flow(storage::FlowRow row, net::Loop& loop, std::function<void(Result<void>)> done) override;
  void find_flow(int64_t provider_id, int64_t user_id, std::optional<Digest> state, net::Loop& loop,
                 std::function<void(Result<storage::FoundFlow>)> done) override;
  void save_login(gateway::NewLogin login, net::Loop& loop,
                  std::function<void(Result<gateway::SavedLogin>)> done) override;
  void response_owner(std::string response_id, int64_t user_id, net::Loop& loop,
                      std::function<void(Result<std::optional<storage::ResponseOwner>>)> done) override;

 private:
  admin::ControlPlane& plane_;  // touched on main only
  storage::WriterThread& writer_;
  std::function<void(std::function<void()>)> post_main_;
};

}  // namespace gproxy::app
