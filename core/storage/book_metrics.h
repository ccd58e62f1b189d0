// The series that written rows move. On the writer thread.
#pragma once

#include <cstdint>

#include "base/metrics.h"
#include "storage/store.h"

namespace gproxy::storage {

class BookMetrics {
 public:
  // The writer thread alone writes to `metrics`, which outlives this.
  explicit BookMetrics(Metrics& metrics);

  // These rows are in the database now.
  void written(const Batch& batch, int64_t duration_us);

 private:
  Metrics& metrics_;
  gproxy::Histogram& duration_;
};

}  // namespace gproxy::storage
