#include "upstream/fake_client.h"

#include "base/strings.h"

namespace gproxy::upstream {

// The handle that the caller holds; the call itself stays with the client for inspection.
class FakeTransfer final : public Transfer {
 public:
  FakeTransfer(FakeClient& client, std::shared_ptr<FakeClient::Call> call)
      : client_(client), alive_(client.alive_), call_(std::move(call)) {}
  ~FakeTransfer() override { abort(); }

  void pause(Pause reason) override {
    if (call_->paused_.add(reason)) ++call_->pauses_;
  }
  void resume(Pause reason) override {
    if (call_->paused_.remove(reason) && !call_->done() && *alive_) client_.schedule(call_);
  }
  void abort() override {
    if (call_->done()) return;
    call_->aborted_ = true;
    call_->sink_ = nullptr;
    call_->events_.clear();
  }

 private:
  FakeClient& client_;
  std::shared_ptr<bool> alive_;  // false when the client went first
  std::shared_ptr<FakeClient::Call> call_;
};

FakeClient::~FakeClient() {
  *alive_ = false;
  for (auto& call : calls_) call->sink_ = nullptr;
}

std::unique_ptr<Transfer> FakeClient::start(const Request& request, TransferSink& sink) {
  auto call = std::make_shared<Call>();
  call->method = request.method;
  call->url = request.url;
  call->secret_query = request.secret_query;
  call->proxy = request.proxy;
  call->has_body = request.has_body;
  call->body_pieces = request.body.size();
  for (const auto piece : request.body) call->body += piece;
  for (const auto& field : request.headers) {
    call->headers.emplace_back(std::string_view(field.name), std::string_view(field.value));
  }
  call->version = request.version;
  call->timeouts = request.timeouts;
  call->receive_buffer = request.receive_buffer;
  call->sink_ = &sink;
  calls_.push_back(call);

  bool scripted = true;
  Answer answer;
  if (!answers_.empty()) {
    answer = std::move(answers_.front());
    answers_.pop_front();
  } else if (on_request) {
    answer = on_request(*call);
  } else {
    scripted = false;
  }
  if (scripted) {
    using Kind = Call::Event::Kind;
    if (answer.status != 0) {
      call->events_.push_back({.kind = Kind::head,
                               .status = answer.status,
                               .fields = std::move(answer.headers),
                               .decoded = answer.decoded});
    }
    for (auto& piece : answer.pieces) {
      call->events_.push_back({.kind = Kind::data, .bytes = std::move(piece)});
    }
    if (answer.end == Answer::End::complete) {
      call->events_.push_back({.kind = Kind::end,
                               .bytes = std::move(answer.message),
                               .failure = answer.failure,
                               .request_sent = answer.request_sent});
    }
    schedule(call);
  }
  return std::make_unique<FakeTransfer>(*this, std::move(call));
}

void FakeClient::schedule(std::shared_ptr<Call> call) {
  if (loop_ != nullptr) {
    loop_->defer([call = std::move(call)] { call->play(); });
  } else {
    pending_.push_back(std::move(call));
  }
}

void FakeClient::run_pending() {
  while (!pending_.empty()) {
    auto call = std::move(pending_.front());
    pending_.pop_front();
    call->play();
  }
}

size_t FakeClient::live() const {
  size_t n = 0;
  for (const auto& call : calls_) n += call->done() ? 0 : 1;
  return n;
}

std::string FakeClient::Call::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (iequals(field, name)) return value;
  }
  return {};
}

void FakeClient::Call::head(int status, Fields fields) {
  push({.kind = Event::Kind::head, .status = status, .fields = std::move(fields)});
}

void FakeClient::Call::data(std::string_view bytes) {
  push({.kind = Event::Kind::data, .bytes = std::string(bytes)});
}

void FakeClient::Call::complete() {
  push({.kind = Event::Kind::end});
}

void FakeClient::Call::fail(FailureKind kind, std::string message, bool request_sent) {
  push({.kind = Event::Kind::end,
        .bytes = std::move(message),
        .failure = kind,
        .request_sent = request_sent});
}

void FakeClient::Call::push(Event event) {
  if (done()) return;
  events_.push_back(std::move(event));
  play();
}

void FakeClient::Call::play() {
  if (playing_) return;
  playing_ = true;
  while (!done() && !paused() && !events_.empty()) {
    const Event event = std::move(events_.front());
    events_.pop_front();
    switch (event.kind) {
      case Event::Kind::head: {
        http::HeaderList list;
        for (const auto& [name, value] : event.fields) {
          list.push_back({std::string_view(name), std::string_view(value)});
        }
        head_played_ = true;
        sink_->on_head({.status = event.status, .headers = list, .decoded = event.decoded});
        break;
      }
      case Event::Kind::data:
        sink_->on_data(event.bytes);
        break;
      case Event::Kind::end: {
        TransferSink* sink = std::exchange(sink_, nullptr);
        Completion completion;
        completion.failure = event.failure;
        completion.message = event.bytes;
        completion.head_received = head_played_;
        completion.request_sent = event.request_sent || head_played_;
        sink->on_complete(completion);
        break;
      }
    }
  }
  playing_ = false;
}

}  // namespace gproxy::upstream
