// libcurl's memory. A transfer takes and gives back some sixty small blocks, and with many
// transfers in flight the C library's own caches (seven blocks a size and thread) overflow into its
// slow path. So each thread keeps what libcurl frees, by size, within a bound, and hands it out
// again.
//
// Blocks are ordinary malloc blocks throughout: what a thread does not keep goes back, and a block
// may be freed by another thread than the one that took it. Without a C library that tells a
// block's size, and under the sanitizers, which must see each block, nothing is kept.
#pragma once

namespace gproxy::upstream {

// curl_global_init with this memory. Once in the process, before any other use of libcurl.
void init_curl();

}  // namespace gproxy::upstream
