// HTTP/2 over TLS, against nginx in front of the test server. Skipped, and said so, where there is
// no nginx.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support.h"

using namespace gproxy;
using namespace gproxy::upstream;
using namespace gproxy::upstream::test;

namespace {

const char* nginx_path() {
  for (const char* path : {"/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return nullptr;
}

int bound_socket(uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  port = ntohs(address.sin_port);
  return fd;
}

bool accepts(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool ok = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return ok;
}

// nginx speaking HTTP/2 in front of `backend`.
class Nginx {
 public:
  explicit Nginx(uint16_t backend) {
    std::string pattern = (std::filesystem::temp_directory_path() / "gproxy-h2-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    ::close(bound_socket(port_));
    std::ofstream(folder_ + "/nginx.conf")
        << "daemon off; master_process off; pid " << folder_ << "/pid; error_log " << folder_
        << "/error.log;\nevents { worker_connections 512; }\nhttp { access_log off;\n"
        << "client_body_temp_path " << folder_ << "/b; proxy_temp_path " << folder_
        << "/p; fastcgi_temp_path " << folder_ << "/f; uwsgi_temp_path " << folder_
        << "/u; scgi_temp_path " << folder_ << "/s;\nclient_max_body_size 100m;\n"
        << "server { listen 127.0.0.1:" << port_ << " ssl http2; ssl_certificate "
        << certificates().certificate_file() << "; ssl_certificate_key "
        << certificates().key_file() << ";\nlocation / { proxy_pass http://127.0.0.1:" << backend
        << "; proxy_buffering off; proxy_request_buffering off; proxy_http_version 1.1; } } }\n";
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string config = folder_ + "/nginx.conf";
      const std::string log = folder_ + "/error.log";
      ::execl(nginx_path(), "nginx", "-e", log.c_str(), "-c", config.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 6'000 && !accepts(port_); ++i) ::usleep(10'000);
  }
  ~Nginx() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string url(std::string_view path = "/") const {
    return "https://localhost:" + std::to_string(port_) + std::string(path);
  }

 private:
  std::string folder_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

bool skipped() {
  if (nginx_path() != nullptr) return false;
  MESSAGE("skipped: no nginx on this machine");
  return true;
}

}  // namespace

TEST_CASE("http/2 is chosen by ALPN, used again, and can be declined") {
  if (skipped()) return;
  TestServer backend(TestServer::answers("hello", "x-one: 1\r\n"));
  Nginx nginx(backend.port());
  Upstream up;
  Ask ask(nginx.url(), "POST");
  ask.with_header("x-a", "b").with_body("{\"model\":").with_body("1}");
  for (int i = 0; i < 3; ++i) {
    Recorder r;
    up.run(ask, r);
    REQUIRE_MESSAGE(r.good(), r.message);
    CHECK(r.version == HttpVersion::http2);
    CHECK(r.body == "hello");
    CHECK(r.fields.find("x-one: 1\n") != std::string::npos);
    CHECK(r.completion->reused == (i > 0));
  }
  CHECK(up.client->stats().connections == 1);
  ask.version = HttpVersion::http1;
  Recorder r;
  up.run(ask, r);
  REQUIRE_MESSAGE(r.good(), r.message);
  CHECK(r.version == HttpVersion::http1);
}

TEST_CASE("many http/2 streams share a connection") {
  if (skipped()) return;
  std::atomic<int> waiting = 0;
  std::atomic<bool> go = false;
  TestServer backend([&](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      ++waiting;
      while (!go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      stream.reply(request.body);
    }
  });
  Nginx nginx(backend.port());
  Upstream up;
  Ask ask(nginx.url(), "POST");
  ask.with_body("same");
  Recorder first;
  go = true;
  up.run(ask, first);
  REQUIRE_MESSAGE(first.good(), first.message);
  go = false;
  waiting = 0;
  std::vector<Recorder> all(40);
  for (auto& r : all) up.start(ask, r);
  REQUIRE(up.run_until([&] { return waiting == 40; }));
  CHECK(up.client->stats().connections == 1);
  // Leaving ends one stream, not the connection.
  for (int i = 0; i < 10; ++i) all[static_cast<size_t>(i)].transfer.reset();
  go = true;
  REQUIRE(up.run_until(
      [&] { return std::all_of(all.begin() + 10, all.end(), [](auto& r) { return r.done(); }); }));
  for (size_t i = 10; i < all.size(); ++i) {
    CHECK_MESSAGE(all[i].good(), all[i].message);
    CHECK(all[i].body == "same");
  }
  CHECK(up.client->stats().connections == 1);
}

TEST_CASE(
    "a burst on a cold http/2 origin waits for the first connection instead of opening many") {
  if (skipped()) return;
  TestServer backend(TestServer::answers("ok"));
  Nginx nginx(backend.port());
  Upstream up;
  Ask ask(nginx.url());
  std::vector<Recorder> all(30);
  for (auto& r : all) up.start(ask, r);
  REQUIRE(up.run_until(
      [&] { return std::all_of(all.begin(), all.end(), [](auto& r) { return r.done(); }); }));
  for (auto& r : all) CHECK_MESSAGE(r.good(), r.message);
  CHECK(up.client->stats().connections == 1);
}

TEST_CASE("http/2: pausing one stream holds back neither the others nor its own bytes") {
  if (skipped()) return;
  TestServer backend([](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      stream.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      const std::string block(16 * 1024, 'x');
      for (int i = 0; i < 128; ++i) {
        if (!stream.chunk(block)) return;
      }
      stream.write("0\r\n\r\n");
    }
  });
  Nginx nginx(backend.port());
  Upstream up;
  Ask ask(nginx.url());
  Recorder slow, fast;
  slow.when_head = [&] { slow.transfer->pause(Pause::downstream_full); };
  up.start(ask, slow);
  REQUIRE(up.run_until([&] { return slow.heads == 1; }));
  up.run(ask, fast);
  REQUIRE_MESSAGE(fast.good(), fast.message);
  CHECK(fast.body.size() == 2 * 1024 * 1024);
  CHECK(slow.body.empty());
  slow.transfer->resume(Pause::downstream_full);
  REQUIRE(up.run_until([&] { return slow.done(); }));
  CHECK(slow.good());
  CHECK(slow.body.size() == 2 * 1024 * 1024);
}

TEST_CASE("http/2: a long body in pieces arrives, and an abort inside an event ends the stream") {
  if (skipped()) return;
  std::atomic<size_t> received = 0;
  TestServer backend([&](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      received = request.body.size();
      stream.reply(std::string(4 * 1024 * 1024, 'r'));
    }
  });
  Nginx nginx(backend.port());
  Upstream up;
  Ask ask(nginx.url(), "POST");
  for (int i = 0; i < 5; ++i) ask.with_body(std::string(400'000, static_cast<char>('a' + i)));
  Recorder r;
  up.run(ask, r);
  REQUIRE_MESSAGE(r.good(), r.failure() << r.message);
  CHECK(received == 2'000'000);
  Recorder leaving;
  leaving.when_data = [&] { leaving.transfer.reset(); };
  up.start(ask, leaving);
  REQUIRE(up.run_until([&] { return leaving.pieces == 1; }));
  up.turns(20);
  CHECK(leaving.pieces == 1);
  CHECK(up.client->stats().live == 0);
  Recorder after;
  Ask small(nginx.url());
  up.run(small, after);
  CHECK_MESSAGE(after.good(), after.message);
}
