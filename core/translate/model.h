// The neutral model: what the four protocols have in common, deliberately small. Decoders make it
// from a wire format, encoders write a wire format from it. Everything points into one exchange's
// Arena (or at the parsed body, which lives there too): plain structs, trivially destructible, no
// owner but the arena. Numbers and foreign objects stay json::Value, so digits keep their text.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "translate/protocol.h"

namespace gproxy::translate {

// A growing array in an Arena. Copies are shallow.
template <class T>
class List {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  // On an empty list (a push that found no memory): a scratch object.
  T& back() { return size_ > 0 ? data_[size_ - 1] : scratch(); }
  const T& back() const { return size_ > 0 ? data_[size_ - 1] : scratch(); }
  T& front() { return data_[0]; }
  const T& front() const { return data_[0]; }
  // When the arena's bound is reached the item goes to a scratch slot: callers check
  // arena.exhausted() once at the end.
  T& push(Arena& arena, const T& item) {
    if (size_ == capacity_ && !grow(arena)) return scratch() = item;
    return data_[size_++] = item;
  }
  void insert(Arena& arena, size_t at, const T& item) {
    size_t before = size_;
    push(arena, item);
    if (size_ == before) return;
    for (size_t i = size_ - 1; i > at; --i) data_[i] = data_[i - 1];
    data_[at] = item;
  }
  void erase(size_t at) {
    for (size_t i = at + 1; i < size_; ++i) data_[i - 1] = data_[i];
    --size_;
  }
  void truncate(size_t size) { size_ = size < size_ ? size : size_; }

 private:
  static T& scratch() {
    static thread_local T object;
    return object;
  }
  bool grow(Arena& arena) {
    static_assert(std::is_trivially_destructible_v<T>);
    // Most messages hold one or two parts, and parts are large.
    size_t capacity = capacity_ == 0 ? (sizeof(T) > 128 ? 1 : 4) : capacity_ * 2;
    auto room = arena.array<T>(capacity);
    if (room.empty()) return false;
    for (size_t i = 0; i < size_; ++i) room[i] = data_[i];
    data_ = room.data();
    capacity_ = capacity;
    return true;
  }
  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Where something stood in the body it came from: a chain in the arena, made into text
// ("messages[2].content[0].text") only when an error or a loss names it.
struct Path {
  const Path* parent = nullptr;
  std::string_view key;  // a member, or
  int32_t index = -1;    // an element
};
std::string path_text(const Path* path, std::string_view suffix = {});

// ---- parts ------------------------------------------------------------------------------------

enum class PartKind : uint8_t {
  text,
  image,          // media
  audio,          // media
  document,       // media
  video,          // media
  search_result,  // media: name = title, data = source, content = text parts
  reasoning,      // text, opaque, redacted
  call,           // call
  result,         // result
  refusal,        // text
  server,         // a built-in tool's call or result, as its protocol wrote it (raw)
  code,           // code the model ran (text; name = language)
  code_result,    // what it printed (text)
  raw,            // anything else, as its protocol wrote it (raw)
};

// A provider's own opaque reasoning state (signature, encrypted_content, thoughtSignature).
struct Opaque {
  Protocol proto = Protocol::none;  // none: there is none
  std::string_view family;          // model family, where known
  std::string_view bytes;           // as that protocol spells it on the wire
  explicit operator bool() const { return proto != Protocol::none; }
};

struct Part;

struct Media {
  enum class Source : uint8_t { base64, url, file_id, text, content };
  Source source = Source::base64;
  std::string_view mime;    // may be empty for url and file_id
  std::string_view data;    // standard base64, URL, file id, or the text of a text document
  std::string_view name;    // file name or title
  std::string_view context; // Claude's document context
  std::string_view detail;  // auto, low, high, original
  json::Value citations;    // {"enabled":true}
  json::Value extra;        // videoMetadata and the like, origin's shape
  List<Part> content;       // source content, and search results
};

struct Call {
  enum class Kind : uint8_t { function, custom };
  Kind kind = Kind::function;
  std::string_view id;
  std::string_view name;        // the tool's own name (without its namespace)
  std::string_view name_space;  // Responses namespaces, else empty
  std::string_view args;        // function: JSON text as it came (may be invalid); custom: free text
  json::Value parsed;           // the same as an object, where the wire has one (args may be empty)
  Opaque signature;             // Gemini's thoughtSignature of this call
  int32_t index = 0;            // parallel position, where the wire has one
};

struct ToolResult {
  std::string_view id;
  std::string_view name;  // Gemini; else looked up from the call
  List<Part> parts;       // text, image, document
  bool error = false;
  bool custom = false;    // result of a custom call
  bool synthesised = false;
};

// One citation of a text part. Offsets count as `unit` says, -1 = unknown.
struct Citation {
  enum class Kind : uint8_t { url, document, file };
  enum class Unit : uint8_t { none, code_points, utf8_bytes, whole_part };
  Kind kind = Kind::url;
  Unit unit = Unit::none;
  Protocol origin = Protocol::none;
  std::string_view url, title, cited_text, file_id, encrypted_index;
  int64_t start = -1, end = -1;
  json::Value raw;  // as its protocol wrote it
};

struct Part {
  PartKind kind = PartKind::text;
  bool redacted = false;      // reasoning that may not be shown
  bool joins_previous = false;  // text that continues the text part right before it (citation split)
  bool input_side = false;    // a raw part the client wrote (as opposed to echoed output)
  std::string_view text;      // text, reasoning, refusal, code, code_result
  std::string_view name;      // server/raw: the type word; code: language
  Media* media = nullptr;
  Call* call = nullptr;
  ToolResult* result = nullptr;
  Opaque opaque;              // reasoning; Gemini: the signature of a text part
  json::Value raw;            // server, raw; images made by the model: origin's object
  json::Value cache;          // the cache marker: Claude's cache_control object
  List<Citation> citations;
  json::Value logprobs;       // text: origin's shape
  const Path* at = nullptr;
};

enum class Role : uint8_t { user, assistant, system };

struct Message {
  Role role = Role::user;
  bool developer = false;  // system text that was called developer
  List<Part> parts;
  std::string_view name;
  const Path* at = nullptr;
};

// ---- request ----------------------------------------------------------------------------------

struct SystemSegment {
  std::string_view text;
  bool developer = false;
  json::Value cache;
  const Path* at = nullptr;
};

struct Tool {
  enum class Kind : uint8_t {
    function,
    custom,           // free text in, grammar in `format`
    web_search,
    web_fetch,
    code_execution,
    image_generation,
    builtin,          // any other server side tool, raw
  };
  Kind kind = Kind::function;
  std::string_view name;
  std::string_view name_space;
  std::string_view namespace_description;
  std::string_view description;
  bool has_description = false;
  json::Value schema;       // JSON Schema; null = none given
  bool schema_is_openapi = false;  // Gemini's Schema dialect, before conversion
  int8_t strict = -1;       // -1 not said, else 0 or 1
  json::Value format;       // custom
  json::Value cache;
  bool client_search = false;  // Responses tool_search run by the client, sent as a function
  json::Value raw;          // builtin: the tool as it came; function: origin's object, for extras
  // web search settings
  json::Value user_location;  // flat: {type?, city?, country?, region?, timezone?}
  std::string_view context_size;
  json::Value allowed_domains, blocked_domains;
  json::Value max_uses;
  const Path* at = nullptr;
};

struct ToolChoice {
  enum class Mode : uint8_t { unset, automatic, none, any, one, subset_auto, subset_any, validated };
  Mode mode = Mode::unset;
  std::string_view name;             // one
  bool custom = false;               // one: a custom tool
  bool builtin = false;              // one: a built-in tool, name = its type
  List<std::string_view> names;      // subset
  const Path* at = nullptr;
};

enum class Effort : uint8_t { unset, none, minimal, low, medium, high, xhigh, max };

struct Reasoning {
  Effort effort = Effort::unset;
  int64_t budget = -1;    // explicit token budget, -1 = none
  bool dynamic = false;
  bool visible = false;   // the client wants to see it
  bool hidden = false;    // the client said it does not (display omitted)
  bool asked = false;     // the request has any reasoning setting at all
  bool raw_override = false;  // budget/level words below win over the tables
  std::string_view level;     // Gemini's own level word in an override
  const Path* at = nullptr;
};

struct OutputFormat {
  enum class Kind : uint8_t { unset, text, json_object, json_schema, choice };
  Kind kind = Kind::unset;
  std::string_view name, description;
  json::Value schema;
  bool schema_is_openapi = false;
  int8_t strict = -1;
  const Path* at = nullptr;
};

// A scalar or small object of the request: what it was and where.
struct Param {
  json::Value value;
  const Path* at = nullptr;
  explicit operator bool() const { return at != nullptr; }
};

struct Params {
  Param max_tokens, temperature, top_p, top_k, frequency_penalty, presence_penalty, seed;
  Param logit_bias, candidates, logprobs, top_logprobs, stop, verbosity, prediction;
  Param user, safety_identifier, metadata, service_tier, store, modalities, audio;
  Param prompt_cache_key, prompt_cache_retention, prompt_cache_options;
  Param cached_content, safety_settings, labels, image_config, speech_config, media_resolution;
  Param moderation, truncation, include;
  Param top_cache;  // Claude's top level cache_control
};

struct Request {
  Protocol origin = Protocol::none;
  std::string_view model;
  bool stream = false;
  List<SystemSegment> system;
  List<Message> messages;
  List<Tool> tools;
  ToolChoice choice;
  int8_t parallel = -1;  // -1 not said, else 0 or 1
  const Path* parallel_at = nullptr;
  Reasoning reasoning;
  OutputFormat format;
  Params params;
};

// ---- answer -----------------------------------------------------------------------------------

enum class FinishReason : uint8_t {
  none, stop, tool_calls, length, context, stop_sequence, filtered, pause, bad_call, error
};

struct Finish {
  FinishReason reason = FinishReason::none;
  Protocol origin = Protocol::none;
  std::string_view native;         // the origin's own word
  std::string_view explanation;    // why it was filtered
  std::string_view category;       // Claude's stop_details.category
  std::string_view stop_sequence;
};

struct TokenUsage {
  bool known = false;
  bool reasoning_known = false;
  bool write_split_known = false;  // write_5m and write_1h are real
  int64_t in_total = 0;            // all of the input, cache read and write included
  int64_t read = 0, write = 0, write_5m = 0, write_1h = 0;
  int64_t out_total = 0;           // reasoning included
  int64_t reasoning = 0;
  int64_t audio_in = 0, audio_out = 0;
  int64_t tool_prompt = 0;         // part of in_total
  int64_t web_search = 0, web_fetch = 0;
  int64_t accepted_prediction = 0, rejected_prediction = 0;
};

struct Candidate {
  int32_t index = 0;
  List<Part> parts;
  Finish finish;
  json::Value logprobs;  // origin's shape
};

struct Answer {
  Protocol origin = Protocol::none;
  std::string_view id, model;
  int64_t created = 0;  // seconds, 0 = unknown
  List<Candidate> candidates;
  TokenUsage usage;
  std::string_view service_tier;
  json::Value grounding;  // Gemini groundingMetadata of the first candidate, origin's shape
};

// ---- stream events (wire-formats 4.0) -----------------------------------------------------------

enum class EventKind : uint8_t {
  start, part_start, delta, opaque, cite, part_end, usage, finish, error, ping, eof
};

// One neutral event. Views are valid during the call that hands it over.
struct Event {
  EventKind kind = EventKind::ping;
  PartKind part_kind = PartKind::text;      // part_start
  Call::Kind call_kind = Call::Kind::function;
  bool redacted = false;                    // part_start of reasoning
  bool joins_previous = false;              // part_start of text: continues the text right before
  bool clean = false;                       // eof: the source's own terminal marker was seen
  int32_t candidate = 0;
  uint32_t part = 0;                        // grows; one number space for all candidates
  std::string_view data;                    // delta; opaque bytes are in `opaque`
  std::string_view id, name, name_space;    // start: message id and model in name; part_start: call
  int64_t created = 0;                      // start
  Opaque opaque;                            // opaque; part_start of a call: its signature
  json::Value raw;                          // part_start of server, image, audio parts
  const Citation* citation = nullptr;       // cite
  const TokenUsage* usage = nullptr;             // start (may be null), usage
  const Finish* finish = nullptr;           // finish
  const Error* error = nullptr;             // error
};

}  // namespace gproxy::translate
