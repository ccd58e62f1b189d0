// A load generator for benchmarks: keep-alive HTTP/1.1 over epoll, one thread. Closed loop: each
// connection sends its next request when the last answer is whole. Prints one JSON object.
//
//   load --port N --path /x --body-file F [--connections 64] [--seconds 5 | --requests N]
//        [--header 'name: value']... [--warmup-seconds 1] [--cpu N] [--ramp-per-ms N]
//        [--hold-signal]   (with --requests = connections: one request each, for slow streams)
//
// Counts answers by status, SSE events (blank lines in the body), first-byte and whole latencies.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

int64_t now_us() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1000000 + t.tv_nsec / 1000;
}

struct Conn {
  int fd = -1;
  size_t sent = 0;
  int64_t started = 0;
  int64_t first = 0;
  bool head_done = false;
  bool chunked = false;
  bool close_delimited = false;
  int status = 0;
  int64_t left = 0;        // of the body or of the chunk
  int chunk_state = 0;     // 0 size line, 1 data, 2 CRLF after data, 3 trailer
  int64_t chunk_size = 0;
  bool last_nl = false;
  std::string head;
  int requests = 0;
};

struct Totals {
  uint64_t done = 0, ok = 0, errors = 0, events = 0, bytes = 0, truncated = 0;
  std::vector<uint32_t> latency, first;
} totals;

int port = 0, connections = 64, cpu = -1, ramp = 50;
int64_t max_requests = 0, started_requests = 0;
double seconds = 5, warmup = 1;
std::string host = "127.0.0.1", path = "/", body_file, method = "POST";
std::vector<std::string> headers;
std::string request;
int epoll_fd;
std::vector<Conn> conns;
bool counting = false, one_each = false;

void count_event_bytes(Conn& c, const char* data, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (data[i] == '\n') {
      if (c.last_nl) { if (counting) ++totals.events; c.last_nl = false; } else c.last_nl = true;
    } else if (data[i] != '\r') {
      c.last_nl = false;
    }
  }
}

void open_conn(Conn& c) {
  c = Conn{};
  c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c.fd < 0) { perror("socket"); exit(1); }
  const int one = 1;
  setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  inet_pton(AF_INET, host.c_str(), &a.sin_addr);
  a.sin_port = htons(static_cast<uint16_t>(port));
  connect(c.fd, reinterpret_cast<sockaddr*>(&a), sizeof a);
  epoll_event e{};
  e.events = EPOLLIN | EPOLLOUT;
  e.data.u32 = static_cast<uint32_t>(&c - conns.data());
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c.fd, &e);
  c.started = now_us();
  ++started_requests;
}

void pump(Conn& c) {
  while (c.sent < request.size()) {
    const ssize_t n = send(c.fd, request.data() + c.sent, request.size() - c.sent, MSG_NOSIGNAL);
    if (n < 0) return;
    c.sent += static_cast<size_t>(n);
  }
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.u32 = static_cast<uint32_t>(&c - conns.data());
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c.fd, &e);
}

void finish(Conn& c, bool good) {
  const int64_t now = now_us();
  if (counting) {
    ++totals.done;
    if (good && c.status >= 200 && c.status < 300) ++totals.ok; else ++totals.errors;
    if (!good) ++totals.truncated;
    totals.latency.push_back(static_cast<uint32_t>(now - c.started));
    if (c.first) totals.first.push_back(static_cast<uint32_t>(c.first - c.started));
  }
  ++c.requests;
  if (!good || c.close_delimited) {
    close(c.fd);
    c.fd = -1;
    if (!one_each && (max_requests == 0 || started_requests < max_requests)) open_conn(c);
    return;
  }
  if (one_each || (max_requests != 0 && started_requests >= max_requests)) {
    close(c.fd);
    c.fd = -1;
    return;
  }
  const int fd = c.fd;
  const int n = c.requests;
  std::string keep = std::move(c.head);
  keep.clear();
  c = Conn{};
  c.fd = fd;
  c.requests = n;
  c.head = std::move(keep);
  c.started = now_us();
  ++started_requests;
  while (c.sent < request.size()) {
    const ssize_t w = send(c.fd, request.data() + c.sent, request.size() - c.sent, MSG_NOSIGNAL);
    if (w < 0) {
      epoll_event e{};
      e.events = EPOLLIN | EPOLLOUT;
      e.data.u32 = static_cast<uint32_t>(&c - conns.data());
      epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c.fd, &e);
      return;
    }
    c.sent += static_cast<size_t>(w);
  }
}

// Returns true when the answer is whole.
bool take(Conn& c, const char* p, size_t n) {
  if (counting) totals.bytes += n;
  if (c.first == 0) c.first = now_us();
  while (n > 0) {
    if (!c.head_done) {
      const size_t old = c.head.size();
      c.head.append(p, n);
      const size_t end = c.head.find("\r\n\r\n", old > 3 ? old - 3 : 0);
      if (end == std::string::npos) return false;
      const size_t used = end + 4 - old;
      p += used;
      n -= used;
      c.head.resize(end + 4);
      c.head_done = true;
      c.status = atoi(c.head.c_str() + 9);
      if (strcasestr(c.head.c_str(), "\r\ntransfer-encoding: chunked")) c.chunked = true;
      else if (const char* at = strcasestr(c.head.c_str(), "\r\ncontent-length:")) c.left = atoll(at + 17);
      else c.close_delimited = true;
      if (!c.chunked && !c.close_delimited && c.left == 0) return true;
      continue;
    }
    if (c.close_delimited) { count_event_bytes(c, p, n); return false; }
    if (!c.chunked) {
      const size_t k = std::min<size_t>(n, static_cast<size_t>(c.left));
      count_event_bytes(c, p, k);
      c.left -= static_cast<int64_t>(k);
      if (c.left == 0) return true;
      p += k;
      n -= k;
      continue;
    }
    switch (c.chunk_state) {
      case 0: {
        const char ch = *p++;
        --n;
        if (ch == '\n') {
          c.left = c.chunk_size;
          c.chunk_state = c.chunk_size == 0 ? 3 : 1;
          c.chunk_size = 0;
        } else if (ch != '\r') {
          const int d = ch >= '0' && ch <= '9' ? ch - '0' : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (ch | 32) - 'a' + 10 : 0;
          c.chunk_size = c.chunk_size * 16 + d;
        }
        break;
      }
      case 1: {
        const size_t k = std::min<size_t>(n, static_cast<size_t>(c.left));
        count_event_bytes(c, p, k);
        c.left -= static_cast<int64_t>(k);
        p += k;
        n -= k;
        if (c.left == 0) c.chunk_state = 2;
        break;
      }
      case 2:
        if (*p == '\n') c.chunk_state = 0;
        ++p;
        --n;
        break;
      case 3:
        if (*p == '\n') return true;
        ++p;
        --n;
        break;
    }
  }
  return false;
}

uint32_t quantile(std::vector<uint32_t>& v, double q) {
  if (v.empty()) return 0;
  const size_t i = std::min(v.size() - 1, static_cast<size_t>(q * static_cast<double>(v.size())));
  std::nth_element(v.begin(), v.begin() + static_cast<long>(i), v.end());
  return v[i];
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--one-each") { one_each = true; continue; }
    if (i + 1 >= argc) { fprintf(stderr, "missing value of %s\n", name.c_str()); return 64; }
    const char* v = argv[++i];
    if (name == "--port") port = atoi(v);
    else if (name == "--path") path = v;
    else if (name == "--method") method = v;
    else if (name == "--body-file") body_file = v;
    else if (name == "--connections") connections = atoi(v);
    else if (name == "--seconds") seconds = atof(v);
    else if (name == "--warmup") warmup = atof(v);
    else if (name == "--requests") max_requests = atoll(v);
    else if (name == "--header") headers.emplace_back(v);
    else if (name == "--cpu") cpu = atoi(v);
    else if (name == "--ramp-per-ms") ramp = atoi(v);
    else { fprintf(stderr, "unknown option %s\n", name.c_str()); return 64; }
  }
  if (cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::string body;
  if (!body_file.empty()) {
    std::ifstream in(body_file, std::ios::binary);
    std::stringstream all;
    all << in.rdbuf();
    body = all.str();
  }
  request = method + " " + path + " HTTP/1.1\r\nhost: 127.0.0.1\r\n";
  for (const auto& h : headers) request += h + "\r\n";
  if (method == "POST") request += "content-type: application/json\r\ncontent-length: " + std::to_string(body.size()) + "\r\n";
  request += "\r\n" + body;

  epoll_fd = epoll_create1(0);
  conns.resize(static_cast<size_t>(connections));
  const int64_t begin = now_us();
  counting = warmup <= 0 || one_each;
  int64_t count_from = begin, count_to = 0;
  int opened = 0;
  std::vector<epoll_event> ready(1024);
  std::vector<char> block(256 * 1024);
  for (;;) {
    const int64_t now = now_us();
    const int64_t allowed = std::min<int64_t>(connections, (now - begin) / 1000 * ramp + ramp);
    while (opened < allowed) open_conn(conns[static_cast<size_t>(opened++)]);
    if (!counting && now - begin >= static_cast<int64_t>(warmup * 1e6)) { counting = true; count_from = now; }
    if (one_each || max_requests != 0) {
      const uint64_t want = one_each ? static_cast<uint64_t>(connections) : static_cast<uint64_t>(max_requests);
      if (totals.done >= want || now - begin > static_cast<int64_t>(seconds * 1e6)) { count_to = now; break; }
    } else if (counting && now - count_from >= static_cast<int64_t>(seconds * 1e6)) {
      count_to = now;
      break;
    }
    const int n = epoll_wait(epoll_fd, ready.data(), static_cast<int>(ready.size()), opened < connections ? 1 : 50);
    for (int i = 0; i < n; ++i) {
      Conn& c = conns[ready[static_cast<size_t>(i)].data.u32];
      if (c.fd < 0) continue;
      const auto events = ready[static_cast<size_t>(i)].events;
      if (events & EPOLLOUT) pump(c);
      if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
      const ssize_t r = recv(c.fd, block.data(), block.size(), 0);
      if (r > 0) {
        if (take(c, block.data(), static_cast<size_t>(r))) finish(c, true);
      } else if (r == 0 || errno != EAGAIN) {
        finish(c, r == 0 && c.close_delimited && c.head_done);
      }
    }
  }
  const double elapsed = static_cast<double>(count_to - count_from) / 1e6;
  printf("{\"elapsed_s\":%.3f,\"done\":%llu,\"ok\":%llu,\"errors\":%llu,\"truncated\":%llu,\"events\":%llu,\"bytes\":%llu,"
         "\"rps\":%.1f,\"p50_us\":%u,\"p99_us\":%u,\"first_p50_us\":%u,\"first_p99_us\":%u}\n",
         elapsed, static_cast<unsigned long long>(totals.done), static_cast<unsigned long long>(totals.ok),
         static_cast<unsigned long long>(totals.errors), static_cast<unsigned long long>(totals.truncated),
         static_cast<unsigned long long>(totals.events), static_cast<unsigned long long>(totals.bytes),
         static_cast<double>(totals.done) / elapsed, quantile(totals.latency, 0.5), quantile(totals.latency, 0.99),
         quantile(totals.first, 0.5), quantile(totals.first, 0.99));
}
