// What the host offers to modules beside gp_host: the extensions gproxy.crypto/1, gproxy.json/1 and
// gproxy.thread-check/1. Static tables; their functions run on any thread.
#pragma once

#include <string_view>

struct gp_call;
struct gp_crypto_ext;
struct gp_json_ext;
struct gp_thread_check_ext;

namespace gproxy::modhost {

// A host extension's table by id, or null. [any]
const void* host_extension(std::string_view id);

const gp_crypto_ext* crypto_extension();
const gp_json_ext* json_extension();
const gp_thread_check_ext* thread_check_extension();

// Who is who, for thread-check: the main thread says so once, at start.
void mark_main_thread();
bool is_main_thread();

// The calls that live on this thread. Counted only once some module has asked for thread-check, so
// that requests do not pay for it otherwise.
void enter_call(const gp_call* call);
void leave_call(const gp_call* call);
bool is_loop_of(const gp_call* call);

}  // namespace gproxy::modhost
