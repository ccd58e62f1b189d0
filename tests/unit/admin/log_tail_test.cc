#include "admin/log_tail.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "net/loop.h"

using namespace gproxy;
using namespace gproxy::admin;

namespace {

class NoClient final : public upstream::Client {
 public:
  std::unique_ptr<upstream::Transfer> start(const upstream::Request&,
                                            upstream::TransferSink&) override {
    return nullptr;
  }
};

// A client of the tail that takes what it is given, or nothing while it is `slow`.
class Reader final : public gateway::HttpCall {
 public:
  explicit Reader(net::Loop& loop) : loop_(loop) {}
  const Request& request() const override { return request_; }
  net::Loop& loop() override { return loop_; }
  upstream::Client& client() override { return client_; }
  bool alive() const override { return true; }
  void reply(int given, Fields, std::string) override { status = given; }
  void begin_stream(int given, Fields) override { status = given; }
  bool write(std::string_view bytes) override {
    text.append(bytes);
    return !slow;
  }
  void end_stream() override {}
  void on_writable(std::function<void()> callback) override { writable = std::move(callback); }
  void on_gone(std::function<void()> callback) override { gone = std::move(callback); }

  size_t rows() const {
    size_t n = 0;
    for (size_t at = 0; (at = text.find("event: row\n", at)) != std::string::npos; ++at) ++n;
    return n;
  }
  size_t missed() const {
    constexpr std::string_view kBegin = "event: missed\ndata: {\"rows\":";
    size_t n = 0;
    for (size_t at = 0; (at = text.find(kBegin, at)) != std::string::npos; ++at)
      n += std::stoul(text.substr(at + kBegin.size()));
    return n;
  }

  int status = 0;
  bool slow = false;
  std::string text;
  std::function<void()> writable, gone;

 private:
  net::Loop& loop_;
  NoClient client_;
  Request request_;
};

struct Tail {
  net::Loop loop;
  LogTail tail;

  std::shared_ptr<Reader> open(storage::LogQuery filter = {}) {
    auto reader = std::make_shared<Reader>(loop);
    tail.subscribe(reader, std::move(filter));
    return reader;
  }
  void publish(size_t rows, size_t path_bytes = 20, int32_t status = 200) {
    const std::string path(path_bytes, 'p');
    std::vector<storage::RequestRow> requests(rows);
    for (size_t i = 0; i < rows; ++i) {
      requests[i].id = static_cast<int64_t>(i) + 1;
      requests[i].path = path;
      requests[i].status = status;
    }
    tail.publish({.requests = requests});
    for (int i = 0; i < 3; ++i) loop.run_once(net::Loop::Wait::no);
  }
  ~Tail() {
    tail.close();
    for (int i = 0; i < 3; ++i) loop.run_once(net::Loop::Wait::no);
  }
};

}  // namespace

TEST_CASE("every row of a batch is shown or counted as missed, however large the batch") {
  Tail t;
  const auto reader = t.open();
  t.publish(300, 16 * 1024);  // 4.8 MB of text
  CHECK(reader->rows() > 0);
  CHECK(reader->rows() < 300);
  CHECK(reader->rows() + reader->missed() == 300);
  t.publish(1);
  CHECK(reader->rows() + reader->missed() == 301);
}

TEST_CASE("a reader that does not keep up is told how many rows it has missed") {
  Tail t;
  const auto reader = t.open();
  const auto quick = t.open();
  reader->slow = true;
  t.publish(2);  // taken, but the connection is full now
  t.publish(5);
  t.publish(7);
  CHECK(reader->rows() == 2);
  CHECK(reader->missed() == 0);
  reader->slow = false;
  reader->writable();
  CHECK(reader->missed() == 12);
  t.publish(1);
  CHECK(reader->rows() == 3);
  CHECK(quick->rows() == 15);
  CHECK(quick->missed() == 0);
}

TEST_CASE("filters hold as in the list: a row without status has no place in a range of them") {
  Tail t;
  storage::LogQuery any_status, failures;
  any_status.status_min = 0;
  failures.status_min = 400;
  const auto with_status = t.open(any_status), failed = t.open(failures);
  t.publish(1, 20, 0);
  CHECK(with_status->rows() == 0);
  t.publish(1, 20, 200);
  t.publish(1, 20, 500);
  CHECK(with_status->rows() == 2);
  CHECK(failed->rows() == 1);
}

TEST_CASE("there is room for so many tails, and again when one has gone") {
  Tail t;
  std::vector<std::shared_ptr<Reader>> all;
  for (size_t i = 0; i < LogTail::kMaxSubscribers; ++i) all.push_back(t.open());
  for (const auto& one : all) CHECK(one->status == 200);
  CHECK(t.open()->status == 503);
  all.back()->gone();
  CHECK(t.open()->status == 200);
}
