#include "storage/prices.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace gproxy::storage {
namespace {

constexpr const char kBuiltIn[] =
#include "prices.inc"
    ;
constexpr size_t kMaxSeen = 1024;
constexpr double kNanoPerDollar = 1e9;
// A million dollars: thousands of such rows can be summed.
constexpr int64_t kMaxCost = 1'000'000'000'000'000;

Result<int64_t> nano(const json::Value& entry, std::string_view key, int64_t otherwise,
                     const std::string& where) {
  const auto* value = entry.find(key);
  if (value == nullptr) return otherwise;
  const double dollars = value->as_double(-1);
  if (!value->is_number() || !(dollars >= 0) || dollars > 1e6) {
    return Error{ErrorKind::invalid, "invalid_prices", "must be US dollars for a million tokens",
                 where + "." + std::string(key)};
  }
  return static_cast<int64_t>(std::llround(dollars * kNanoPerDollar));
}

Result<TokenPrices> prices_of(const json::Value& entry, const TokenPrices& below, bool first,
                              const std::string& where) {
  TokenPrices out;
  GP_TRY(out.input, nano(entry, "input", below.input, where));
  GP_TRY(out.output, nano(entry, "output", below.output, where));
  GP_TRY(out.cache_read, nano(entry, "cache_read", first ? out.input : below.cache_read, where));
  GP_TRY(out.cache_write, nano(entry, "cache_write", first ? out.input : below.cache_write, where));
  // A tier that tells a price of writing and none for an hour does not keep that of the tier below.
  const bool inherits = !first && entry.find("cache_write") == nullptr;
  GP_TRY(out.cache_write_1h,
         nano(entry, "cache_write_1h", inherits ? below.cache_write_1h : out.cache_write, where));
  return out;
}

}  // namespace

std::string_view PriceTable::built_in() {
  return {kBuiltIn, sizeof kBuiltIn - 1};
}

Result<PriceTable> PriceTable::parse(std::string_view text, std::string_view overrides) {
  PriceTable table;
  if (!overrides.empty()) GP_CHECK(table.add(overrides));
  const int64_t own = table.revision_;
  GP_CHECK(table.add(text));
  table.revision_ += own;
  return table;
}

Result<void> PriceTable::add(std::string_view text) {
  Arena arena;
  auto root = json::parse(text, arena);
  if (!root) return std::move(root).error();
  const auto invalid = [&](std::string message, std::string where) {
    return Error{ErrorKind::invalid, "invalid_prices", std::move(message), std::move(where)};
  };
  const json::Value* list = root->find("prices");
  if (list == nullptr || !list->is_array()) return invalid("must be an array", "prices");
  const json::Value* revision = root->find("revision");
  if (revision == nullptr || !revision->as_int()) return invalid("must be an integer", "revision");
  revision_ = *revision->as_int();
  size_t index = 0;
  for (const json::Value& item : list->items()) {
    const std::string where = "prices[" + std::to_string(index++) + "]";
    const json::Value* model = item.find("model");
    if (model == nullptr || !model->is_string() || model->str().empty()) {
      return invalid("must be a text", where + ".model");
    }
    Entry entry;
    std::string_view name = model->str();
    const bool front = name.starts_with('*'), back = name.size() > 1 && name.ends_with('*');
    if (front) name.remove_prefix(1);
    if (back) name.remove_suffix(1);
    entry.fit = front && back ? Entry::Fit::contains
                : front       ? Entry::Fit::ends
                : back        ? Entry::Fit::begins
                              : Entry::Fit::whole;
    entry.model = std::string(name);
    if (const auto* provider = item.find("provider")) entry.provider = std::string(provider->str());
    GP_TRY(const TokenPrices base, prices_of(item, {}, true, where));
    entry.tiers.push_back({0, base});
    if (const auto* tiers = item.find("tiers")) {
      for (const json::Value& tier : tiers->items()) {
        const auto above =
            tier.find("above") != nullptr ? tier.find("above")->as_int() : std::nullopt;
        if (!above || *above <= entry.tiers.back().above) {
          return invalid("must be a number of input tokens, ascending", where + ".tiers.above");
        }
        GP_TRY(const TokenPrices prices, prices_of(tier, entry.tiers.back().prices, false, where));
        entry.tiers.push_back({*above, prices});
      }
    }
    entries_.push_back(std::move(entry));
  }
  return ok();
}

const PriceTable::Entry* PriceTable::find(std::string_view provider, std::string_view model) const {
  for (const Entry& entry : entries_) {
    if (!entry.provider.empty() && entry.provider != provider) continue;
    switch (entry.fit) {
      case Entry::Fit::whole:
        if (model == entry.model) return &entry;
        break;
      case Entry::Fit::begins:
        if (model.starts_with(entry.model)) return &entry;
        break;
      case Entry::Fit::ends:
        if (model.ends_with(entry.model)) return &entry;
        break;
      case Entry::Fit::contains:
        if (model.find(entry.model) != std::string_view::npos) return &entry;
        break;
    }
  }
  return nullptr;
}

void PriceTable::price(UsageRow& row) const {
  if (!row.has_usage || row.model.empty()) return;
  std::string place;
  place.reserve(row.provider.size() + row.model.size() + 1);
  place.append(row.provider).append(1, '\n').append(row.model);
  auto at = seen_.find(place);
  if (at == seen_.end()) {
    if (seen_.size() >= kMaxSeen) seen_.clear();
    at = seen_.emplace(std::move(place), find(row.provider, row.model)).first;
  }
  const Entry* entry = at->second;
  if (entry == nullptr) return;
  const int64_t asked = row.input + row.cache_read + row.cache_write;
  const TokenPrices* prices = &entry->tiers.front().prices;
  for (const Tier& tier : entry->tiers) {
    if (asked > tier.above) prices = &tier.prices;
  }
  // A million tokens at a thousand dollars are 10^12 nano dollars: 128 bits are for what clients
  // make up.
  const auto part = [](int64_t tokens, int64_t per_million) {
    return static_cast<__int128>(tokens) * per_million;
  };
  const int64_t hour = std::clamp<int64_t>(row.cache_write_1h, 0, row.cache_write);
  const __int128 sum = part(row.input, prices->input) + part(row.output, prices->output) +
                       part(row.cache_read, prices->cache_read) +
                       part(row.cache_write - hour, prices->cache_write) +
                       part(hour, prices->cache_write_1h);
  const __int128 cost = sum / 1'000'000;
  row.cost_nanousd = cost > kMaxCost ? kMaxCost : static_cast<int64_t>(cost);
  row.price_revision = revision_;
}

}  // namespace gproxy::storage
