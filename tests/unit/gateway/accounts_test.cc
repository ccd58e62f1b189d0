// What is written down about a request, and when a request may not begin because it could not be.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "bench.h"
#include "storage/ring_drain.h"
#include "storage/store.h"

namespace gproxy::gateway::test {
namespace {

constexpr std::string_view kBody = R"({"model":"m","messages":[]})";
constexpr std::string_view kStream = R"({"model":"m","stream":true,"messages":[]})";
const upstream::FakeClient::Fields kSse = {{"content-type", "text/event-stream"}};

// A store in a folder of its own, and one loop's recorder in memory.
struct Books {
  explicit Books(size_t usage_ring_bytes = size_t{1} << 20) {
    folder = std::filesystem::temp_directory_path() /
             ("gproxy-accounts-" + std::to_string(::getpid()) + "-" + std::to_string(count()++));
    std::filesystem::create_directories(folder);
    storage::StoreOptions options;
    options.dsn = "sqlite://" + (folder / "t.db").string() + "?mode=rwc";
    options.master_key.data_dir = folder.string();
    auto opened = storage::open_store(options);
    REQUIRE(opened.ok());
    store = std::move(*opened);
    storage::RecorderOptions ring;
    ring.usage_ring_bytes = usage_ring_bytes;
    auto made = storage::Recorders::open(ring, 1);
    REQUIRE(made.ok());
    recorders = std::move(*made);
  }
  ~Books() {
    recorders.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }
  static int& count() {
    static int n = 0;
    return n;
  }
  void write() {
    storage::RingDrain drain(*recorders, 512);
    while (!drain.empty()) REQUIRE(drain.pass(*store).ok());
  }
  storage::UsageSums usage() {
    write();
    const auto report = *(*store->open_reader())->usage_report({});
    return report.groups.empty() ? storage::UsageSums() : report.groups.front().sums;
  }
  int64_t rows(storage::Table table) {
    write();
    return *(*store->open_reader())->count_rows(table);
  }

  std::filesystem::path folder;
  std::unique_ptr<storage::Store> store;
  std::unique_ptr<storage::Recorders> recorders;
};

Bench::Setup with(Books& books, std::vector<config::ProviderConfig> providers) {
  Bench::Setup setup;
  setup.providers = std::move(providers);
  setup.recorder = &books.recorders->at(0);
  return setup;
}

upstream::FakeClient::Answer failing(int status) {
  upstream::FakeClient::Answer answer;
  answer.status = status;
  answer.pieces = {"{}"};
  return answer;
}

}  // namespace

TEST_CASE("each attempt has a usage row, with the tokens of the one that answered") {
  Books books;
  Bench bench(with(books, {provider("p", "plain", 2)}));
  bench.upstream.answer(failing(429));
  upstream::FakeClient::Answer good;
  good.pieces = {
      R"({"model":"m","usage":{"input_tokens":10,"output_tokens":4,"cache_read_input_tokens":3,"cache_creation_input_tokens":2}})"};
  bench.upstream.answer(good);
  CHECK(bench.ask(post("/p/v1/messages", kBody)).status == 200);
  const auto totals = books.usage();
  CHECK(totals.attempts == 2);
  CHECK(totals.with_usage == 1);
  CHECK(totals.input == 10);
  CHECK(totals.output == 4);
  CHECK(totals.cache_read == 3);
  CHECK(totals.cache_write == 2);
  CHECK(books.rows(storage::Table::requests) == 1);
  CHECK(books.rows(storage::Table::upstream_requests) == 2);
}

TEST_CASE("what was used before a client hung up is written down") {
  Books books;
  Bench bench(with(books, {provider("k", "keyless")}));
  auto client = bench.connect();
  client->send(post("/k/v1/messages", kStream));
  bench.turn();
  auto& call = bench.upstream.last();
  call.head(200, kSse);
  call.data(
      "event: message_start\ndata: "
      "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}"
      "}}\n\n");
  bench.turn();
  client->close();
  bench.turn_until([&] { return call.aborted(); });
  CHECK(books.usage().input == 25);
  CHECK(books.usage().attempts == 1);
}

TEST_CASE("usage of a native gemini stream is counted, whatever its framing") {
  Books books;
  Bench bench(with(books, {provider("k", "keyless")}));
  upstream::FakeClient::Answer array;
  array.pieces = {"[{\"candidates\":[{}]}\n",
                  ",\n{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
                  "\"promptTokenCount\":7,\"candidatesTokenCount\":5}}]"};
  bench.upstream.answer(array);
  CHECK(bench.ask(post("/k/v1beta/models/m:streamGenerateContent", R"({"contents":[]})")).status ==
        200);
  CHECK(books.usage().input == 7);
  CHECK(books.usage().output == 5);
}

TEST_CASE("requests that are refused or count tokens leave no usage row") {
  Books books;
  Bench bench(with(books, {provider("p", "plain")}));
  bench.ask("POST /p/v1/messages HTTP/1.1\r\nhost: g\r\ncontent-length: 2\r\n\r\n{}");
  upstream::FakeClient::Answer count;
  count.pieces = {R"({"input_tokens":9})"};
  bench.upstream.answer(count);
  CHECK(bench.ask(post("/p/v1/messages/count_tokens", kBody)).body == R"({"input_tokens":9})");
  CHECK(books.usage().attempts == 0);
  CHECK(books.rows(storage::Table::requests) == 2);
}

TEST_CASE("nothing begins while its row could not be kept") {
  Books books(size_t{64} << 10);
  Bench bench(with(books, {provider("k", "keyless")}));
  bench.upstream.on_request = [](const auto&) { return failing(400); };
  Answer last;
  int served = 0;
  for (; served < 2000; ++served) {
    last = bench.ask(post("/k/v1/chat/completions", kBody));
    if (last.status == 503) break;
  }
  CHECK(last.status == 503);
  CHECK(last.header("x-gproxy-error") == "overloaded");
  CHECK_FALSE(last.header("retry-after").empty());
  CHECK(books.usage().attempts == served);  // every answered request has its row
  CHECK(bench.ask(post("/k/v1/chat/completions", kBody)).status == 400);
}

}  // namespace gproxy::gateway::test
