// Where admin requests enter: on a worker's loop it checks the admin key, copies the request and
// hands it to the main thread; the answer goes back to that loop. One for the process, used by
// every loop.
#pragma once

#include <functional>
#include <memory>

#include "admin/control_plane.h"
#include "admin/log_tail.h"
#include "gateway/http_handler.h"

namespace gproxy::admin {

class Frontend final : public gateway::HttpHandler {
 public:
  Frontend(ControlPlane& plane, std::function<void(std::function<void()>)> post_main)
      : plane_(plane), post_main_(std::move(post_main)) {}

  void handle(std::shared_ptr<gateway::HttpCall> call) override;
  LogTail& tail() { return tail_; }

 private:
  ControlPlane& plane_;  // touched on main only
  std::function<void(std::function<void()>)> post_main_;
  LogTail tail_;
};

}  // namespace gproxy::admin
