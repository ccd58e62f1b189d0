#include "modhost/host_api.h"

#include <atomic>
#include <unordered_set>

#include "gproxy/ext/crypto.h"
#include "gproxy/ext/json.h"
#include "gproxy/ext/thread_check.h"

namespace gproxy::modhost {
namespace {

std::atomic<bool> checks_wanted{false};
thread_local bool this_is_main = false;
thread_local std::unordered_set<const gp_call*> calls_here;

int32_t check_is_main() {
  return is_main_thread() ? 1 : 0;
}
int32_t check_is_loop_of(const gp_call* call) {
  return is_loop_of(call) ? 1 : 0;
}

constexpr gp_thread_check_ext kThreadCheck = {sizeof(gp_thread_check_ext), 0, check_is_main,
                                              check_is_loop_of};

}  // namespace

void mark_main_thread() {
  this_is_main = true;
}
bool is_main_thread() {
  return this_is_main;
}

void enter_call(const gp_call* call) {
  if (checks_wanted.load(std::memory_order_relaxed)) calls_here.insert(call);
}
void leave_call(const gp_call* call) {
  if (checks_wanted.load(std::memory_order_relaxed)) calls_here.erase(call);
}
bool is_loop_of(const gp_call* call) {
  return calls_here.contains(call);
}

const gp_thread_check_ext* thread_check_extension() {
  return &kThreadCheck;
}

const void* host_extension(std::string_view id) {
  if (id == GP_EXT_CRYPTO) return crypto_extension();
  if (id == GP_EXT_JSON) return json_extension();
  if (id == GP_EXT_THREAD_CHECK) {
    checks_wanted.store(true, std::memory_order_relaxed);
    return thread_check_extension();
  }
  // gproxy.tokenize/1 and gproxy.translate/1: not offered by this version.
  return nullptr;
}

}  // namespace gproxy::modhost
