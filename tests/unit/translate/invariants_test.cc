// Invariants of wire-formats section 8 on errors, usage, unknown words, purity and credentials.
// Seeded.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "answer_generator.h"
#include "answer_support.h"
#include "request_generator.h"
#include "translate/errors.h"
#include "translate/request.h"
#include "translate/usage_map.h"

using namespace gproxy;
using namespace gproxy::translate;
using namespace gproxy::translate::test;

namespace {

RequestContext asking(Protocol upstream, Protocol client, bool stream) {
  RequestContext context;
  context.upstream = upstream;
  context.client = client;
  context.stream = stream;
  context.thinking_enabled = context.include_thoughts = context.include_usage = true;
  context.requested_model = "asked-for";
  return context;
}

std::string answered(Protocol upstream, Protocol client, bool stream, std::string_view bytes) {
  Options options;
  FixedIds ids;
  auto answer = translate_stream(asking(upstream, client, stream), 200, bytes, options, ids);
  CHECK_MESSAGE(!answer.failed, answer.body);
  return std::move(answer.body);
}

// The kinds that a protocol's own words and status tell apart; the others come back as what they
// look like there.
ErrorKind seen_as(Protocol protocol, ErrorKind kind) {
  if (protocol == Protocol::claude) {
    if (kind == ErrorKind::policy || kind == ErrorKind::unsupported) return ErrorKind::invalid;
  } else if (protocol == Protocol::gemini) {
    switch (kind) {
      case ErrorKind::context:
      case ErrorKind::policy:
      case ErrorKind::too_large:
      case ErrorKind::unsupported:
        return ErrorKind::invalid;
      case ErrorKind::billing:
        return ErrorKind::rate;
      default:
        break;
    }
  }
  return kind;
}

constexpr int kKinds = static_cast<int>(ErrorKind::cancelled) + 1;

// The first error object in what a client would receive.
std::string first_error(std::string_view bytes) {
  for (const auto& data : unframe(bytes)) {
    if (data.find("\"error\"") != std::string::npos) return data;
  }
  return {};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

TEST_CASE("P18: an error's kind survives being written and read where the protocol knows it") {
  for (const auto protocol : kProtocols) {
    for (int i = 0; i < kKinds; ++i) {
      const auto kind = static_cast<ErrorKind>(i);
      CAPTURE(name(protocol));
      CAPTURE(kind_name(kind));
      const Error error{kind, kUpstreamError, "it broke"};
      const int status = error_status(protocol, error);
      CHECK(status >= 400);
      CHECK(status <= 599);
      const auto body = encode_error(protocol, error, "req");
      CHECK(decode_error(protocol, status, body).kind == seen_as(protocol, kind));
      // A gateway in front of another: its own word in the code field hides no kind that the status
      // tells. OpenAI says these in the code alone.
      const bool by_code = kind == ErrorKind::context || kind == ErrorKind::policy ||
                           kind == ErrorKind::unsupported || kind == ErrorKind::billing;
      const Error own{kind, "no_active_credentials", "it broke"};
      if (!by_code || protocol == Protocol::claude || protocol == Protocol::gemini) {
        CHECK(decode_error(protocol, status, encode_error(protocol, own, "req")).kind ==
              seen_as(protocol, kind));
      }
      // The same inside a stream, where no status says it. Responses has three words for all, and
      // nobody reads why a call was cancelled.
      if (protocol == Protocol::openai_response || kind == ErrorKind::cancelled) continue;
      const auto event = first_error(encode_stream_error(protocol, error, {}));
      CHECK(decode_error(protocol, 200, event).kind == decode_error(protocol, status, body).kind);
    }
  }
}

TEST_CASE("P18: errors of any kind are never a success, whoever asks") {
  for (const auto upstream : kProtocols) {
    for (const auto client : kProtocols) {
      for (int i = 0; i < kKinds; ++i) {
        const auto kind = static_cast<ErrorKind>(i);
        CAPTURE(name(upstream));
        CAPTURE(name(client));
        CAPTURE(kind_name(kind));
        const Error error{kind, kUpstreamError, "it broke"};
        const auto body = encode_error(upstream, error, {});
        const int status = error_status(upstream, error);
        const auto answer = translate_error(asking(upstream, client, false), status, body);
        const auto seen = seen_as(upstream, kind);
        CHECK(answer.failed);
        // The gateway's own credential is not the client's (wire-formats 5.1).
        const bool ours = seen == ErrorKind::auth;
        CHECK(answer.status ==
              (ours ? 502 : error_status(client, Error{seen, kUpstreamError, {}})));
        const auto told = decode_error(client, answer.status, answer.body).kind;
        // Claude's words for a context that is too long are passed on and understood everywhere.
        const bool words = upstream == Protocol::claude && kind == ErrorKind::context;
        CHECK(told == (words ? kind : seen_as(client, ours ? ErrorKind::server : seen)));
        // A stream of which the error is the first word is a plain refusal.
        Options options;
        FixedIds ids;
        const auto event = encode_stream_error(upstream, error, {});
        const auto early =
            translate_stream(asking(upstream, client, true), 200, event, options, ids);
        CHECK(early.failed);
        CHECK(early.status >= 400);
        CHECK(early.content_type == "application/json");
      }
    }
  }
}

TEST_CASE("P19: counters are never negative and always add up, whatever the upstream counted") {
  Random random(19);
  static const int64_t kOdd[] = {0, 1, 5, 7, 100, -3, 1000000, int64_t{1} << 62};
  const auto number = [&] {
    if (random() % 9 == 0) return std::string("null");
    return std::to_string(kOdd[random() % std::size(kOdd)]);
  };
  const auto random_usage = [&](Protocol protocol) {
    std::string out = "{";
    const auto field = [&](const char* key, const std::string& value) {
      if (random() % 6 == 0) return;
      if (out.size() > 1) out += ',';
      out += "\"" + std::string(key) + "\":" + value;
    };
    switch (protocol) {
      case Protocol::openai_chat:
        field("prompt_tokens", number());
        field("completion_tokens", number());
        field("prompt_tokens_details",
              "{\"cached_tokens\":" + number() + ",\"cache_write_tokens\":" + number() + "}");
        field("completion_tokens_details", "{\"reasoning_tokens\":" + number() + "}");
        break;
      case Protocol::openai_response:
        field("input_tokens", number());
        field("output_tokens", number());
        field("input_tokens_details",
              "{\"cached_tokens\":" + number() + ",\"cache_write_tokens\":" + number() + "}");
        field("output_tokens_details", "{\"reasoning_tokens\":" + number() + "}");
        break;
      case Protocol::claude:
        field("input_tokens", number());
        field("output_tokens", number());
        field("cache_read_input_tokens", number());
        field("cache_creation_input_tokens", number());
        field("output_tokens_details", "{\"thinking_tokens\":" + number() + "}");
        break;
      default:
        field("promptTokenCount", number());
        field("candidatesTokenCount", number());
        field("cachedContentTokenCount", number());
        field("thoughtsTokenCount", number());
        field("toolUsePromptTokenCount", number());
        break;
    }
    return out + "}";
  };
  for (int round = 0; round < 400; ++round) {
    const auto upstream = kProtocols[round % 4];
    const auto said = random_usage(upstream);
    CAPTURE(said);
    Arena arena;
    const auto object = parse_or_null(said, arena);
    TokenUsage usage;
    ClaudeUsage parts;
    switch (upstream) {
      case Protocol::openai_chat:
        read_chat_usage(object, usage);
        break;
      case Protocol::openai_response:
        read_responses_usage(object, usage);
        break;
      case Protocol::claude:
        read_claude_usage(object, parts, usage);
        break;
      default:
        read_gemini_usage(object, usage);
        break;
    }
    const TokenUsage now = settled(usage);
    for (const auto n : {now.in_total, now.out_total, now.read, now.write, now.reasoning})
      CHECK(n >= 0);
    CHECK(now.read + now.write <= now.in_total);
    CHECK(now.reasoning <= now.out_total);

    const auto written = [&](auto&& write) {
      std::string out;
      json::Writer w(out);
      write(w);
      return parse_or_null(arena.copy(out), arena);
    };
    const auto chat = written([&](json::Writer& w) { write_chat_usage(w, usage); });
    CHECK(chat["prompt_tokens"].int_or(-1) == now.in_total);
    CHECK(chat["completion_tokens"].int_or(-1) == now.out_total);
    CHECK(chat["total_tokens"].int_or(-1) == now.in_total + now.out_total);
    const auto responses = written([&](json::Writer& w) { write_responses_usage(w, usage); });
    CHECK(responses["total_tokens"].int_or(-1) ==
          responses["input_tokens"].int_or(-1) + responses["output_tokens"].int_or(-1));
    CHECK(responses["input_tokens"].int_or(-1) == now.in_total);
    const auto claude = written(
        [&](json::Writer& w) { write_claude_usage(w, usage, ClaudeUsageForm::message, 1, 1); });
    CHECK(claude["input_tokens"].int_or(-1) >= 0);
    if (usage.known) {
      CHECK(claude["input_tokens"].int_or(-1) + claude["cache_read_input_tokens"].int_or(-1) +
                claude["cache_creation_input_tokens"].int_or(-1) ==
            now.in_total);
      CHECK(claude["output_tokens"].int_or(-1) == now.out_total);
    }
    const auto gemini = written([&](json::Writer& w) { write_gemini_usage(w, usage); });
    CHECK(gemini["promptTokenCount"].int_or(-1) >= 0);
    CHECK(gemini["candidatesTokenCount"].int_or(-1) >= 0);
    CHECK(gemini["totalTokenCount"].int_or(-1) ==
          gemini["promptTokenCount"].int_or(-1) + gemini["candidatesTokenCount"].int_or(-1) +
              gemini["thoughtsTokenCount"].int_or(0) + gemini["toolUsePromptTokenCount"].int_or(0));
  }
}

TEST_CASE("P20: blocks, items, parts and words of the future change nothing in an answer") {
  Random random(2020);
  const auto odd = [](Protocol upstream, std::string text) {
    switch (upstream) {
      case Protocol::openai_chat:
        replace_all(text, R"("finish_reason":"stop")", R"("finish_reason":"future")");
        replace_all(text, R"("delta":{")", R"("delta":{"future":[{"x":1}],")");
        replace_all(text, R"("model":)", R"("service_tier":"galactic","model":)");
        break;
      case Protocol::claude:
        replace_all(text, R"("stop_reason":"end_turn")", R"("stop_reason":"future")");
        replace_all(text, R"("content":[{)", R"("content":[{"type":"future_block","x":{}},{)");
        break;
      case Protocol::openai_response:
        replace_all(text, R"("output":[{)",
                    R"("output":[{"type":"future_call","id":"z","status":"what"},{)");
        replace_all(text, R"("content":[{)", R"("content":[{"type":"future_part","x":1},{)");
        break;
      default:
        replace_all(text, R"("finishReason":"STOP")", R"("finishReason":"FUTURE_REASON")");
        replace_all(text, R"("parts":[{)", R"("parts":[{"futurePart":{"x":[1]}},{)");
        break;
    }
    return text;
  };
  for (const auto upstream : kProtocols) {
    for (const auto client : kProtocols) {
      if (upstream == client) continue;
      CAPTURE(name(upstream));
      CAPTURE(name(client));
      for (int round = 0; round < 20; ++round) {
        const auto answer = random_answer(upstream, random);
        const auto whole = whole_answer(upstream, answer);
        CAPTURE(whole);
        // Words only a client of the same kind could use are told on; here nobody reads them.
        auto strange = odd(upstream, whole);
        CHECK(strange != whole);
        auto got = answered(upstream, client, false, strange);
        replace_all(got, R"("service_tier":"galactic")", R"("service_tier":null)");
        auto want = answered(upstream, client, false, whole);
        Arena arena;
        auto got_doc = parse_or_null(got, arena), want_doc = parse_or_null(want, arena);
        for (auto* doc : {&got_doc, &want_doc}) doc->remove("service_tier");
        CHECK_MESSAGE(got_doc.equals(want_doc), got, "\n", want);

        const auto events = streamed_answer(upstream, answer, random);
        std::vector<std::string> more;
        size_t blocks = 0;
        for (const auto& event : events) {
          if (upstream == Protocol::claude && event.find("message_delta") != std::string::npos) {
            const auto at = "\"index\":" + std::to_string(blocks);
            more.push_back(R"({"type":"content_block_start",)" + at +
                           R"(,"content_block":{"type":"future_block"}})");
            more.push_back(R"({"type":"content_block_delta",)" + at +
                           R"(,"delta":{"type":"future_delta","x":"y"}})");
            more.push_back(R"({"type":"content_block_stop",)" + at + "}");
          }
          if (event.find("content_block_start") != std::string::npos) ++blocks;
          more.push_back(upstream == Protocol::claude || upstream == Protocol::openai_response
                             ? event
                             : odd(upstream, event));
          if (upstream == Protocol::claude) {
            replace_all(more.back(), R"("stop_reason":"end_turn")", R"("stop_reason":"future")");
          }
        }
        const auto plain = answered(upstream, client, true, frame(upstream, events));
        const auto noisy = answered(upstream, client, true, frame(upstream, more));
        const auto one = accumulate(client, plain, arena), two = accumulate(client, noisy, arena);
        CHECK_MESSAGE(two.broken.empty(), two.broken);
        CHECK(two.success);
        auto a = one.answer, b = two.answer;
        for (auto* doc : {&a, &b}) doc->remove("service_tier");
        CHECK_MESSAGE(a.equals(b), json::write(a), "\n", json::write(b));
      }
    }
  }
}

TEST_CASE("P16: request translation is pure") {
  std::mt19937 random(16);
  for (int i = 0; i < 60; ++i) {
    const auto conversation = translate::testing::random_conversation(random);
    for (const auto from : kProtocols) {
      const auto body = translate::testing::write_request(conversation, from);
      for (const auto to : kProtocols) {
        std::string bytes[2];
        for (auto& out : bytes) {
          Arena arena;
          RequestMeta meta;
          if (from == Protocol::gemini) meta.model = "m";
          auto got =
              translate_request(from, to, Operation::generate, body, meta, {}, Options(), arena);
          REQUIRE(got.ok());
          out = got->body + "\n" + got->path + "\n" + got->query;
        }
        CHECK(bytes[0] == bytes[1]);
      }
    }
  }
}

TEST_CASE("P25: an upstream's key or address in its error reaches no client") {
  Random random(25);
  static const char kLetters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  for (int round = 0; round < 60; ++round) {
    std::string tail;
    for (int i = 0; i < 32; ++i) tail += kLetters[random() % (sizeof kLetters - 1)];
    static const char* const kPrefixes[] = {"sk-",   "sk-ant-api03-", "AIza",
                                            "ya29.", "Bearer ",       "https://u:"};
    const std::string secret = kPrefixes[round % std::size(kPrefixes)] + tail;
    const std::string message = "Incorrect API key provided: " + secret + ". See the docs";
    for (const auto upstream : kProtocols) {
      for (const auto client : kProtocols) {
        for (const auto kind : {ErrorKind::auth, ErrorKind::invalid, ErrorKind::rate}) {
          const Error error{kind, kUpstreamError, message};
          const auto body = encode_error(upstream, error, {});
          const auto context = asking(upstream, client, false);
          CHECK(translate_error(context, error_status(upstream, error), body).body.find(tail) ==
                std::string::npos);
          CHECK(translate_error(context, 500, message).body.find(tail) == std::string::npos);
          // The same in the middle of a stream.
          const auto answer = random_answer(upstream, random);
          auto events = streamed_answer(upstream, answer, random);
          events.resize(std::min<size_t>(events.size(), 3));
          Options options;
          FixedIds ids;
          const auto stream = translate_stream(
              asking(upstream, client, true), 200,
              frame(upstream, events) + encode_stream_error(upstream, error, {.created = true}),
              options, ids);
          CHECK(stream.body.find(tail) == std::string::npos);
        }
      }
    }
  }
}
