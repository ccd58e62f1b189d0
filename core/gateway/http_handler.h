// The seam to the admin floor: whole requests go up through HttpHandler, answers come back through
// HttpCall. Everything happens on the worker's loop that accepted the request.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/publisher.h"
#include "gateway/route_table.h"
#include "http/headers.h"
#include "net/loop.h"
#include "upstream/client.h"

namespace gproxy::gateway {

// One request that gproxy answers itself. The request's views live as long as the call is alive()
// and not ended; copy what must outlive that. Loop only: work done elsewhere comes back by
// loop().post().
class HttpCall {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  struct Request {
    RouteKind kind = RouteKind::admin;  // admin, ui; oauth and usage stay in the gateway
    std::string_view method;
    std::string_view path;      // as sent, still encoded; with the provider for oauth and usage
    std::string_view query;     // without the `key` parameter
    std::string_view provider;  // oauth, usage
    std::span<const http::HeaderView> headers;  // all, the key's included
    std::string_view body;
    std::string_view key;  // what find_key() found, may be empty; never log it
    std::string_view request_id;
    std::string_view trace_id;  // as the log knows the request
    std::string peer;           // the client's address, without port
    bool loopback = false;
    config::LoopSnapshotPtr snapshot;
    // oauth, usage: the user key, already checked to be usable; null for others and for the admin
    // key.
    const config::KeyEntry* user_key = nullptr;
    // oauth callback: a person's browser, without any key. The state that it brings is what
    // authorises it; nothing else of it may be trusted.
    bool by_state = false;
  };

  virtual ~HttpCall() = default;

  virtual const Request& request() const = 0;
  virtual net::Loop& loop() = 0;
  virtual upstream::Client& client() = 0;
  // False once the client is gone or the answer is complete: nothing need be done any more.
  virtual bool alive() const = 0;

  // The whole answer, once. Ignored when not alive. content-length, x-request-id and connection are
  // added; a HEAD request gets the head alone.
  virtual void reply(int status, Fields headers, std::string body) = 0;

  // An answer in pieces (log tails): begin, any number of writes, end.
  virtual void begin_stream(int status, Fields headers) = 0;
  // False when the client does not keep up (or is gone): write again after on_writable.
  virtual bool write(std::string_view bytes) = 0;
  virtual void end_stream() = 0;
  // Called on the loop when writing is possible again, and when the client has gone.
  virtual void on_writable(std::function<void()> callback) = 0;
  virtual void on_gone(std::function<void()> callback) = 0;
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // On the worker's loop. May reply before it returns, or keep the call and reply later.
  virtual void handle(std::shared_ptr<HttpCall> call) = 0;
};

}  // namespace gproxy::gateway
