#include "storage/book_metrics.h"

namespace gproxy::storage {
namespace {

constexpr double kDurationBounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                      0.1,   0.25,   0.5,   1,    2.5,   10};

}  // namespace

BookMetrics::BookMetrics(Metrics& metrics)
    : metrics_(metrics),
      duration_(metrics.histogram("gproxy_db_write_seconds", "time to write a batch of rows",
                                  kDurationBounds)) {}

void BookMetrics::written(const Batch& batch, int64_t duration_us) {
  duration_.observe(static_cast<double>(duration_us) * 1e-6);
  for (const UsageRow& row : batch.usage) {
    if (row.cost_nanousd <= 0) continue;
    metrics_
        .counter("gproxy_cost_usd_total", "what the attempts cost by the price table",
                 {{"provider", row.provider}, {"model", row.model}})
        .add(static_cast<double>(row.cost_nanousd) * 1e-9);
  }
}

}  // namespace gproxy::storage
