#include "storage/sql_rollup.h"

#include <algorithm>

#include "base/log.h"

namespace gproxy::storage {
namespace {

constexpr size_t kFlushRows = 32'768;
constexpr int64_t kFlushAfterUs = 60'000'000;
constexpr size_t kJoinBytes = 512 << 10;  // of segments, about: what one step joins
// A bucket is joined this long after its end: most answers that began in it have ended by then.
// What comes later is added to every level by itself.
constexpr int64_t kGraceUs = 120'000'000;

int64_t state_id(Level level, size_t dimension) {
  return static_cast<int64_t>(level) * 16 + static_cast<int64_t>(dimension);
}

}  // namespace

Result<void> RollupKeeper::load_state(bool& found) {
  Query query(db_, "SELECT id, complete_until FROM rollup_state");
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return ok();
    found = true;
    const int64_t id = query.integer(0);
    const auto level = static_cast<size_t>(id / 16), dimension = static_cast<size_t>(id % 16);
    if (level < 1 || level > 3 || dimension >= kDimensions) continue;
    until_[level - 1][dimension] = query.integer(1);
  }
}

Result<void> RollupKeeper::save_state(Level level, size_t dimension) {
  Query put(db_,
            "INSERT INTO rollup_state (id, complete_until) VALUES ($1, $2)"
            " ON CONFLICT (id) DO UPDATE SET complete_until = excluded.complete_until");
  return put.with(state_id(level, dimension)).with(until(level, dimension)).run();
}

Result<void> RollupKeeper::open(int64_t now_us) {
  bool found = false;
  GP_CHECK(load_state(found));
  if (!found) {
    GP_TRY(next_segment_, db_.number_of("SELECT coalesce(max(id), 0) + 1 FROM rollup_segments"));
    return backfill(now_us);
  }
  return load_pending(now_us);
}

Result<void> RollupKeeper::load_pending(int64_t now_us) {
  pending_.clear();
  GP_TRY(next_segment_, db_.number_of("SELECT coalesce(max(id), 0) + 1 FROM rollup_segments"));
  GP_TRY(next_delta_, db_.number_of("SELECT coalesce(max(id), 0) + 1 FROM rollup_deltas"));
  Query query(db_, "SELECT id, data FROM rollup_deltas ORDER BY id");
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) break;
    if (!pending_.add(query.blob(1))) {
      log::error("a roll-up delta is damaged", {{"id", query.integer(0)}});
    }
  }
  pending_since_us_ = pending_.empty() ? 0 : now_us;
  doubtful_ = false;
  return ok();
}

// Rows that an older gproxy wrote: summed hour by hour, all in one transaction.
Result<void> RollupKeeper::backfill(int64_t now_us) {
  GP_CHECK(db_.begin(Db::Intent::write));
  auto work = [&]() -> Result<void> {
    GP_TRY(const int64_t first, db_.number_of("SELECT coalesce(min(at), 0) FROM upstream_usages"));
    GP_TRY(const int64_t last, db_.number_of("SELECT coalesce(max(at), -1) FROM upstream_usages"));
    const int64_t begin = align_down(last >= 0 ? std::min(first, now_us) : now_us, kDayUs);
    for (Level level : {Level::five_minutes, Level::hour, Level::day}) {
      for (size_t d = 0; d < kDimensions; ++d) {
        until(level, d) = begin;
        GP_CHECK(save_state(level, d));
      }
    }
    for (int64_t hour = align_down(first, kHourUs); hour <= last; hour += kHourUs) {
      RollupPending pending;
      Query rows(
          db_,
          "SELECT at, provider, credential_id, user_id, user_key_id, model, final, has_usage,"
          " estimated, outcome, input_tokens, output_tokens, cache_read_tokens,"
          " cache_write_tokens, reasoning_tokens, ttft_us, duration_us, cost_nanousd"
          " FROM upstream_usages WHERE at >= $1 AND at < $2");
      rows.with(hour).with(hour + kHourUs);
      for (;;) {
        GP_TRY(const bool more, rows.step());
        if (!more) break;
        UsageRow row;
        row.at = rows.integer(0);
        row.provider = rows.text(1);
        row.credential_id = rows.id(2);
        row.user_id = rows.id(3);
        row.user_key_id = rows.id(4);
        row.model = rows.text(5);
        row.final = rows.boolean(6);
        row.has_usage = rows.boolean(7);
        row.estimated = rows.boolean(8);
        row.outcome = static_cast<Outcome>(rows.integer(9));
        row.input = rows.integer(10);
        row.output = rows.integer(11);
        row.cache_read = rows.integer(12);
        row.cache_write = rows.integer(13);
        row.reasoning = rows.integer(14);
        row.ttft_us = rows.id(15);
        row.duration_us = rows.integer(16);
        row.cost_nanousd = rows.id(17);
        pending.add(row);
        if (pending.rows() < kFlushRows) continue;
        GP_CHECK(write(pending));
        pending.clear();
      }
      GP_CHECK(write(pending));
    }
    return db_.commit();
  };
  auto done = work();
  if (!done) db_.rollback();
  return done;
}

Result<void> RollupKeeper::put(Level level, size_t dimension, int64_t bucket,
                               std::span<const RollupSegment> segments) {
  Query insert(db_,
               "INSERT INTO rollup_segments (id, level, dimension, bucket, shard, data)"
               " VALUES ($1, $2, $3, $4, $5, $6)");
  for (const RollupSegment& segment : segments) {
    insert.again();
    insert.with(next_segment_++).with(static_cast<int32_t>(level));
    insert.with(static_cast<int64_t>(dimension)).with(bucket).with(segment.shard);
    GP_CHECK(insert.with_blob(segment.data).run());
  }
  return ok();
}

Result<void> RollupKeeper::write(const RollupPending& pending) {
  for (const int64_t bucket : pending.buckets()) {
    for (size_t d = 0; d < kDimensions; ++d) {
      const auto segments = pending.encode(bucket, static_cast<Dimension>(d));
      GP_CHECK(put(Level::five_minutes, d, bucket, segments));
      // Hours and days that are complete would never look here again.
      for (Level level : {Level::hour, Level::day}) {
        const int64_t whole = align_down(bucket, width_of(level));
        // Shards that are joined already would not have these.
        if (joining(level, d).bucket == whole) joining(level, d).shard = 0;
        if (whole < until(level, d)) GP_CHECK(put(level, d, whole, segments));
      }
    }
  }
  return ok();
}

Result<void> RollupKeeper::flush() {
  touched_ = true;
  GP_CHECK(write(pending_));
  Query gone(db_, "DELETE FROM rollup_deltas WHERE id < $1");
  GP_CHECK(gone.with(next_delta_).run());
  pending_.clear();
  pending_since_us_ = 0;
  return ok();
}

Result<void> RollupKeeper::append(std::span<const UsageRow* const> rows, int64_t now_us) {
  if (rows.empty()) return ok();
  if (doubtful_) GP_CHECK(load_pending(now_us));
  touched_ = true;
  if (pending_.rows() >= kFlushRows) GP_CHECK(flush());
  if (pending_.empty()) pending_since_us_ = now_us;
  const std::string delta = encode_delta(rows);
  Query insert(db_, "INSERT INTO rollup_deltas (id, data) VALUES ($1, $2)");
  GP_CHECK(insert.with(next_delta_++).with_blob(delta).run());
  for (const UsageRow* row : rows) pending_.add(*row);
  return ok();
}

void RollupKeeper::committed() {
  touched_ = false;
}

void RollupKeeper::rolled_back() {
  doubtful_ = doubtful_ || touched_;
  touched_ = false;
}

// Joins the oldest finished bucket of `to` out of the segments of `from`, or some shards of it when
// there is much. For five minutes both are the same: many small segments become one for each shard.
Result<bool> RollupKeeper::join(Level from, Level to, size_t dimension, int64_t now_us) {
  const int64_t width = width_of(to);
  int64_t& complete = until(to, dimension);
  if (now_us - kGraceUs < complete + width) return false;
  // Hours stand on joined buckets and days on complete hours.
  const int64_t below = from == to ? INT64_MAX : until(from, dimension);
  const auto d = static_cast<int64_t>(dimension);
  int64_t bucket;
  {
    Query next(db_,
               "SELECT coalesce(min(bucket), -1) FROM rollup_segments"
               " WHERE level = $1 AND dimension = $2 AND bucket >= $3");
    GP_TRY([[maybe_unused]] const bool row,
           next.with(static_cast<int32_t>(from)).with(d).with(complete).step());
    const int64_t first = next.integer(0);
    const int64_t ended = align_down(now_us - kGraceUs, width);  // buckets before this are over
    bucket = first < 0 ? ended : std::min(align_down(first, width), ended);
    if (bucket >= ended || bucket + width > below) {
      // Nothing there to join: complete all the same, as far as what is below is.
      const int64_t reached = std::min(bucket, from == to ? bucket : align_down(below, width));
      if (reached <= complete) return false;
      complete = reached;
      GP_CHECK(save_state(to, dimension));
      return false;
    }
  }
  Joining& at = joining(to, dimension);
  if (at.bucket != bucket) at = {bucket, 0};
  const int64_t shards = dimension == static_cast<size_t>(Dimension::provider) ? 1 : kShards;
  const int64_t before = complete;
  int64_t shard = at.shard;
  GP_CHECK(db_.begin(Db::Intent::write));
  auto work = [&]() -> Result<void> {
    for (size_t bytes = 0; shard < shards && bytes < kJoinBytes; ++shard) {
      GP_TRY(const size_t read, join_shard(from, to, dimension, bucket, shard));
      bytes += read;
    }
    if (shard == shards) {
      complete = bucket + width;
      GP_CHECK(save_state(to, dimension));
    }
    return db_.commit();
  };
  auto done = work();
  if (!done) {
    db_.rollback();
    complete = before;
    return std::move(done).error();
  }
  at.shard = shard % shards;
  return true;
}

// In a transaction. Returns how many bytes were read.
Result<size_t> RollupKeeper::join_shard(Level from, Level to, size_t dimension, int64_t bucket,
                                        int64_t shard) {
  const auto d = static_cast<int64_t>(dimension);
  RollupTable table;
  size_t segments = 0, bytes = 0;
  {
    Query read(db_,
               "SELECT data FROM rollup_segments WHERE level = $1 AND dimension = $2"
               " AND bucket >= $3 AND bucket < $4 AND shard = $5");
    read.with(static_cast<int32_t>(from)).with(d).with(bucket).with(bucket + width_of(to));
    read.with(shard);
    for (;;) {
      GP_TRY(const bool more, read.step());
      if (!more) break;
      ++segments;
      bytes += read.blob(0).size();
      if (!table.merge(read.blob(0))) {
        log::error("a roll-up segment is damaged", {{"bucket", bucket}, {"dimension", d}});
      }
    }
  }
  if (from == to && segments <= 1) return bytes;
  // Also of a level above: a step that was cut off is done again as a whole.
  Query gone(db_,
             "DELETE FROM rollup_segments WHERE level = $1 AND dimension = $2 AND bucket = $3"
             " AND shard = $4");
  GP_CHECK(gone.with(static_cast<int32_t>(to)).with(d).with(bucket).with(shard).run());
  GP_CHECK(put(to, dimension, bucket, table.encode(static_cast<Dimension>(dimension))));
  return bytes;
}

Result<bool> RollupKeeper::maintain(int64_t now_us) {
  if (doubtful_) GP_CHECK(load_pending(now_us));
  if (!pending_.empty() && now_us - pending_since_us_ >= kFlushAfterUs) {
    GP_CHECK(db_.begin(Db::Intent::write));
    auto done = flush();
    if (done) done = db_.commit();
    if (!done) {
      db_.rollback();
      rolled_back();
      return std::move(done).error();
    }
    committed();
    return true;
  }
  for (size_t d = 0; d < kDimensions; ++d) {
    GP_TRY(const bool joined, join(Level::five_minutes, Level::five_minutes, d, now_us));
    if (joined) return true;
    GP_TRY(const bool hours, join(Level::five_minutes, Level::hour, d, now_us));
    if (hours) return true;
    GP_TRY(const bool days, join(Level::hour, Level::day, d, now_us));
    if (days) return true;
  }
  return false;
}

}  // namespace gproxy::storage
