// The series that requests move: gproxy's own and the gen_ai ones. One per worker, on its loop; the
// series of one (route, provider, model, status) are looked up once and then kept.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/metrics.h"
#include "storage/records.h"
#include "translate/protocol.h"
#include "translate/usage_scan.h"

namespace gproxy::gateway {

class GatewayMetrics {
 public:
  explicit GatewayMetrics(Metrics& metrics);

  // A request has ended.
  struct Request {
    translate::Protocol protocol = translate::Protocol::none;
    translate::Operation operation = translate::Operation::none;
    std::string_view provider;     // empty: refused before a provider was known
    std::string_view gen_ai_name;  // the kind's, empty = the provider's name
    std::string_view model;
    int status = 0;
    int64_t duration_us = 0;
    int64_t overhead_us = -1;  // the gateway's own share, -1 = no upstream was asked
    int64_t first_byte_us = -1;
    translate::Usage usage;
  };
  void request_ended(const Request& request);

  Counter& in_flight;
  Counter& open_streams;
  Counter& connections;
  Counter& retries;
  Counter& fallbacks;
  Counter& client_gone;
  Counter& pings;
  Counter& refused;
  Counter& rate_limited;
  void cool_down(std::string_view reason);
  // An attempt at an upstream, or at a module that answers by itself, has ended.
  void attempt_ended(std::string_view provider, storage::Outcome outcome);
  // A request has waited for a credential: granted, deadline, queue_full, cancelled.
  void pool_wait(std::string_view provider, std::string_view result);
  // A translation left out or changed what stood at this path (without indices).
  void dropped(std::string_view path);

 private:
  struct Series {
    Counter* requests = nullptr;
    Histogram* overhead = nullptr;
    Histogram* duration = nullptr;
    Histogram* first_byte = nullptr;
    Histogram* input = nullptr;
    Histogram* output = nullptr;
    Counter* tokens[5] = {};
  };
  Series& series(const Request& request);
  Histogram& token_histogram(const Request& request, std::string_view type);

  static constexpr size_t kMaxSeries = 4096;
  Metrics& metrics_;
  std::unordered_map<uint64_t, std::unique_ptr<Series>> series_;
  std::unordered_map<uint64_t, Counter*> attempts_;
};

}  // namespace gproxy::gateway
