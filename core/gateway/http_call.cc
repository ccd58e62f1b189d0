#include "gateway/http_call.h"

#include <utility>
#include <vector>

#include "gateway/exchange.h"

namespace gproxy::gateway {
namespace {

std::vector<http::HeaderView> views(const HttpCall::Fields& fields) {
  std::vector<http::HeaderView> out;
  out.reserve(fields.size());
  for (const auto& [name, value] : fields)
    out.push_back({std::string_view(name), std::string_view(value)});
  return out;
}

}  // namespace

ExchangeCall::ExchangeCall(Exchange& exchange, std::string_view key,
                           const config::KeyEntry* user_key, std::string_view body,
                           const net::PeerAddress& peer)
    : exchange_(&exchange), loop_(exchange.context().loop), client_(exchange.context().client) {
  const auto& head = exchange.head();
  request_.kind = exchange.match().kind;
  request_.method = head.method;
  request_.path = head.path;
  request_.query = exchange.query();
  request_.provider = exchange.match().provider;
  request_.headers = head.headers;
  request_.body = body;
  request_.key = key;
  request_.request_id = exchange.request_id();
  request_.trace_id = exchange.trace_id();
  request_.peer = peer.host();
  request_.loopback = peer.is_loopback();
  request_.snapshot = exchange.snapshot();
  request_.user_key = user_key;
  request_.by_state = exchange.by_state();
}

void ExchangeCall::reply(int status, Fields headers, std::string body) {
  if (!alive()) return;
  ended_ = true;
  exchange_->reply_whole(status, views(headers), body);
}

void ExchangeCall::begin_stream(int status, Fields headers) {
  if (alive()) exchange_->begin_stream(status, views(headers));
}

bool ExchangeCall::write(std::string_view bytes) {
  return alive() && exchange_->write_stream(bytes);
}

void ExchangeCall::end_stream() {
  if (!alive()) return;
  ended_ = true;
  exchange_->end_stream();
}

void ExchangeCall::detach() {
  const bool told = ended_;
  exchange_ = nullptr;
  ended_ = true;
  writable_ = nullptr;
  auto gone = std::exchange(gone_, nullptr);
  if (gone && !told) gone();
}

void ExchangeCall::tell_writable() {
  if (alive() && writable_) writable_();
}

}  // namespace gproxy::gateway
