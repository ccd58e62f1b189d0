// A Client without I/O for tests: it records what was asked and plays what the test says, with the
// same promises as the real one (nothing before start() returned, nothing after abort() or
// on_complete, nothing while paused). One loop, or none: then run_pending() plays.
//
//   FakeClient client(&loop);
//   client.answer({.status = 429, .pieces = {R"({"error":{}})"}});   // first start()
//   client.answer({.pieces = {"data: 1\n\n", "data: [DONE]\n\n"}});  // second start()
// or by hand, when nothing was queued:
//   auto& call = client.last();
//   call.head(200); call.data("data: 1\n\n"); call.complete();
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "upstream/client.h"

namespace gproxy::upstream {

class FakeClient final : public Client {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  struct Answer {
    int status = 200;  // 0 = no head: the failure comes first
    Fields headers = {{"content-type", "application/json"}};
    std::vector<std::string> pieces = {};
    FailureKind failure = FailureKind::none;  // after the pieces
    std::string message = {};
    bool request_sent = true;
    // The answer hangs after the pieces: the test goes on by hand.
    enum class End : uint8_t { complete, open } end = End::complete;
    bool decoded = false;
  };

  // One start(), kept until the client dies. The views of the Request are copied.
  class Call {
   public:
    std::string method, url, secret_query, body, proxy;
    Fields headers;
    bool has_body = false;
    size_t body_pieces = 0;
    HttpVersion version = HttpVersion::automatic;
    Timeouts timeouts;
    size_t receive_buffer = 0;

    std::string header(std::string_view name) const;  // first value, or ""
    bool paused() const { return paused_.paused(); }
    bool aborted() const { return aborted_; }
    bool done() const { return sink_ == nullptr; }  // completed or aborted
    size_t pauses() const { return pauses_; }

    // Plays one event, at once when the transfer is not paused, else when it is resumed. Not from
    // inside a start().
    void head(int status, Fields fields = {{"content-type", "application/json"}});
    void data(std::string_view bytes);
    void complete();
    void fail(FailureKind kind, std::string message = "fake failure", bool request_sent = true);

   private:
    friend class FakeClient;
    friend class FakeTransfer;
    struct Event {
      enum class Kind : uint8_t { head, data, end } kind;
      int status = 0;
      Fields fields = {};
      std::string bytes = {};  // or the failure's message
      FailureKind failure = FailureKind::none;
      bool request_sent = true;
      bool decoded = false;
    };
    void push(Event event);
    void play();

    TransferSink* sink_ = nullptr;
    PauseSet paused_;
    std::deque<Event> events_;
    bool head_played_ = false;
    bool playing_ = false;
    bool aborted_ = false;
    size_t pauses_ = 0;
  };

  explicit FakeClient(net::Loop* loop = nullptr) : loop_(loop) {}
  ~FakeClient() override;

  // The answer to the next start() that has none; answers are used in order.
  void answer(Answer answer) { answers_.push_back(std::move(answer)); }
  // Chooses the answer by the request, when none is queued.
  std::function<Answer(const Call&)> on_request;

  std::unique_ptr<Transfer> start(const Request& request, TransferSink& sink) override;

  size_t calls() const { return calls_.size(); }
  Call& call(size_t index) { return *calls_.at(index); }
  Call& last() { return *calls_.back(); }
  size_t live() const;
  // Plays what start() and resume() scheduled, when there is no loop.
  void run_pending();

 private:
  friend class FakeTransfer;
  void schedule(std::shared_ptr<Call> call);

  net::Loop* loop_;
  std::deque<Answer> answers_;
  std::vector<std::shared_ptr<Call>> calls_;
  std::deque<std::shared_ptr<Call>> pending_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gproxy::upstream
