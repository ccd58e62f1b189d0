#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>

#include "base/result.h"

namespace gproxy {
namespace {

constexpr size_t kMaxSeriesPerFamily = 1000;
constexpr std::string_view kOther = "other";

enum class Type { counter, gauge, histogram };

std::string_view type_name(Type type) {
  switch (type) {
    case Type::counter:
      return "counter";
    case Type::gauge:
      return "gauge";
    case Type::histogram:
      return "histogram";
  }
  return "untyped";
}

struct Series {
  std::string labels;  // rendered: a="x",b="y"
  Counter value;
  std::unique_ptr<Histogram> histogram;
};

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

struct Family {
  std::string_view name, help;
  Type type;
  std::span<const double> bounds;
  TextMap<std::unique_ptr<Series>> series;
};

// A label value may hold anything, so values are told apart by escaped text, not by separators.
void append_labels(std::string& out, Labels labels, bool all_other) {
  const size_t start = out.size();
  for (const auto& [name, value] : labels) {
    if (out.size() != start) out += ',';
    out += name;
    out += "=\"";
    for (char c : all_other ? kOther : value) {
      if (c == '\n') {
        out += "\\n";
      } else {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
    }
    out += '"';
  }
}

void append_help(std::string& out, std::string_view help) {
  for (char c : help) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\') out += '\\';
      out += c;
    }
  }
}

void append_sample(std::string& out, std::string_view name, std::string_view suffix,
                   std::string_view labels, std::string_view more, double value) {
  out += name;
  out += suffix;
  if (!labels.empty() || !more.empty()) {
    out += '{';
    out += labels;
    if (!labels.empty() && !more.empty()) out += ',';
    out += more;
    out += '}';
  }
  fmt::format_to(std::back_inserter(out), " {}\n", value);
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds), counts_(std::make_unique<std::atomic<uint64_t>[]>(bounds.size() + 1)) {}

void Histogram::observe(double value) {
  const size_t i = static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) -
                                       bounds_.begin());
  // One writer: a plain load and store, no locked instruction.
  counts_[i].store(counts_[i].load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

struct Metrics::Impl {
  // The owner alone changes the maps, and takes the lock to do so; it reads them without. A scrape
  // holds the lock while it reads.
  mutable std::mutex growth;
  TextMap<Family> families;
  std::string scratch;

  Series& series(std::string_view name, std::string_view help, Type type,
                 std::span<const double> bounds, Labels labels) {
    auto family = families.find(name);
    if (family == families.end()) {
      const std::lock_guard lock(growth);
      family = families.emplace(std::string(name), Family{name, help, type, bounds, {}}).first;
    }
    Family& f = family->second;
    GP_ASSERT(f.type == type);
    scratch.clear();
    append_labels(scratch, labels, /*all_other=*/false);
    auto found = f.series.find(scratch);
    if (found == f.series.end() && f.series.size() >= kMaxSeriesPerFamily && labels.size() > 0) {
      scratch.clear();
      append_labels(scratch, labels, /*all_other=*/true);
      found = f.series.find(scratch);
    }
    if (found == f.series.end()) {
      auto made = std::make_unique<Series>();
      made->labels = scratch;
      if (f.type == Type::histogram) made->histogram = std::make_unique<Histogram>(f.bounds);
      const std::lock_guard lock(growth);
      found = f.series.emplace(scratch, std::move(made)).first;
    }
    return *found->second;
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
  return impl_->series(name, help, Type::counter, {}, labels).value;
}

Counter& Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
  return impl_->series(name, help, Type::gauge, {}, labels).value;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              std::span<const double> bounds, Labels labels) {
  return *impl_->series(name, help, Type::histogram, bounds, labels).histogram;
}

std::string Metrics::render(std::span<const Metrics* const> parts) {
  struct Sum {
    double value = 0;
    std::vector<uint64_t> buckets;
  };
  struct Merged {
    std::string_view help;
    Type type = Type::counter;
    std::span<const double> bounds;
    std::map<std::string, Sum> series;
  };
  std::map<std::string_view, Merged> all;
  for (const Metrics* part : parts) {
    if (part == nullptr) continue;
    const std::lock_guard lock(part->impl_->growth);
    for (const auto& [unused, family] : part->impl_->families) {
      Merged& merged = all[family.name];
      if (merged.help.empty()) merged = {family.help, family.type, family.bounds, {}};
      if (merged.type != family.type) continue;
      for (const auto& [labels, series] : family.series) {
        Sum& sum = merged.series[labels];
        if (series->histogram == nullptr) {
          sum.value += series->value.value();
          continue;
        }
        const Histogram& h = *series->histogram;
        sum.buckets.resize(merged.bounds.size() + 1);
        for (size_t i = 0; i < sum.buckets.size() && i <= h.bounds().size(); ++i)
          sum.buckets[i] += h.bucket(i);
        sum.value += h.sum();
      }
    }
  }
  std::string out;
  for (const auto& [name, merged] : all) {
    out += "# HELP ";
    out += name;
    out += ' ';
    append_help(out, merged.help);
    out += "\n# TYPE ";
    out += name;
    out += ' ';
    out += type_name(merged.type);
    out += '\n';
    for (const auto& [labels, sum] : merged.series) {
      if (merged.type != Type::histogram) {
        append_sample(out, name, "", labels, "", sum.value);
        continue;
      }
      uint64_t total = 0;
      for (size_t i = 0; i < sum.buckets.size(); ++i) {
        total += sum.buckets[i];
        const std::string bound = i < merged.bounds.size()
                                      ? fmt::format("le=\"{}\"", merged.bounds[i])
                                      : std::string("le=\"+Inf\"");
        append_sample(out, name, "_bucket", labels, bound, static_cast<double>(total));
      }
      append_sample(out, name, "_sum", labels, "", sum.value);
      append_sample(out, name, "_count", labels, "", static_cast<double>(total));
    }
  }
  return out;
}

}  // namespace gproxy
