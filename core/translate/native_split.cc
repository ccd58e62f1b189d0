#include "translate/native_split.h"

#include <initializer_list>

namespace gproxy::translate {

namespace {

using json::Value;

// The members of `from` but for those named: a new object, so that the answer stays as it is.
Value without(const Value& from, std::initializer_list<std::string_view> names, Arena& arena) {
  auto out = Value::object();
  for (const auto& member : from.members()) {
    bool left_out = false;
    for (const auto name : names) left_out = left_out || member.key == name;
    if (!left_out) out.add(arena, member.key, member.value);
  }
  return out;
}

Value text_value(std::string_view text) {
  return Value::string(text);
}

class Splitter {
 public:
  Splitter(const RequestContext& request, std::string_view model, Arena& arena, std::string& out)
      : request_(request), model_(model), arena_(arena), out_(out) {}

  bool chat(const Value& answer) {
    const auto& choices = answer["choices"];
    if (!choices.is_array() || choices.empty()) return false;
    auto frame = without(answer, {"choices", "usage", "object", "model"}, arena_);
    frame.add(arena_, "object", text_value("chat.completion.chunk"));
    frame.add(arena_, "model", model_.empty() ? answer["model"] : text_value(model_));
    // Who asked for usage gets null in every chunk but the last.
    if (request_.include_usage) frame.add(arena_, "usage", Value());
    for (const auto& choice : choices.items()) chat_message(frame, choice);
    for (const auto& choice : choices.items()) {
      auto end = Value::object();
      end.add(arena_, "index", choice["index"]);
      end.add(arena_, "delta", Value::object());
      end.add(arena_, "logprobs", Value());
      const auto& word = choice["finish_reason"];
      end.add(arena_, "finish_reason", word.is_null() ? text_value("stop") : word);
      chat_chunk(frame, end);
    }
    if (request_.include_usage && answer["usage"].is_object()) {
      auto last = without(frame, {"usage"}, arena_);
      last.add(arena_, "choices", Value::array());
      last.add(arena_, "usage", answer["usage"]);
      data(last);
    }
    out_ += "data: [DONE]\n\n";
    return true;
  }

  bool claude(const Value& answer) {
    const auto& content = answer["content"];
    if (answer["type"].str() != "message" || !content.is_array()) return false;
    auto message = without(
        answer,
        {"content", "stop_reason", "stop_sequence", "stop_details", "container", "model", "usage"},
        arena_);
    message.add(arena_, "model", model_.empty() ? answer["model"] : text_value(model_));
    message.add(arena_, "content", Value::array());
    message.add(arena_, "stop_reason", Value());
    message.add(arena_, "stop_sequence", Value());
    message.add(arena_, "usage", claude_start_usage(answer["usage"]));
    auto start = typed("message_start");
    start.add(arena_, "message", message);
    event(start);
    int64_t index = 0;
    for (const auto& block : content.items()) claude_block(block, index++);
    auto delta = Value::object();
    for (const auto* name : {"stop_reason", "stop_sequence", "stop_details", "container"}) {
      if (const auto* value = answer.find(name)) delta.add(arena_, name, *value);
    }
    auto end = typed("message_delta");
    end.add(arena_, "delta", delta);
    end.add(arena_, "usage", answer["usage"].is_object() ? answer["usage"] : Value::object());
    event(end);
    event(typed("message_stop"));
    return true;
  }

  bool responses(const Value& answer) {
    const auto status = answer["status"].str();
    const bool done = status == "completed" || status == "incomplete";
    if (!done || !answer["output"].is_array()) return false;
    auto whole = without(answer, {"model"}, arena_);
    whole.add(arena_, "model", model_.empty() ? answer["model"] : text_value(model_));
    auto begun =
        without(whole, {"status", "output", "usage", "completed_at", "incomplete_details"}, arena_);
    begun.add(arena_, "status", text_value("in_progress"));
    begun.add(arena_, "output", Value::array());
    begun.add(arena_, "incomplete_details", Value());
    for (const auto* name : {"response.created", "response.in_progress"}) {
      auto first = numbered(name);
      first.add(arena_, "response", begun);
      event(first);
    }
    int64_t index = 0;
    for (const auto& item : answer["output"].items()) responses_item(item, index++);
    auto end = numbered(status == "completed" ? "response.completed" : "response.incomplete");
    end.add(arena_, "response", whole);
    event(end);
    return true;
  }

  // A whole answer is a chunk already, the last one.
  bool gemini(const Value& answer) {
    if (!answer["candidates"].is_array() && !answer["promptFeedback"].is_object()) return false;
    auto chunk = without(answer, {"modelVersion"}, arena_);
    chunk.add(arena_, "modelVersion", model_.empty() ? answer["modelVersion"] : text_value(model_));
    if (request_.framing == GeminiFraming::sse) {
      data(chunk);
    } else {
      out_ += '[';
      json::write_to(chunk, out_);
      out_ += ']';
    }
    return true;
  }

 private:
  Value typed(std::string_view type) {
    auto out = Value::object();
    out.add(arena_, "type", text_value(type));
    return out;
  }
  Value numbered(std::string_view type) {
    auto out = typed(type);
    out.add(arena_, "sequence_number", Value::integer(arena_, sequence_++));
    return out;
  }
  void data(const Value& value) {
    out_ += "data: ";
    json::write_to(value, out_);
    out_ += "\n\n";
  }
  void event(const Value& value) {
    out_ += "event: ";
    out_ += value["type"].str();
    out_ += '\n';
    data(value);
  }

  // ---- Chat ----

  void chat_chunk(const Value& frame, const Value& choice) {
    auto chunk = without(frame, {}, arena_);
    auto list = Value::array();
    list.push(arena_, choice);
    chunk.add(arena_, "choices", list);
    data(chunk);
  }
  Value chat_choice(const Value& index, const Value& delta) {
    auto out = Value::object();
    out.add(arena_, "index", index);
    out.add(arena_, "delta", delta);
    out.add(arena_, "finish_reason", Value());
    return out;
  }

  // The role with what is not known here, then what clients read piece by piece: thoughts, words,
  // calls.
  void chat_message(const Value& frame, const Value& choice) {
    constexpr std::string_view kPieces[] = {"reasoning_content", "reasoning", "content", "refusal"};
    const auto& message = choice["message"];
    auto begun = without(
        message, {"role", "tool_calls", kPieces[0], kPieces[1], kPieces[2], kPieces[3]}, arena_);
    begun.add(arena_, "role",
              message["role"].is_string() ? message["role"] : text_value("assistant"));
    begun.add(arena_, "content", text_value(""));
    auto first = chat_choice(choice["index"], begun);
    for (const auto& member :
         without(choice, {"index", "message", "finish_reason", "logprobs"}, arena_).members()) {
      first.add(arena_, member.key, member.value);
    }
    chat_chunk(frame, first);
    for (const auto name : kPieces) {
      const auto& piece = message[name];
      if (piece.is_null() || (piece.is_string() && piece.str().empty())) continue;
      auto delta = Value::object();
      delta.add(arena_, name, piece);
      auto said = chat_choice(choice["index"], delta);
      if (name == "content" && choice["logprobs"].is_object()) {
        said.add(arena_, "logprobs", choice["logprobs"]);
      }
      chat_chunk(frame, said);
    }
    int64_t number = 0;
    for (const auto& call : message["tool_calls"].items()) {
      auto numbered_call = Value::object();
      numbered_call.add(arena_, "index", Value::integer(arena_, number++));
      for (const auto& member : without(call, {"index"}, arena_).members()) {
        numbered_call.add(arena_, member.key, member.value);
      }
      auto list = Value::array();
      list.push(arena_, numbered_call);
      auto delta = Value::object();
      delta.add(arena_, "tool_calls", list);
      chat_chunk(frame, chat_choice(choice["index"], delta));
    }
  }

  // ---- Claude ----

  // The input is known at the start, the output is not.
  Value claude_start_usage(const Value& usage) {
    auto out = without(usage, {"output_tokens"}, arena_);
    out.add(arena_, "output_tokens", Value::integer(arena_, 0));
    return out;
  }

  void claude_delta(int64_t index, Value delta) {
    auto out = typed("content_block_delta");
    out.add(arena_, "index", Value::integer(arena_, index));
    out.add(arena_, "delta", delta);
    event(out);
  }

  void claude_piece(int64_t index, std::string_view type, std::string_view member,
                    const Value& value) {
    auto delta = typed(type);
    delta.add(arena_, member, value);
    claude_delta(index, delta);
  }

  // Blocks that grow begin empty; what is not known arrives complete.
  void claude_block(const Value& block, int64_t index) {
    const auto type = block["type"].str();
    auto begun = block;
    if (type == "text") {
      begun = without(block, {"text", "citations"}, arena_);
      begun.add(arena_, "text", text_value(""));
      begun.add(arena_, "citations", block["citations"].is_array() ? Value::array() : Value());
    } else if (type == "thinking") {
      begun = without(block, {"thinking", "signature"}, arena_);
      begun.add(arena_, "thinking", text_value(""));
      begun.add(arena_, "signature", text_value(""));
    } else if (type == "tool_use" || type == "server_tool_use") {
      begun = without(block, {"input"}, arena_);
      begun.add(arena_, "input", Value::object());
    }
    auto start = typed("content_block_start");
    start.add(arena_, "index", Value::integer(arena_, index));
    start.add(arena_, "content_block", begun);
    event(start);
    if (type == "text") {
      if (!block["text"].str().empty()) claude_piece(index, "text_delta", "text", block["text"]);
      for (const auto& citation : block["citations"].items()) {
        claude_piece(index, "citations_delta", "citation", citation);
      }
    } else if (type == "thinking") {
      if (!block["thinking"].str().empty()) {
        claude_piece(index, "thinking_delta", "thinking", block["thinking"]);
      }
      if (!block["signature"].str().empty()) {
        claude_piece(index, "signature_delta", "signature", block["signature"]);
      }
    } else if ((type == "tool_use" || type == "server_tool_use") && !block["input"].empty()) {
      claude_piece(index, "input_json_delta", "partial_json",
                   Value::string(arena_.copy(json::write(block["input"]))));
    }
    auto stop = typed("content_block_stop");
    stop.add(arena_, "index", Value::integer(arena_, index));
    event(stop);
  }

  // ---- Responses ----

  Value at_item(std::string_view type, const Value& item, int64_t index) {
    auto out = numbered(type);
    out.add(arena_, "item_id", item["id"]);
    out.add(arena_, "output_index", Value::integer(arena_, index));
    return out;
  }

  void responses_item(const Value& item, int64_t index) {
    const auto type = item["type"].str();
    auto begun = item;
    if (type == "message") {
      begun = without(item, {"content", "status"}, arena_);
      begun.add(arena_, "status", text_value("in_progress"));
      begun.add(arena_, "content", Value::array());
    } else if (type == "reasoning") {
      begun = without(item, {"summary", "content", "encrypted_content"}, arena_);
      begun.add(arena_, "summary", Value::array());
    } else if (type == "function_call") {
      begun = without(item, {"arguments", "status"}, arena_);
      begun.add(arena_, "arguments", text_value(""));
      begun.add(arena_, "status", text_value("in_progress"));
    } else if (type == "custom_tool_call") {
      begun = without(item, {"input"}, arena_);
      begun.add(arena_, "input", text_value(""));
    }
    auto added = numbered("response.output_item.added");
    added.add(arena_, "output_index", Value::integer(arena_, index));
    added.add(arena_, "item", begun);
    event(added);
    int64_t at = 0;
    if (type == "message") {
      for (const auto& part : item["content"].items()) message_part(item, index, part, at++);
    } else if (type == "reasoning") {
      for (const auto& part : item["summary"].items()) summary_part(item, index, part, at++);
    } else if (type == "function_call") {
      grown("response.function_call_arguments", "arguments", item, index);
    } else if (type == "custom_tool_call") {
      grown("response.custom_tool_call_input", "input", item, index);
    }
    auto done = numbered("response.output_item.done");
    done.add(arena_, "output_index", Value::integer(arena_, index));
    done.add(arena_, "item", item);
    event(done);
  }

  void grown(std::string_view stem, std::string_view member, const Value& item, int64_t index) {
    if (!item[member].str().empty()) {
      auto delta = at_item(arena_.concat({stem, ".delta"}), item, index);
      delta.add(arena_, "delta", item[member]);
      event(delta);
    }
    auto done = at_item(arena_.concat({stem, ".done"}), item, index);
    done.add(arena_, member, item[member]);
    if (const auto* name = item.find("name")) done.add(arena_, "name", *name);
    event(done);
  }

  Value at_part(std::string_view type, const Value& item, int64_t index, std::string_view counter,
                int64_t at) {
    auto out = at_item(type, item, index);
    out.add(arena_, counter, Value::integer(arena_, at));
    return out;
  }

  void message_part(const Value& item, int64_t index, const Value& part, int64_t at) {
    constexpr std::string_view kCounter = "content_index";
    const auto type = part["type"].str();
    const bool text = type == "output_text", refusal = type == "refusal";
    const std::string_view member = text ? "text" : "refusal";
    auto begun = part;
    if (text || refusal) {
      begun = without(part, {member, "annotations", "logprobs"}, arena_);
      begun.add(arena_, member, text_value(""));
    }
    for (const auto* name : {"annotations", "logprobs"}) {
      if (text && part[name].is_array()) begun.add(arena_, name, Value::array());
    }
    auto added = at_part("response.content_part.added", item, index, kCounter, at);
    added.add(arena_, "part", begun);
    event(added);
    if (text || refusal) {
      const std::string_view stem = text ? "response.output_text" : "response.refusal";
      const auto* logprobs = part["logprobs"].is_array() ? part.find("logprobs") : nullptr;
      if (!part[member].str().empty()) {
        auto delta = at_part(arena_.concat({stem, ".delta"}), item, index, kCounter, at);
        delta.add(arena_, "delta", part[member]);
        if (logprobs != nullptr) delta.add(arena_, "logprobs", *logprobs);
        event(delta);
      }
      int64_t number = 0;
      for (const auto& annotation : part["annotations"].items()) {
        auto noted = at_part("response.output_text.annotation.added", item, index, kCounter, at);
        noted.add(arena_, "annotation_index", Value::integer(arena_, number++));
        noted.add(arena_, "annotation", annotation);
        event(noted);
      }
      auto done = at_part(arena_.concat({stem, ".done"}), item, index, kCounter, at);
      done.add(arena_, member, part[member]);
      if (logprobs != nullptr) done.add(arena_, "logprobs", *logprobs);
      event(done);
    }
    auto done = at_part("response.content_part.done", item, index, kCounter, at);
    done.add(arena_, "part", part);
    event(done);
  }

  void summary_part(const Value& item, int64_t index, const Value& part, int64_t at) {
    constexpr std::string_view kCounter = "summary_index";
    auto begun = without(part, {"text"}, arena_);
    begun.add(arena_, "text", text_value(""));
    auto added = at_part("response.reasoning_summary_part.added", item, index, kCounter, at);
    added.add(arena_, "part", begun);
    event(added);
    auto delta = at_part("response.reasoning_summary_text.delta", item, index, kCounter, at);
    delta.add(arena_, "delta", part["text"]);
    event(delta);
    auto text = at_part("response.reasoning_summary_text.done", item, index, kCounter, at);
    text.add(arena_, "text", part["text"]);
    event(text);
    auto done = at_part("response.reasoning_summary_part.done", item, index, kCounter, at);
    done.add(arena_, "part", part);
    event(done);
  }

  const RequestContext& request_;
  std::string_view model_;
  Arena& arena_;
  std::string& out_;
  int64_t sequence_ = 0;
};

}  // namespace

bool split_native(const json::Value& answer, const RequestContext& request, std::string_view model,
                  Arena& arena, std::string& out) {
  Splitter splitter(request, model, arena, out);
  switch (request.client) {
    case Protocol::claude:
      return splitter.claude(answer);
    case Protocol::openai_response:
      return splitter.responses(answer);
    case Protocol::gemini:
      return splitter.gemini(answer);
    default:
      return splitter.chat(answer);
  }
}

}  // namespace gproxy::translate
