// What the translator alone costs, without sockets: CPU per event of a stream, memory it holds, and CPU per request
// body. Prints one JSON line per measurement, CPU time of this thread.
//   bench_translate [events]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "translate/request.h"
#include "translate/stream.h"

using namespace gproxy;
using namespace gproxy::translate;

namespace {

double cpu_us() {
  struct timespec t {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

class Ids final : public IdSource {
 public:
  std::string next(std::string_view prefix) override { return std::string(prefix) + "abcdefgh"; }
  int64_t now_s() const override { return 1'700'000'000; }
};

constexpr Protocol kProtocols[] = {Protocol::openai_chat, Protocol::openai_response, Protocol::claude, Protocol::gemini};

// One delta event of about 185 bytes, and what stands before and behind the deltas.
struct Source {
  std::string before, delta, after;
};

Source source_of(Protocol protocol) {
  Source s;
  switch (protocol) {
    case Protocol::claude:
      s.before =
          "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"up\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
          "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
      s.delta =
          "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}}\n\n";
      s.after =
          "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
          "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n"
          "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
      break;
    case Protocol::openai_response:
      s.before =
          "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"model\":\"up\",\"status\":\"in_progress\",\"output\":[]}}\n\n"
          "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[]}}\n\n"
          "event: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\"}}\n\n";
      s.delta =
          "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"xxxxxxxxxxxxxxxxxxxx\",\"sequence_number\":9}\n\n";
      s.after =
          "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":9}}}\n\n";
      break;
    case Protocol::gemini:
      s.delta =
          "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}]},\"index\":0}],\"modelVersion\":\"up\",\"responseId\":\"r1\",\"usageMetadata\":{\"promptTokenCount\":9}}\r\n\r\n";
      s.after =
          "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[]},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":9,\"totalTokenCount\":18}}\r\n\r\n";
      break;
    default:
      s.delta =
          "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"xxxxxxxxxxxxxxxxxxxx\"},\"finish_reason\":null}]}\n\n";
      s.after =
          "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
  }
  return s;
}

void stream(Protocol upstream, Protocol client, int events) {
  RequestContext context;
  context.upstream = upstream;
  context.client = client;
  context.stream = context.include_usage = true;
  context.requested_model = "asked-for";
  Options options;
  Ids ids;
  const auto source = source_of(upstream);
  std::vector<double> rounds;
  size_t held = 0;
  for (int round = 0; round < 5; ++round) {
    StreamTranslator translator(context, options, ids);
    std::string out;
    bool good = translator.feed(source.before, out).ok();
    const double begin = cpu_us();
    for (int i = 0; i < events && good; ++i) {
      out.clear();
      good = translator.feed(source.delta, out).ok();
    }
    rounds.push_back((cpu_us() - begin) / events);
    held = translator.held_bytes();
    good = good && translator.feed(source.after, out).ok() && translator.finish(out).ok();
    if (!good || !translator.ended()) {
      std::fprintf(stderr, "the stream did not end well\n");
      std::exit(1);
    }
  }
  std::sort(rounds.begin(), rounds.end());
  std::printf("{\"what\":\"stream\",\"from\":\"%s\",\"to\":\"%s\",\"event_bytes\":%zu,\"us_per_event\":%.3f,\"held_bytes\":%zu}\n",
              std::string(name(upstream)).c_str(), std::string(name(client)).c_str(), source.delta.size(), rounds[0], held);
}

// A conversation with tools and their results, of about `bytes`.
std::string conversation(size_t bytes) {
  std::string body =
      R"({"model":"m","max_tokens":1000,"system":"You are terse.","tools":[{"name":"read","description":"Reads a file","input_schema":{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}}],"messages":[{"role":"user","content":"Begin."})";
  for (int i = 0; body.size() < bytes; ++i) {
    const std::string id = "toolu_" + std::to_string(i);
    body += R"(,{"role":"assistant","content":[{"type":"text","text":"I read on."},{"type":"tool_use","id":")" + id +
            R"(","name":"read","input":{"path":"/a/b","from":)" + std::to_string(i) + R"(}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":")" +
            id + R"(","content":")" + std::string(700, 'x') + "\"}]}";
  }
  return body + "]}";
}

void request(Protocol upstream, size_t bytes) {
  const auto body = conversation(bytes);
  std::vector<double> rounds;
  for (int round = 0; round < 15; ++round) {
    const double begin = cpu_us();
    Arena arena(16 * 1024, size_t{16} << 20 | body.size() * 32);
    RequestMeta meta;
    meta.upstream_model = "up";
    auto made = translate_request(Protocol::claude, upstream, Operation::generate, body, meta, {}, Options(), arena, 1);
    if (!made.ok()) {
      std::fprintf(stderr, "%s\n", made.error().message.c_str());
      std::exit(1);
    }
    rounds.push_back(cpu_us() - begin);
  }
  std::sort(rounds.begin(), rounds.end());
  std::printf("{\"what\":\"request\",\"from\":\"claude\",\"to\":\"%s\",\"bytes\":%zu,\"us\":%.1f}\n",
              std::string(name(upstream)).c_str(), body.size(), rounds[rounds.size() / 4]);
}

}  // namespace

int main(int argc, char** argv) {
  const int events = argc > 1 ? std::atoi(argv[1]) : 100'000;
  for (const auto upstream : kProtocols) {
    for (const auto client : kProtocols) {
      if (upstream != client) stream(upstream, client, events);
    }
  }
  for (const size_t bytes : {size_t{32} << 10, size_t{1} << 20}) {
    for (const auto upstream : {Protocol::openai_chat, Protocol::openai_response, Protocol::gemini}) request(upstream, bytes);
  }
  return 0;
}
