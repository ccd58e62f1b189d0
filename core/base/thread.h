// What a thread may say about itself to the scheduler. Any thread.
#pragma once

namespace gproxy {

// From now on the calling thread gets the processor after those that serve (nice 15): for work that
// may take its time. Only where the system knows priorities of single threads (Linux).
void run_behind_others();

}  // namespace gproxy
