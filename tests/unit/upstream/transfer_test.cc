// One transfer at a time: what goes out, what comes back.
#include <doctest/doctest.h>

#include "support.h"

using namespace gproxy;
using namespace gproxy::upstream;
using namespace gproxy::upstream::test;

TEST_CASE("a small answer: head, data, completion, in this order") {
  TestServer server(TestServer::answers("hello", "x-one: 1\r\nX-Two:  two words \r\n"));
  Upstream up;
  Ask ask(server.url("/path?q=1"));
  Recorder r;
  up.start(ask, r);
  CHECK(r.heads == 0);  // nothing from inside start()
  REQUIRE(up.run_until([&] { return r.done(); }));
  CHECK(r.failure() == "none");
  CHECK(r.status == 200);
  CHECK(r.body == "hello");
  CHECK(r.fields == "content-length: 5\nx-one: 1\nX-Two: two words\n");
  CHECK(r.version == HttpVersion::http1);
  CHECK(r.completion->head_received);
  CHECK(r.completion->request_sent);
  CHECK_FALSE(r.completion->reused);
  CHECK(r.completion->total_us >= r.completion->first_byte_us);
}

TEST_CASE("the request goes out with exactly the given headers, host and content-length") {
  ServerRequest seen;
  TestServer server([&](Stream& stream) {
    stream.read_request(seen);
    stream.reply("ok");
  });
  Upstream up;
  Ask ask(server.url("/v1/x"), "POST");
  ask.with_header("authorization", "Bearer key").with_header("x-empty", "");
  ask.with_header("content-type", "application/json");
  Recorder r;
  SUBCASE("one piece") {
    ask.with_body(R"({"model":"m"})");
  }
  SUBCASE("several pieces") {
    ask.with_body(R"({"mod)").with_body("").with_body(R"(el":"m"})");
  }
  up.run(ask, r);
  REQUIRE(r.good());
  CHECK(seen.line == "POST /v1/x HTTP/1.1");
  CHECK(seen.body == R"({"model":"m"})");
  CHECK(seen.head == "POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                         "\r\nauthorization: Bearer key\r\nx-empty:\r\ncontent-type: "
                         "application/json\r\nAccept-Encoding: identity\r\nContent-Length: 13\r\n");
}

TEST_CASE("methods, also one after the other on one handle") {
  std::vector<std::string> lines, bodies;
  TestServer server([&](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      lines.push_back(request.line.substr(0, request.line.find(' ')));
      bodies.push_back(request.body);
      stream.reply(request.line.starts_with("HEAD") ? "" : "ok");
    }
  });
  Upstream up;
  struct Step {
    const char* method;
    const char* body;  // null = none
  };
  const Step steps[] = {{"GET", nullptr},     {"POST", "a"},   {"HEAD", nullptr}, {"GET", nullptr},
                        {"DELETE", nullptr},  {"PUT", "b"},    {"PATCH", "c"},    {"POST", nullptr},
                        {"HEAD", nullptr},    {"DELETE", "d"}, {"POST", ""},      {"GET", "e"},
                        {"OPTIONS", nullptr}, {"POST", "f"}};
  for (const Step& step : steps) {
    Ask ask(server.url(), step.method);
    if (step.body != nullptr) {
      ask.with_body(step.body);
      ask.method = step.method;
    }
    Recorder r;
    up.run(ask, r);
    REQUIRE_MESSAGE(r.good(), step.method << ": " << r.failure() << " " << r.message);
    CHECK(lines.back() == step.method);
    CHECK(bodies.back() == (step.body != nullptr ? step.body : ""));
  }
  CHECK(server.connections() == 1);
  CHECK(up.client->stats().kept_easy_handles == 1);
}

TEST_CASE("a long body in pieces arrives whole, without and with waiting for 100-continue") {
  size_t size = 0;
  bool continued = false;
  SUBCASE("200 KiB") {
    size = 200 * 1024;
  }
  SUBCASE("3 MiB, the server says continue without being asked") {
    size = 3 * 1024 * 1024;
    continued = true;
  }
  SUBCASE("3 MiB, the server says nothing and is not waited for") {
    size = 3 * 1024 * 1024;
  }
  ServerRequest seen;
  TestServer server([&](Stream& stream) {
    stream.read_request(seen, Stream::Body::leave);
    if (continued) stream.write("HTTP/1.1 100 Continue\r\n\r\n");
    stream.read_body(seen);
    stream.reply("ok");
  });
  Upstream up;
  Ask ask(server.url(), "POST");
  std::string whole;
  for (size_t i = 0; whole.size() < size; ++i) {
    std::string piece(size / 7, static_cast<char>('a' + i % 26));
    whole += piece;
    ask.with_body(std::move(piece));
  }
  Recorder r;
  up.run(ask, r);
  REQUIRE_MESSAGE(r.good(), r.message);
  CHECK(r.heads == 1);
  CHECK(seen.body == whole);
  CHECK(!seen.headers.contains("expect"));
}

TEST_CASE("chunked answers are unchunked; trailers and interim heads are dropped") {
  TestServer server([](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      stream.write("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
      stream.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      stream.chunk("one,");
      stream.chunk("two");
      stream.write("0\r\nx-trailer: t\r\n\r\n");
    }
  });
  Upstream up;
  for (int i = 0; i < 2; ++i) {
    Ask ask(server.url());
    Recorder r;
    up.run(ask, r);
    REQUIRE(r.good());
    CHECK(r.heads == 1);
    CHECK(r.status == 200);
    CHECK(r.body == "one,two");
    CHECK(r.fields == "transfer-encoding: chunked\n");
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("each piece of a stream is delivered when it comes") {
  std::atomic<int> go = 0;
  TestServer server([&](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    stream.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for (int i = 1; i <= 3; ++i) {
      while (go < i) std::this_thread::yield();
      stream.chunk("event" + std::to_string(i));
    }
    stream.write("0\r\n\r\n");
  });
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  up.start(ask, r);
  REQUIRE(up.run_until([&] { return r.heads == 1; }));
  std::string expected;
  for (int i = 1; i <= 3; ++i) {
    CHECK(r.body == expected);
    expected += "event" + std::to_string(i);
    go = i;
    REQUIRE(up.run_until([&] { return r.body == expected; }));
  }
  CHECK(up.run_until([&] { return r.good(); }));
}

TEST_CASE("an answer without a length ends with the connection") {
  TestServer server([](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    stream.write("HTTP/1.1 200 OK\r\n\r\nall of it");
  });
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  up.run(ask, r);
  CHECK(r.good());
  CHECK(r.body == "all of it");
}

TEST_CASE("the secret query goes out and appears nowhere else") {
  std::string line;
  TestServer server([&](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    line = request.line;
    stream.reply("ok");
  });
  Upstream up;
  Ask ask(server.url("/v1/m?alt=sse"));
  ask.secret = "key=s3cret%2Fvalue";
  Recorder r;
  SUBCASE("after a query") {
    up.run(ask, r);
    CHECK(line == "GET /v1/m?alt=sse&key=s3cret%2Fvalue HTTP/1.1");
  }
  SUBCASE("as the only query") {
    ask.url = server.url("/v1/m");
    up.run(ask, r);
    CHECK(line == "GET /v1/m?key=s3cret%2Fvalue HTTP/1.1");
  }
  CHECK(r.good());
}

TEST_CASE("paths go out as they are written") {
  std::string line;
  TestServer server([&](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      line = request.line;
      stream.reply("ok");
    }
  });
  Upstream up;
  for (const char* path :
       {"/a/../b", "/models/publishers%2Fx%2Fmodels%2Fy:generate", "/a//b/.", "/"}) {
    Ask ask(server.url(path));
    Recorder r;
    up.run(ask, r);
    REQUIRE(r.good());
    CHECK(line == "GET " + std::string(path) + " HTTP/1.1");
  }
}

TEST_CASE("requests that cannot be sent fail as a completion, after start() returned") {
  Upstream up;
  Recorder r;
  SUBCASE("no url") {
    Ask ask("not a url");
    up.start(ask, r);
  }
  SUBCASE("a scheme that is not http") {
    Ask ask("file:///etc/passwd");
    up.start(ask, r);
  }
  SUBCASE("a header that smuggles a line") {
    Ask ask("http://127.0.0.1:1/");
    ask.with_header("x-a", "1\r\nx-b: 2");
    up.start(ask, r);
  }
  SUBCASE("a header name that is no token") {
    Ask ask("http://127.0.0.1:1/");
    ask.with_header("x a", "1");
    up.start(ask, r);
  }
  CHECK_FALSE(r.done());
  REQUIRE(up.run_until([&] { return r.done(); }));
  CHECK(r.failure() == "other");
  CHECK_FALSE(r.completion->request_sent);
  CHECK(up.client->stats().live == 0);
}

namespace {

// Deflate by hand, least significant bit first.
struct BitWriter {
  std::string out;
  unsigned bits = 0;
  int count = 0;
  void add(unsigned value, int width) {
    bits |= value << count;
    for (count += width; count >= 8; count -= 8, bits >>= 8) out += static_cast<char>(bits & 0xff);
  }
  void add_code(unsigned code, int width) {  // Huffman codes come most significant bit first
    for (int i = width - 1; i >= 0; --i) add(code >> i & 1, 1);
  }
  void flush() {
    if (count > 0) add(0, 8 - count);
  }
};

std::string little_endian(uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

const std::string kGzipHead("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);

// In stored blocks: not smaller, but gzip.
std::string gzip(const std::string& text) {
  BitWriter writer;
  for (size_t at = 0; at < text.size(); at += 65535) {
    const std::string block = text.substr(at, 65535);
    writer.add(at + block.size() == text.size() ? 1 : 0, 3);
    writer.flush();
    const auto size = static_cast<unsigned>(block.size());
    writer.add(size, 16);
    writer.add(~size & 0xffff, 16);
    writer.out += block;
  }
  uint32_t crc = ~0u;
  for (unsigned char c : text) {
    crc ^= c;
    for (int i = 0; i < 8; ++i) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
  }
  return kGzipHead + writer.out + little_endian(~crc) +
         little_endian(static_cast<uint32_t>(text.size()));
}

// One letter, then matches of 258 letters in 13 bits each: 158 times its size.
std::string gzip_bomb(size_t matches) {
  BitWriter writer;
  writer.add(1, 1);
  writer.add(1, 2);                // fixed codes
  writer.add_code(0x30 + 'x', 8);  // the letter
  for (size_t i = 0; i < matches; ++i) {
    writer.add_code(0xc5, 8);  // length 258
    writer.add_code(0, 5);     // distance 1
  }
  writer.add_code(0, 7);
  writer.flush();
  return kGzipHead + writer.out + little_endian(0) + little_endian(0);
}

}  // namespace

TEST_CASE("an answer that comes compressed though nobody asked is decoded") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i);
  std::string seen;
  TestServer server([&, packed = gzip(text)](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    seen = request.head;
    stream.reply(packed, "content-encoding: gzip\r\nx-kept: 1\r\n");
  });
  Upstream up;
  Ask ask(server.url());
  ask.with_header("accept-encoding", "identity");
  Recorder r;
  up.run(ask, r);
  REQUIRE_MESSAGE(r.good(), r.message);
  CHECK(r.decoded);
  CHECK(r.body == text);
  CHECK(r.fields == "x-kept: 1\n");
  CHECK(seen.find("accept-encoding: identity") != std::string::npos);
  CHECK(seen.find("gzip") == std::string::npos);
}

TEST_CASE("a compressed answer that expands too far is cut off") {
  TestServer server([packed = gzip_bomb(200'000)](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    stream.reply(packed, "content-encoding: gzip\r\n");
  });
  Upstream up({.max_decode_ratio = 50, .decode_free_bytes = 256 * 1024});
  Ask ask(server.url());
  Recorder r;
  up.run(ask, r);
  CHECK(r.failure() == "too_large");
  CHECK(r.body.size() < 4 * 1024 * 1024);
}

TEST_CASE("an unknown coding is a protocol failure, not garbage for the client") {
  TestServer server(TestServer::answers("abc", "content-encoding: rot13\r\n"));
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  up.run(ask, r);
  CHECK(r.failure() == "protocol");
  CHECK(r.body.empty());
}

TEST_CASE("a head beyond the limits fails") {
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += "x-" + std::to_string(i) + ": " + std::string(100, 'v') + "\r\n";
  TestServer server(TestServer::answers("x", many));
  Recorder r;
  SUBCASE("by fields") {
    Upstream up({.max_head_fields = 50});
    Ask ask(server.url());
    up.run(ask, r);
  }
  SUBCASE("by bytes") {
    Upstream up({.max_head_bytes = 2048});
    Ask ask(server.url());
    up.run(ask, r);
  }
  CHECK(r.failure() == "too_large");
  CHECK(r.heads == 0);
}

TEST_CASE("redirects are answers like any other") {
  TestServer server([](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) stream.reply("", "location: /other\r\n", 302);
  });
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  up.run(ask, r);
  CHECK(r.good());
  CHECK(r.status == 302);
}

TEST_CASE("the address guard refuses before a connection is made") {
  TestServer server(TestServer::answers("secret"));
  Upstream up({.address_guard = [](const sockaddr*) { return false; }});
  Ask ask(server.url());
  Recorder r;
  up.run(ask, r);
  CHECK(r.failure() == "connect");
  CHECK(r.message.find("not allowed") != std::string::npos);
  CHECK(server.connections() == 0);
}
