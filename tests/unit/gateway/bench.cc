#include "bench.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <cstdlib>

#include "modhost/module.h"

namespace gproxy::gateway::test {
namespace {

// De-chunks in place of a parser; enough for our own output.
bool take_answer(std::string& text, Answer& out) {
  const auto end = text.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  out.head = text.substr(0, end + 2);
  out.status = std::atoi(out.head.c_str() + 9);
  if (out.status == 100) {
    text.erase(0, end + 4);
    return take_answer(text, out);
  }
  size_t at = end + 4;
  if (out.header("transfer-encoding") == "chunked") {
    std::string body;
    for (;;) {
      const auto line = text.find("\r\n", at);
      if (line == std::string::npos) return false;
      const auto size = std::strtoul(text.c_str() + at, nullptr, 16);
      if (text.size() < line + 2 + size + 2) return false;
      body.append(text, line + 2, size);
      at = line + 2 + size + 2;
      if (size == 0) break;
    }
    out.body = body;
  } else {
    const auto length = std::strtoul(out.header("content-length").c_str(), nullptr, 10);
    if (text.size() < at + length) return false;
    out.body = text.substr(at, length);
    at += length;
  }
  text.erase(0, at);
  out.complete = true;
  return true;
}

std::string lower(std::string_view text) {
  return to_lower(text);
}

}  // namespace

std::string Answer::header(std::string_view name) const {
  const auto all = lower(head);
  const auto at = all.find("\r\n" + lower(name) + ": ");
  if (at == std::string::npos) return {};
  const auto from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

void Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
    bench_.turn(1);
    if (n < 0 && errno != EAGAIN) return;
  }
}

std::string& Client::received() {
  char block[65536];
  while (fd_ >= 0 && !eof_) {
    const auto n = ::recv(fd_, block, sizeof block, 0);
    if (n > 0) {
      received_.append(block, static_cast<size_t>(n));
    } else {
      if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) eof_ = true;
      break;
    }
  }
  return received_;
}

bool Client::closed() {
  bench_.turn_until([&] {
    received();
    return eof_;
  });
  return eof_;
}

Answer Client::answer() {
  Answer out;
  bench_.turn_until([&] { return take_answer(received(), out) || eof_; });
  return out;
}

Bench::Bench(Setup setup) {
  hasher = std::make_unique<KeyHasher>(Secret("0123456789abcdef0123456789abcdef"));
  auto module = modhost::Module::from_entry(test_module(), "test", registry.reaper());
  REQUIRE(module.ok());
  REQUIRE(registry.add(*module).ok());
  if (setup.more != nullptr) {
    auto more = modhost::Module::from_entry(setup.more, "test", registry.reaper());
    REQUIRE(more.ok());
    REQUIRE(registry.add(*more).ok());
  }
  config::BuildInputs inputs;
  inputs.revision = 1;
  inputs.settings.admin_key = Secret("admin-key");
  inputs.settings.retry.backoff_ms = 0;
  inputs.settings.retry.max_backoff_ms = 0;
  if (setup.settings) setup.settings(inputs.settings);
  inputs.providers = std::move(setup.providers);
  if (inputs.providers.empty()) inputs.providers.push_back(provider("p", "plain"));
  int64_t id = 1;
  int64_t credential = 1;
  for (auto& one : inputs.providers) {
    one.id = id++;
    for (auto& c : one.credentials) c.id = credential++;
  }
  inputs.routes = std::move(setup.routes);
  config::UserConfig user;
  user.id = 0;
  user.name = "user0";
  config::KeyConfig key;
  key.id = 1;
  key.user_id = 0;
  key.key = Secret("user-key");
  key.permissions = setup.permissions;
  key.bounds = setup.key_bounds;
  user.bounds = setup.user_bounds;
  user.keys.push_back(key);
  inputs.users.push_back(user);
  config::UserConfig other;
  other.id = 1;
  other.name = "other";
  key.id = 2;
  key.user_id = 1;
  key.key = Secret("other-key");
  other.keys.push_back(key);
  inputs.users.push_back(other);
  inputs.digest_key = [this](std::string_view text) { return hasher->digest(text); };
  auto& clock = setup.clock != nullptr ? *setup.clock : Clock::system();
  auto built = config::build_snapshot(inputs, registry, slots, nullptr, clock);
  REQUIRE(built.ok());
  snapshot = built->snapshot;
  for (const auto& warning : built->warnings) MESSAGE(warning);
  connection.high_watermark = inputs.settings.limits.output_high_bytes;
  connection.low_watermark = inputs.settings.limits.output_low_bytes;
  WorkerDeps deps;
  deps.loop = &loop;
  deps.client = &upstream;
  deps.metrics = &metrics;
  deps.shared = &shared;
  deps.hasher = hasher.get();
  deps.saver = setup.saver;
  deps.recorder = setup.recorder;
  deps.handler = setup.handler;
  deps.accounts = setup.accounts;
  deps.refreshes_ahead = setup.refreshes_ahead;
  deps.clock = &clock;
  shared.metrics.push_back(&metrics);
  shared.readiness.set_started();
  worker = std::make_unique<Worker>(deps);
  worker->set_snapshot(snapshot);
}

Bench::~Bench() {
  worker.reset();
  turn(5);
}

void Bench::turn(int times) {
  for (int i = 0; i < times; ++i) loop.run_once(net::Loop::Wait::no);
}

bool Bench::turn_until(const std::function<bool()>& condition) {
  // Bounded only against hanging; a millisecond's rest lets timers come due.
  const int64_t end = net::Loop::now_us() + 60'000'000;
  for (int i = 0; net::Loop::now_us() < end; ++i) {
    if (condition()) return true;
    turn(1);
    if (i > 20) ::usleep(1000);
  }
  return condition();
}

std::unique_ptr<Client> Bench::connect() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  for (const int fd : fds) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  auto adopted = net::Connection::adopt(loop, fds[1], net::PeerAddress(), connection);
  REQUIRE(adopted != nullptr);
  worker->adopt(std::move(adopted));
  return std::make_unique<Client>(*this, fds[0]);
}

Answer Bench::ask(std::string_view request) {
  auto client = connect();
  client->send(request);
  return client->answer();
}

config::ProviderConfig provider(std::string name, std::string kind, int credentials,
                                std::string key) {
  config::ProviderConfig out;
  out.name = std::move(name);
  out.kind = kind;
  if (kind != "plain" && kind != "expiring") credentials = 0;
  for (int i = 1; i <= credentials; ++i) {
    config::CredentialConfig one;
    one.name = "c" + std::to_string(i);
    one.secret_json = Secret("{\"Test\":{\"api_key\":\"" + key + std::to_string(i) + "\"}}");
    out.credentials.push_back(one);
  }
  return out;
}

std::string post(std::string_view path, std::string_view body, std::string_view extra) {
  std::string out =
      "POST " + std::string(path) + " HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n";
  if (extra.find("x-api-key") == std::string_view::npos)
    out += "authorization: Bearer user-key\r\n";
  out += extra;
  return out + "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string get(std::string_view path, std::string_view extra) {
  std::string out = "GET " + std::string(path) + " HTTP/1.1\r\nhost: g\r\n";
  if (extra.find("x-api-key") == std::string_view::npos &&
      extra.find("x-goog") == std::string_view::npos)
    out += "authorization: Bearer user-key\r\n";
  return out + std::string(extra) + "\r\n";
}

std::string of_other(std::string request) {
  const auto at = request.find("user-key");
  if (at != std::string::npos) request.replace(at, 8, "other-key");
  return request;
}

}  // namespace gproxy::gateway::test
