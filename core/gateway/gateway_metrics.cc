#include "gateway/gateway_metrics.h"

#include <array>
#include <functional>

namespace gproxy::gateway {
namespace {

using translate::Operation;

constexpr double kDurationBounds[] = {0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                      1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
constexpr double kOverheadBounds[] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001,
                                      0.0025,  0.005,  0.01,    0.05,   0.25};
constexpr double kTokenBounds[] = {1,     4,     16,     64,      256,     1024,     4096,
                                   16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};

std::string_view operation_name(const GatewayMetrics::Request& request) {
  switch (request.operation) {
    case Operation::generate:
    case Operation::stream_generate:
      return request.protocol == translate::Protocol::gemini ? "generate_content" : "chat";
    default:
      return translate::name(request.operation);
  }
}

uint64_t mix(uint64_t seed, uint64_t value) {
  seed ^= value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2);
  return seed;
}

}  // namespace

GatewayMetrics::GatewayMetrics(Metrics& metrics)
    : in_flight(metrics.gauge("gproxy_in_flight_requests", "requests being served")),
      open_streams(metrics.gauge("gproxy_open_streams", "streamed answers being relayed")),
      connections(metrics.gauge("gproxy_connections", "open client connections")),
      retries(metrics.counter("gproxy_retries_total", "attempts after the first")),
      fallbacks(metrics.counter("gproxy_fallbacks_total",
                                "requests moved to another target of their route")),
      client_gone(
          metrics.counter("gproxy_client_gone_total", "requests whose client left before the end")),
      pings(metrics.counter("gproxy_pings_total", "keep-alive pings put into silent streams")),
      refused(
          metrics.counter("gproxy_overload_refused_total", "requests refused because of overload")),
      rate_limited(metrics.counter("gproxy_rate_limited_total",
                                   "requests refused because of a limit of their key or user")),
      metrics_(metrics) {}

void GatewayMetrics::cool_down(std::string_view reason) {
  metrics_.counter("gproxy_cooldowns_total", "credentials put to rest", {{"reason", reason}}).add();
}

void GatewayMetrics::attempt_ended(std::string_view provider, storage::Outcome outcome) {
  const auto key = mix(std::hash<std::string_view>{}(provider), static_cast<uint64_t>(outcome));
  auto found = attempts_.find(key);
  if (found == attempts_.end()) {
    if (attempts_.size() >= kMaxSeries) attempts_.clear();
    auto& counter =
        metrics_.counter("gproxy_attempts_total", "attempts by provider and how they ended",
                         {{"provider", provider}, {"outcome", storage::name(outcome)}});
    found = attempts_.emplace(key, &counter).first;
  }
  found->second->add();
}

void GatewayMetrics::pool_wait(std::string_view provider, std::string_view result) {
  metrics_
      .counter("gproxy_pool_waits_total", "requests that waited for a credential, by how it ended",
               {{"provider", provider}, {"result", result}})
      .add();
}

void GatewayMetrics::dropped(std::string_view path) {
  metrics_
      .counter("gproxy_dropped_params_total",
               "parts of requests and answers that a translation dropped or changed",
               {{"path", path}})
      .add();
}

GatewayMetrics::Series& GatewayMetrics::series(const Request& request) {
  const std::hash<std::string_view> hash;
  uint64_t key = mix(hash(request.provider), hash(request.model));
  key = mix(key, static_cast<uint64_t>(request.protocol) << 32 |
                     static_cast<uint64_t>(request.operation));
  key = mix(key, static_cast<uint64_t>(request.status));
  if (const auto found = series_.find(key); found != series_.end()) return *found->second;
  if (series_.size() >= kMaxSeries)
    series_.clear();  // the series themselves are bounded in Metrics

  auto made = std::make_unique<Series>();
  const auto route = translate::name(request.protocol);
  const auto status = std::to_string(request.status);
  made->requests =
      &metrics_.counter("gproxy_requests_total", "requests by route, provider, model and status",
                        {{"route", route},
                         {"operation", translate::name(request.operation)},
                         {"provider", request.provider},
                         {"model", request.model},
                         {"status", status}});
  made->overhead =
      &metrics_.histogram("gproxy_request_overhead_seconds", "the gateway's own share of a request",
                          kOverheadBounds, {{"route", route}});
  if (!request.provider.empty()) {
    const auto vendor = request.gen_ai_name.empty() ? request.provider : request.gen_ai_name;
    const auto operation = operation_name(request);
    const auto error = request.status >= 400 ? std::string_view(status) : std::string_view();
    made->duration = &metrics_.histogram("gen_ai_client_operation_duration_seconds",
                                         "duration of an operation", kDurationBounds,
                                         {{"gen_ai_operation_name", operation},
                                          {"gen_ai_provider_name", vendor},
                                          {"gen_ai_request_model", request.model},
                                          {"error_type", error}});
    made->first_byte =
        &metrics_.histogram("gen_ai_client_operation_time_to_first_chunk_seconds",
                            "time until the first piece of an answer", kDurationBounds,
                            {{"gen_ai_operation_name", operation},
                             {"gen_ai_provider_name", vendor},
                             {"gen_ai_request_model", request.model}});
  }
  return *series_.emplace(key, std::move(made)).first->second;
}

Histogram& GatewayMetrics::token_histogram(const Request& request, std::string_view type) {
  return metrics_.histogram("gen_ai_client_token_usage", "tokens of an operation", kTokenBounds,
                            {{"gen_ai_operation_name", operation_name(request)},
                             {"gen_ai_provider_name",
                              request.gen_ai_name.empty() ? request.provider : request.gen_ai_name},
                             {"gen_ai_request_model", request.model},
                             {"gen_ai_token_type", type}});
}

void GatewayMetrics::request_ended(const Request& request) {
  auto& s = series(request);
  s.requests->add();
  constexpr double kMicro = 1e-6;
  if (request.overhead_us >= 0)
    s.overhead->observe(static_cast<double>(request.overhead_us) * kMicro);
  if (s.duration != nullptr) s.duration->observe(static_cast<double>(request.duration_us) * kMicro);
  if (s.first_byte != nullptr && request.first_byte_us >= 0) {
    s.first_byte->observe(static_cast<double>(request.first_byte_us) * kMicro);
  }
  const auto& usage = request.usage;
  if (!usage.any()) return;
  if (s.input == nullptr) {
    s.input = &token_histogram(request, "input");
    s.output = &token_histogram(request, "output");
    constexpr std::array<std::string_view, 5> kTypes = {"input", "output", "cache_read",
                                                        "cache_write", "reasoning"};
    for (size_t i = 0; i < kTypes.size(); ++i) {
      s.tokens[i] = &metrics_.counter(
          "gproxy_tokens_total", "tokens by kind; input is without cache",
          {{"provider", request.provider}, {"model", request.model}, {"type", kTypes[i]}});
    }
  }
  const auto all_input = std::max<int64_t>(usage.input, 0) +
                         std::max<int64_t>(usage.cache_read, 0) +
                         std::max<int64_t>(usage.cache_write, 0);
  s.input->observe(static_cast<double>(all_input));
  s.output->observe(static_cast<double>(std::max<int64_t>(usage.output, 0)));
  const int64_t counts[5] = {usage.input, usage.output, usage.cache_read, usage.cache_write,
                             usage.reasoning};
  for (size_t i = 0; i < 5; ++i) {
    if (counts[i] > 0) s.tokens[i]->add(static_cast<double>(counts[i]));
  }
}

}  // namespace gproxy::gateway
