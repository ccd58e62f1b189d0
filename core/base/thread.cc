#include "base/thread.h"

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace gproxy {

void run_behind_others() {
#ifdef __linux__
  // Linux takes a thread's number for a process's here. Refused? Then it runs as the others do.
  constexpr int kNice = 15;
  const auto self = static_cast<id_t>(::syscall(SYS_gettid));
  (void)::setpriority(PRIO_PROCESS, self, ::getpriority(PRIO_PROCESS, self) + kNice);
#endif
}

}  // namespace gproxy
