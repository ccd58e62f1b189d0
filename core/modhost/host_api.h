// What the host offers to modules: gp_host and the host's extensions (gproxy.crypto/1, gproxy.json/1,
// gproxy.thread-check/1). Tables are static but for the log function's module id.
#pragma once

#include <cstdint>
#include <string_view>

struct gp_call;

namespace gproxy::modhost {

// Who may call what: gproxy.thread-check/1 answers from these. Each thread says once what it is.
void mark_main_thread();
bool is_main_thread();

// The live calls of this thread, for thread-check's is_loop_of.
void enter_call(const gp_call* call);
void leave_call(const gp_call* call);
bool is_loop_of(const gp_call* call);

// A host extension's table, or null. `id` is "gproxy.<name>/<rev>". [any]
const void* host_extension(std::string_view id);

}  // namespace gproxy::modhost
