#include "app/address.h"

#include "net/listener.h"
#include "net/loop.h"

namespace gproxy::app {

namespace {

Result<void> try_it(const config::Settings& settings, net::ListenerConfig::Reuse reuse) {
  net::Loop loop;
  net::ListenerConfig config;
  config.host = settings.host;
  config.port = settings.port;
  config.reuse = reuse;
  auto listener = net::Listener::open(loop, config, [](net::Connection::Ptr) {});
  if (listener.ok()) return ok();
  Error error = listener.error();
  error.kind = ErrorKind::conflict;
  error.code = kCannotBind;
  error.status = 409;
  return error;
}

}  // namespace

Result<void> try_address(const config::Settings& settings) {
  return try_it(settings, net::ListenerConfig::Reuse::exclusive);
}

Result<void> try_other_address(const config::Settings& before, const config::Settings& after) {
  if (before.host == after.host && before.port == after.port) return ok();
  // A port that is kept has our own listeners.
  const bool ours = before.port == after.port;
  auto tried = try_it(
      after, ours ? net::ListenerConfig::Reuse::share_port : net::ListenerConfig::Reuse::exclusive);
  if (tried.ok()) return ok();
  Error error = tried.error();
  error.param = before.host != after.host ? "host" : "port";
  return error;
}

}  // namespace gproxy::app
