// OpenSSL makes most of itself ready when it is first used: its algorithms, random generators and
// tables. That is 5 to 20 ms of the first handshake, during which a loop would stand still.
#pragma once

struct x509_store_st;

namespace gproxy::upstream {

// One handshake in memory, with a certificate made for it and `trusted` (may be null) to judge it
// by. About 10 ms, once in the process; any thread but a running loop's. Failing costs nothing: the
// first real handshake is slower then.
void warm_up_tls(x509_store_st* trusted);

}  // namespace gproxy::upstream
