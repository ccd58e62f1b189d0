#include "storage/rollup.h"
#include "storage/rollup_pending.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "storage/prices.h"
#include "storage/sql_db.h"
#include "storage/sqlite_db.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

// A clock that the test turns.
class TestClock final : public Clock {
 public:
  int64_t now_ms() const override { return at_us / 1000; }
  int64_t now_us() const override { return at_us; }
  int64_t wall_us() const override { return at_us; }
  int64_t at_us = kDayUs * 20'000;
};

// Rows over three days as several users make them, the same at each run.
std::vector<UsageRow> traffic(size_t count, int64_t begin, int64_t span) {
  static const char* const kProviders[] = {"alpha", "beta"};
  static const char* const kModels[] = {"small-1", "Small-2", "large"};
  std::mt19937_64 random(7);
  std::vector<UsageRow> rows;
  for (size_t i = 0; i < count; ++i) {
    UsageRow row = a_usage_row(static_cast<int64_t>(i) + 1);
    row.at = begin + static_cast<int64_t>(random() % static_cast<uint64_t>(span));
    row.credential_id = static_cast<int64_t>(random() % 7);
    row.provider = kProviders[row.credential_id % 2];
    row.model = kModels[random() % 3];
    row.user_key_id = static_cast<int64_t>(random() % 9);
    row.user_id = row.user_key_id / 3;
    if (random() % 50 == 0) row.user_key_id = row.user_id = kNoId;
    row.final = random() % 10 != 0;
    row.has_usage = random() % 5 != 0;
    row.outcome = random() % 8 == 0 ? Outcome::failed : Outcome::ok;
    row.input = static_cast<int64_t>(random() % 1'000);
    row.duration_us = static_cast<int64_t>(random() % 5'000'000);
    row.cost_nanousd = random() % 3 == 0 ? -1 : static_cast<int64_t>(random() % 1'000'000);
    rows.push_back(row);
  }
  return rows;
}

bool lower_contains(std::string text, std::string_view part) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text.find(part) != std::string::npos;
}

// The same sums by adding up rows one by one.
std::map<std::pair<int64_t, std::string>, UsageSums> expected(const std::vector<UsageRow>& rows,
                                                              const UsageQuery& q) {
  std::map<std::pair<int64_t, std::string>, UsageSums> out;
  for (const UsageRow& row : rows) {
    const UsageFilter& f = q.filter;
    if (row.at < f.from || row.at > f.to) continue;
    if (f.provider && row.provider != *f.provider) continue;
    if (f.model && row.model != *f.model) continue;
    if (f.model_contains && !lower_contains(std::string(row.model), *f.model_contains)) continue;
    if (f.credential_id && row.credential_id != *f.credential_id) continue;
    if (f.user_id && row.user_id != *f.user_id) continue;
    if (f.user_key_id && row.user_key_id != *f.user_key_id) continue;
    std::string group;
    switch (q.by) {
      case UsageQuery::By::nothing:
        break;
      case UsageQuery::By::provider:
        group = row.provider;
        break;
      case UsageQuery::By::model:
        group = row.model;
        break;
      case UsageQuery::By::credential:
        group = std::to_string(row.credential_id);
        break;
      case UsageQuery::By::user:
        group = std::to_string(row.user_id);
        break;
      case UsageQuery::By::key:
        group = std::to_string(row.user_key_id);
        break;
    }
    out[{q.bucket_us > 0 ? align_down(row.at, q.bucket_us) : 0, group}].add(row);
  }
  return out;
}

void check_same(Reader& reader, const std::vector<UsageRow>& rows, const UsageQuery& q) {
  auto report = reader.usage_report(q);
  REQUIRE(report);
  const auto want = expected(rows, q);
  REQUIRE(report->groups.size() == want.size());
  for (const auto& group : report->groups) {
    const bool named = q.by == UsageQuery::By::provider || q.by == UsageQuery::By::model;
    const std::string name = q.by == UsageQuery::By::nothing ? ""
                             : named                         ? group.name
                                                             : std::to_string(group.id);
    const auto at = want.find({group.bucket, name});
    REQUIRE(at != want.end());
    const UsageSums &a = group.sums, &b = at->second;
    CHECK(a.attempts == b.attempts);
    CHECK(a.requests == b.requests);
    CHECK(a.with_usage == b.with_usage);
    CHECK(a.failures == b.failures);
    CHECK(a.failed_attempts == b.failed_attempts);
    CHECK(a.input == b.input);
    CHECK(a.reasoning == b.reasoning);
    CHECK(a.cost_nanousd == b.cost_nanousd);
    CHECK(a.priced == b.priced);
    CHECK(a.duration.count() == b.duration.count());
    CHECK(a.duration.percentile(0.9) == b.duration.percentile(0.9));
  }
}

// Every kind of question over ranges with crooked ends.
void check_all(Reader& reader, const std::vector<UsageRow>& rows, int64_t begin, int64_t end) {
  using By = UsageQuery::By;
  const std::pair<int64_t, int64_t> ranges[] = {
      {begin, end},
      {begin + 1'234'567, end - 7'654'321},
      {begin + kHourUs + 17, begin + kHourUs + 1'000'000'000},
      {begin + kDayUs - 1, begin + 2 * kDayUs + 3},
      {begin + 5, begin + 250'000'000},
  };
  for (const auto& [from, to] : ranges) {
    CAPTURE(from - begin);
    for (const By by : {By::nothing, By::provider, By::model, By::credential, By::user, By::key}) {
      CAPTURE(static_cast<int>(by));
      UsageQuery q;
      q.filter.from = from;
      q.filter.to = to;
      q.by = by;
      check_same(reader, rows, q);
      q.filter.model_contains = "small";
      check_same(reader, rows, q);
    }
    UsageQuery q;
    q.filter.from = from;
    q.filter.to = to;
    q.bucket_us = kHourUs;
    check_same(reader, rows, q);
    q.filter.user_id = 1;
    q.by = By::key;
    check_same(reader, rows, q);
    q.by = By::user;
    q.filter.user_key_id = 4;
    check_same(reader, rows, q);
    q.filter = {};
    q.filter.from = from;
    q.filter.to = to;
    q.filter.provider = "alpha";
    q.by = By::credential;
    q.bucket_us = 0;
    check_same(reader, rows, q);
    q.filter.user_id = 2;  // across both sides: only the rows know
    check_same(reader, rows, q);
    q.by = By::provider;
    q.filter.provider.reset();
    check_same(reader, rows, q);
    q.filter.provider = "beta";
    q.by = By::key;
    q.filter.user_id.reset();
    check_same(reader, rows, q);
  }
}

}  // namespace

TEST_CASE("a percentile is off by a sixteenth at most") {
  for (int64_t us = 600; us < 3'000'000'000; us += us / 7) {
    Histogram h;
    h.add(us);
    const auto got = static_cast<double>(h.percentile(0.5));
    CHECK(std::abs(got - static_cast<double>(us)) <= static_cast<double>(us) / 15);
  }
  Histogram h;
  CHECK(h.percentile(0.5) == 0);
  for (int64_t ms = 1; ms <= 100; ++ms) h.add(ms * 1000);
  CHECK(std::abs(h.percentile(0.5) - 50'000) < 4'000);
  CHECK(std::abs(h.percentile(0.99) - 99'000) < 7'000);
}

TEST_CASE("segments and deltas come back as they were, and damage is noticed") {
  const auto rows = traffic(300, 0, kDayUs);
  RollupTable table;
  std::vector<const UsageRow*> views;
  for (const auto& row : rows) {
    table.add(Dimension::key, row);
    views.push_back(&row);
  }
  RollupTable again;
  for (const auto& segment : table.encode(Dimension::key)) {
    CHECK(again.merge(segment.data));
    for (size_t cut = 0; cut < segment.data.size(); cut += 7) {
      RollupTable broken;
      CHECK_FALSE(broken.merge(std::string_view(segment.data).substr(0, cut)));
    }
  }
  size_t entries = 0;
  table.each([&](const RollupKey& key, const UsageSums& sums) {
    ++entries;
    CHECK(again.at(key).input == sums.input);
    CHECK(again.at(key).duration.count() == sums.duration.count());
  });
  CHECK(entries > 20);
  size_t at = 0;
  const std::string delta = encode_delta(views);
  CHECK(each_row(delta, [&](const UsageRow& row) {
    CHECK(row.at == rows[at].at);
    CHECK(row.user_key_id == rows[at].user_key_id);
    CHECK(row.cost_nanousd == rows[at].cost_nanousd);
    CHECK(row.outcome == rows[at].outcome);
    ++at;
  }));
  CHECK(at == rows.size());
  CHECK_FALSE(
      each_row(std::string_view(delta).substr(0, delta.size() - 1), [](const UsageRow&) {}));
}

// Everything a segment says, by what it is about.
std::map<std::string, std::vector<int64_t>> entries_of(const std::vector<RollupSegment>& segments,
                                                       Dimension dimension) {
  std::map<std::string, UsageTotals> totals;
  for (const RollupSegment& segment : segments) {
    CHECK(each_entry(segment.data, [&](const RollupKey& key) {
      CHECK(shard_of(dimension, key.id) == segment.shard);
      const auto [at, fresh] =
          totals.try_emplace(std::to_string(key.id) + "/" + std::to_string(key.owner) + "/" +
                             std::string(key.provider) + "/" + std::string(key.model));
      CHECK(fresh);
      return &at->second;
    }));
  }
  std::map<std::string, std::vector<int64_t>> out;
  for (const auto& [name, total] : totals) {
    const UsageSums s = total.sums();
    auto& told = out[name];
    told = {s.attempts,    s.requests,  s.with_usage,   s.estimated, s.failed_attempts,
            s.failures,    s.cancelled, s.input,        s.output,    s.cache_read,
            s.cache_write, s.reasoning, s.cost_nanousd, s.priced};
    for (const Histogram* h : {&s.duration, &s.ttft}) {
      told.push_back(-1);
      for (const auto& bar : h->bars()) {
        told.push_back(bar.bucket);
        told.push_back(static_cast<int64_t>(bar.count));
      }
    }
  }
  return out;
}

TEST_CASE("what is pending sums up to what its rows do one by one") {
  std::mt19937_64 random(11);
  // Few and many rows to a group, and to a bar; two buckets of time.
  for (const size_t count : {1u, 40u, 3'000u}) {
    auto rows = traffic(count, 0, 2 * kFiveMinutesUs);
    for (auto& row : rows) {
      row.outcome = static_cast<Outcome>(random() % 5);
      row.estimated = random() % 4 == 0;
      row.output = static_cast<int64_t>(random() % 9'000);
      row.cache_read = static_cast<int64_t>(random() % 100'000);
      row.cache_write = static_cast<int64_t>(random() % 3);
      row.reasoning = static_cast<int64_t>(random() % 200);
      row.ttft_us = static_cast<int64_t>(random() % 2'000'000) - 500'000;
      if (random() % 10 == 0) row.duration_us = 0;
    }
    std::map<int64_t, std::array<RollupTable, kDimensions>> tables;
    std::vector<const UsageRow*> views;
    for (const auto& row : rows) {
      for (size_t d = 0; d < kDimensions; ++d)
        tables[align_down(row.at, kFiveMinutesUs)][d].add(static_cast<Dimension>(d), row);
      views.push_back(&row);
    }
    RollupPending pending, read;
    for (const auto& row : rows) pending.add(row);
    CHECK(read.add(encode_delta(views)));
    CHECK(pending.rows() == count);
    CHECK(read.rows() == count);
    CHECK(pending.buckets().size() == tables.size());
    for (const auto& [bucket, of_bucket] : tables) {
      for (size_t d = 0; d < kDimensions; ++d) {
        const auto dimension = static_cast<Dimension>(d);
        const auto expected = entries_of(of_bucket[d].encode(dimension), dimension);
        CHECK_FALSE(expected.empty());
        CHECK(entries_of(pending.encode(bucket, dimension), dimension) == expected);
        CHECK(entries_of(read.encode(bucket, dimension), dimension) == expected);
      }
    }
    CHECK(pending.encode(-kFiveMinutesUs, Dimension::provider).empty());
    pending.clear();
    CHECK(pending.empty());
    CHECK(pending.buckets().empty());
  }
}

TEST_CASE("texts are numbered as they come, whatever they look like") {
  TextNumbers texts;
  std::vector<std::string> all;
  for (size_t length = 0; length < 40; ++length) {
    for (char c : {'a', '\0', '\xff'}) {
      if (length == 0 && c != 'a') continue;
      all.push_back(std::string(length, 'a'));
      if (length > 0) all.back()[length / 2] = c;
    }
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < all.size(); ++i) CHECK(texts.number_of(all[i]) == i);
  }
  CHECK(texts.size() == all.size());
  CHECK(texts.at(5) == all[5]);
}

TEST_CASE("sums are the same whether rows are pending, summed, joined or read again") {
  TestClock clock;
  const int64_t begin = clock.at_us + 3 * kHourUs;
  // A round trip for each statement: the server gets a shorter story.
  const bool server = postgres_url() != nullptr;
  const int64_t end = begin + (server ? kDayUs + 22 * kHourUs : 3 * kDayUs);
  auto rows = traffic(server ? 2'000 : 4'000, begin, end - begin);
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  StoreOptions options = fresh_options();
  options.clock = &clock;
  const Folder folder;
  if (postgres_url() == nullptr) options.dsn = folder.dsn();
  auto store = open_store(options);
  REQUIRE(store);
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  for (size_t i = 0; i < rows.size(); i += 100) {
    const auto batch = std::span<const UsageRow>(rows).subspan(i, 100);
    clock.at_us = batch.back().at + 1;
    REQUIRE((*store)->append_batch({.usage = batch}));
    if (i % (server ? 900 : 300) == 0) {
      for (;;) {
        auto more = (*store)->maintain({});
        REQUIRE(more);
        if (!*more) break;
      }
    }
    if (i == 1'500 && !server) {
      check_all(**reader, {rows.begin(), rows.begin() + 1'600}, begin, clock.at_us);
    }
  }
  check_all(**reader, rows, begin, end);

  SUBCASE("rows that come late, and the same rows again") {
    std::vector<UsageRow> late = traffic(50, begin, 20 * kHourUs);
    for (auto& row : late) row.id += 1'000'000;
    REQUIRE((*store)->append_batch({.usage = late}));
    REQUIRE((*store)->append_batch({.usage = late}));
    clock.at_us += 70'000'000;
    for (;;) {
      auto more = (*store)->maintain({});
      REQUIRE(more);
      if (!*more) break;
    }
    rows.insert(rows.end(), late.begin(), late.end());
    check_all(**reader, rows, begin, end);
  }
  SUBCASE("a new start") {
    reader->reset();
    store->reset();
    store = open_store(options);
    REQUIRE(store);
    reader = (*store)->open_reader();
    check_all(**reader, rows, begin, end);
  }
  SUBCASE("segments from before users and keys knew the provider") {
    if (server) return;
    auto db = SqliteDb::open(folder.file("gproxy.db"), SqliteDb::Access::read_write, 5'000);
    REQUIRE(db);
    Query mark(**db, "INSERT INTO rollup_state (id, complete_until) VALUES (255, $1)");
    REQUIRE(mark.with(begin + 2 * kDayUs + 7).run());
    // Whoever looked into them would find nothing.
    REQUIRE((*db)->exec("DELETE FROM rollup_segments WHERE dimension >= 2 AND level = 3"));
    UsageQuery q;
    q.filter.from = begin;
    q.filter.to = end;
    q.filter.user_id = 1;
    q.by = UsageQuery::By::provider;
    check_same(**reader, rows, q);
  }
  SUBCASE("old rows go, their sums stay") {
    Retention retention;
    retention.usage_us = kDayUs;
    clock.at_us = end + kDayUs / 2;
    for (;;) {
      auto more = (*store)->maintain(retention);
      REQUIRE(more);
      if (!*more) break;
    }
    CHECK(rows_in(**store, Table::usage) < 1'000);
    UsageQuery q;
    q.filter.from = align_down(begin, kDayUs);
    q.filter.to = end;
    q.by = UsageQuery::By::key;
    check_same(**reader, rows, q);
  }
}

TEST_CASE("a large hour is joined in several steps, and rows that come between them count") {
  TestClock clock;
  StoreOptions options = fresh_options();
  options.clock = &clock;
  auto store = open_store(options);
  REQUIRE(store);
  const int64_t hour = clock.at_us + kHourUs;  // whole
  // Entries of so many keys are more than one step joins.
  std::vector<UsageRow> rows = traffic(40'000, hour, kFiveMinutesUs);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].user_key_id = static_cast<int64_t>(i);
  for (size_t i = 0; i < rows.size(); i += 4'000) {
    REQUIRE((*store)->append_batch({.usage = std::span(rows).subspan(i, 4'000)}));
  }
  auto step = [&] {
    auto more = (*store)->maintain({});
    REQUIRE(more);
    return *more;
  };
  clock.at_us = hour + kHourUs / 2;
  while (step()) continue;
  clock.at_us = hour + kHourUs + 180'000'000;
  auto written = static_cast<int64_t>(rows.size());
  for (int late = 0; late < 12; ++late) {
    step();
    UsageRow row = rows[0];
    row.id = 1'000'000 + late;
    row.at = hour + 7;
    row.user_key_id = 8 * late;  // of the first shard, which is joined first
    REQUIRE((*store)->append_batch({.usage = std::array{row}}));
    ++written;
    clock.at_us += 61'000'000;  // the next step sums it
    step();
  }
  int steps = 0;
  while (step()) ++steps;
  CHECK(steps >= 2);
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  for (const int64_t bucket : {kFiveMinutesUs, kHourUs}) {  // of either level
    UsageQuery q;
    q.filter.from = hour;
    q.filter.to = hour + kHourUs - 1;
    q.by = UsageQuery::By::key;
    q.bucket_us = bucket;
    q.max_groups = 100'000;
    auto report = (*reader)->usage_report(q);
    REQUIRE(report);
    int64_t attempts = 0;
    for (const auto& group : report->groups) attempts += group.sums.attempts;
    CHECK(attempts == written);
    CHECK(report->groups.size() == rows.size());
  }
}

TEST_CASE("a batch that fails leaves no sums behind") {
  TestClock clock;
  StoreOptions options = fresh_options();
  options.clock = &clock;
  auto store = open_store(options);
  REQUIRE(store);
  auto good = a_usage_row(1);
  REQUIRE((*store)
              ->transaction([&]() -> Result<void> {
                GP_CHECK((*store)->append_batch({.usage = std::array{good}}));
                return Error{ErrorKind::server, "undone", "as asked"};
              })
              .ok() == false);
  auto reader = (*store)->open_reader();
  CHECK(totals_of(**reader, {}).attempts == 0);
  REQUIRE((*store)->append_batch({.usage = std::array{good}}));
  CHECK(totals_of(**reader, {}).attempts == 1);
  clock.at_us += 70'000'000;
  REQUIRE((*store)->maintain({}));
  CHECK(totals_of(**reader, {}).attempts == 1);
}

TEST_CASE("too many groups are refused") {
  auto store = open_fresh();
  REQUIRE(store);
  std::vector<UsageRow> rows = traffic(200, 0, kDayUs);
  REQUIRE((*store)->append_batch({.usage = rows}));
  auto reader = (*store)->open_reader();
  UsageQuery q;
  q.by = UsageQuery::By::key;
  q.bucket_us = kHourUs;
  q.max_groups = 20;
  auto report = (*reader)->usage_report(q);
  REQUIRE_FALSE(report.ok());
  CHECK(report.error().code == "too_many_groups");
}

TEST_CASE("cost: tiers, cache prices, overrides, and models without a price") {
  auto table = PriceTable::parse(
      R"({"revision": 5, "prices": [
        {"model": "big*", "input": 2, "output": 10, "cache_read": 0.5, "cache_write": 2.5,
         "tiers": [{"above": 1000, "input": 4, "output": 20}]},
        {"model": "*mini", "input": 0.1, "output": 0.4}]})",
      R"({"revision": 100, "prices": [{"model": "big-own", "provider": "alpha", "input": 1, "output": 1}]})");
  REQUIRE(table);
  UsageRow row = a_usage_row();
  row.model = "big-1";
  row.input = 100;
  row.output = 10;
  row.cache_read = 40;
  row.cache_write = 4;
  table->price(row);
  CHECK(row.cost_nanousd == 100 * 2'000 + 10 * 10'000 + 40 * 500 + 4 * 2'500);
  CHECK(row.price_revision == 105);
  row.input = 1'000;
  table->price(row);  // above the mark, cache prices of the tier below stay
  CHECK(row.cost_nanousd == 1'000 * 4'000 + 10 * 20'000 + 40 * 500 + 4 * 2'500);
  row.model = "some-mini";
  row.input = 10;
  row.output = row.cache_write = 0;
  table->price(row);
  CHECK(row.cost_nanousd == 10 * 100 + 40 * 100);
  row.model = "big-own";
  table->price(row);
  CHECK(row.cost_nanousd == 50 * 1'000);
  row.cost_nanousd = -1;
  row.model = "unheard-of";
  table->price(row);
  CHECK(row.cost_nanousd == -1);
  // An hour's writes have a price of their own, in each tier; what is not told is that of
  // cache_write.
  auto hour = PriceTable::parse(R"({"revision": 1, "prices": [
        {"model": "m", "input": 1, "output": 1, "cache_write": 2, "cache_write_1h": 3,
         "tiers": [{"above": 1000, "input": 5}, {"above": 2000, "cache_write": 7}]}]})");
  REQUIRE(hour);
  UsageRow written = a_usage_row();
  written.model = "m";
  written.output = written.cache_read = 0;
  written.cache_write = 10;
  written.cache_write_1h = 4;
  for (const auto& [input, cost] :
       {std::pair<int64_t, int64_t>{100, 100 * 1'000 + 6 * 2'000 + 4 * 3'000},
        {1'500, 1'500 * 5'000 + 6 * 2'000 + 4 * 3'000},
        {2'500, 2'500 * 5'000 + 10 * 7'000}}) {
    written.input = input;
    hour->price(written);
    CHECK(written.cost_nanousd == cost);
  }
  auto built_in = PriceTable::parse(PriceTable::built_in());
  REQUIRE(built_in);
  const auto priced = [&](std::string_view model) {
    UsageRow one = a_usage_row();
    one.model = model;
    built_in->price(one);
    return one.cost_nanousd >= 0;
  };
  CHECK(priced("gpt-4o-mini"));
  CHECK(priced("claude-haiku-4-5-20251001"));
  CHECK(priced("models/gemini-2.5-pro"));
  // Relatives that cost something else have no price rather than a wrong one.
  for (const char* model : {"gpt-5.9", "gpt-4o-audio-preview", "o3-deep-research",
                            "gemini-2.5-flash-image", "claude-opus-9"}) {
    CAPTURE(model);
    CHECK_FALSE(priced(model));
  }
  auto bad = PriceTable::parse(R"({"revision": 1, "prices": [{"model": "x", "input": -1}]})");
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().param == "prices[0].input");
}
