// Stores a refreshed secret before any request uses it: called on a worker's loop, goes over main (which
// knows the row's version) to the storage thread, and answers on the loop that asked.
#pragma once

#include <functional>

#include "admin/control_plane.h"
#include "gateway/gateway.h"
#include "storage/writer_thread.h"

namespace gproxy::app {

class SecretSaver final : public gateway::CredentialSaver {
 public:
  SecretSaver(admin::ControlPlane& plane, storage::WriterThread& writer,
              std::function<void(std::function<void()>)> post_main)
      : plane_(plane), writer_(writer), post_main_(std::move(post_main)) {}

  void save(int64_t credential_id, const Secret& secret_json, const std::string& settings_json, net::Loop& loop,
            std::function<void(Result<void>)> done) override;

 private:
  admin::ControlPlane& plane_;
  storage::WriterThread& writer_;
  std::function<void(std::function<void()>)> post_main_;
};

}  // namespace gproxy::app
