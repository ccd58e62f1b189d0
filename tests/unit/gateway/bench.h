// A worker on a loop of its own with a fake upstream, and clients over socket pairs: whole requests
// through the gateway without a network.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/build.h"
#include "gateway/gateway.h"
#include "test_module.h"
#include "upstream/fake_client.h"

namespace gproxy::gateway::test {

struct Answer {
  int status = 0;
  std::string head;  // with the status line
  std::string body;  // de-chunked
  bool complete = false;
  std::string header(std::string_view name) const;
  bool has(std::string_view part) const { return body.find(part) != std::string::npos; }
};

class Bench;

// One client connection.
class Client {
 public:
  Client(Bench& bench, int fd) : bench_(bench), fd_(fd) {}
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes);
  // Everything that has come so far.
  std::string& received();
  // Turns the loop until one whole answer is there, and takes it.
  Answer answer();
  bool closed();
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  int fd() const { return fd_; }

 private:
  Bench& bench_;
  int fd_;
  std::string received_;
  bool eof_ = false;
};

class Bench {
 public:
  struct Setup {
    std::function<void(config::Settings&)> settings = {};
    std::vector<config::ProviderConfig> providers = {};
    std::vector<config::RouteConfig> routes = {};
    config::Bounds key_bounds = {};
    config::Bounds user_bounds = {};
    CredentialSaver* saver = nullptr;
    storage::Recorder* recorder = nullptr;
    HttpHandler* handler = nullptr;
    AccountStore* accounts = nullptr;
    const gp_entry* more = nullptr;  // another module beside the test module
    config::Permissions permissions = {};
    bool refreshes_ahead = false;
    Clock* clock = nullptr;  // the system's when null
  };
  Bench() : Bench(Setup{}) {}
  explicit Bench(Setup setup);
  ~Bench();

  std::unique_ptr<Client> connect();
  // One request on a connection of its own.
  Answer ask(std::string_view request);
  void turn(int times = 3);
  bool turn_until(const std::function<bool()>& condition);

  net::Loop loop;
  upstream::FakeClient upstream{&loop};
  Metrics metrics;
  SharedState shared;
  std::unique_ptr<KeyHasher> hasher;
  modhost::ModuleRegistry registry;
  config::SlotTable slots;
  std::shared_ptr<const config::Snapshot> snapshot;
  net::ConnectionConfig connection;
  std::unique_ptr<Worker> worker;
};

// Providers with credentials "key-1" … of a kind.
config::ProviderConfig provider(std::string name, std::string kind, int credentials = 1,
                                std::string key = "key-");

// Raw requests.
std::string post(std::string_view path, std::string_view body, std::string_view extra = "");
std::string get(std::string_view path, std::string_view extra = "");
// The same request of another user.
std::string of_other(std::string request);

}  // namespace gproxy::gateway::test
