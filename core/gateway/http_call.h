// HttpCall over an exchange. Shared between the exchange and the handler; when the exchange ends,
// the call stays as a husk that is not alive.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "gateway/http_handler.h"
#include "net/peer_address.h"

namespace gproxy::gateway {

class Exchange;

class ExchangeCall final : public HttpCall {
 public:
  ExchangeCall(Exchange& exchange, std::string_view key, const config::KeyEntry* user_key,
               std::string_view body, const net::PeerAddress& peer);

  const Request& request() const override { return request_; }
  net::Loop& loop() override { return loop_; }
  upstream::Client& client() override { return client_; }
  bool alive() const override { return exchange_ != nullptr && !ended_; }
  void reply(int status, Fields headers, std::string body) override;
  void begin_stream(int status, Fields headers) override;
  bool write(std::string_view bytes) override;
  void end_stream() override;
  void on_writable(std::function<void()> callback) override { writable_ = std::move(callback); }
  void on_gone(std::function<void()> callback) override { gone_ = std::move(callback); }

  // The exchange has ended.
  void detach();
  void tell_writable();

 private:
  Exchange* exchange_;
  net::Loop& loop_;
  upstream::Client& client_;
  Request request_;
  std::function<void()> writable_;
  std::function<void()> gone_;
  bool ended_ = false;
};

}  // namespace gproxy::gateway
