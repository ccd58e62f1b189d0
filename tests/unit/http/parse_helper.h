// Runs raw bytes through RequestParser and tells what came out, for the tests of this folder.
#pragma once

#include <string>
#include <vector>

#include "base/arena.h"
#include "http/parser.h"

namespace gproxy::http::testing {

struct Recorder final : RequestSink {
  Action action = Action::proceed;
  int heads = 0, ends = 0;
  std::string body, head_text;
  Action on_head(const RequestHead& head) override {
    ++heads;
    head_text += std::string(head.method) + " " + std::string(head.path) + "?" +
                 std::string(head.query) + " @" + std::string(head.authority) + "\n";
    for (const auto& h : head.headers) {
      head_text += std::string(std::string_view(h.name)) + "=" +
                   std::string(std::string_view(h.value)) + "\n";
    }
    return action;
  }
  void on_body(std::string_view bytes) override { body += bytes; }
  void on_end() override { ++ends; }
};

struct Outcome {
  int status = 0;  // 0: everything was accepted
  int messages = 0;
  std::string log;      // heads, bodies and errors in order
  std::string message;  // of the error; which of two readers noticed it first depends on the split
  bool complete = false;
};

// Parses messages one after the other, in pieces cut at `cuts`.
inline Outcome run(std::string_view raw, const std::vector<size_t>& cuts = {},
                   const ParserLimits& limits = {}) {
  Outcome outcome;
  Recorder sink;
  RequestParser parser(sink, limits);
  Arena arena;
  parser.begin(arena);
  const auto flush = [&] {
    outcome.log += sink.head_text + "[" + sink.body + "]\n";
    sink.head_text.clear();
    sink.body.clear();
  };
  size_t from = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t to = i < cuts.size() ? cuts[i] : raw.size();
    // On the heap and exactly as long, so that a read beyond it is noticed.
    const std::vector<char> piece(raw.begin() + static_cast<long>(from),
                                  raw.begin() + static_cast<long>(to));
    from = to;
    size_t used = 0;
    while (used < piece.size()) {
      auto result = parser.feed(std::string_view(piece.data(), piece.size()).substr(used));
      if (!result.ok()) {
        outcome.status = result.error().http();
        flush();
        outcome.log += std::string(result.error().code) + "\n";
        outcome.message = result.error().message;
        return outcome;
      }
      used += *result;
      if (parser.done()) {
        ++outcome.messages;
        flush();
        arena.reset();
        parser.begin(arena);
      }
    }
  }
  outcome.complete = parser.finish().ok();
  flush();
  return outcome;
}

}  // namespace gproxy::http::testing
