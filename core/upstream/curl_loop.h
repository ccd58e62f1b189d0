// The upstream client over libcurl: one per loop, made by its worker, destroyed before the loop. It
// owns a growing list of multi handles (a transfer goes to the first with fewer than 64 live ones:
// libcurl walks a host's connections for each transfer), their sockets' polls, the pool of easy
// handles and the cache of parsed URLs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "net/loop.h"
#include "upstream/ca_store.h"
#include "upstream/client.h"

struct sockaddr;

namespace gproxy::upstream {

struct CurlConfig {
  size_t transfers_per_multi = 64;
  size_t connections_per_multi = 256;  // open ones, idle ones included; the oldest idle one goes
  size_t kept_easy_handles = 128;      // idle ones, about 7 KiB each
  size_t kept_urls = 256;
  int64_t idle_multi_ms =
      60'000;  // an unused multi beyond the first two goes, with its connections
  int64_t dns_cache_s = 60;
  size_t max_head_bytes = 128 * 1024;  // response head; beyond it the transfer fails: too_large
  size_t max_head_fields = 256;
  // An encoded answer (never asked for) may grow by this factor once it is over the free size.
  size_t max_decode_ratio = 100;
  size_t decode_free_bytes = 1024 * 1024;

  // Trusted certificates; null = nothing is trusted, https fails.
  std::shared_ptr<const CaStore> ca = {};
  enum class Verify : uint8_t { peer, nothing } verify = Verify::peer;  // `nothing`: measuring only
  // False refuses the connection to that address, after the name was resolved. Null = all allowed.
  std::function<bool(const sockaddr* address)> address_guard = {};
};

struct CurlStats {
  size_t live = 0;  // transfers now
  size_t multis = 0;
  size_t kept_easy_handles = 0;
  size_t polls = 0;  // sockets libcurl has open, about
  uint64_t started = 0;
  uint64_t connections = 0;  // opened
  uint64_t reused = 0;       // transfers that ran on a kept connection
};

class CurlClient final : public Client {
 public:
  CurlClient(net::Loop& loop, CurlConfig config);
  // Aborts what still runs; no sink is called. Transfers may outlive it: they are inert then.
  ~CurlClient() override;
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  std::unique_ptr<Transfer> start(const Request& request, TransferSink& sink) override;

  // For new connections from now on.
  void set_ca(std::shared_ptr<const CaStore> ca);
  CurlStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gproxy::upstream
