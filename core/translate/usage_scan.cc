#include "translate/usage_scan.h"

#include <algorithm>
#include <cstring>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gproxy::translate {
namespace {

// What the leaves of the trees below mean. The counts come first: they index counts_.
enum Leaf : uint8_t {
  kInput = 1,
  kOutput,
  kCacheRead,
  kCacheWrite,
  kReasoning,
  kToolPrompt,
  kCacheWrite1h,
  kTotal,
  kModel,
  kType,
  kError,
  kFinish,
  kChoices,
  kUsage,
  kId,
};

constexpr TapTree kChat{
    {"model", kModel},
    {"choices", kChoices},
    {"choices.finish_reason", kFinish},
    {"usage", kUsage},
    {"usage.prompt_tokens", kInput},
    {"usage.completion_tokens", kOutput},
    {"usage.total_tokens", kTotal},
    {"usage.prompt_tokens_details.cached_tokens", kCacheRead},
    {"usage.prompt_tokens_details.cache_write_tokens", kCacheWrite},
    {"usage.completion_tokens_details.reasoning_tokens", kReasoning},
    {"error", kError},
};

// Of a whole answer nobody asks how it finished, and the choices can be passed over.
constexpr TapTree kChatWhole{
    {"model", kModel},
    {"usage.prompt_tokens", kInput},
    {"usage.completion_tokens", kOutput},
    {"usage.total_tokens", kTotal},
    {"usage.prompt_tokens_details.cached_tokens", kCacheRead},
    {"usage.prompt_tokens_details.cache_write_tokens", kCacheWrite},
    {"usage.completion_tokens_details.reasoning_tokens", kReasoning},
    {"error", kError},
};

constexpr TapTree kResponses{
    {"id", kId},
    {"response.id", kId},
    {"type", kType},
    {"model", kModel},
    {"usage.input_tokens", kInput},
    {"usage.output_tokens", kOutput},
    {"usage.input_tokens_details.cached_tokens", kCacheRead},
    {"usage.input_tokens_details.cache_write_tokens", kCacheWrite},
    {"usage.output_tokens_details.reasoning_tokens", kReasoning},
    {"response.model", kModel},
    {"response.usage.input_tokens", kInput},
    {"response.usage.output_tokens", kOutput},
    {"response.usage.input_tokens_details.cached_tokens", kCacheRead},
    {"response.usage.input_tokens_details.cache_write_tokens", kCacheWrite},
    {"response.usage.output_tokens_details.reasoning_tokens", kReasoning},
    {"error", kError},
};

constexpr TapTree kClaude{
    {"type", kType},
    {"model", kModel},
    {"usage.input_tokens", kInput},
    {"usage.output_tokens", kOutput},
    {"usage.cache_read_input_tokens", kCacheRead},
    {"usage.cache_creation_input_tokens", kCacheWrite},
    {"usage.cache_creation.ephemeral_1h_input_tokens", kCacheWrite1h},
    {"usage.output_tokens_details.thinking_tokens", kReasoning},
    {"message.model", kModel},
    {"message.usage.input_tokens", kInput},
    {"message.usage.output_tokens", kOutput},
    {"message.usage.cache_read_input_tokens", kCacheRead},
    {"message.usage.cache_creation_input_tokens", kCacheWrite},
    {"message.usage.cache_creation.ephemeral_1h_input_tokens", kCacheWrite1h},
    {"message.usage.output_tokens_details.thinking_tokens", kReasoning},
    {"error", kError},
};

constexpr TapTree kGemini{
    {"candidates.finishReason", kFinish},
    {"promptFeedback.blockReason", kFinish},
    {"modelVersion", kModel},
    {"usageMetadata.promptTokenCount", kInput},
    {"usageMetadata.candidatesTokenCount", kOutput},
    {"usageMetadata.cachedContentTokenCount", kCacheRead},
    {"usageMetadata.thoughtsTokenCount", kReasoning},
    {"usageMetadata.toolUsePromptTokenCount", kToolPrompt},
    {"error", kError},
};

// Calls hit(rest) for each place where a quote is followed by one of three letters, until it
// answers true. Sixteen places at a time: this runs over every byte that is streamed.
template <class Hit>
bool any_quoted(std::string_view text, const char (&letters)[4], Hit hit) {
  size_t at = 0;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i a = _mm_set1_epi8(letters[0]);
  const __m128i b = _mm_set1_epi8(letters[1]);
  const __m128i c = _mm_set1_epi8(letters[2]);
  for (; at + 17 <= text.size(); at += 16) {
    const auto* from = text.data() + at;
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i next = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 1));
    const __m128i letter = _mm_or_si128(
        _mm_cmpeq_epi8(next, a), _mm_or_si128(_mm_cmpeq_epi8(next, b), _mm_cmpeq_epi8(next, c)));
    auto hits = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(here, quote), letter)));
    for (; hits != 0; hits &= hits - 1) {
      if (hit(text.substr(at + static_cast<size_t>(__builtin_ctz(hits))))) return true;
    }
  }
#endif
  for (; at + 1 < text.size(); ++at) {
    const char next = text[at + 1];
    if (text[at] == '"' && (next == letters[0] || next == letters[1] || next == letters[2]) &&
        hit(text.substr(at))) {
      return true;
    }
  }
  return false;
}

bool skip_blank(char c) {
  return c == ' ' || c == '\t' || c == ':';
}

// `rest` begins with the member `key` (quotes included), and its value is not null. Escaped quotes
// inside of strings do not match; a member of some inner object does, which only costs a closer
// look.
bool has_value(std::string_view rest, std::string_view key) {
  if (!rest.starts_with(key)) return false;
  size_t at = key.size();
  while (at < rest.size() && skip_blank(rest[at])) ++at;
  return at == rest.size() || rest[at] != 'n';
}

// How many bytes of a string stand before its closing quote; all of them where it has none yet.
size_t until_quote(std::string_view text) {
  for (size_t at = 0;; ++at) {
    at = text.find('"', at);
    if (at == std::string_view::npos) return text.size();
    size_t escapes = 0;
    while (escapes < at && text[at - escapes - 1] == '\\') ++escapes;
    if (escapes % 2 == 0) return at;
  }
}

// Where the string value of the member `key` begins in `rest`; 0: that is not what stands here.
size_t string_value(std::string_view rest, std::string_view key) {
  if (!rest.starts_with(key)) return 0;
  size_t at = key.size();
  while (at < rest.size() && skip_blank(rest[at])) ++at;
  // The word may also be a value: only behind a colon it is a member's name.
  return at > key.size() && at < rest.size() && rest[at] == '"' ? at + 1 : 0;
}

const TapTree& tree_of(Protocol protocol, Framing framing) {
  if (framing == Framing::json && protocol == Protocol::openai_chat) return kChatWhole;
  switch (protocol) {
    case Protocol::claude:
      return kClaude;
    case Protocol::gemini:
      return kGemini;
    case Protocol::openai_response:
    case Protocol::openai:
      return kResponses;
    default:
      return kChat;
  }
}

}  // namespace

UsageScan::UsageScan(Protocol protocol, Framing framing)
    : tap_(tree_of(protocol, framing)), protocol_(protocol), framing_(framing) {
  std::fill(std::begin(counts_), std::end(counts_), -1);
}

Usage UsageScan::usage() const {
  const auto count = [&](Leaf leaf) { return counts_[leaf - kInput]; };
  Usage usage;
  usage.cache_read = count(kCacheRead);
  usage.cache_write = count(kCacheWrite);
  usage.cache_write_1h = count(kCacheWrite1h);
  usage.reasoning = count(kReasoning);
  usage.input = count(kInput);
  usage.output = count(kOutput);
  if (protocol_ == Protocol::claude) return usage;  // its input is without the cache already
  if (protocol_ == Protocol::gemini) {
    if (count(kToolPrompt) > 0)
      usage.input = std::max<int64_t>(usage.input, 0) + count(kToolPrompt);
    // Thoughts are counted beside the candidates, which may be absent when only thoughts came.
    if (count(kReasoning) > 0)
      usage.output = std::max<int64_t>(usage.output, 0) + count(kReasoning);
  }
  // Most count reasoning inside of completion_tokens; where it stands beside them, as xAI's and
  // Google's do, the total tells.
  if (usage.input >= 0 && usage.output >= 0 && count(kReasoning) > 0 &&
      count(kTotal) == usage.input + usage.output + count(kReasoning)) {
    usage.output += count(kReasoning);
  }
  if (usage.input >= 0) {
    const int64_t cached =
        std::max<int64_t>(usage.cache_read, 0) + std::max<int64_t>(usage.cache_write, 0);
    usage.input = std::max<int64_t>(usage.input - cached, 0);
  }
  return usage;
}

void UsageScan::take_type(std::string_view type) {
  if (protocol_ == Protocol::claude) {
    if (type == "message_stop" || (framing_ == Framing::json && type == "message"))
      finished_ = true;
  } else if (type == "response.completed" || type == "response.incomplete") {
    finished_ = true;
  } else if (type == "response.created") {
    created_ = true;
  } else if (type == "response.failed") {
    event_failed_ = true;
  }
  if (type == "error") event_failed_ = true;
}

void UsageScan::take_leaf() {
  const uint8_t leaf = tap_.leaf();
  if (leaf <= kTotal) {
    // Later values override earlier ones: all four protocols repeat cumulative counts.
    const int64_t n = tap_.number();
    if (n >= 0 && n <= kMaxTokens) counts_[leaf - kInput] = n;
    return;
  }
  const bool is_null = tap_.kind() == json::Kind::null;
  switch (leaf) {
    case kModel:
      if (model_.empty() && tap_.kind() == json::Kind::string) model_ = tap_.text();
      break;
    case kType:
      if (tap_.kind() == json::Kind::string) take_type(tap_.text());
      break;
    case kError:
      if (!is_null) event_failed_ = true;
      break;
    case kFinish:
      if (tap_.kind() == json::Kind::string && !tap_.text().empty()) finished_ = true;
      break;
    case kChoices:
      // An array is reported when it begins, each element as an object.
      choices_empty_ = tap_.kind() == json::Kind::array;
      break;
    case kId:
      if (response_id_.empty() && tap_.kind() == json::Kind::string &&
          tap_.text().size() < JsonTap::kMaxText) {
        response_id_ = tap_.text();
      }
      break;
    case kUsage:
      has_usage_ = tap_.kind() == json::Kind::object;
      break;
    default:
      break;
  }
}

bool UsageScan::tap(std::string_view bytes, size_t& at, size_t end, Mark& mark) {
  const auto part = bytes.substr(0, end);
  while (at < end) {
    switch (tap_.next(part, at)) {
      case JsonTap::Event::need_more:
        return false;
      case JsonTap::Event::string_begin:
        if (tap_.leaf() == kModel) {
          mark = Mark::model;
          return true;
        }
        break;
      case JsonTap::Event::leaf:
        take_leaf();
        if (framing_ == Framing::json && event_failed_) failed_ = true;
        break;
    }
  }
  return false;
}

void UsageScan::end_event() {
  usage_chunk_ = choices_empty_ && has_usage_ && !event_failed_;
  if (std::string_view(head_, head_len_) == "[DONE]") finished_ = true;
  if (event_failed_) {
    failed_ = true;
  } else if (head_len_ > 0 && is_data_start(head_[0])) {
    content_ = true;
  }
  event_failed_ = choices_empty_ = has_usage_ = false;
  head_len_ = 0;
  in_event_ = in_text_ = false;
  tap_.reset();
}

bool UsageScan::advance(std::string_view bytes, size_t& at, Mark& mark) {
  if (at == 0) counted_to_ = 0;  // other bytes
  if (framing_ == Framing::sse) return advance_sse(bytes, at, mark);
  if (at >= counted_to_) {
    count_text(bytes.substr(at));
    counted_to_ = bytes.size();
  }
  if (first_byte_ == 0) {
    const size_t first = bytes.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos) first_byte_ = bytes[first];
  }
  const bool marked = tap(bytes, at, bytes.size(), mark);
  if (!marked && !bytes.empty() && !failed_) content_ = true;
  return marked;
}

bool UsageScan::is_quiet(std::string_view event) const {
  switch (protocol_) {
    case Protocol::openai_chat:
      if (event.starts_with("data: [") || event.starts_with("data:[")) return false;  // [DONE]
      return !any_quoted(event, "ufe", [](std::string_view rest) {
        return has_value(rest, "\"usage\"") || has_value(rest, "\"finish_reason\"") ||
               has_value(rest, "\"error\"");
      });
    case Protocol::openai_response:
    case Protocol::openai:
      return !any_quoted(event, "ree", [](std::string_view rest) {
        return rest.starts_with("\"response\"") || rest.starts_with("\"error\"");
      });
    case Protocol::claude:
      return !any_quoted(event, "ume", [](std::string_view rest) {
        return rest.starts_with("\"usage\"") || rest.starts_with("\"message_st") ||
               rest.starts_with("\"error\"");
      });
    default:
      return false;  // Gemini tells its usage in every event
  }
}

void UsageScan::count_text(std::string_view bytes) {
  if (in_text_) {
    const size_t size = until_quote(bytes);
    text_bytes_ += size;
    if (size == bytes.size()) return;
    in_text_ = false;
    bytes.remove_prefix(size + 1);
  }
  const auto count = [&](const char(&letters)[4], auto... keys) {
    any_quoted(bytes, letters, [&](std::string_view rest) {
      size_t at = 0;
      ((at = at == 0 ? string_value(rest, keys) : at), ...);
      if (at == 0) return false;
      const size_t size = until_quote(rest.substr(at));
      text_bytes_ += size;
      in_text_ = at + size == rest.size();
      return in_text_;
    });
  };
  switch (protocol_) {
    case Protocol::claude:
      return count("ttp", "\"text\"", "\"thinking\"", "\"partial_json\"");
    case Protocol::gemini:
      return count("ttt", "\"text\"");
    case Protocol::openai_response:
    case Protocol::openai:
      // What is done repeats what came as deltas.
      if (framing_ == Framing::sse) return count("ddd", "\"delta\"");
      return count("tta", "\"text\"", "\"arguments\"");
    default:
      return count("car", "\"content\"", "\"arguments\"", "\"reasoning_content\"", "\"reasoning\"");
  }
}

bool UsageScan::pass_quiet_event(std::string_view bytes, size_t& at, Mark& mark) {
  const auto rest = bytes.substr(at);
  const size_t end = rest.find("\n\n");
  if (end == std::string_view::npos) return false;
  const auto event = rest.substr(0, end + 2);
  if (std::memchr(event.data(), '\r', event.size()) != nullptr || !is_quiet(event)) return false;
  usage_chunk_ = false;
  if (marks_ && protocol_ == Protocol::openai_chat) {
    // A top-level member, if nothing but the outermost brace was opened before it.
    constexpr std::string_view kKey = "\"model\"";
    const size_t key = event.find(kKey);
    if (key != std::string_view::npos) {
      const auto before = event.substr(0, key);
      const size_t brace = before.find('{');
      const size_t quote = event.find_first_not_of(" \t:", key + kKey.size());
      if (brace == std::string_view::npos ||
          before.find_first_of("{[", brace + 1) != std::string_view::npos ||
          quote == std::string_view::npos || event[quote] != '"') {
        return false;
      }
      count_text(event);
      quiet_end_ = at + event.size();
      at += quote + 1;
      mark = Mark::model;
      return true;
    }
  }
  count_text(event);
  at += event.size();
  mark = Mark::event_end;
  return true;
}

bool UsageScan::advance_sse(std::string_view bytes, size_t& at, Mark& mark) {
  if (quiet_end_ != 0) {
    at = std::exchange(quiet_end_, 0);
    mark = Mark::event_end;
    return true;
  }
  while (at < bytes.size()) {
    const char c = bytes[at];
    switch (line_) {
      case Line::start:
        if (content_ && !in_event_ && c != '\n' && c != '\r' && pass_quiet_event(bytes, at, mark)) {
          last_cr_ = false;
          return true;
        }
        if (last_cr_ && c == '\n') {  // the second half of CRLF
          last_cr_ = false;
          ++at;
          break;
        }
        last_cr_ = false;
        if (c == '\n' || c == '\r') {
          ++at;
          last_cr_ = c == '\r';
          // A CRLF that lies in this piece belongs to the event it ends.
          if (last_cr_ && at < bytes.size() && bytes[at] == '\n') {
            ++at;
            last_cr_ = false;
          }
          if (!in_event_) break;
          end_event();
          mark = Mark::event_end;
          return true;
        }
        in_event_ = true;
        field_len_ = 0;
        line_ = Line::field;
        break;
      case Line::field:
        if (c == '\n' || c == '\r') {
          line_ = Line::other;
        } else if (c == ':') {
          ++at;
          const std::string_view name(field_, std::min<size_t>(field_len_, sizeof field_));
          line_ = field_len_ == 4 && name.substr(0, 4) == "data" ? Line::data_space : Line::other;
        } else {
          ++at;
          if (static_cast<unsigned char>(c) >= 0x80)
            break;  // a byte order mark before the first field
          if (field_len_ < sizeof field_) field_[field_len_] = c;
          if (field_len_ < UINT8_MAX) ++field_len_;
        }
        break;
      case Line::data_space:
        if (c == ' ') ++at;
        line_ = Line::data;
        break;
      case Line::data:
      case Line::other: {
        const auto rest = bytes.substr(at);
        size_t len = std::min(rest.find('\n'), rest.size());
        // A lone CR ends a line too; it is looked for only up to the LF.
        if (const void* cr = std::memchr(rest.data(), '\r', len)) {
          len = static_cast<size_t>(static_cast<const char*>(cr) - rest.data());
        }
        if (line_ == Line::data) {
          for (size_t i = 0; i < len && head_len_ < sizeof head_; ++i) head_[head_len_++] = rest[i];
          if (at >= counted_to_) {  // a mark inside of the line comes back here with what is left
            count_text(rest.substr(0, len));
            counted_to_ = at + len;
          }
          if (tap(bytes, at, at + len, mark)) return true;
        } else {
          at += len;
        }
        if (at < bytes.size()) {
          last_cr_ = bytes[at] == '\r';
          ++at;
          line_ = Line::start;
        }
        break;
      }
    }
  }
  return false;
}

}  // namespace gproxy::translate
