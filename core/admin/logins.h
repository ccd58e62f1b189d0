// Puts an account that was logged in among the provider's credentials. Main thread.
#pragma once

#include <functional>

#include "admin/control_plane.h"
#include "gateway/account_store.h"

namespace gproxy::admin {

// A row of the provider whose account has the same identity gets the new secret (a second login heals
// it) and keeps its name and its enabled flag; else there is a new, enabled row. The login's flow goes
// in the same transaction. `done` runs on main, when every loop has it.
void save_login(ControlPlane& plane, gateway::NewLogin login,
                std::function<void(Result<gateway::SavedLogin>)> done);

}  // namespace gproxy::admin
