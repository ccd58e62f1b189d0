// The journal's rows: usage, requests, attempts, events, bodies and decisions.
#include <doctest/doctest.h>

#include <array>

#include "storage/store.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

TEST_CASE("a row that is already there is left alone") {
  auto store = open_fresh();
  REQUIRE(store);
  UsageRow other = a_usage_row(1);
  other.input = 999;
  REQUIRE((*store)->append_batch({.usage = std::array{a_usage_row(1), a_usage_row(2)}}));
  REQUIRE((*store)->append_batch({.usage = std::array{other, a_usage_row(3)}}));
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  const auto totals = totals_of(**reader, {});
  CHECK(totals.with_usage == 3);
  CHECK(totals.input == 30);
  CHECK(totals.reasoning == 15);
}

TEST_CASE("usage totals go by time, provider, credential and model") {
  auto store = open_fresh();
  REQUIRE(store);
  std::vector<UsageRow> rows;
  for (int64_t i = 0; i < 10; ++i) {
    UsageRow row = a_usage_row(i + 1);
    row.at = 1'000 + i;
    row.provider = i % 2 == 0 ? "alpha" : "beta";
    row.model = i < 5 ? "100%_sure" : "100x-sure";
    row.has_usage = i != 9;
    if (i == 9) row.input = row.output = row.cache_read = row.cache_write = row.reasoning = 0;
    rows.push_back(row);
  }
  REQUIRE((*store)->append_batch({.usage = rows}));
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  auto count = [&](const UsageFilter& filter) { return totals_of(**reader, filter).with_usage; };
  CHECK(count({}) == 9);
  CHECK(totals_of(**reader, {}).attempts == 10);
  UsageFilter filter;
  filter.from = 1'002;
  filter.to = 1'004;
  CHECK(count(filter) == 3);
  filter = {};
  filter.provider = "alpha";
  CHECK(count(filter) == 5);
  filter.model = "100%_sure";
  CHECK(count(filter) == 3);
  filter = {};
  filter.model_contains = "%_s";  // characters, not wildcards
  CHECK(count(filter) == 5);
  filter = {};
  filter.credential_id = 77;
  CHECK(count(filter) == 0);
}

TEST_CASE("requests, attempts and events are journalled") {
  auto store = open_fresh();
  REQUIRE(store);
  RequestRow request;
  request.id = 1;
  request.method = "POST";
  request.path = "/v1/messages";
  UpstreamRequestRow upstream;
  upstream.id = 2;
  upstream.provider = "alpha";
  InternalEvent event;
  event.id = 3;
  event.event_type = "unavailable_start";
  event.payload_json = "{}";
  for (int i = 0; i < 2; ++i) {
    REQUIRE((*store)->append_batch({.requests = std::array{request},
                                    .upstream = std::array{upstream},
                                    .events = std::array{event}}));
  }
  CHECK(rows_in(**store, Table::requests) == 1);
  CHECK(rows_in(**store, Table::upstream_requests) == 1);
  CHECK(rows_in(**store, Table::internal_events) == 1);
}

TEST_CASE("a decision is found by the trace id and by the client's own name, the newest first") {
  auto store = open_fresh();
  REQUIRE(store);
  const auto row = [](int64_t id, std::string_view trace, std::string_view name,
                      std::string_view json) {
    return DecisionRow{id, id * 1'000'000, trace, name, json};
  };
  const std::array rows = {row(1, "t1", "", "{\"n\":1}"), row(2, "t2", "mine", "{\"n\":2}"),
                           row(3, "t3", "mine", "{\"n\":3}")};
  REQUIRE((*store)->append_batch({.decisions = rows}));
  REQUIRE((*store)->append_batch({.decisions = rows}));  // again: left alone
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  CHECK(rows_in(**store, Table::decisions) == 3);
  CHECK(*(*reader)->decision_of("t1") == "{\"n\":1}");
  CHECK(*(*reader)->decision_of("mine") == "{\"n\":3}");
  CHECK_FALSE((*reader)->decision_of("t4")->has_value());
  CHECK_FALSE((*reader)->decision_of("")->has_value());

  // They go with the rows of requests.
  Retention keep;
  keep.logs_us = int64_t{24} * 3600 * 1'000'000;
  REQUIRE((*store)->maintain(keep));
  CHECK(rows_in(**store, Table::decisions) == 0);
}

TEST_CASE("a batch of which some rows are there already adds the others, to rows and sums alike") {
  auto store = open_fresh();
  REQUIRE(store);
  std::vector<UsageRow> rows;
  for (int64_t id = 1; id <= 40; ++id) rows.push_back(a_usage_row(id));
  const std::span<const UsageRow> all(rows);
  REQUIRE((*store)->append_batch({.usage = all.first(25)}));
  RequestRow request;
  request.id = 99;
  request.at = rows[0].at;
  request.method = "POST";
  request.path = "/v1/messages";
  for (int again = 0; again < 2; ++again) {
    REQUIRE((*store)->append_batch({.usage = all.subspan(10), .requests = std::array{request}}));
  }
  CHECK(rows_in(**store, Table::usage) == 40);
  CHECK(rows_in(**store, Table::requests) == 1);
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  CHECK(totals_of(**reader, {}).attempts == 40);
  CHECK(totals_of(**reader, {}).input == 400);
}

TEST_CASE("every column of a batch's rows comes back as it went in") {
  auto store = open_fresh();
  REQUIRE(store);
  UsageRow usage = a_usage_row(7);
  usage.estimated = true;
  usage.outcome = Outcome::truncated;
  usage.status = 0;
  usage.user_id = kNoId;
  usage.model = {};
  usage.ttft_us = -1;
  usage.cost_nanousd = 5;
  usage.price_revision = 6;
  BodyRow body;
  body.id = 8;
  body.at = usage.at;
  body.trace_id = usage.trace_id;
  body.attempt_no = 2;
  body.direction = BodyRow::Direction::response;
  body.total_bytes = 99;
  const std::string bytes("a\0\xff'z", 5);
  body.body = bytes;
  REQUIRE((*store)->append_batch({.usage = std::array{usage}, .bodies = std::array{body}}));
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  auto page = (*reader)->list_usage({});
  REQUIRE(page);
  REQUIRE(page->rows.size() == 1);
  const auto& r = page->rows.front();
  CHECK(r.id == 7);
  CHECK(r.at == usage.at);
  CHECK(r.trace_id == usage.trace_id);
  CHECK(r.final);
  CHECK(r.has_usage);
  CHECK(r.estimated);
  CHECK(r.provider == "alpha");
  CHECK(r.provider_id == 1);
  CHECK(r.credential_id == 2);
  CHECK(r.user_id == kNoId);
  CHECK(r.user_key_id == 3);
  CHECK(r.model.empty());
  CHECK(r.status == 0);
  CHECK(r.outcome == Outcome::truncated);
  CHECK(r.input == 10);
  CHECK(r.output == 20);
  CHECK(r.cache_read == 3);
  CHECK(r.cache_write == 4);
  CHECK(r.reasoning == 5);
  CHECK(r.total == 37);
  CHECK(r.ttft_us == -1);
  CHECK(r.duration_us == 90'000);
  CHECK(r.cost_nanousd == 5);
  CHECK(r.price_revision == 6);
  auto bodies = (*reader)->bodies_of(std::string(usage.trace_id));
  REQUIRE(bodies);
  REQUIRE(bodies->size() == 1);
  CHECK(bodies->front().body == bytes);
  CHECK(bodies->front().attempt_no == 2);
  CHECK(bodies->front().truncated());
}
