#include "storage/recorder.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "storage/ring.h"
#include "storage/ring_drain.h"
#include "storage/row_codec.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

// The rows of a ring, decoded, and given back.
template <class Row>
std::vector<Row> rows_of(Ring& ring) {
  std::vector<Row> out;
  uint64_t cursor = ring.head();
  Ring::Frame frame;
  while (ring.next(cursor, frame)) {
    Row row;
    REQUIRE(decode(frame.payload, row));
    out.push_back(row);
  }
  ring.release(cursor);
  return out;
}

std::unique_ptr<Recorders> in_memory(size_t loops = 1, size_t usage_bytes = 64 * 1024) {
  RecorderOptions options;
  options.usage_ring_bytes = usage_bytes;
  options.log_ring_bytes = 64 * 1024;
  auto recorders = Recorders::open(options, loops);
  REQUIRE(recorders);
  return std::move(*recorders);
}

}  // namespace

TEST_CASE("every field of every row survives the ring") {
  auto recorders = in_memory();
  Recorder& recorder = recorders->at(0);
  UsageRow usage = a_usage_row();
  usage.attempt_no = 3;
  usage.estimated = true;
  usage.final = false;
  usage.outcome = Outcome::truncated;
  REQUIRE(recorder.usage(usage));
  const UsageRow u = rows_of<UsageRow>(*recorders->rings()[0]).at(0);
  CHECK(u.id > 0);
  CHECK(u.at == usage.at);
  CHECK(u.trace_id == usage.trace_id);
  CHECK(u.attempt_no == 3);
  CHECK_FALSE(u.final);
  CHECK(u.has_usage);
  CHECK(u.estimated);
  CHECK(u.provider == "alpha");
  CHECK(u.provider_id == 1);
  CHECK(u.credential_id == 2);
  CHECK(u.user_id == 0);
  CHECK(u.user_key_id == 3);
  CHECK(u.model == "a-model");
  CHECK(u.protocol == 2);
  CHECK(u.operation == 1);
  CHECK(u.status == 200);
  CHECK(u.outcome == Outcome::truncated);
  CHECK(u.input == 10);
  CHECK(u.output == 20);
  CHECK(u.cache_read == 3);
  CHECK(u.cache_write == 4);
  CHECK(u.cache_write_1h == 3);
  CHECK(u.reasoning == 5);
  CHECK(u.total() == 37);
  CHECK(u.ttft_us == 1'500);
  CHECK(u.duration_us == 90'000);

  RequestRow request;
  request.at = 5;
  request.trace_id = "t";
  request.user_id = 6;
  request.user_key_id = 7;
  request.method = "POST";
  request.path = "/v1/responses";
  request.query = "a=b";
  request.request_headers_json = R"([["a","b"]])";
  request.response_headers_json = "[]";
  request.client = "10.0.0.1";
  request.provider = "beta";
  request.model = "m";
  request.error_code = "no_active_credentials";
  request.protocol = 3;
  request.operation = 2;
  request.status = 503;
  request.attempts = 2;
  request.stream = true;
  request.outcome = Outcome::refused;
  request.request_bytes = 8;
  request.response_bytes = 9;
  request.ttft_us = 10;
  request.duration_us = 11;
  REQUIRE(recorder.request(request));
  const RequestRow r = rows_of<RequestRow>(*recorders->rings()[1]).at(0);
  CHECK(r.id > u.id);
  CHECK(r.at == 5);
  CHECK(r.trace_id == "t");
  CHECK(r.user_id == 6);
  CHECK(r.user_key_id == 7);
  CHECK(r.method == "POST");
  CHECK(r.path == "/v1/responses");
  CHECK(r.query == "a=b");
  CHECK(r.request_headers_json == request.request_headers_json);
  CHECK(r.response_headers_json == "[]");
  CHECK(r.client == "10.0.0.1");
  CHECK(r.provider == "beta");
  CHECK(r.model == "m");
  CHECK(r.error_code == "no_active_credentials");
  CHECK(r.protocol == 3);
  CHECK(r.operation == 2);
  CHECK(r.status == 503);
  CHECK(r.attempts == 2);
  CHECK(r.stream);
  CHECK(r.outcome == Outcome::refused);
  CHECK(r.request_bytes == 8);
  CHECK(r.response_bytes == 9);
  CHECK(r.ttft_us == 10);
  CHECK(r.duration_us == 11);

  UpstreamRequestRow upstream;
  upstream.trace_id = "t";
  upstream.user_id = 1;
  upstream.user_key_id = 2;
  upstream.provider = "beta";
  upstream.provider_id = 3;
  upstream.credential_id = 4;
  upstream.model = "m";
  upstream.method = "GET";
  upstream.path = "/p";
  upstream.query = "q";
  upstream.request_headers_json = "[1]";
  upstream.response_headers_json = "[2]";
  upstream.error_kind = "transport";
  upstream.error_message = "reset";
  upstream.transport_kind = "Connect";
  upstream.protocol = 4;
  upstream.operation = 14;
  upstream.status = 0;
  upstream.attempt_no = 2;
  upstream.internal = true;
  upstream.stream = true;
  upstream.outcome = Outcome::failed;
  upstream.request_bytes = 5;
  upstream.response_bytes = 6;
  upstream.duration_us = 7;
  REQUIRE(recorder.upstream(upstream));
  const UpstreamRequestRow p = rows_of<UpstreamRequestRow>(*recorders->rings()[1]).at(0);
  CHECK(p.trace_id == "t");
  CHECK(p.user_id == 1);
  CHECK(p.user_key_id == 2);
  CHECK(p.provider == "beta");
  CHECK(p.provider_id == 3);
  CHECK(p.credential_id == 4);
  CHECK(p.model == "m");
  CHECK(p.method == "GET");
  CHECK(p.path == "/p");
  CHECK(p.query == "q");
  CHECK(p.request_headers_json == "[1]");
  CHECK(p.response_headers_json == "[2]");
  CHECK(p.error_kind == "transport");
  CHECK(p.error_message == "reset");
  CHECK(p.transport_kind == "Connect");
  CHECK(p.protocol == 4);
  CHECK(p.operation == 14);
  CHECK(p.status == 0);
  CHECK(p.attempt_no == 2);
  CHECK(p.internal);
  CHECK(p.stream);
  CHECK(p.outcome == Outcome::failed);
  CHECK(p.request_bytes == 5);
  CHECK(p.response_bytes == 6);
  CHECK(p.ttft_us == -1);
  CHECK(p.duration_us == 7);

  InternalEvent event;
  event.event_type = "unavailable_start";
  event.payload_json = "{}";
  REQUIRE(recorder.event(event));
  const InternalEvent e = rows_of<InternalEvent>(*recorders->rings()[1]).at(0);
  CHECK(e.event_type == "unavailable_start");
  CHECK(e.payload_json == "{}");

  DecisionRow decision;
  decision.at = 12;
  decision.trace_id = "t";
  decision.request_id = "mine";
  decision.decision_json = R"({"attempts":[]})";
  REQUIRE(recorder.decision(decision));
  const DecisionRow d = rows_of<DecisionRow>(*recorders->rings()[1]).at(0);
  CHECK(d.id > e.id);
  CHECK(d.at == 12);
  CHECK(d.trace_id == "t");
  CHECK(d.request_id == "mine");
  CHECK(d.decision_json == decision.decision_json);
}

TEST_CASE("a payload cut anywhere is refused, not misread") {
  auto recorders = in_memory();
  REQUIRE(recorders->at(0).usage(a_usage_row()));
  uint64_t cursor = recorders->rings()[0]->head();
  Ring::Frame frame;
  REQUIRE(recorders->rings()[0]->next(cursor, frame));
  UsageRow row;
  REQUIRE(decode(frame.payload, row));
  for (size_t n = 0; n < frame.payload.size(); ++n)
    CHECK_FALSE(decode(frame.payload.substr(0, n), row));
}

TEST_CASE("long text is cut at a character's border, a long header list is left out") {
  auto recorders = in_memory();
  std::string model;
  for (int i = 0; i < 200; ++i) model += "é";
  model = "x" + model;  // the bound falls inside a character
  UsageRow usage = a_usage_row();
  usage.model = model;
  REQUIRE(recorders->at(0).usage(usage));
  CHECK(rows_of<UsageRow>(*recorders->rings()[0]).at(0).model == model.substr(0, 255));
  RequestRow request;
  const std::string headers(20'000, '1');
  request.request_headers_json = headers;
  REQUIRE(recorders->at(0).request(request));
  CHECK(rows_of<RequestRow>(*recorders->rings()[1]).at(0).request_headers_json.empty());
}

TEST_CASE("ids are unique across loops, grow, and fit into a JSON number") {
  auto recorders = in_memory(3, 1 << 20);
  std::set<int64_t> ids;
  for (size_t loop = 0; loop < 3; ++loop) {
    int64_t last = 0;
    for (int i = 0; i < 1'000; ++i) {
      // Many rows of one moment, and a clock that steps back.
      UsageRow row = a_usage_row();
      row.at -= i % 10;
      REQUIRE(recorders->at(loop).usage(row));
    }
    for (const UsageRow& row : rows_of<UsageRow>(*recorders->rings()[2 * loop])) {
      CHECK(row.id > last);
      last = row.id;
      ids.insert(row.id);
    }
  }
  CHECK(ids.size() == 3'000);
  CHECK(*ids.rbegin() < int64_t{1} << 53);
}

TEST_CASE("a restart gives no id a second time, whatever the clock says") {
  const Folder folder;
  auto store = open(folder);
  REQUIRE(store);
  std::set<int64_t> ids;
  for (int run = 0; run < 3; ++run) {
    auto recorders = Recorders::open(rings_in(folder, **store), 1);
    REQUIRE(recorders);
    for (int i = 0; i < 50; ++i) REQUIRE((*recorders)->at(0).usage(a_usage_row()));
    for (const UsageRow& row : rows_of<UsageRow>(*(*recorders)->rings()[0])) ids.insert(row.id);
  }
  CHECK(ids.size() == 150);
}

TEST_CASE("admission keeps room for the rows that are still owed") {
  auto recorders = in_memory();
  Recorder& recorder = recorders->at(0);
  CHECK(recorder.admits(0));
  CHECK(recorder.level() == 0.0);
  size_t room = 0;
  while (recorder.admits(room)) ++room;
  // Every exchange that was let in can write its row, and a longer one than usual at that.
  const std::string model(400, 'm');
  UsageRow row = a_usage_row();
  row.model = model;
  for (size_t i = 0; i < room; ++i) REQUIRE(recorder.usage(row));
  while (recorder.usage(a_usage_row())) {
  }
  CHECK_FALSE(recorder.admits(0));
  CHECK(recorder.level() > Recorder::kRefuseAbove);
  CHECK(recorder.lost_usage() == 1);
  CHECK(recorders->lost_usage() == 1);
}

TEST_CASE("logs make way for usage, and are counted") {
  auto recorders = in_memory();
  Recorder& recorder = recorders->at(0);
  RequestRow request;
  request.path = "/v1/messages";
  CHECK(recorder.request(request));
  while (recorder.level() < 0.8) REQUIRE(recorder.usage(a_usage_row()));
  CHECK_FALSE(recorder.request(request));
  CHECK(recorder.usage(a_usage_row()));
  CHECK(recorders->dropped_logs() == 1);
  CHECK(recorders->lost_usage() == 0);
}

TEST_CASE("a full log ring drops logs and nothing else") {
  auto recorders = in_memory();
  Recorder& recorder = recorders->at(0);
  RequestRow request;
  int kept = 0;
  while (recorder.request(request)) ++kept;
  CHECK(kept > 100);
  CHECK(recorder.usage(a_usage_row()));
  CHECK(recorder.dropped_logs() == 1);
}

TEST_CASE("two processes do not share a ring folder") {
  const Folder folder;
  auto store = open(folder);
  REQUIRE(store);
  auto first = Recorders::open(rings_in(folder, **store), 1);
  REQUIRE(first);
  auto second = Recorders::open(rings_in(folder, **store), 1);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == "database_in_use");
}

TEST_CASE("rings of loops that are no more are drained and removed") {
  const Folder folder;
  auto store = open(folder);
  REQUIRE(store);
  {
    auto recorders = Recorders::open(rings_in(folder, **store), 3);
    REQUIRE(recorders);
    for (size_t loop = 0; loop < 3; ++loop) REQUIRE((*recorders)->at(loop).usage(a_usage_row()));
  }
  auto recorders = Recorders::open(rings_in(folder, **store), 1);
  REQUIRE(recorders);
  CHECK((*recorders)->rings().size() == 6);
  RingDrain drain(**recorders, 4096);
  CHECK(drain.waiting() == 3);
  auto outcome = drain.pass(**store);
  REQUIRE(outcome);
  CHECK(outcome->rows == 3);
  CHECK(drain.waiting() == 0);
  CHECK(drain.empty());
  (*recorders)->remove_drained();
  CHECK(rows_in(**store, Table::usage) == 3);
  CHECK_FALSE(std::filesystem::exists(folder.file("gproxy.db.rings/usage-2.ring")));
  CHECK(std::filesystem::exists(folder.file("gproxy.db.rings/usage-0.ring")));
}

TEST_CASE("rows that were committed but not given back are not doubled") {
  const Folder folder;
  auto store = open(folder);
  REQUIRE(store);
  auto recorders = Recorders::open(rings_in(folder, **store), 1);
  REQUIRE(recorders);
  for (int i = 0; i < 10; ++i) REQUIRE((*recorders)->at(0).usage(a_usage_row()));
  // The process dies between the commit and the release.
  std::vector<UsageRow> rows;
  uint64_t cursor = (*recorders)->rings()[0]->head();
  Ring::Frame frame;
  while ((*recorders)->rings()[0]->next(cursor, frame))
    REQUIRE(decode(frame.payload, rows.emplace_back()));
  REQUIRE((*store)->append_batch({.usage = rows}));
  RingDrain drain(**recorders, 4096);
  REQUIRE(drain.pass(**store));
  CHECK(rows_in(**store, Table::usage) == 10);
}

TEST_CASE("a pass takes at most a batch, and says that there is more") {
  auto store = open_fresh();
  REQUIRE(store);
  auto recorders = in_memory(2);
  for (int i = 0; i < 30; ++i) {
    REQUIRE(recorders->at(0).usage(a_usage_row()));
    REQUIRE(recorders->at(1).usage(a_usage_row()));
  }
  RingDrain drain(*recorders, 25);
  size_t sum = 0;
  for (int pass = 1; pass <= 3; ++pass) {
    auto outcome = drain.pass(**store);
    REQUIRE(outcome);
    CHECK(outcome->rows <= 25);
    CHECK(outcome->more == (pass < 3));
    sum += outcome->rows;
  }
  CHECK(sum == 60);
  CHECK(rows_in(**store, Table::usage) == 60);
}
