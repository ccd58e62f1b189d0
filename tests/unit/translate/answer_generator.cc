#include "answer_generator.h"

#include "base/json.h"

namespace gproxy::translate::test {

namespace {

size_t below(Random& random, size_t n) {
  return n == 0 ? 0 : random() % n;
}

std::string quoted(std::string_view text) {
  std::string out;
  json::write_string(text, out);
  return out;
}

// Cuts at code points.
std::vector<std::string> pieces(const std::string& text, Random& random) {
  std::vector<std::string> out;
  std::string now;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (begins && !now.empty() && below(random, 4) == 0) out.push_back(std::move(now)), now.clear();
    now += text[i];
  }
  if (!now.empty()) out.push_back(now);
  return out;
}

std::string chat_finish(const WireAnswer& answer) {
  if (answer.end == WireAnswer::End::length) return "length";
  if (answer.end == WireAnswer::End::filtered) return "content_filter";
  return answer.has_calls() ? "tool_calls" : "stop";
}

std::string chat_usage(const WireAnswer& a) {
  return R"({"prompt_tokens":)" + std::to_string(a.input) + R"(,"completion_tokens":)" +
         std::to_string(a.output) + R"(,"total_tokens":)" + std::to_string(a.input + a.output) +
         R"(,"prompt_tokens_details":{"cached_tokens":)" + std::to_string(a.cached) +
         R"(},"completion_tokens_details":{"reasoning_tokens":)" + std::to_string(a.reasoning) +
         "}}";
}

std::string chat_whole(const WireAnswer& a) {
  std::string reasoning, text, refusal, calls;
  for (const auto& part : a.parts) {
    if (part.kind == WirePart::Kind::reasoning) reasoning += part.text;
    if (part.kind == WirePart::Kind::text) text += part.text;
    if (part.kind == WirePart::Kind::refusal) refusal += part.text;
    if (part.kind != WirePart::Kind::call) continue;
    if (!calls.empty()) calls += ',';
    calls += R"({"id":)" + quoted(part.id) + R"(,"type":"function","function":{"name":)" +
             quoted(part.name) + R"(,"arguments":)" + quoted(part.args) + "}}";
  }
  std::string out =
      R"({"id":"chatcmpl-abc","object":"chat.completion","created":5,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":)";
  out += text.empty() && !calls.empty() ? "null" : quoted(text);
  if (!refusal.empty()) out += ",\"refusal\":" + quoted(refusal);
  if (!reasoning.empty()) out += ",\"reasoning_content\":" + quoted(reasoning);
  if (!calls.empty()) out += ",\"tool_calls\":[" + calls + "]";
  out += R"(},"finish_reason":")" + chat_finish(a) + R"("}],"usage":)" + chat_usage(a) + "}";
  return out;
}

std::vector<std::string> chat_stream(const WireAnswer& a, Random& random) {
  std::vector<std::string> out;
  const auto chunk = [&](const std::string& delta, const std::string& finish) {
    out.push_back(
        R"({"id":"chatcmpl-abc","object":"chat.completion.chunk","created":5,"model":"up","choices":[{"index":0,"delta":{)" +
        delta + R"(},"finish_reason":)" + finish + "}]}");
  };
  chunk(R"("role":"assistant","content":"")", "null");
  size_t k = 0;
  for (const auto& part : a.parts) {
    const char* name = part.kind == WirePart::Kind::text      ? "content"
                       : part.kind == WirePart::Kind::refusal ? "refusal"
                                                              : "reasoning_content";
    if (part.kind != WirePart::Kind::call) {
      for (const auto& piece : pieces(part.text, random)) {
        chunk("\"" + std::string(name) + "\":" + quoted(piece), "null");
      }
      continue;
    }
    const std::string index = std::to_string(k++);
    chunk(R"("tool_calls":[{"index":)" + index + R"(,"id":)" + quoted(part.id) +
              R"(,"type":"function","function":{"name":)" + quoted(part.name) +
              R"(,"arguments":""}}])",
          "null");
    for (const auto& piece : pieces(part.args, random)) {
      chunk(R"("tool_calls":[{"index":)" + index + R"(,"function":{"arguments":)" + quoted(piece) +
                "}}]",
            "null");
    }
  }
  chunk("", "\"" + chat_finish(a) + "\"");
  out.push_back(
      R"({"id":"chatcmpl-abc","object":"chat.completion.chunk","created":5,"model":"up","choices":[],"usage":)" +
      chat_usage(a) + "}");
  out.emplace_back("[DONE]");
  return out;
}

std::string claude_finish(const WireAnswer& a) {
  if (a.end == WireAnswer::End::length) return "max_tokens";
  if (a.end == WireAnswer::End::filtered) return "refusal";
  return a.has_calls() ? "tool_use" : "end_turn";
}

std::string claude_usage(const WireAnswer& a, int64_t output) {
  return R"({"input_tokens":)" + std::to_string(a.input - a.cached) +
         R"(,"cache_read_input_tokens":)" + std::to_string(a.cached) +
         R"(,"cache_creation_input_tokens":0,"output_tokens":)" + std::to_string(output) +
         R"(,"output_tokens_details":{"thinking_tokens":)" + std::to_string(a.reasoning) + "}}";
}

std::string claude_block(const WirePart& part) {
  if (part.kind == WirePart::Kind::reasoning) {
    return R"({"type":"thinking","thinking":)" + quoted(part.text) + R"(,"signature":)" +
           quoted(part.signature) + "}";
  }
  if (part.kind == WirePart::Kind::call) {
    return R"({"type":"tool_use","id":)" + quoted(part.id) + R"(,"name":)" + quoted(part.name) +
           R"(,"input":)" + part.args + "}";
  }
  return R"({"type":"text","text":)" + quoted(part.text) + "}";
}

std::string claude_whole(const WireAnswer& a) {
  std::string content;
  for (const auto& part : a.parts) {
    if (!content.empty()) content += ',';
    content += claude_block(part);
  }
  return R"({"id":"msg_abc","type":"message","role":"assistant","model":"up","content":[)" +
         content + R"(],"stop_reason":")" + claude_finish(a) +
         R"(","stop_sequence":null,"usage":)" + claude_usage(a, a.output) + "}";
}

std::vector<std::string> claude_stream(const WireAnswer& a, Random& random) {
  std::vector<std::string> out;
  out.push_back(
      R"({"type":"message_start","message":{"id":"msg_abc","type":"message","role":"assistant","model":"up","content":[],"stop_reason":null,"usage":)" +
      claude_usage(a, 1) + "}}");
  out.emplace_back(R"({"type":"ping"})");
  size_t i = 0;
  for (const auto& part : a.parts) {
    const std::string index = std::to_string(i++);
    WirePart empty = part;
    empty.text.clear();
    empty.signature.clear();
    empty.args = "{}";
    out.push_back(R"({"type":"content_block_start","index":)" + index + R"(,"content_block":)" +
                  claude_block(empty) + "}");
    const auto delta = [&](const char* type, const char* name, const std::string& piece) {
      out.push_back(R"({"type":"content_block_delta","index":)" + index + R"(,"delta":{"type":")" +
                    type + "\",\"" + name + "\":" + quoted(piece) + "}}");
    };
    if (part.kind == WirePart::Kind::call) {
      if (part.args != "{}") {
        for (const auto& piece : pieces(part.args, random))
          delta("input_json_delta", "partial_json", piece);
      }
    } else if (part.kind == WirePart::Kind::reasoning) {
      for (const auto& piece : pieces(part.text, random))
        delta("thinking_delta", "thinking", piece);
      if (!part.signature.empty()) delta("signature_delta", "signature", part.signature);
    } else {
      for (const auto& piece : pieces(part.text, random)) delta("text_delta", "text", piece);
    }
    out.push_back(R"({"type":"content_block_stop","index":)" + index + "}");
  }
  out.push_back(R"({"type":"message_delta","delta":{"stop_reason":")" + claude_finish(a) +
                R"(","stop_sequence":null},"usage":{"output_tokens":)" + std::to_string(a.output) +
                "}}");
  out.emplace_back(R"({"type":"message_stop"})");
  return out;
}

std::string responses_usage(const WireAnswer& a) {
  return R"({"input_tokens":)" + std::to_string(a.input) +
         R"(,"input_tokens_details":{"cached_tokens":)" + std::to_string(a.cached) +
         R"(},"output_tokens":)" + std::to_string(a.output) +
         R"(,"output_tokens_details":{"reasoning_tokens":)" + std::to_string(a.reasoning) +
         R"(},"total_tokens":)" + std::to_string(a.input + a.output) + "}";
}

std::string responses_item(const WirePart& part, size_t index, bool empty) {
  const std::string id = std::to_string(index);
  if (part.kind == WirePart::Kind::reasoning) {
    std::string item = R"({"type":"reasoning","id":"rs_)" + id + R"(","summary":[)";
    if (!empty && !part.text.empty())
      item += R"({"type":"summary_text","text":)" + quoted(part.text) + "}";
    item += "]";
    if (!empty && !part.signature.empty())
      item += ",\"encrypted_content\":" + quoted(part.signature);
    return item + "}";
  }
  if (part.kind == WirePart::Kind::call) {
    return R"({"type":"function_call","id":"fc_)" + id + R"(","call_id":)" + quoted(part.id) +
           R"(,"name":)" + quoted(part.name) + R"(,"arguments":)" +
           (empty ? "\"\"" : quoted(part.args)) + "}";
  }
  const bool refusal = part.kind == WirePart::Kind::refusal;
  std::string content;
  if (!empty) {
    content =
        refusal ? R"({"type":"refusal","refusal":)" + quoted(part.text) + "}"
                : R"({"type":"output_text","text":)" + quoted(part.text) + R"(,"annotations":[]})";
  }
  return R"({"type":"message","id":"msg_)" + id +
         R"(","role":"assistant","status":"completed","content":[)" + content + "]}";
}

std::string responses_whole(const WireAnswer& a, const std::string& status) {
  std::string output;
  if (status != "in_progress") {
    for (size_t i = 0; i < a.parts.size(); ++i) {
      if (!output.empty()) output += ',';
      output += responses_item(a.parts[i], i, false);
    }
  }
  std::string out =
      R"({"id":"resp_abc","object":"response","created_at":5,"model":"up","status":")" + status +
      R"(","error":null,"incomplete_details":)";
  out += status != "incomplete"             ? "null"
         : a.end == WireAnswer::End::length ? R"({"reason":"max_output_tokens"})"
                                            : R"({"reason":"content_filter"})";
  out += R"(,"output":[)" + output + R"(],"usage":)" +
         (status == "in_progress" ? "null" : responses_usage(a)) + "}";
  return out;
}

std::string responses_status(const WireAnswer& a) {
  return a.end == WireAnswer::End::stop ? "completed" : "incomplete";
}

std::vector<std::string> responses_stream(const WireAnswer& a, Random& random) {
  std::vector<std::string> out;
  int sequence = 0;
  const auto event = [&](const std::string& type, const std::string& rest) {
    out.push_back(R"({"type":"response.)" + type + R"(","sequence_number":)" +
                  std::to_string(sequence++) + rest + "}");
  };
  event("created", ",\"response\":" + responses_whole(a, "in_progress"));
  event("in_progress", ",\"response\":" + responses_whole(a, "in_progress"));
  for (size_t i = 0; i < a.parts.size(); ++i) {
    const auto& part = a.parts[i];
    const std::string at = ",\"output_index\":" + std::to_string(i);
    event("output_item.added", at + ",\"item\":" + responses_item(part, i, true));
    if (part.kind == WirePart::Kind::call) {
      for (const auto& piece : pieces(part.args, random)) {
        event("function_call_arguments.delta", at + ",\"delta\":" + quoted(piece));
      }
      event("function_call_arguments.done", at + ",\"arguments\":" + quoted(part.args));
    } else if (part.kind == WirePart::Kind::reasoning) {
      if (!part.text.empty()) {
        event("reasoning_summary_part.added",
              at + R"(,"summary_index":0,"part":{"type":"summary_text","text":""})");
        for (const auto& piece : pieces(part.text, random)) {
          event("reasoning_summary_text.delta",
                at + ",\"summary_index\":0,\"delta\":" + quoted(piece));
        }
        event("reasoning_summary_text.done",
              at + ",\"summary_index\":0,\"text\":" + quoted(part.text));
      }
    } else {
      const bool refusal = part.kind == WirePart::Kind::refusal;
      const std::string where = at + ",\"content_index\":0";
      const std::string body =
          refusal ? R"({"type":"refusal","refusal":)" : R"({"type":"output_text","text":)";
      event("content_part.added", where + ",\"part\":" + body + "\"\"}");
      for (const auto& piece : pieces(part.text, random)) {
        event(refusal ? "refusal.delta" : "output_text.delta",
              where + ",\"delta\":" + quoted(piece));
      }
      event("content_part.done", where + ",\"part\":" + body + quoted(part.text) + "}");
    }
    event("output_item.done", at + ",\"item\":" + responses_item(part, i, false));
  }
  event(responses_status(a), ",\"response\":" + responses_whole(a, responses_status(a)));
  return out;
}

std::string gemini_usage(const WireAnswer& a) {
  return R"({"promptTokenCount":)" + std::to_string(a.input) + R"(,"cachedContentTokenCount":)" +
         std::to_string(a.cached) + R"(,"candidatesTokenCount":)" +
         std::to_string(a.output - a.reasoning) + R"(,"thoughtsTokenCount":)" +
         std::to_string(a.reasoning) + R"(,"totalTokenCount":)" +
         std::to_string(a.input + a.output) + "}";
}

std::string gemini_part(const WirePart& part, const std::string& text, bool with_signature) {
  std::string out;
  if (part.kind == WirePart::Kind::call) {
    out = R"({"functionCall":{"id":)" + quoted(part.id) + R"(,"name":)" + quoted(part.name) +
          R"(,"args":)" + part.args + "}";
  } else {
    out = "{\"text\":" + quoted(text);
    if (part.kind == WirePart::Kind::reasoning) out += ",\"thought\":true";
  }
  if (with_signature && !part.signature.empty())
    out += ",\"thoughtSignature\":" + quoted(part.signature);
  return out + "}";
}

std::string gemini_chunk(const WireAnswer& a, const std::string& parts, bool last) {
  std::string out = R"({"candidates":[{"content":{"role":"model","parts":[)" + parts + "]},";
  if (last) {
    out += R"("finishReason":")" +
           std::string(a.end == WireAnswer::End::length     ? "MAX_TOKENS"
                       : a.end == WireAnswer::End::filtered ? "SAFETY"
                                                            : "STOP") +
           "\",";
  }
  return out + R"("index":0}],"usageMetadata":)" + gemini_usage(a) +
         R"(,"modelVersion":"up","responseId":"r"})";
}

std::string gemini_whole(const WireAnswer& a) {
  std::string parts;
  for (const auto& part : a.parts) {
    if (!parts.empty()) parts += ',';
    parts += gemini_part(part, part.text, true);
  }
  return gemini_chunk(a, parts, true);
}

std::vector<std::string> gemini_stream(const WireAnswer& a, Random& random) {
  std::vector<std::string> out;
  for (const auto& part : a.parts) {
    if (part.kind == WirePart::Kind::call) {
      out.push_back(gemini_chunk(a, gemini_part(part, {}, true), false));
      continue;
    }
    bool first = true;
    for (const auto& piece : pieces(part.text, random)) {
      out.push_back(gemini_chunk(a, gemini_part(part, piece, first), false));
      first = false;
    }
  }
  out.push_back(gemini_chunk(a, "", true));
  return out;
}

}  // namespace

bool WireAnswer::has_calls() const {
  for (const auto& part : parts) {
    if (part.kind == WirePart::Kind::call) return true;
  }
  return false;
}

std::string random_text(Random& random, size_t max_pieces) {
  static const char* const kPieces[] = {"a",    "Hello ", "world",   " ",    "\n",         "é",
                                        "日本", "😀",      "e\u0301", "שלום", "\"quoted\"", "\\back",
                                        "\t",   "\x01",   "<tag>",   "```",  "{}",         "0"};
  std::string out;
  for (size_t n = 1 + below(random, max_pieces); n > 0; --n) {
    out += kPieces[below(random, std::size(kPieces))];
  }
  return out;
}

std::string random_args(Random& random) {
  if (below(random, 5) == 0) return "{}";
  std::string out = "{";
  const size_t n = 1 + below(random, 3);
  for (size_t i = 0; i < n; ++i) {
    if (i > 0) out += ',';
    out += quoted("k" + std::to_string(i) + (below(random, 3) == 0 ? "é" : "")) + ":";
    switch (below(random, 6)) {
      case 0:
        out += "12345678901234567890123";
        break;
      case 1:
        out += "1.50e-7";
        break;
      case 2:
        out += quoted(random_text(random, 4));
        break;
      case 3:
        out += "[true,null,{\"x\":[1,2]}]";
        break;
      case 4:
        out += "{\"deep\":{\"er\":" + quoted("}]\"\\") + "}}";
        break;
      default:
        out += std::to_string(below(random, 1000));
        break;
    }
  }
  return out + "}";
}

WireAnswer random_answer(Protocol upstream, Random& random) {
  using Kind = WirePart::Kind;
  WireAnswer answer;
  const bool ordered = upstream == Protocol::openai_chat;
  const auto add = [&](Kind kind) {
    // Neighbours of one kind are one part in Chat and Gemini.
    const bool merges =
        kind != Kind::call && !answer.parts.empty() && answer.parts.back().kind == kind;
    if (merges) return;
    WirePart part;
    part.kind = kind;
    part.text = kind == Kind::call ? "" : random_text(random, 6);
    if (kind == Kind::call) {
      part.id =
          "call_" + std::to_string(answer.parts.size()) + "_" + std::to_string(below(random, 1000));
      part.name = "tool_" + std::to_string(below(random, 3));
      part.args = random_args(random);
    }
    const bool signs =
        upstream != Protocol::openai_chat &&
        (kind == Kind::reasoning || (kind == Kind::call && upstream == Protocol::gemini));
    if (signs && below(random, 2) == 0)
      part.signature = "c2lnbmF0dXJl" + std::to_string(below(random, 9));
    answer.parts.push_back(std::move(part));
  };
  if (ordered) {
    if (below(random, 3) == 0) add(Kind::reasoning);
    const auto what = below(random, 5);
    if (what < 3) add(Kind::text);
    if (what == 3) add(Kind::refusal);
    for (size_t n = below(random, 4); n > 0; --n) add(Kind::call);
    if (answer.parts.empty()) add(Kind::text);
  } else {
    for (size_t n = below(random, 6); n > 0; --n) {
      const auto what = below(random, 7);
      if (what < 3) {
        add(Kind::text);
      } else if (what < 5) {
        add(Kind::call);
      } else {
        add(Kind::reasoning);
      }
    }
    // A reasoning item is followed by what it produced; a refusal is the last word.
    const bool refuses = upstream == Protocol::openai_response && below(random, 6) == 0;
    add(refuses ? Kind::refusal : below(random, 2) == 0 ? Kind::text : Kind::call);
  }
  const auto end = below(random, 8);
  if (end == 6) answer.end = WireAnswer::End::length;
  if (end == 7) answer.end = WireAnswer::End::filtered;
  answer.input = static_cast<int64_t>(10 + below(random, 1000));
  answer.cached = static_cast<int64_t>(below(random, 10));
  answer.output = static_cast<int64_t>(5 + below(random, 1000));
  answer.reasoning = static_cast<int64_t>(below(random, 5));
  return answer;
}

std::string whole_answer(Protocol upstream, const WireAnswer& answer) {
  switch (upstream) {
    case Protocol::claude:
      return claude_whole(answer);
    case Protocol::openai_response:
      return responses_whole(answer, responses_status(answer));
    case Protocol::gemini:
      return gemini_whole(answer);
    default:
      return chat_whole(answer);
  }
}

std::vector<std::string> streamed_answer(Protocol upstream, const WireAnswer& answer,
                                         Random& random) {
  switch (upstream) {
    case Protocol::claude:
      return claude_stream(answer, random);
    case Protocol::openai_response:
      return responses_stream(answer, random);
    case Protocol::gemini:
      return gemini_stream(answer, random);
    default:
      return chat_stream(answer, random);
  }
}

}  // namespace gproxy::translate::test
