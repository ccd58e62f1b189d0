#include "translate/answer_common.h"

#include <bit>

#include "translate/errors.h"

namespace gproxy::translate {

Error bad_upstream(std::string_view code, std::string message) {
  Error error;
  error.kind = ErrorKind::server;
  error.code = code;
  error.message = std::move(message);
  error.status = 502;
  return error;
}

Error upstream_error(Protocol upstream, const json::Value& said, int http_status) {
  Error error = decode_error(upstream, http_status, json::write(said));
  if (error.kind == ErrorKind::auth) error = as_gateway_fault(std::move(error));
  if (error.message.empty()) error.message = "upstream reported an error";
  return error;
}

Error interrupted() {
  return bad_upstream("stream_interrupted", "upstream stream ended unexpectedly");
}

std::string answer_id(std::string_view source, std::string_view prefix, IdSource& ids) {
  for (const std::string_view known : {"chatcmpl-", "resp_", "msg_"}) {
    if (!source.starts_with(known)) continue;
    const auto rest = source.substr(known.size());
    if (rest.empty() || rest.size() > 128) break;
    bool plain = true;
    for (const char c : rest) {
      plain = plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_');
    }
    if (!plain) break;
    std::string id(prefix);
    id += rest;
    return id;
  }
  return ids.next(prefix);
}

size_t code_points(std::string_view text) {
  size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return n;
}

int64_t text_offset(const json::Value& said) {
  constexpr int64_t kMax = int64_t{1} << 40;
  const int64_t offset = said.int_or(-1);
  return offset < 0 ? -1 : offset > kMax ? kMax : offset;
}

void TextIndex::add(std::string_view text) {
  size_t i = 0;
  if (!wide_) {
    while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
    ascii_ += i;
    points_ += i;
    bytes_ += i;
    if (i == text.size()) return;
    wide_ = true;
  }
  for (; i < text.size(); ++i, ++bytes_) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    points_ += begins;
    const size_t bit = bytes_ - ascii_;
    if (bit / 8 >= kMaxBytes) {
      lost_ = true;
      bits_.clear();
      bits_.shrink_to_fit();
    }
    if (lost_) continue;
    if (bit / 64 == bits_.size()) bits_.push_back(0);
    if (begins) bits_[bit / 64] |= uint64_t{1} << (bit % 64);
  }
}

int64_t TextIndex::to_points(int64_t byte) const {
  if (byte < 0) return -1;
  const auto at = static_cast<size_t>(byte);
  if (at >= bytes_) return static_cast<int64_t>(points_);
  if (at <= ascii_) return byte;
  if (lost_) return -1;
  size_t bit = at - ascii_;
  size_t count = ascii_;
  for (size_t word = 0; bit > 0; ++word) {
    const size_t take = bit < 64 ? bit : 64;
    const uint64_t mask = take == 64 ? ~uint64_t{0} : (uint64_t{1} << take) - 1;
    count += static_cast<size_t>(std::popcount(bits_[word] & mask));
    bit -= take;
  }
  return static_cast<int64_t>(count);
}

int64_t TextIndex::to_bytes(int64_t point) const {
  if (point < 0) return -1;
  const auto at = static_cast<size_t>(point);
  if (at >= points_) return static_cast<int64_t>(bytes_);
  if (at <= ascii_) return point;
  if (lost_) return -1;
  size_t left = at - ascii_;  // the code point that begins there has `left` before it
  for (size_t word = 0; word < bits_.size(); ++word) {
    const auto here = static_cast<size_t>(std::popcount(bits_[word]));
    if (left >= here) {
      left -= here;
      continue;
    }
    uint64_t bits = bits_[word];
    for (; left > 0; --left) bits &= bits - 1;
    return static_cast<int64_t>(ascii_ + word * 64 + static_cast<size_t>(std::countr_zero(bits)));
  }
  return static_cast<int64_t>(bytes_);
}

namespace {

std::string_view loss_path(AnswerLoss loss, Protocol origin) {
  const bool cc = origin == Protocol::openai_chat;
  const bool rs = origin == Protocol::openai_response;
  const bool cl = origin == Protocol::claude;
  switch (loss) {
    case AnswerLoss::reasoning:
      return cc   ? "choices[].message.reasoning_content"
             : rs ? "output[].summary"
             : cl ? "content[].thinking"
                  : "candidates[].content.parts[].thought";
    case AnswerLoss::signature:
    case AnswerLoss::thinking_block:
      return cc   ? "choices[].message.thinking_blocks"
             : rs ? "output[].encrypted_content"
             : cl ? "content[].signature"
                  : "candidates[].content.parts[].thoughtSignature";
    case AnswerLoss::citation:
    case AnswerLoss::citation_offset:
      return cc   ? "choices[].message.annotations"
             : rs ? "output[].content[].annotations"
             : cl ? "content[].citations"
                  : "candidates[].groundingMetadata";
    case AnswerLoss::server_tool:
    case AnswerLoss::unknown:
      return cc   ? "choices[].message"
             : rs ? "output[]"
             : cl ? "content[]"
                  : "candidates[].content.parts[]";
    case AnswerLoss::media:
      return rs ? "output[].result" : cl ? "content[]" : "candidates[].content.parts[].inlineData";
    case AnswerLoss::audio:
      return cc ? "choices[].message.audio" : "candidates[].content.parts[].inlineData";
    case AnswerLoss::candidate:
      return cc ? "choices[]" : "candidates[]";
    case AnswerLoss::logprobs:
      return cc   ? "choices[].logprobs"
             : rs ? "output[].content[].logprobs"
                  : "candidates[].logprobsResult";
    case AnswerLoss::raw_arguments:
      return cc   ? "choices[].message.tool_calls[].function.arguments"
             : rs ? "output[].arguments"
             : cl ? "content[].input"
                  : "candidates[].content.parts[].functionCall.args";
    case AnswerLoss::code:
      return "candidates[].content.parts[].executableCode";
  }
  return "";
}

std::string_view loss_reason(AnswerLoss loss) {
  switch (loss) {
    case AnswerLoss::reasoning:
      return "the client did not ask for reasoning";
    case AnswerLoss::signature:
      return "the client's protocol has no place for reasoning state";
    case AnswerLoss::thinking_block:
      return "the thinking block is too long to be repeated";
    case AnswerLoss::citation:
      return "the client's protocol has no such citation";
    case AnswerLoss::citation_offset:
      return "the cited text was already sent";
    case AnswerLoss::server_tool:
      return "the client's protocol has no such built-in tool";
    case AnswerLoss::media:
      return "the client's protocol has no media in answers";
    case AnswerLoss::audio:
      return "the client's protocol has no audio in answers";
    case AnswerLoss::candidate:
      return "the client's protocol has one candidate";
    case AnswerLoss::logprobs:
      return "the client's protocol has no logprobs";
    case AnswerLoss::raw_arguments:
      return "the arguments are no JSON object";
    case AnswerLoss::code:
      return "executed code is shown as text";
    case AnswerLoss::unknown:
      return "not known here";
  }
  return "";
}

}  // namespace

void AnswerLosses::lose(AnswerLoss loss, Protocol origin) {
  const uint32_t bit = uint32_t{1} << static_cast<unsigned>(loss);
  if ((told_ & bit) != 0) return;
  told_ |= bit;
  const bool changed = loss == AnswerLoss::raw_arguments || loss == AnswerLoss::code;
  log_.add_text(std::string(loss_path(loss, origin)),
                changed ? LossAction::changed : LossAction::dropped, loss_reason(loss));
}

json::Value deep_copy(const json::Value& value, Arena& arena) {
  switch (value.kind()) {
    case json::Kind::string:
      return json::Value::string(arena.copy(value.str()));
    case json::Kind::number:
      return json::Value::number_text(arena.copy(value.number_text()));
    case json::Kind::array: {
      auto copy = json::Value::array();
      for (const auto& item : value.items()) copy.push(arena, deep_copy(item, arena));
      return copy;
    }
    case json::Kind::object: {
      auto copy = json::Value::object();
      for (const auto& member : value.members()) {
        copy.add(arena, arena.copy(member.key), deep_copy(member.value, arena));
      }
      return copy;
    }
    default:
      return value;
  }
}

}  // namespace gproxy::translate
