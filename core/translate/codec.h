// What decoders and encoders of requests and of answers share: options, seams (ids, time, opaque
// cache) and the RequestContext, which is kept from the client's request so that the answer can be
// written in its light. Pure values; one exchange each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "translate/loss.h"
#include "translate/model.h"
#include "translate/profile.h"
#include "translate/protocol.h"

namespace gproxy::translate {

// Time and randomness as a seam: tests give a counter.
class IdSource {
 public:
  virtual ~IdSource() = default;
  // `prefix` followed by letters and digits, never the same twice.
  virtual std::string next(std::string_view prefix) = 0;
  virtual int64_t now_s() const = 0;
};

// Opaque reasoning state by tool call id, for Chat clients that strip unknown fields (bounded, per
// tenant, kept by the gateway). An aid: nothing may depend on it. `find` returns the seal
// (translate/seal.h) or an empty view.
class OpaqueCache {
 public:
  virtual ~OpaqueCache() = default;
  virtual std::string_view find(std::string_view call_id) = 0;
  virtual void keep(std::string_view call_id, std::string_view seal) = 0;
};

struct Options {
  bool chat_reasoning_ext = true;      // reasoning_content and friends towards Chat clients
  bool lossless = false;               // any loss is a 400 that names it
  bool shim_client_tools = false;      // bash, text editor, memory as function tools
  bool emulate_stop = false;           // stop sequences that the upstream cannot take
  bool markdown_images = false;        // generated images as markdown data URLs
  bool upstream_model_name = false;    // answers carry the upstream's model name
  bool cache_by_key = false;           // prompt_cache_key -> Claude's top level cache_control
  bool image_tool = false;             // responseModalities IMAGE -> Responses image_generation
  json::Limits limits;                 // client bodies
  size_t max_event_bytes = size_t{32} << 20;
  size_t max_response_bytes = size_t{64} << 20;
  OpaqueCache* opaque_cache = nullptr;
};

// How one tool name of the client is called upstream.
struct ToolName {
  std::string sent;        // upstream's
  std::string original;    // the client's, without namespace
  std::string name_space;  // Responses
  Call::Kind kind = Call::Kind::function;  // custom: the answer becomes a custom call again
  bool wrapped = false;    // a custom tool sent as a function {"input": …}: unwrap its arguments
  bool tool_search = false;  // a Responses client tool_search call
};

// The client's own settings as raw JSON texts, "" = absent: what a Responses answer echoes.
struct RequestEcho {
  std::string instructions, tools, tool_choice, text, reasoning, temperature, top_p;
  std::string max_output_tokens, parallel_tool_calls, metadata, truncation, previous_response_id;
  std::string store, user, service_tier, prompt_cache_key, safety_identifier, top_logprobs;
  std::string background, max_tool_calls;
};

enum class GeminiFraming : uint8_t { sse, array };

// Kept from the client's request for the answer.
struct RequestContext {
  Protocol client = Protocol::none;
  Protocol upstream = Protocol::none;
  Operation operation = Operation::generate;  // what the client asked for
  std::string requested_model;   // the name the client used: what answers carry
  std::string upstream_model;
  std::string family;            // model family of the upstream, for seals
  bool stream = false;           // the client wants a stream
  bool include_usage = false;    // Chat: stream_options.include_usage
  bool include_obfuscation = false;
  bool thinking_enabled = false; // Claude: thinking is not disabled
  bool thinking_hidden = false;  // Claude: display omitted
  bool include_thoughts = false; // Gemini: thinkingConfig.includeThoughts
  bool reasoning_summary = false;  // Responses: reasoning.summary asked
  bool encrypted_reasoning = false;  // Responses: include reasoning.encrypted_content
  bool json_mode = false;        // json_object or json_schema asked
  bool json_emulated = false;    // the upstream was only told in words
  bool logprobs = false;
  GeminiFraming framing = GeminiFraming::sse;
  int32_t candidates = 1;
  int64_t estimated_input_tokens = 0;
  std::vector<ToolName> tools;   // every tool whose name, kind or namespace differs upstream
  std::vector<std::string> emulated_stop;  // Options::emulate_stop
  RequestEcho echo;              // Responses clients
  bool has_functions = false;
  bool web_search = false;       // the client gave a web search tool

  std::vector<uint32_t> tool_order;  // of tools by `sent`, where there are many: index_tools()

  // To be called once `tools` is full; without it a look-up walks them.
  void index_tools();
  // The client's tool behind an upstream name, or null when names agree. Of several the first.
  const ToolName* find_tool(std::string_view sent) const {
    if (!tool_order.empty()) return find_indexed(sent);
    for (const auto& tool : tools) {
      if (tool.sent == sent) return &tool;
    }
    return nullptr;
  }

 private:
  const ToolName* find_indexed(std::string_view sent) const;
};

// What stands around the client's body.
struct RequestMeta {
  std::string_view model;           // from the path (Gemini) or --model: wins over the body's
  std::string_view upstream_model;  // what to send; empty = the client's name
  std::string_view query;           // the client's, without '?'
  std::string_view anthropic_beta;
  std::string_view anthropic_version;
};

// Decoders of requests: wire -> neutral.
struct DecodeContext {
  Arena& arena;
  const Options& options;
  const RequestMeta& meta;
  RequestContext& context;
  LossLog& losses;
  Operation operation = Operation::generate;

  bool counting() const { return operation == Operation::count_tokens; }
};

// Encoders of requests: neutral (repaired) -> wire.
struct EncodeContext {
  Arena& arena;
  const Options& options;
  const Profile& profile;
  RequestContext& context;
  LossLog& losses;
  Operation operation = Operation::generate;  // upstream's
  std::string_view model;                     // upstream's

  bool counting() const { return operation == Operation::count_tokens; }
};

// Kind unsupported / invalid with the JSON path in the client's body.
Error unsupported(const Path* at, std::string message, std::string_view suffix = {});
Error bad_value(const Path* at, std::string message, std::string_view suffix = {});

}  // namespace gproxy::translate
