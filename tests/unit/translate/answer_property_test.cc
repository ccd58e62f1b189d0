// The invariants of wire-formats section 8 that speak of answers and streams.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "answer_generator.h"
#include "answer_support.h"
#include "translate/bridge.h"
#include "translate/errors.h"

using namespace gproxy;
using namespace gproxy::translate;
using namespace gproxy::translate::test;

namespace {

constexpr int kRounds = 40;

RequestContext asking(Protocol upstream, Protocol client, bool stream) {
  RequestContext context;
  context.upstream = upstream;
  context.client = client;
  context.stream = stream;
  context.thinking_enabled = context.include_thoughts = true;
  context.include_usage = true;
  context.requested_model = "asked-for";
  return context;
}

std::string whole(const RequestContext& context, std::string_view body) {
  Options options;
  FixedIds ids;
  auto answer = translate_response(context, 200, body, options, ids);
  CHECK_FALSE(answer.failed);
  return answer.body;
}

template <class F>
void each_pair(F&& run) {
  for (const auto upstream : kProtocols) {
    for (const auto client : kProtocols) {
      CAPTURE(name(upstream));
      CAPTURE(name(client));
      run(upstream, client);
    }
  }
}

// The stream through a translator, cut at `cuts`.
std::string streamed(const RequestContext& context, std::string_view bytes,
                     const std::vector<size_t>& cuts = {}) {
  Options options;
  FixedIds ids;
  StreamTranslator translator(context, options, ids);
  std::string out;
  size_t from = 0;
  Result<void> result;
  for (const size_t to : cuts) {
    if (!result.ok()) break;
    result = translator.feed(bytes.substr(from, to - from), out);
    from = to;
  }
  if (result.ok()) result = translator.feed(bytes.substr(from), out);
  if (result.ok()) result = translator.finish(out);
  if (!result.ok()) translator.fail(result.error(), out);
  CHECK(translator.ended());
  return out;
}

// What an answer says, protocol aside.
struct Said {
  std::string text, refusal;
  std::vector<std::string> calls;
  std::string finish;
  int64_t in = 0, read = 0, out = 0, reasoning = 0;
  bool operator==(const Said&) const = default;
};

Said read_said(Protocol protocol, const json::Value& doc) {
  Said said;
  const auto call = [&said](std::string_view name, const std::string& args) {
    Arena arena;
    const auto value = parse_or_null(args, arena);
    said.calls.push_back(std::string(name) + json::write(value));
  };
  if (protocol == Protocol::openai_chat) {
    const auto& choice = doc["choices"][0];
    said.text = choice["message"]["content"].str();
    said.refusal = choice["message"]["refusal"].str();
    for (const auto& c : choice["message"]["tool_calls"].items()) {
      call(c["function"]["name"].str(), std::string(c["function"]["arguments"].str()));
    }
    said.finish = choice["finish_reason"].str();
    const auto& usage = doc["usage"];
    said.in = usage["prompt_tokens"].int_or(-1);
    said.read = usage["prompt_tokens_details"]["cached_tokens"].int_or(-1);
    said.out = usage["completion_tokens"].int_or(-1);
    said.reasoning = usage["completion_tokens_details"]["reasoning_tokens"].int_or(-1);
    CHECK(usage["total_tokens"].int_or(-1) == said.in + said.out);
  } else if (protocol == Protocol::claude) {
    for (const auto& block : doc["content"].items()) {
      if (block["type"].str() == "text") said.text += block["text"].str();
      if (block["type"].str() == "tool_use") call(block["name"].str(), json::write(block["input"]));
    }
    const auto stop = doc["stop_reason"].str();
    said.finish = stop == "tool_use"     ? "tool_calls"
                  : stop == "max_tokens" ? "length"
                  : stop == "refusal"    ? "content_filter"
                                         : "stop";
    const auto& usage = doc["usage"];
    said.read = usage["cache_read_input_tokens"].int_or(-1);
    said.in = usage["input_tokens"].int_or(-1) + said.read +
              usage["cache_creation_input_tokens"].int_or(0);
    said.out = usage["output_tokens"].int_or(-1);
    said.reasoning = usage["output_tokens_details"]["thinking_tokens"].int_or(0);
  } else if (protocol == Protocol::openai_response) {
    for (const auto& item : doc["output"].items()) {
      for (const auto& part : item["content"].items()) {
        said.text += part["text"].str();
        said.refusal += part["refusal"].str();
      }
      if (item["type"].str() == "function_call")
        call(item["name"].str(), std::string(item["arguments"].str()));
    }
    const auto why = doc["incomplete_details"]["reason"].str();
    said.finish = why == "max_output_tokens" ? "length"
                  : why == "content_filter"  ? "content_filter"
                  : said.calls.empty()       ? "stop"
                                             : "tool_calls";
    const auto& usage = doc["usage"];
    said.in = usage["input_tokens"].int_or(-1);
    said.read = usage["input_tokens_details"]["cached_tokens"].int_or(-1);
    said.out = usage["output_tokens"].int_or(-1);
    said.reasoning = usage["output_tokens_details"]["reasoning_tokens"].int_or(-1);
    CHECK(usage["total_tokens"].int_or(-1) == said.in + said.out);
  } else {
    const auto& candidate = doc["candidates"][0];
    for (const auto& part : candidate["content"]["parts"].items()) {
      if (part["text"].is_string() && !part["thought"].as_bool()) said.text += part["text"].str();
      if (part["functionCall"].is_object()) {
        call(part["functionCall"]["name"].str(), json::write(part["functionCall"]["args"]));
      }
    }
    const auto word = candidate["finishReason"].str();
    said.finish = word == "MAX_TOKENS" ? "length"
                  : word == "SAFETY"   ? "content_filter"
                  : said.calls.empty() ? "stop"
                                       : "tool_calls";
    const auto& usage = doc["usageMetadata"];
    said.in = usage["promptTokenCount"].int_or(-1);
    said.read = usage["cachedContentTokenCount"].int_or(0);
    said.reasoning = usage["thoughtsTokenCount"].int_or(0);
    said.out = usage["candidatesTokenCount"].int_or(-1) + said.reasoning;
    CHECK(usage["totalTokenCount"].int_or(-1) == said.in + said.out);
  }
  return said;
}

// The same answer: to the last member, but between equal protocols, where a whole answer passes as
// it is and keeps what no stream was told of.
bool agree(Protocol upstream, Protocol client, const json::Value& one, const json::Value& other) {
  if (upstream != client) return one.equals(other);
  return read_said(client, one) == read_said(client, other);
}

std::string squeezed(std::string text) {
  // Paragraph breaks between blocks are the one thing a single text field adds.
  std::erase(text, '\n');
  return text;
}

}  // namespace

TEST_CASE(
    "a stream, accumulated as the SDK does, is the whole answer's translation (P5, P10-P13)") {
  Random random(5);
  each_pair([&](Protocol upstream, Protocol client) {
    for (int round = 0; round < kRounds; ++round) {
      const auto answer = random_answer(upstream, random);
      const std::string body = whole_answer(upstream, answer);
      CAPTURE(body);
      const std::string expected = whole(asking(upstream, client, false), body);
      const std::string stream =
          streamed(asking(upstream, client, true),
                   frame(upstream, streamed_answer(upstream, answer, random)));
      Arena arena(64 * 1024);
      const auto accumulated = accumulate(client, stream, arena);
      CHECK_MESSAGE(accumulated.broken.empty(), accumulated.broken, "\n", stream);
      CHECK(accumulated.success);
      CHECK(accumulated.errors == 0);
      const auto want = parse_or_null(expected, arena);
      CHECK_MESSAGE(agree(upstream, client, want, accumulated.answer),
                    json::write(accumulated.answer), "\n", expected);
    }
  });
}

TEST_CASE("a whole answer told as a stream, and a stream collected, say the same (4.5)") {
  Random random(45);
  each_pair([&](Protocol upstream, Protocol client) {
    for (int round = 0; round < 20; ++round) {
      const auto answer = random_answer(upstream, random);
      const std::string body = whole_answer(upstream, answer);
      const auto events = streamed_answer(upstream, answer, random);
      const std::string expected = whole(asking(upstream, client, false), body);

      Arena arena(64 * 1024);
      const auto told = accumulate(client, streamed(asking(upstream, client, true), body), arena);
      CHECK_MESSAGE(told.broken.empty(), told.broken);
      CHECK(told.success);
      CHECK(agree(upstream, client, parse_or_null(expected, arena), told.answer));

      const auto context = asking(upstream, client, false);
      Options options;
      FixedIds ids;
      StreamCollector collector(context, options, ids);
      bool fed = true;
      for (const char c : frame(upstream, events)) fed = collector.feed({&c, 1}).ok() && fed;
      CHECK(fed);
      const auto collected = collector.finish();
      CHECK_FALSE(collected.failed);
      CHECK(agree(upstream, client, parse_or_null(collected.body, arena),
                  parse_or_null(expected, arena)));
    }
  });
}

TEST_CASE("an answer survives the way to another protocol and back (P2, P19)") {
  Random random(2);
  each_pair([&](Protocol from, Protocol over) {
    for (int round = 0; round < kRounds; ++round) {
      const auto answer = random_answer(from, random);
      const std::string body = whole_answer(from, answer);
      CAPTURE(body);
      const std::string there = whole(asking(from, over, false), body);
      const std::string back = whole(asking(over, from, false), there);
      Arena arena(64 * 1024);
      auto before = read_said(from, parse_or_null(body, arena));
      auto middle = read_said(over, parse_or_null(there, arena));
      auto after = read_said(from, parse_or_null(back, arena));
      // Refusals are text where the protocol has no refusals; there they are one class.
      for (auto* said : {&before, &middle, &after}) {
        said->text = squeezed(said->text + said->refusal);
        said->refusal.clear();
      }
      CHECK(before == middle);
      CHECK(before == after);
    }
  });
}

TEST_CASE("any partition of the bytes gives the same output (P6)") {
  Random random(6);
  each_pair([&](Protocol upstream, Protocol client) {
    for (int round = 0; round < 6; ++round) {
      const auto answer = random_answer(upstream, random);
      const std::string bytes = frame(upstream, streamed_answer(upstream, answer, random));
      const auto context = asking(upstream, client, true);
      const std::string expected = streamed(context, bytes);
      std::vector<size_t> every;
      for (size_t i = 1; i < bytes.size(); ++i) every.push_back(i);
      CHECK(streamed(context, bytes, every) == expected);
      for (int tries = 0; tries < 10; ++tries) {
        std::vector<size_t> cuts;
        for (int n = 0; n < 8; ++n) cuts.push_back(random() % bytes.size());
        std::sort(cuts.begin(), cuts.end());
        CHECK(streamed(context, bytes, cuts) == expected);
      }
    }
  });
}

TEST_CASE("every single cut gives the same output, also inside of characters (P6)") {
  Random random(66);
  each_pair([&](Protocol upstream, Protocol client) {
    WireAnswer answer;
    answer.parts.push_back({WirePart::Kind::text, "é日😀", {}, {}, {}, {}});
    answer.parts.push_back({WirePart::Kind::call, {}, "call_1", "f", R"({"é":"😀"})", {}});
    answer.input = answer.output = 7;
    const std::string bytes = frame(upstream, streamed_answer(upstream, answer, random));
    const auto context = asking(upstream, client, true);
    const std::string expected = streamed(context, bytes);
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      if (streamed(context, bytes, {cut}) != expected) {
        FAIL_CHECK("cut at " << cut);
        break;
      }
    }
  });
}

TEST_CASE("line ends, comments, blank lines and a BOM do not change the output (P7)") {
  Random random(7);
  each_pair([&](Protocol upstream, Protocol client) {
    const auto answer = random_answer(upstream, random);
    const std::string bytes = frame(upstream, streamed_answer(upstream, answer, random));
    const auto context = asking(upstream, client, true);
    const std::string expected = streamed(context, bytes);
    for (const std::string_view end : {"\r\n", "\r"}) {
      std::string other = "\xEF\xBB\xBF: hello" + std::string(end) + std::string(end);
      for (const char c : bytes) {
        if (c != '\n') {
          other += c;
          continue;
        }
        other += end;
        if (random() % 5 == 0) other += ": comment" + std::string(end);
      }
      other += std::string(end) + ": bye" + std::string(end) + std::string(end);
      CHECK(streamed(context, other) == expected);
      std::vector<size_t> every;
      for (size_t i = 1; i < other.size(); ++i) every.push_back(i);
      CHECK(streamed(context, other, every) == expected);
    }
  });
}

TEST_CASE(
    "output for a prefix is a prefix of the output; a cut never looks like success (P8, P9)") {
  Random random(8);
  each_pair([&](Protocol upstream, Protocol client) {
    for (const auto framing : {GeminiFraming::sse, GeminiFraming::array}) {
      if (framing == GeminiFraming::array && client != Protocol::gemini) continue;
      const auto answer = random_answer(upstream, random);
      const auto events = streamed_answer(upstream, answer, random);
      auto context = asking(upstream, client, true);
      context.framing = framing;
      const std::string whole_output = streamed(context, frame(upstream, events));
      for (size_t n = 0; n <= events.size(); ++n) {
        const std::string bytes =
            frame(upstream, {events.begin(), events.begin() + static_cast<std::ptrdiff_t>(n)});
        Options options;
        FixedIds ids;
        StreamTranslator translator(context, options, ids);
        std::string out;
        REQUIRE(translator.feed(bytes, out).ok());
        CHECK(whole_output.starts_with(out));
        const auto end = translator.finish(out);
        if (!end.ok()) {
          CHECK(end.error().code == "stream_interrupted");
          CHECK(end.error().http() == 502);
          translator.fail(end.error(), out);
          translator.fail(end.error(), out);
        }
        Arena arena(64 * 1024);
        const auto read = accumulate(client, out, arena);
        CHECK_MESSAGE(read.broken.empty(), read.broken);
        CHECK(read.success == end.ok());
        CHECK(read.errors == (end.ok() ? 0 : 1));
        // A source that told its finish is complete without the marker behind it.
        if (n == events.size()) CHECK(end.ok());
        if (n + 4 <= events.size() && answer.parts.size() > 1) CHECK_FALSE(end.ok());
      }
    }
  });
}

TEST_CASE("a cut inside an event never looks like success (P9)") {
  Random random(9);
  each_pair([&](Protocol upstream, Protocol client) {
    const auto answer = random_answer(upstream, random);
    const auto events = streamed_answer(upstream, answer, random);
    const auto context = asking(upstream, client, true);
    const std::string bytes = frame(upstream, events);
    for (size_t n = 0; n < bytes.size() / 2; n += 3) {
      const std::string out = streamed(context, std::string_view(bytes).substr(0, n));
      Arena arena(64 * 1024);
      const auto read = accumulate(client, out, arena);
      CHECK_FALSE(read.success);
      CHECK(read.errors == 1);
    }
  });
}

TEST_CASE("unknown members, events and words change nothing (P20)") {
  Random random(20);
  each_pair([&](Protocol upstream, Protocol client) {
    const auto answer = random_answer(upstream, random);
    auto events = streamed_answer(upstream, answer, random);
    const auto context = asking(upstream, client, true);
    const std::string expected = streamed(context, frame(upstream, events));
    std::vector<std::string> noisy;
    for (auto event : events) {
      if (event.front() == '{') event.insert(1, R"("x_unknown":{"deep":[1,{"y":null}]},)");
      if (upstream == Protocol::claude)
        noisy.emplace_back(R"({"type":"future_event","index":0,"delta":{"text":"no"}})");
      if (upstream == Protocol::openai_response && !noisy.empty()) {
        noisy.emplace_back(R"({"type":"response.future.delta","delta":"no","output_index":0})");
      }
      noisy.push_back(event);
    }
    CHECK(streamed(context, frame(upstream, noisy)) == expected);
  });
}

TEST_CASE("errors keep their kind through every protocol (P18)") {
  for (const auto protocol : kProtocols) {
    CAPTURE(name(protocol));
    for (int i = 0; i <= static_cast<int>(ErrorKind::unsupported); ++i) {
      Error error;
      error.kind = static_cast<ErrorKind>(i);
      error.code = "upstream_error";
      error.message = "something";
      const int status = error_status(protocol, error);
      CHECK(status >= 400);
      CHECK(status < 600);
      for (const auto client : kProtocols) {
        RequestContext context;
        context.upstream = protocol;
        context.client = client;
        const auto answer = translate_error(context, status, encode_error(protocol, error, "r"));
        CHECK(answer.failed);
        CHECK(answer.status >= 400);
        CHECK(answer.status < 600);
        CHECK(answer.status != 401);
        Arena arena;
        CHECK(parse_or_null(answer.body, arena).is_object());
      }
    }
  }
}

TEST_CASE("a long text stream runs in constant memory (P21)") {
  each_pair([&](Protocol upstream, Protocol client) {
    if (client == Protocol::openai_response) return;  // must repeat the text at the end
    Random random(21);
    WireAnswer answer;
    answer.parts.push_back({WirePart::Kind::text, "x", {}, {}, {}, {}});
    const auto events = streamed_answer(upstream, answer, random);
    // The event that carries the text, again and again.
    std::string before, again;
    const std::string text = frame(upstream, events);
    for (const auto& event : events) {
      const bool delta = event.find("\"x\"") != std::string::npos &&
                         (event.find("delta") != std::string::npos || upstream == Protocol::gemini);
      if (delta) {
        again = frame(upstream, {event});
        break;
      }
      before += frame(upstream, {event});
    }
    REQUIRE_FALSE(again.empty());
    const auto at = again.find("\"x\"");
    again.replace(at, 3, "\"" + std::string(64, 'x') + "é\"");
    const auto context = asking(upstream, client, true);
    Options options;
    FixedIds ids;
    StreamTranslator translator(context, options, ids);
    std::string out;
    REQUIRE(translator.feed(before, out).ok());
    size_t most = 0;
    for (int i = 0; i < 20000; ++i) {
      out.clear();
      REQUIRE(translator.feed(again, out).ok());
      most = std::max(most, translator.held_bytes());
    }
    CHECK(most <= 40 * 1024);
  });
}

TEST_CASE("random bytes from upstream are an error, never a success, a crash or a hang (P22)") {
  Random random(22);
  each_pair([&](Protocol upstream, Protocol client) {
    const auto answer = random_answer(upstream, random);
    const std::string stream = frame(upstream, streamed_answer(upstream, answer, random));
    const std::string body = whole_answer(upstream, answer);
    for (int round = 0; round < 60; ++round) {
      std::string bytes;
      const auto kind = round % 4;
      if (kind == 0) {
        for (size_t n = random() % 200; n > 0; --n) bytes += static_cast<char>(random());
      } else {
        bytes = kind == 1 ? body : stream;
        for (int n = 0; n < 1 + kind * 3 && !bytes.empty(); ++n) {
          const size_t at = random() % bytes.size();
          switch (random() % 3) {
            case 0:
              bytes[at] = static_cast<char>(random());
              break;
            case 1:
              bytes.erase(at, 1 + random() % 9);
              break;
            default:
              bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 30));
              break;
          }
        }
      }
      for (const bool wants_stream : {false, true}) {
        const auto context = asking(upstream, client, wants_stream);
        Options options;
        FixedIds ids;
        const auto result = translate_stream(context, 200, bytes, options, ids);
        if (kind == 0) CHECK(result.failed);
        if (!result.failed || result.content_type != "application/json") continue;
        Arena arena(64 * 1024);
        const auto doc = parse_or_null(result.body, arena);
        CHECK((doc.is_object() || doc.is_array()));
        CHECK(result.status >= 400);
      }
    }
  });
}
