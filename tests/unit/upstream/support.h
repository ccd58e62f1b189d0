// A client on a loop, and a sink that remembers what it was told.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/loop.h"
#include "test_server.h"
#include "upstream/curl_loop.h"

namespace gproxy::upstream::test {

struct Recorder final : TransferSink {
  void on_head(const Head& head) override {
    ++heads;
    status = head.status;
    decoded = head.decoded;
    version = head.version;
    for (const auto& field : head.headers) {
      fields += std::string(std::string_view(field.name)) + ": " +
                std::string(std::string_view(field.value)) + "\n";
    }
    if (when_head) when_head();
  }
  void on_data(std::string_view bytes) override {
    ++pieces;
    body += bytes;
    if (when_data) when_data();
  }
  void on_complete(const Completion& c) override {
    completion = c;
    message = c.message;
    completion->message = message;
    if (when_complete) when_complete();
  }
  bool done() const { return completion.has_value(); }
  bool good() const { return done() && completion->failure == FailureKind::none; }
  std::string failure() const {
    return done() ? std::string(name(completion->failure)) : "running";
  }

  int heads = 0, pieces = 0, status = 0;
  bool decoded = false;
  HttpVersion version = HttpVersion::automatic;
  std::string fields, body, message;
  std::optional<Completion> completion;
  std::function<void()> when_head, when_data, when_complete;
  std::unique_ptr<Transfer> transfer;
};

// A request whose parts stay alive with it.
struct Ask {
  explicit Ask(std::string u, std::string m = "GET") : url(std::move(u)), method(std::move(m)) {}
  Ask& with_body(std::string text) {
    body.push_back(std::move(text));
    method = method == "GET" ? "POST" : method;
    has_body = true;
    return *this;
  }
  Ask& with_header(std::string name, std::string value) {
    header_texts.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  const Request& request() {
    views.clear();
    pieces.clear();
    for (const auto& [n, v] : header_texts)
      views.push_back({std::string_view(n), std::string_view(v)});
    for (const auto& piece : body) pieces.push_back(piece);
    built.method = method;
    built.url = url;
    built.secret_query = secret;
    built.headers = views;
    built.body = pieces;
    built.has_body = has_body;
    built.proxy = proxy;
    built.version = version;
    built.timeouts = timeouts;
    return built;
  }

  std::string url, method, secret, proxy;
  std::vector<std::pair<std::string, std::string>> header_texts;
  std::vector<std::string> body;
  bool has_body = false;
  HttpVersion version = HttpVersion::automatic;
  Timeouts timeouts;
  std::vector<http::HeaderView> views;
  std::vector<std::string_view> pieces;
  Request built;
};

class Upstream {
 public:
  explicit Upstream(CurlConfig config = {}) {
    if (config.ca == nullptr) config.ca = test_authority();
    client.emplace(loop, std::move(config));
  }
  static std::shared_ptr<const CaStore> test_authority() {
    static const auto store = *CaStore::load({.system_file = {},
                                              .system_dir = {},
                                              .extra_file = certificates().authority_file(),
                                              .system = CaConfig::System::ignored});
    return store;
  }
  void start(Ask& ask, Recorder& recorder) {
    recorder.transfer = client->start(ask.request(), recorder);
  }
  template <class Predicate>
  bool run_until(Predicate done, int64_t limit_ms = 60'000,
                 net::Loop::Wait wait = net::Loop::Wait::no) {
    const int64_t end = net::Loop::now_us() + limit_ms * 1000;
    while (!done()) {
      if (net::Loop::now_us() > end) return false;
      loop.run_once(wait);
    }
    return true;
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) loop.run_once(net::Loop::Wait::no);
  }
  // Starts it and waits for its end.
  void run(Ask& ask, Recorder& recorder, net::Loop::Wait wait = net::Loop::Wait::no) {
    start(ask, recorder);
    run_until([&] { return recorder.done(); }, 60'000, wait);
  }

  net::Loop loop;
  std::optional<CurlClient> client;
};

}  // namespace gproxy::upstream::test
