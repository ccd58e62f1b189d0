// A fast scripted upstream for benchmarks: plain answers and server-sent events, one epoll thread.
// It parses just enough HTTP/1.1 to find the end of a request (content-length), because it must never
// be what a benchmark measures. Linux only.
//
//   mock_upstream [--port N] [--cpu N]
//
// The path decides: anything that ends in `/plain` or a non-stream body gets the plain answer; a body
// that holds `"stream":true` gets events. Query-free knobs come from request headers, so that a proxy
// in between needs no configuration:  x-mock-events, x-mock-interval-ms, x-mock-size (bytes of one
// event's text), x-mock-body (bytes of a plain answer). They can also be set on the command line.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Options {
  int port = 0;
  int cpu = -1;
  int events = 20;
  int interval_ms = 0;
  int size = 100;
  int body = 0;
} options;

struct Conn {
  int fd = -1;
  uint32_t generation = 0;
  std::string in;
  std::string out;
  size_t sent = 0;
  int events_left = 0;
  int interval_ms = 0;
  int size = 0;
  bool want_write = false;
};

struct Due {
  int64_t at;
  int fd;
  uint32_t generation;
  bool operator<(const Due& other) const { return at > other.at; }
};

std::vector<Conn> conns;
std::priority_queue<Due> timers;
int epoll_fd = -1;

int64_t now_ms() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1000000;
}

void close_conn(Conn& c) {
  close(c.fd);
  ++c.generation;
  c.fd = -1;
  c.in.clear();
  c.in.shrink_to_fit();
  c.out.clear();
  c.out.shrink_to_fit();
  c.sent = 0;
  c.events_left = 0;
  c.want_write = false;
}

void watch(Conn& c, bool write) {
  if (c.want_write == write) return;
  c.want_write = write;
  epoll_event e{};
  e.events = write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  e.data.fd = c.fd;
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c.fd, &e);
}

bool flush(Conn& c) {
  while (c.sent < c.out.size()) {
    ssize_t n = send(c.fd, c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN) { watch(c, true); return true; }
      close_conn(c);
      return false;
    }
    c.sent += static_cast<size_t>(n);
  }
  c.out.clear();
  c.sent = 0;
  watch(c, false);
  return true;
}

void chunk(std::string& out, std::string_view data) {
  char size[32];
  out.append(size, static_cast<size_t>(snprintf(size, sizeof size, "%zx\r\n", data.size())));
  out += data;
  out += "\r\n";
}

std::string event_text(int size) {
  std::string e =
      "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
      "\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
  e.append(static_cast<size_t>(std::max(1, size)), 'x');
  e += "\"},\"finish_reason\":null}]}\n\n";
  return e;
}

void emit_event(Conn& c) {
  chunk(c.out, event_text(c.size));
  if (--c.events_left == 0) {
    chunk(c.out,
          "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
          "\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    chunk(c.out,
          "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
          "\"model\":\"mock\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":20,"
          "\"total_tokens\":29}}\n\n");
    chunk(c.out, "data: [DONE]\n\n");
    c.out += "0\r\n\r\n";
  }
}

int header_int(std::string_view head, const char* name, int otherwise) {
  const std::string copy(head);
  const char* found = strcasestr(copy.c_str(), name);
  if (found == nullptr) return otherwise;
  found += strlen(name);
  while (*found == ':' || *found == ' ') ++found;
  return atoi(found);
}

void answer(Conn& c, std::string_view head, std::string_view body) {
  const bool knobs = head.find("x-mock-") != std::string_view::npos;
  const bool stream = body.find("\"stream\":true") != std::string_view::npos ||
                      body.find("\"stream\": true") != std::string_view::npos;
  if (!stream) {
    const int size = knobs ? header_int(head, "x-mock-body", options.body) : options.body;
    std::string text =
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"mock\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"";
    text.append(static_cast<size_t>(std::max(size, 90)), 'y');
    text +=
        "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,"
        "\"completion_tokens\":20,\"total_tokens\":29}}";
    char h[200];
    c.out.append(h, static_cast<size_t>(snprintf(
                        h, sizeof h,
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n",
                        text.size())));
    c.out += text;
    flush(c);
    return;
  }
  c.events_left = knobs ? header_int(head, "x-mock-events", options.events) : options.events;
  c.interval_ms = knobs ? header_int(head, "x-mock-interval-ms", options.interval_ms) : options.interval_ms;
  c.size = knobs ? header_int(head, "x-mock-size", options.size) : options.size;
  c.out += "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
  if (c.interval_ms == 0) {
    // One send per event: what a vendor's server does, and what a relay must cope with.
    while (c.events_left > 0) {
      emit_event(c);
      if (!flush(c)) return;
    }
  } else {
    emit_event(c);
    if (!flush(c)) return;
    if (c.events_left > 0) timers.push({now_ms() + c.interval_ms, c.fd, c.generation});
  }
}

size_t content_length(std::string_view head) {
  static const char kName[] = "content-length:";
  for (size_t i = 0; i + sizeof kName < head.size(); ++i) {
    if ((head[i] | 32) == 'c' && strncasecmp(head.data() + i, kName, sizeof kName - 1) == 0) {
      return strtoul(head.data() + i + sizeof kName - 1, nullptr, 10);
    }
  }
  return 0;
}

void on_read(Conn& c) {
  char block[65536];
  for (;;) {
    ssize_t n = recv(c.fd, block, sizeof block, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN)) { close_conn(c); return; }
    if (n < 0) break;
    c.in.append(block, static_cast<size_t>(n));
    if (n < static_cast<ssize_t>(sizeof block)) break;
  }
  for (;;) {
    const size_t end = c.in.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string_view head(c.in.data(), end + 4);
    size_t body = content_length(head);
    size_t whole = end + 4 + body;
    if (head.find("chunked") != std::string_view::npos && body == 0) {
      const size_t last = c.in.find("0\r\n\r\n", end + 4);
      if (last == std::string::npos) return;
      whole = last + 5;
    }
    if (c.in.size() < whole) return;
    const std::string request = c.in.substr(0, whole);
    c.in.erase(0, whole);
    const uint32_t generation = c.generation;
    answer(c, std::string_view(request).substr(0, end + 4), std::string_view(request).substr(end + 4));
    if (c.generation != generation) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const int value = atoi(argv[i + 1]);
    if (name == "--port") options.port = value;
    else if (name == "--cpu") options.cpu = value;
    else if (name == "--events") options.events = value;
    else if (name == "--interval-ms") options.interval_ms = value;
    else if (name == "--size") options.size = value;
    else if (name == "--body") options.body = value;
    else { fprintf(stderr, "unknown option %s\n", argv[i]); return 64; }
  }
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(options.cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(options.port));
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 16384) != 0) {
    perror("listen");
    return 73;
  }
  socklen_t length = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);

  epoll_fd = epoll_create1(0);
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.fd = listener;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
  std::vector<epoll_event> ready(1024);
  for (;;) {
    int wait = -1;
    if (!timers.empty()) wait = static_cast<int>(std::max<int64_t>(0, timers.top().at - now_ms()));
    const int n = epoll_wait(epoll_fd, ready.data(), static_cast<int>(ready.size()), wait);
    for (int i = 0; i < n; ++i) {
      const int fd = ready[static_cast<size_t>(i)].data.fd;
      if (fd == listener) {
        for (;;) {
          const int c = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
          if (c < 0) break;
          setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          if (conns.size() <= static_cast<size_t>(c)) conns.resize(static_cast<size_t>(c) + 1024);
          conns[static_cast<size_t>(c)].fd = c;
          epoll_event ce{};
          ce.events = EPOLLIN;
          ce.data.fd = c;
          epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c, &ce);
        }
        continue;
      }
      Conn& c = conns[static_cast<size_t>(fd)];
      if (c.fd != fd) continue;
      const uint32_t generation = c.generation;
      if (ready[static_cast<size_t>(i)].events & EPOLLOUT) flush(c);
      if (c.generation == generation && (ready[static_cast<size_t>(i)].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        on_read(c);
      }
    }
    const int64_t now = now_ms();
    while (!timers.empty() && timers.top().at <= now) {
      const Due due = timers.top();
      timers.pop();
      Conn& c = conns[static_cast<size_t>(due.fd)];
      if (c.fd != due.fd || c.generation != due.generation || c.events_left == 0) continue;
      emit_event(c);
      if (!flush(c)) continue;
      if (c.events_left > 0) timers.push({due.at + c.interval_ms, c.fd, c.generation});
    }
  }
}
