#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "base/sse.h"

using namespace gproxy;

namespace {

// Events as one text: "name|data;".
std::string read(std::string_view text, const std::vector<size_t>& cuts = {}) {
  sse::Reader reader;
  std::string seen;
  const auto on_event = [&](const sse::Event& e) {
    seen += std::string(e.name) + "|" + std::string(e.data) + ";";
    return true;
  };
  size_t from = 0;
  for (size_t cut : cuts) {
    // A copy on the heap, so that a view kept too long is noticed.
    const std::string piece(text.substr(from, cut - from));
    CHECK(reader.feed(piece, on_event).ok());
    from = cut;
  }
  const std::string rest(text.substr(from));
  CHECK(reader.feed(rest, on_event).ok());
  reader.finish(on_event);
  return seen;
}

}  // namespace

TEST_CASE("events, names, comments and ignored fields") {
  CHECK(read("data: a\n\n") == "|a;");
  CHECK(read("event: x\ndata: a\n\ndata:b\n\n") == "x|a;|b;");
  CHECK(read("data:  two spaces\n\n") == "| two spaces;");
  CHECK(read("data: a\ndata: b\ndata\n\n") == "|a\nb\n;");
  CHECK(read(": comment\nid: 7\nretry: 5\ndata: a\n\n") == "|a;");
  CHECK(read("event: only a name\n\n\n\ndata: a\n\n") == "|a;");
  CHECK(read("event: first\nevent: last\ndata: a\n\n") == "last|a;");
  CHECK(read("data\n\n") == "|;");
  CHECK(read("databases: x\n\n") == "");
  CHECK(read("data: a:b\n\n") == "|a:b;");
}

TEST_CASE("LF, CRLF and CR end lines") {
  CHECK(read("event: x\r\ndata: a\r\n\r\n") == "x|a;");
  CHECK(read("event: x\rdata: a\r\rdata: b\r\r") == "x|a;|b;");
  CHECK(read("data: a\r\n\ndata: b\n\r\n") == "|a;|b;");
}

TEST_CASE("one byte order mark at the very start is skipped") {
  CHECK(read("\xEF\xBB\xBF"
             "data: a\n\n") == "|a;");
  CHECK(read("\xEF\xBB"
             "data: a\n\n") == "");
  CHECK(read("data: a\n\n\xEF\xBB\xBF"
             "data: b\n\n") == "|a;");
}

TEST_CASE("the last event needs no blank line") {
  CHECK(read("data: a") == "|a;");
  CHECK(read("data: a\n") == "|a;");
  CHECK(read("event: x\ndata: a\ndata: b") == "x|a\nb;");
  CHECK(read("event: x\n") == "");
}

TEST_CASE("any split of the input gives the same events") {
  const std::string text =
      "\xEF\xBB\xBF"
      "event: first\r\ndata: {\"a\":1}\r\n\r\n: ping\r\rdata: x\ndata: y\ndata: \u00e9\n\n\n"
      "event: z\rdata:\r\rdata: tail\n\ndata: last\n";
  const std::string whole = read(text);
  CHECK(whole == "first|{\"a\":1};|x\ny\n\u00e9;z|;|tail;|last;");
  for (size_t i = 0; i <= text.size(); ++i) {
    REQUIRE(read(text, {i}) == whole);
    for (size_t j = i; j <= text.size(); ++j) REQUIRE(read(text, {i, j}) == whole);
  }
  std::vector<size_t> every;
  for (size_t i = 1; i < text.size(); ++i) every.push_back(i);
  CHECK(read(text, every) == whole);
}

TEST_CASE("random bytes never depend on where they were split") {
  std::mt19937 random(3);
  const std::string alphabet = "\r\n\r\n: dataevent\xEF\xBB\xBF{";
  for (int round = 0; round < 3000; ++round) {
    std::string text(random() % 60, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    const std::string whole = read(text);
    std::vector<size_t> cuts;
    for (size_t at = random() % 7; at < text.size(); at += 1 + random() % 7) cuts.push_back(at);
    REQUIRE(read(text, cuts) == whole);
  }
}

TEST_CASE("an event over the bound is an error, in one piece or in many") {
  for (const std::string& text :
       {"data: " + std::string(200, 'x') + "\n\n", "data: " + std::string(200, 'x')}) {
    sse::Reader reader(100);
    CHECK(reader.feed(text, [](const sse::Event&) { return true; }).error().code ==
          "sse_event_too_large");
  }
  sse::Reader reader(100);
  bool failed = false;
  for (int i = 0; i < 20 && !failed; ++i)
    failed = !reader.feed("data: 0123456789\n", [](const sse::Event&) { return true; }).ok();
  CHECK(failed);
  CHECK(reader.pending_bytes() < 400);
}

TEST_CASE("a boundary is where another event may be put in") {
  sse::Reader reader;
  const auto ignore = [](const sse::Event&) { return true; };
  CHECK(reader.at_boundary());
  CHECK(reader.feed("data: a", ignore).ok());
  CHECK_FALSE(reader.at_boundary());
  CHECK(reader.feed("\n", ignore).ok());
  CHECK_FALSE(reader.at_boundary());
  CHECK(reader.feed("\n", ignore).ok());
  CHECK(reader.at_boundary());
  CHECK(reader.feed("event: x\n", ignore).ok());
  CHECK_FALSE(reader.at_boundary());
}

TEST_CASE("the reader stops when told") {
  sse::Reader reader;
  int seen = 0;
  CHECK(
      reader
          .feed("data: 1\n\ndata: 2\n\ndata: 3\n\n", [&](const sse::Event&) { return ++seen < 2; })
          .ok());
  CHECK(seen == 2);
}

TEST_CASE("what is written is read back") {
  std::string out;
  sse::write(out, "name", "{\"a\":1}");
  sse::write(out, "", "two\nlines\r\nand\rmore");
  sse::write(out, "", "");
  CHECK(out.substr(0, 34) == "event: name\ndata: {\"a\":1}\n\ndata: t");
  CHECK(read(out) == "name|{\"a\":1};|two\nlines\nand\nmore;|;");
}
