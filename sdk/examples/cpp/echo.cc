// SPDX-License-Identifier: MIT
//
// The echo provider in C++: answers each generation with the last text of the user, in all four
// protocols, whole or piece by piece, without an upstream and without a credential. Start reading
// here; wire.cc writes the answers.
#include <algorithm>
#include <charconv>

#include "gproxy/module.hpp"
#include "wire.h"

namespace echo {
namespace {

// A message's content: a string, or the texts of its parts, joined by line ends.
std::string_view content_text(const gp::Json& body, const gp_json_node& content,
                              const gp::Arena& arena) {
  if (content.type == GP_JSON_STRING) return body.decode(content);
  std::string joined;
  body.each(content, [&](const gp_json_member& part) {
    if (const auto text = body.inside(part.value).get("/text"); text.is_string()) {
      if (!joined.empty()) joined += '\n';
      joined += text.text;
    }
    return true;
  });
  return arena.copy(joined);
}

// The last text of the user in a request body of any protocol; empty if there is none.
std::string_view last_user_text(const gp::Request& request) {
  const gp::Json body = request.json();
  for (const char* place :
       {"/messages", "/input", "/contents", "/generateContentRequest/contents"}) {
    const gp_json_node list = body.node(place);
    if ((list.flags & GP_NODE_FOUND) == 0) continue;
    if (list.type == GP_JSON_STRING) return body.decode(list);  // Responses: input is one text
    gp_json_node last = list.type == GP_JSON_OBJECT ? list : gp_json_node{};
    if (list.type == GP_JSON_ARRAY) {
      body.each(list, [&](const gp_json_member& message) {
        const auto role = body.inside(message.value).get("/role");
        if (message.value.type == GP_JSON_OBJECT && (!role.found || role.text == "user"))
          last = message.value;
        return true;
      });
    }
    if ((last.flags & GP_NODE_FOUND) == 0) continue;
    const gp::Json message = body.inside(last);
    for (const char* name : {"/content", "/parts"}) {
      const gp_json_node content = message.node(name);
      if ((content.flags & GP_NODE_FOUND) != 0)
        return content_text(message, content, request.arena());
    }
  }
  return {};
}

// A word with its space, or 48 bytes of an unbroken run; never half a character.
size_t piece_length(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ' || text[i] == '\n') return i + 1;
    if (i >= 48 && (static_cast<unsigned char>(text[i]) & 0xc0u) != 0x80u) return i;
  }
  return text.size();
}

// One streamed answer.
class Stream {
 public:
  Stream(const Answer& answer, int64_t delay_ms) : answer_(answer), delay_ms_(delay_ms) {}

  // Beginning with the first piece, then piece by piece, and the end in a piece of its own.
  gp::Status next(gp_piece& out) {
    piece_.clear();
    if (pieces_ == 0) append_begin(piece_, answer_, sequence_);
    const std::string_view rest = answer_.text.substr(sent_);
    if (!rest.empty()) {
      const std::string_view piece = rest.substr(0, piece_length(rest));
      append_delta(piece_, answer_, piece, sent_ == 0, sequence_);
      sent_ += piece.size();
    } else {
      append_end(piece_, answer_, sequence_);
      out.flags |= GP_PIECE_LAST;
    }
    out.delay_ms = pieces_++ == 0 ? 0 : delay_ms_;
    out.bytes = gp::str(piece_);
    return gp::ok();
  }

 private:
  Answer answer_;
  int64_t delay_ms_;
  size_t sent_ = 0;
  int64_t pieces_ = 0;
  int64_t sequence_ = 0;
  std::string piece_;
};

constexpr gp_route local(int32_t protocol, int32_t operation) {
  return {protocol, operation, GP_ROUTE_LOCAL, 0};
}
constexpr gp_route kRoutes[] = {
    local(GP_PROTOCOL_CLAUDE, GP_OP_GENERATE),
    local(GP_PROTOCOL_CLAUDE, GP_OP_STREAM_GENERATE),
    local(GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS),
    local(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST),
    local(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_GET),
    local(GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE),
    local(GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE),
    local(GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_GENERATE),
    local(GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE),
    local(GP_PROTOCOL_GEMINI, GP_OP_GENERATE),
    local(GP_PROTOCOL_GEMINI, GP_OP_STREAM_GENERATE),
    local(GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS),
    local(GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST),
    local(GP_PROTOCOL_GEMINI, GP_OP_MODEL_GET),
    local(GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS),
    local(GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST),
    local(GP_PROTOCOL_OPENAI, GP_OP_MODEL_GET),
};

class Provider {
 public:
  static constexpr bool kNeedsJson = true;
  using LocalCall = Stream;

  static gp::Status create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
    out = std::make_unique<Provider>();
    const auto delay = settings.json().get("/delay_ms");
    if (!delay.found) return gp::ok();
    const char* end = delay.text.data() + delay.text.size();
    const auto [rest, error] = std::from_chars(delay.text.data(), end, out->delay_ms_);
    if (error != std::errc() || rest != end || out->delay_ms_ < 0 || out->delay_ms_ > 10'000) {
      return gp::invalid("delay_ms must be a whole number from 0 to 10000", "delay_ms");
    }
    return gp::ok();
  }

  std::span<const gp_route> routes() const { return kRoutes; }

  gp::Status prepare(const gp::Request&, gp::Upstream&) const {
    return gp::unsupported("echo has no upstream");
  }

  gp::Status respond(const gp::Request& request, gp::Local& out,
                     std::unique_ptr<Stream>& call) const {
    Answer answer;
    answer.protocol = request.protocol();
    answer.operation = request.operation();
    answer.id = gp::view(request.raw().request_id);
    answer.model = request.model();
    answer.created = request.arena().host()->now_ms() / 1000;
    if (!request.body().empty()) answer.text = last_user_text(request);
    answer.tokens = static_cast<int64_t>(answer.text.size() / 4 + 1);
    if (const gp_span* usage = request.span(GP_FIELD_INCLUDE_USAGE)) {
      answer.include_usage = request.text(*usage) == "true";
    }
    answer.sse = answer.protocol != GP_PROTOCOL_GEMINI || request.needs_sse() ||
                 request.query().find("alt=sse") != std::string_view::npos;

    if (request.streams()) {
      out.stream(200, answer.sse ? "text/event-stream" : "application/json");
      call = std::make_unique<Stream>(answer, delay_ms_);
      return gp::ok();
    }
    std::string body;
    int32_t status = 200;
    if (request.operation() == GP_OP_GENERATE) {
      append_whole(body, answer);
    } else {
      status = append_other(body, answer);
    }
    out.json(status, request.arena().copy(body));
    return gp::ok();
  }

 private:
  int64_t delay_ms_ = 40;
};

constexpr gp_kind make_kind() {
  gp_kind kind = gp::stamped<gp_kind>();
  kind.flags = GP_KIND_USER_CREATED;
  kind.name = gp::str("echo");
  kind.title = gp::str("Echo (example)");
  kind.gen_ai_name = gp::str("echo");
  kind.settings_schema = gp::str(
      R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
      R"("properties":{"delay_ms":{"type":"integer","minimum":0,"maximum":10000,"default":40,)"
      R"("title":"Pause between pieces in ms"}}})");
  return kind;
}
constexpr gp_kind kKind = make_kind();
constexpr const gp_kind* kKinds[] = {&kKind};

constexpr gp_info make_info() {
  gp_info info = gp::stamped<gp_info>();
  info.id = gp::str("dev.gproxy.example.echo");
  info.name = gp::str("Echo in C++");
  info.version = gp::str("0.1.0");
  info.licence = gp::str("MIT");
  info.kinds = kKinds;
  info.kind_count = 1;
  return info;
}
constexpr gp_info kInfo = make_info();

}  // namespace
}  // namespace echo

GPROXY_MODULE(echo::Provider, echo::kInfo)
