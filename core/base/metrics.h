// Counters, gauges and histograms in the Prometheus text form. Each loop owns a Metrics (no locks,
// relaxed atomics that only it writes); a scrape merges all of them. Label sets are bounded: a
// family over its bound counts into the series with the label value "other".
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gproxy {

class Counter {
 public:
  void add(double by = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void set(double to) { value_.store(to, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);
  void observe(double value);
  std::span<const double> bounds() const { return bounds_; }
  uint64_t bucket(size_t i) const {
    return counts_[i].load(std::memory_order_relaxed);
  }  // not cumulative
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::span<const double> bounds_;  // static storage
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// One thread writes (the owner); render() may run on another. Looking a series up by labels costs a
// hash and takes no lock in the owner; keep the reference where it is hot.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  // `name` and `help` are literals. The same (name, labels) gives the same object for ever.
  Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
  Counter& gauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                       Labels labels = {});

  // Sums series with equal names and labels over all `parts` and writes the text exposition format.
  static std::string render(std::span<const Metrics* const> parts);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gproxy
