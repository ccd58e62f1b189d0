// SqlReader's sums of usage: whole days, hours and five minutes from the segments, what is not
// summed yet from the deltas, the two ends from the rows themselves. One read transaction sees all.
#include <algorithm>
#include <map>
#include <tuple>

#include "base/log.h"
#include "base/strings.h"
#include "storage/rollup_pending.h"
#include "storage/sql_reader.h"
#include "storage/sql_where.h"

namespace gproxy::storage {
namespace {

using By = UsageQuery::By;

constexpr size_t kSliceRows = 20'000;
constexpr size_t kMaxRows = 5'000'000;  // for one report

struct Range {
  int64_t begin, end;  // end is not part of it
  bool empty() const { return begin >= end; }
};

// Collects the groups of a report.
class Collector {
 public:
  explicit Collector(const UsageQuery& query) : query_(query) {
    if (query.filter.model_contains) contains_ = to_lower(*query.filter.model_contains);
  }

  bool wants(const RollupKey& key, Dimension dimension) {
    const UsageFilter& f = query_.filter;
    if (f.provider && key.provider != *f.provider) return false;
    if (dimension == Dimension::credential && f.credential_id && key.id != *f.credential_id)
      return false;
    if (dimension == Dimension::user && f.user_id && key.id != *f.user_id) return false;
    if (dimension == Dimension::key && f.user_id && key.owner != *f.user_id) return false;
    if (dimension == Dimension::key && f.user_key_id && key.id != *f.user_key_id) return false;
    return wants_model(key.model);
  }
  bool wants(const UsageRow& row) {
    const UsageFilter& f = query_.filter;
    return (!f.provider || row.provider == *f.provider) &&
           (!f.credential_id || row.credential_id == *f.credential_id) &&
           (!f.user_id || row.user_id == *f.user_id) &&
           (!f.user_key_id || row.user_key_id == *f.user_key_id) && wants_model(row.model);
  }

  UsageTotals& group(int64_t at, const RollupKey& key) {
    const int64_t bucket = query_.bucket_us > 0 ? align_down(at, query_.bucket_us) : 0;
    std::string_view name;
    int64_t id = kNoId;
    switch (query_.by) {
      case By::nothing:
        break;
      case By::provider:
        name = key.provider;
        break;
      case By::model:
        name = key.model;
        break;
      case By::credential:
      case By::key:
        id = key.id;
        break;
      case By::user:
        id = by_owner_ ? key.owner : key.id;
        break;
    }
    const auto place = std::tuple(bucket, id, std::string(name));
    return groups_[place];
  }
  void add(const UsageRow& row, Dimension dimension) {
    if (wants(row)) group(row.at, key_in<RollupKey>(dimension, row)).add(row);
  }
  // A key's entries hold its user as owner.
  void set_dimension(Dimension dimension) { by_owner_ = dimension == Dimension::key; }
  size_t size() const { return groups_.size(); }

  UsageReport finish() {
    UsageReport report;
    for (const auto& [place, totals] : groups_) {
      auto& group = report.groups.emplace_back();
      group.bucket = std::get<0>(place);
      group.id = std::get<1>(place);
      group.name = std::get<2>(place);
      group.sums = totals.sums();
    }
    std::stable_sort(report.groups.begin(), report.groups.end(), [](const auto& a, const auto& b) {
      return a.bucket != b.bucket ? a.bucket < b.bucket : a.sums.attempts > b.sums.attempts;
    });
    return report;
  }

 private:
  bool wants_model(std::string_view model) {
    const UsageFilter& f = query_.filter;
    if (f.model && model != *f.model) return false;
    if (contains_.empty()) return true;
    return to_lower(model).find(contains_) != std::string::npos;
  }

  const UsageQuery& query_;
  std::string contains_;  // lower case
  bool by_owner_ = false;
  std::map<std::tuple<int64_t, int64_t, std::string>, UsageTotals> groups_;
};

// The dimension whose entries know everything that is asked for, if there is one.
std::optional<Dimension> dimension_of(const UsageQuery& q) {
  const UsageFilter& f = q.filter;
  const bool key = f.user_key_id || q.by == By::key;
  const bool user = f.user_id || q.by == By::user;
  const bool credential = f.credential_id || q.by == By::credential;
  if ((key || user) && credential) return std::nullopt;
  if (key) return Dimension::key;
  if (user) return Dimension::user;
  return credential ? Dimension::credential : Dimension::provider;
}

class ReportMaker {
 public:
  ReportMaker(Db& db, const UsageQuery& query) : db_(db), query_(query), out_(query) {}

  Result<UsageReport> make() {
    const UsageFilter& f = query_.filter;
    // Half-open, and far from where sums overflow.
    const int64_t begin = std::max<int64_t>(f.from, 0);
    const int64_t end = std::min(f.to, INT64_MAX / 4) + 1;
    const auto found = dimension_of(query_);
    Range inner = {align_up(begin, kFiveMinutesUs), align_down(end, kFiveMinutesUs)};
    if (!found || inner.empty()) {
      GP_CHECK(rows({begin, end}, Dimension::provider));
      return out_.finish();
    }
    dimension_ = *found;
    out_.set_dimension(dimension_);
    GP_CHECK(load_state());
    // Segments that do not know what is asked for: their rows do.
    const bool of_people = dimension_ == Dimension::user || dimension_ == Dimension::key;
    if (of_people && (f.provider || query_.by == By::provider) && inner.begin < providers_since_) {
      inner.begin = std::min(align_up(providers_since_, kFiveMinutesUs), inner.end);
    }
    GP_CHECK(level(Level::day, inner));
    GP_CHECK(deltas(inner));
    GP_CHECK(rows({begin, inner.begin}, dimension_));
    GP_CHECK(rows({inner.end, end}, dimension_));
    return out_.finish();
  }

 private:
  Result<void> load_state() {
    Query query(db_, "SELECT id, complete_until FROM rollup_state");
    for (;;) {
      GP_TRY(const bool more, query.step());
      if (!more) return ok();
      const int64_t id = query.integer(0);
      if (id == kProvidersSince) providers_since_ = query.integer(1);
      if (id % 16 != static_cast<int64_t>(dimension_)) continue;
      if (id / 16 == static_cast<int64_t>(Level::hour)) hours_until_ = query.integer(1);
      if (id / 16 == static_cast<int64_t>(Level::day)) days_until_ = query.integer(1);
    }
  }

  // The part of `range` that this level can give, the rest by the levels below.
  Result<void> level(Level at, Range range) {
    if (range.empty()) return ok();
    if (at == Level::five_minutes) return segments(at, range);
    const Level below = at == Level::day ? Level::hour : Level::five_minutes;
    const int64_t width = width_of(at);
    const int64_t until = at == Level::day ? days_until_ : hours_until_;
    const bool fits = query_.bucket_us == 0 || query_.bucket_us % width == 0;
    Range whole = {align_up(range.begin, width), std::min(align_down(range.end, width), until)};
    if (!fits || whole.empty()) return level(below, range);
    GP_CHECK(level(below, {range.begin, whole.begin}));
    GP_CHECK(segments(at, whole));
    return level(below, {whole.end, range.end});
  }

  Result<void> segments(Level at, Range range) {
    Where where;
    where.add("level", "=", static_cast<int64_t>(at));
    where.add("dimension", "=", static_cast<int64_t>(dimension_));
    where.add("bucket", ">=", range.begin).add("bucket", "<", range.end);
    const UsageFilter& f = query_.filter;
    std::optional<int64_t> id;
    if (dimension_ == Dimension::credential) id = f.credential_id;
    if (dimension_ == Dimension::user) id = f.user_id;
    if (dimension_ == Dimension::key) id = f.user_key_id;
    if (id) where.add("shard", "=", shard_of(dimension_, *id));
    Query query(db_, "SELECT bucket, data FROM rollup_segments" + where.sql());
    where.bind(query);
    for (;;) {
      GP_TRY(const bool more, query.step());
      if (!more) return ok();
      const int64_t bucket = query.integer(0);
      const bool whole = each_entry(query.blob(1), [&](const RollupKey& key) {
        return out_.wants(key, dimension_) ? &out_.group(bucket, key) : nullptr;
      });
      if (!whole) {
        log::error("a roll-up segment is damaged",
                   {{"bucket", bucket}, {"dimension", static_cast<int64_t>(dimension_)}});
      }
      GP_CHECK(bounded());
    }
  }

  Result<void> deltas(Range range) {
    Query query(db_, "SELECT data FROM rollup_deltas ORDER BY id");
    for (;;) {
      GP_TRY(const bool more, query.step());
      if (!more) return ok();
      each_row(query.blob(0), [&](const UsageRow& row) {
        if (row.at >= range.begin && row.at < range.end) out_.add(row, dimension_);
      });
      GP_CHECK(bounded());
    }
  }

  // Reads rows a slice at a time: PostgreSQL's answers come as a whole, and a year is too much.
  Result<void> rows(Range range, Dimension dimension) {
    // Rows know everything: which entry they would belong to follows from the grouping.
    switch (query_.by) {
      case By::credential:
        dimension = Dimension::credential;
        break;
      case By::user:
        dimension = Dimension::user;
        out_.set_dimension(dimension);
        break;
      case By::key:
        dimension = Dimension::key;
        break;
      default:
        dimension = Dimension::provider;
    }
    std::optional<Cursor> after;
    while (!range.empty()) {
      GP_TRY(const size_t read, slice(range, after, dimension));
      GP_CHECK(bounded());
      if (read < kSliceRows) return ok();
      rows_read_ += read;
      if (rows_read_ > kMaxRows) {
        return Error{ErrorKind::invalid, "range_too_wide",
                     "this joins what is summed apart and would read more than " +
                         std::to_string(kMaxRows) + " rows; take a shorter range"};
      }
    }
    return ok();
  }

  // Adds the next kSliceRows rows of `range` behind `after`, and moves that.
  Result<size_t> slice(const Range& range, std::optional<Cursor>& after, Dimension dimension) {
    const UsageFilter& f = query_.filter;
    Where where;
    where.add("at", ">=", after ? after->at : range.begin).add("at", "<", range.end);
    if (after) where.not_both("at", after->at, "id", "<=", after->id);
    where.equals("provider", f.provider).equals("credential_id", f.credential_id);
    where.equals("user_id", f.user_id).equals("user_key_id", f.user_key_id);
    where.equals("model", f.model);
    Query query(db_,
                "SELECT at, provider, credential_id, user_id, user_key_id, model, final, has_usage,"
                " estimated, outcome, input_tokens, output_tokens, cache_read_tokens,"
                " cache_write_tokens, reasoning_tokens, ttft_us, duration_us, cost_nanousd, id"
                " FROM upstream_usages" +
                    where.sql() + " ORDER BY at, id LIMIT " + std::to_string(kSliceRows));
    where.bind(query);
    for (size_t read = 0;; ++read) {
      GP_TRY(const bool more, query.step());
      if (!more) return read;
      UsageRow row;
      row.at = query.integer(0);
      row.provider = query.text(1);
      row.credential_id = query.id(2);
      row.user_id = query.id(3);
      row.user_key_id = query.id(4);
      row.model = query.text(5);
      row.final = query.boolean(6);
      row.has_usage = query.boolean(7);
      row.estimated = query.boolean(8);
      row.outcome = static_cast<Outcome>(query.integer(9));
      row.input = query.integer(10);
      row.output = query.integer(11);
      row.cache_read = query.integer(12);
      row.cache_write = query.integer(13);
      row.reasoning = query.integer(14);
      row.ttft_us = query.id(15);
      row.duration_us = query.integer(16);
      row.cost_nanousd = query.id(17);
      out_.add(row, dimension);
      after = Cursor{row.at, query.integer(18)};
    }
  }

  Result<void> bounded() const {
    if (out_.size() <= query_.max_groups) return ok();
    return Error{ErrorKind::invalid, "too_many_groups",
                 "more than " + std::to_string(query_.max_groups) +
                     " groups; take wider buckets or a shorter range"};
  }

  Db& db_;
  const UsageQuery& query_;
  Collector out_;
  Dimension dimension_ = Dimension::provider;
  int64_t hours_until_ = 0;
  int64_t days_until_ = 0;
  int64_t providers_since_ = 0;  // kProvidersSince
  size_t rows_read_ = 0;
};

}  // namespace

Result<UsageReport> SqlReader::usage_report(const UsageQuery& query) {
  GP_CHECK(db_->begin(Db::Intent::read));
  auto report = ReportMaker(*db_, query).make();
  db_->rollback();
  return report;
}

}  // namespace gproxy::storage
