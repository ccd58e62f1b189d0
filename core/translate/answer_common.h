// What the answer codecs share: errors, ids, offsets in text, losses that are told once. Internal
// to translate; pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "translate/stream_codec.h"

namespace gproxy::translate {

// An error object or event inside an upstream's answer. Its refusal of our credential becomes a
// 502.
Error upstream_error(Protocol upstream, const json::Value& said, int http_status = 0);
// The stream ended before the answer did: code "stream_interrupted", 502.
Error interrupted();

// `source` with its own prefix (chatcmpl-, resp_, msg_) replaced by `prefix`, or a fresh id.
std::string answer_id(std::string_view source, std::string_view prefix, IdSource& ids);

size_t code_points(std::string_view text);
// An offset in text as an upstream gave it, within what can be reckoned with; -1 when absent.
int64_t text_offset(const json::Value& said);

// The arguments of a call: {} when there are none (an empty string is no JSON).
inline bool is_blank_json(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Converts between UTF-8 byte offsets and code point offsets of a text that is not kept. Costs
// nothing while the text is ASCII, one bit per byte afterwards, and gives up at kMaxBytes of bits.
class TextIndex {
 public:
  static constexpr size_t kMaxBytes = 16 * 1024;

  void add(std::string_view text);
  size_t bytes() const { return bytes_; }
  size_t points() const { return points_; }
  // -1 when unknown; offsets beyond the end are clamped to it.
  int64_t to_points(int64_t byte) const;
  int64_t to_bytes(int64_t point) const;
  size_t held_bytes() const { return bits_.capacity() * sizeof(uint64_t); }

 private:
  std::vector<uint64_t> bits_;  // from ascii_ on: 1 = a code point begins here
  size_t ascii_ = 0;            // leading bytes that are ASCII
  size_t bytes_ = 0;
  size_t points_ = 0;
  bool wide_ = false;  // a byte beyond ASCII was seen
  bool lost_ = false;
};

// What an answer can lose, each told once per answer.
enum class AnswerLoss : uint8_t {
  reasoning,        // the client did not ask to see it
  signature,        // no slot for it in the client's protocol
  citation,         // no home in the client's protocol
  citation_offset,  // text too long, or its item already closed
  server_tool,      // a built-in tool's call or result
  media,            // an image or file
  audio,
  candidate,  // only the first is carried
  logprobs,
  thinking_block,  // too long to be repeated for replay
  raw_arguments,   // arguments were no JSON object
  code,            // executed code became fenced text
  unknown,         // a kind of block or part that is newer than this code
};

class AnswerLosses {
 public:
  explicit AnswerLosses(LossLog& log) : log_(log) {}
  void lose(AnswerLoss loss, Protocol origin);

 private:
  LossLog& log_;
  uint32_t told_ = 0;
};

// Moves a JSON value to another arena.
json::Value deep_copy(const json::Value& value, Arena& arena);

}  // namespace gproxy::translate
