#include "storage/ring_drain.h"

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "storage/ring.h"
#include "storage/row_codec.h"

namespace gproxy::storage {
namespace {

template <class Row>
bool take_row(std::string_view payload, std::vector<Row>& rows) {
  Row row;
  if (!decode(payload, row)) return false;
  rows.push_back(row);
  return true;
}

}  // namespace

void RingDrain::Rows::clear() {
  usage.clear();
  requests.clear();
  upstream.clear();
  events.clear();
  responses.clear();
  bodies.clear();
  decisions.clear();
}

bool RingDrain::take(uint32_t type, std::string_view payload, Rows& rows) {
  switch (static_cast<FrameType>(type)) {
    case FrameType::usage_1:
      return take_row(payload, rows.usage);
    case FrameType::request_1:
      return take_row(payload, rows.requests);
    case FrameType::upstream_1:
      return take_row(payload, rows.upstream);
    case FrameType::event_1:
      return take_row(payload, rows.events);
    case FrameType::response_1:
      return take_row(payload, rows.responses);
    case FrameType::body_1:
      return take_row(payload, rows.bodies);
    case FrameType::decision_1:
      return take_row(payload, rows.decisions);
  }
  return false;
}

Result<RingDrain::Outcome> RingDrain::pass(Store& store, const PriceTable* prices) {
  const auto& rings = recorders_.rings();
  cursors_.resize(rings.size());
  drained_.resize(rings.size());
  rows_.clear();
  Outcome outcome;
  std::vector<uint64_t> frames(rings.size());
  for (size_t i = 0; i < rings.size(); ++i) {
    const size_t r = (first_ring_ + i) % rings.size();
    cursors_[r] = rings[r]->head();
    Ring::Frame frame;
    while (rows_.size() < max_batch_rows_ && rings[r]->next(cursors_[r], frame)) {
      ++frames[r];
      if (take(frame.type, frame.payload, rows_)) continue;
      // Written by a newer gproxy, or damaged and yet well summed: nothing we could store.
      ++outcome.rejected;
      log::error("a journal frame cannot be read",
                 {{"type", frame.type}, {"bytes", frame.payload.size()}});
    }
  }
  first_ring_ = (first_ring_ + 1) % std::max<size_t>(rings.size(), 1);
  if (prices != nullptr) {
    for (UsageRow& row : rows_.usage) prices->price(row);
  }
  const int64_t began_us = rows_.size() != 0 ? Clock::system().now_us() : 0;
  if (rows_.size() != 0) {
    auto done = store.append_batch(rows_.batch());
    if (!done &&
        (done.error().kind == ErrorKind::invalid || done.error().kind == ErrorKind::conflict)) {
      GP_TRY(const size_t rejected, one_by_one(store));
      outcome.rejected += rejected;
    } else if (!done) {
      return std::move(done).error();
    }
  }
  outcome.rows = rows_.size();
  outcome.usage = rows_.usage.size();
  if (metrics_ && outcome.rows != 0) {
    metrics_->written(rows_.batch(), Clock::system().now_us() - began_us);
  }
  if (observer_ && outcome.rows != 0) observer_(rows_.batch());
  for (size_t r = 0; r < rings.size(); ++r) {
    rings[r]->release(cursors_[r]);
    drained_[r] += frames[r];
  }
  outcome.more = !empty();
  return outcome;
}

template <class Row, class Put>
Result<void> RingDrain::each(const std::vector<Row>& rows, size_t& rejected, Put put) {
  for (const Row& row : rows) {
    auto done = put(std::span<const Row>(&row, 1));
    if (done) continue;
    if (done.error().kind != ErrorKind::invalid && done.error().kind != ErrorKind::conflict)
      return done;
    ++rejected;
    log::error("the database rejects a journal row",
               {{"id", row.id}, {"at", row.at}, {"error", done.error().message}});
  }
  return ok();
}

Result<size_t> RingDrain::one_by_one(Store& store) {
  size_t rejected = 0;
  GP_CHECK(
      each(rows_.usage, rejected, [&](auto one) { return store.append_batch({.usage = one}); }));
  GP_CHECK(each(rows_.requests, rejected,
                [&](auto one) { return store.append_batch({.requests = one}); }));
  GP_CHECK(each(rows_.upstream, rejected,
                [&](auto one) { return store.append_batch({.upstream = one}); }));
  GP_CHECK(
      each(rows_.events, rejected, [&](auto one) { return store.append_batch({.events = one}); }));
  GP_CHECK(each(rows_.responses, rejected,
                [&](auto one) { return store.append_batch({.responses = one}); }));
  GP_CHECK(
      each(rows_.bodies, rejected, [&](auto one) { return store.append_batch({.bodies = one}); }));
  GP_CHECK(each(rows_.decisions, rejected,
                [&](auto one) { return store.append_batch({.decisions = one}); }));
  return rejected;
}

size_t RingDrain::waiting() const {
  const auto& rings = recorders_.rings();
  size_t sum = 0;
  for (size_t r = 0; r < rings.size(); ++r) {
    const uint64_t seen = rings[r]->recovered() + rings[r]->published();
    const uint64_t drained = r < drained_.size() ? drained_[r] : 0;
    sum += seen > drained ? static_cast<size_t>(seen - drained) : 0;
  }
  return sum;
}

bool RingDrain::empty() const {
  const auto& rings = recorders_.rings();
  return std::all_of(rings.begin(), rings.end(), [](const auto& ring) { return ring->empty(); });
}

}  // namespace gproxy::storage
