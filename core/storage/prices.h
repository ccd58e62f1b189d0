// What a token costs: a table of data (config/prices.json, the operator's own in front of it) and
// the arithmetic. Belongs to one thread at a time: the writer's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "storage/records.h"

namespace gproxy::storage {

// Nano US dollars for a million tokens of each sort.
struct TokenPrices {
  int64_t input = 0;
  int64_t output = 0;  // reasoning tokens are part of the output
  int64_t cache_read = 0;
  int64_t cache_write = 0;
  int64_t cache_write_1h = 0;  // what is kept for an hour instead of minutes
};

class PriceTable {
 public:
  // `text` is JSON: {"revision": n, "prices": [{"model", "provider"?, "input", "output",
  // "cache_read"?, "cache_write"?, "cache_write_1h"?, "tiers"?: [{"above", …}]}]}, prices in US
  // dollars for a million tokens. A model may begin or end with `*`; the first entry that fits
  // counts. Absent cache prices are those of input, an absent price for an hour is that of
  // cache_write. A tier counts for a whole request whose input, cached parts included, is above its
  // mark. `overrides`, where not empty, has the same form and goes first. Errors name the entry.
  static Result<PriceTable> parse(std::string_view text, std::string_view overrides = {});
  // The table gproxy was built with.
  static std::string_view built_in();

  // Fills cost and revision; leaves both alone where the model has no price or no tokens are known.
  void price(UsageRow& row) const;
  int64_t revision() const { return revision_; }
  size_t size() const { return entries_.size(); }

 private:
  struct Tier {
    int64_t above;  // input tokens
    TokenPrices prices;
  };
  struct Entry {
    std::string model;     // without the stars
    std::string provider;  // empty: any
    enum class Fit : uint8_t { whole, begins, ends, contains } fit = Fit::whole;
    std::vector<Tier> tiers;  // ascending, the first from 0
  };
  Result<void> add(std::string_view text);
  const Entry* find(std::string_view provider, std::string_view model) const;

  std::vector<Entry> entries_;
  int64_t revision_ = 0;
  // Models repeat from row to row. The writer thread's alone.
  mutable std::unordered_map<std::string, const Entry*> seen_;
};

}  // namespace gproxy::storage
