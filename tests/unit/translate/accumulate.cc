// The SDKs' accumulation rules, with every demand they make turned into a check.
#include <algorithm>
#include <map>

#include "answer_support.h"

namespace gproxy::translate::test {

namespace {

json::Value copy(const json::Value& value, Arena& arena) {
  return parse_or_null(json::write(value), arena);
}

void append(json::Value& object, std::string_view key, std::string_view piece, Arena& arena) {
  object.set(arena, key, json::Value::string(arena.concat({object[key].str(), piece})));
}

struct Reader {
  Accumulated& result;
  Arena& arena;
  void check(bool holds, std::string_view rule) {
    if (!holds && result.broken.empty()) result.broken = rule;
  }
};

// ---- Chat Completions ---------------------------------------------------------------------------

struct ChatReader : Reader {
  void run(const std::vector<std::string>& events) {
    auto answer = json::Value::object();
    bool done = false;
    bool usage_only = false;
    struct Choice {
      json::Value message = json::Value::object();
      json::Value calls = json::Value::array();
      json::Value logprobs = json::Value::array();
      int roles = 0, finishes = 0;
      std::string finish;
    };
    std::map<int64_t, Choice> choices;
    for (const auto& data : events) {
      check(!done, "nothing comes after [DONE]");
      if (data == "[DONE]") {
        done = true;
        continue;
      }
      const auto chunk = parse_or_null(data, arena);
      check(chunk.is_object(), "a chunk is an object");
      if (chunk.has("error")) {
        ++result.errors;
        continue;
      }
      check(result.errors == 0, "nothing comes after an error");
      check(chunk["object"].str() == "chat.completion.chunk", "object is chat.completion.chunk");
      for (const auto* name : {"id", "model", "created"}) {
        check(chunk.has(name), "id, model and created are on every chunk");
        check(answer[name].is_null() || answer[name].equals(chunk[name]),
              "they are the same on all");
        answer.set(arena, name, chunk[name]);
      }
      if (chunk["service_tier"].is_string())
        answer.set(arena, "service_tier", chunk["service_tier"]);
      if (chunk["usage"].is_object()) {
        check(chunk["choices"].empty(), "usage comes alone");
        check(!usage_only, "usage comes once");
        usage_only = true;
        answer.set(arena, "usage", chunk["usage"]);
      }
      for (const auto& said : chunk["choices"].items()) {
        auto& choice = choices[said["index"].int_or(-1)];
        check(choice.finishes == 0, "nothing comes after the finish");
        const auto& delta = said["delta"];
        choice.roles += delta.has("role");
        check(choice.roles == 1, "the role comes first and once");
        for (const auto& token : said["logprobs"]["content"].items()) {
          choice.logprobs.push(arena, token);
        }
        for (const auto* name : {"content", "refusal", "reasoning_content"}) {
          if (!delta[name].str().empty()) append(choice.message, name, delta[name].str(), arena);
        }
        for (const auto& block : delta["thinking_blocks"].items()) {
          if (!choice.message.has("thinking_blocks")) {
            choice.message.add(arena, "thinking_blocks", json::Value::array());
          }
          choice.message.find("thinking_blocks")->push(arena, block);
        }
        if (delta.has("annotations"))
          choice.message.set(arena, "annotations", delta["annotations"]);
        if (delta.has("audio")) choice.message.set(arena, "audio", delta["audio"]);
        for (const auto& call : delta["tool_calls"].items()) {
          const auto index = call["index"].int_or(-1);
          check(index >= 0 && index <= static_cast<int64_t>(choice.calls.size()),
                "tool indices grow by one");
          const auto type = call["type"].str();
          if (index == static_cast<int64_t>(choice.calls.size())) {
            check(!call["id"].str().empty() && !type.empty(), "a call begins with id and type");
            auto fresh = copy(call, arena);
            fresh.remove("index");
            choice.calls.push(arena, fresh);
            continue;
          }
          check(!call.has("id"), "a call begins once");
          auto& known = choice.calls.items()[static_cast<size_t>(index)];
          if (call["function"].is_object()) {
            check(!call["function"].has("name"), "the name comes once");
            append(*known.find("function"), "arguments", call["function"]["arguments"].str(),
                   arena);
          } else {
            append(*known.find("custom"), "input", call["custom"]["input"].str(), arena);
          }
        }
        if (!said["finish_reason"].str().empty()) {
          ++choice.finishes;
          choice.finish = said["finish_reason"].str();
        }
      }
    }
    result.success = done;
    check(!(done && result.errors > 0), "an error excludes [DONE]");
    auto list = json::Value::array();
    for (auto& [index, choice] : choices) {
      if (done) check(choice.finishes == 1, "one finish_reason per choice");
      auto message = json::Value::object();
      message.add(arena, "role", json::Value::string("assistant"));
      const bool any_text = choice.message.has("content");
      message.add(arena, "content",
                  any_text               ? choice.message["content"]
                  : choice.calls.empty() ? json::Value::string("")
                                         : json::Value());
      message.add(arena, "refusal", choice.message["refusal"]);
      for (const auto& member : choice.message.members()) {
        if (member.key != "content" && member.key != "refusal")
          message.add(arena, member.key, member.value);
      }
      if (!choice.calls.empty()) {
        message.add(arena, "tool_calls", choice.calls);
        for (const auto& call : choice.calls.items()) {
          const bool function = call["type"].str() == "function";
          if (choice.finish != "length" && function) {
            check(json::parse(call["function"]["arguments"].str(), arena).ok() ||
                      choice.finish == "content_filter" || !done,
                  "arguments are JSON");
          }
        }
      }
      auto whole = json::Value::object();
      whole.add(arena, "index", json::Value::integer(arena, index));
      whole.add(arena, "message", message);
      auto logprobs = json::Value::object();
      logprobs.add(arena, "content", choice.logprobs);
      logprobs.add(arena, "refusal", json::Value());
      whole.add(arena, "logprobs", choice.logprobs.empty() ? json::Value() : logprobs);
      whole.add(arena, "finish_reason", json::Value::string(arena.copy(choice.finish)));
      list.push(arena, whole);
    }
    answer.add(arena, "object", json::Value::string("chat.completion"));
    answer.add(arena, "choices", list);
    result.answer = answer;
  }
};

// ---- Claude -------------------------------------------------------------------------------------

struct ClaudeReader : Reader {
  void run(const std::vector<std::string>& events) {
    json::Value message;
    json::Value content = json::Value::array();
    int64_t open = -1;
    bool delta_seen = false, stopped = false;
    std::string input;
    for (const auto& data : events) {
      const auto event = parse_or_null(data, arena);
      const auto type = event["type"].str();
      check(!stopped && result.errors == 0, "nothing comes after message_stop or error");
      if (type == "error") {
        ++result.errors;
        check(event["error"]["type"].is_string() && event["error"]["message"].is_string(),
              "an error has type and message");
        continue;
      }
      if (type == "message_start") {
        check(message.is_null(), "message_start comes once");
        message = copy(event["message"], arena);
        check(message["content"].is_array() && message["content"].empty(), "content begins empty");
        check(message["usage"]["input_tokens"].is_number(), "usage is there from the start");
        continue;
      }
      check(!message.is_null(), "message_start comes first");
      if (type == "ping") continue;
      if (type == "content_block_start") {
        check(open < 0, "blocks do not overlap");
        check(!delta_seen, "no block after message_delta");
        open = event["index"].int_or(-1);
        check(open == static_cast<int64_t>(content.size()), "indices are consecutive");
        content.push(arena, copy(event["content_block"], arena));
        input.clear();
      } else if (type == "content_block_delta") {
        check(open == event["index"].int_or(-2), "a delta belongs to the open block");
        if (content.empty()) continue;
        auto& block = content.items()[content.size() - 1];
        const auto& delta = event["delta"];
        const auto kind = delta["type"].str();
        if (kind == "text_delta") {
          check(block["type"].str() == "text" && !delta["text"].str().empty(),
                "text in text blocks");
          append(block, "text", delta["text"].str(), arena);
        } else if (kind == "thinking_delta") {
          check(block["type"].str() == "thinking", "thinking in thinking blocks");
          append(block, "thinking", delta["thinking"].str(), arena);
        } else if (kind == "signature_delta") {
          check(block["type"].str() == "thinking" && block["signature"].str().empty(),
                "one signature per thinking block");
          block.set(arena, "signature", delta["signature"]);
        } else if (kind == "input_json_delta") {
          input += delta["partial_json"].str();
        } else if (kind == "citations_delta") {
          if (!block["citations"].is_array()) block.set(arena, "citations", json::Value::array());
          block.find("citations")->push(arena, delta["citation"]);
        } else {
          check(false, "known deltas");
        }
      } else if (type == "content_block_stop") {
        check(open == event["index"].int_or(-2), "the open block is stopped");
        open = -1;
        if (content.empty()) continue;
        auto& block = content.items()[content.size() - 1];
        if (!input.empty()) {
          block.set(arena, "input", parse_or_null(arena.copy(input), arena));
        }
        check(block["type"].str() != "text" || !block["text"].str().empty(), "no empty text block");
      } else if (type == "message_delta") {
        check(open < 0, "all blocks are stopped before message_delta");
        delta_seen = true;
        for (const auto* name : {"stop_reason", "stop_sequence", "stop_details"}) {
          message.set(arena, name, event["delta"][name]);
        }
        check(event["usage"]["output_tokens"].is_number(), "output_tokens in message_delta");
        auto& usage = *message.find("usage");
        for (const auto& member : event["usage"].members()) {
          if (!member.value.is_null()) usage.set(arena, member.key, member.value);
        }
      } else if (type == "message_stop") {
        check(delta_seen, "message_delta comes before message_stop");
        stopped = true;
      } else {
        check(false, "known events");
      }
    }
    result.success = stopped;
    if (!message.is_null()) message.set(arena, "content", content);
    result.answer = message;
  }
};

// ---- Responses ----------------------------------------------------------------------------------

struct ResponsesReader : Reader {
  void run(const std::vector<std::string>& events) {
    json::Value response;
    auto output = json::Value::array();
    std::vector<bool> done;
    int64_t sequence = 0;
    bool terminal = false;
    const auto item_of = [&](const json::Value& event) -> json::Value* {
      const auto index = event["output_index"].int_or(-1);
      if (index < 0 || index >= static_cast<int64_t>(output.size())) {
        check(false, "events refer to items that were added");
        return nullptr;
      }
      auto& item = output.items()[static_cast<size_t>(index)];
      check(!event.has("item_id") || event["item_id"].equals(item["id"]), "item_id is the item's");
      check(!done[static_cast<size_t>(index)], "nothing comes after an item is done");
      return &item;
    };
    const auto part_of = [&](json::Value* item, std::string_view list, std::string_view index_name,
                             const json::Value& event) -> json::Value* {
      if (item == nullptr) return nullptr;
      auto* parts = item->find(list);
      const auto index = event[index_name].int_or(-1);
      if (parts == nullptr || index < 0 || index >= static_cast<int64_t>(parts->size())) {
        check(false, "deltas refer to parts that were added");
        return nullptr;
      }
      return &parts->items()[static_cast<size_t>(index)];
    };
    const auto add_part = [&](json::Value* item, std::string_view list, const json::Value& part) {
      if (item == nullptr) return;
      if (!(*item)[list].is_array()) item->set(arena, list, json::Value::array());
      item->find(list)->push(arena, copy(part, arena));
    };
    for (const auto& data : events) {
      const auto event = parse_or_null(data, arena);
      const auto type = event["type"].str();
      check(!terminal, "nothing comes after the terminal event");
      check(event["sequence_number"].int_or(-1) == sequence, "sequence numbers are consecutive");
      ++sequence;
      if (type == "error") {
        ++result.errors;
        terminal = true;
        continue;
      }
      if (sequence == 1) {
        check(type == "response.created", "response.created comes first");
        response = copy(event["response"], arena);
        check(response["output"].empty() && response["status"].str() == "in_progress",
              "an answer begins empty");
        continue;
      }
      if (type == "response.in_progress") continue;
      if (type == "response.output_item.added") {
        check(event["output_index"].int_or(-1) == static_cast<int64_t>(output.size()),
              "items are added in order");
        output.push(arena, copy(event["item"], arena));
        done.push_back(false);
      } else if (type == "response.output_item.done") {
        if (auto* item = item_of(event)) {
          check((*item)["id"].equals(event["item"]["id"]), "a done item keeps its id");
          for (const auto* list : {"content", "summary"}) {
            check((*item)[list].size() == event["item"][list].size(), "its parts were told");
          }
          if ((*item)["type"].str() == "message") {
            check((*item)["content"].equals(event["item"]["content"]), "and are what was told");
          } else if ((*item)["type"].str() == "function_call") {
            check((*item)["arguments"].equals(event["item"]["arguments"]),
                  "arguments are what was told");
          }
          *item = copy(event["item"], arena);
          done[static_cast<size_t>(event["output_index"].int_or(0))] = true;
        }
      } else if (type == "response.content_part.added") {
        add_part(item_of(event), "content", event["part"]);
      } else if (type == "response.reasoning_summary_part.added") {
        add_part(item_of(event), "summary", event["part"]);
      } else if (type == "response.output_text.delta" || type == "response.refusal.delta") {
        if (auto* part = part_of(item_of(event), "content", "content_index", event)) {
          const auto* name = type == "response.refusal.delta" ? "refusal" : "text";
          check(part->has(name), "deltas match their part");
          append(*part, name, event["delta"].str(), arena);
        }
      } else if (type == "response.output_text.done" || type == "response.refusal.done") {
        if (auto* part = part_of(item_of(event), "content", "content_index", event)) {
          const auto* name = type == "response.refusal.done" ? "refusal" : "text";
          check((*part)[name].equals(event[name]), "deltas add up to the done text");
          if (event.has("logprobs")) part->set(arena, "logprobs", event["logprobs"]);
        }
      } else if (type == "response.output_text.annotation.added") {
        if (auto* part = part_of(item_of(event), "content", "content_index", event)) {
          check(event["annotation_index"].int_or(-1) ==
                    static_cast<int64_t>((*part)["annotations"].size()),
                "annotations are numbered");
          part->find("annotations")->push(arena, event["annotation"]);
        }
      } else if (type == "response.content_part.done") {
        if (auto* part = part_of(item_of(event), "content", "content_index", event)) {
          check(part->equals(event["part"]), "a done part is what was told");
        }
      } else if (type == "response.reasoning_summary_text.delta") {
        if (auto* part = part_of(item_of(event), "summary", "summary_index", event)) {
          append(*part, "text", event["delta"].str(), arena);
        }
      } else if (type == "response.reasoning_summary_text.done") {
        if (auto* part = part_of(item_of(event), "summary", "summary_index", event)) {
          check((*part)["text"].equals(event["text"]), "a summary adds up");
        }
      } else if (type == "response.reasoning_summary_part.done") {
        if (auto* part = part_of(item_of(event), "summary", "summary_index", event)) {
          check(part->equals(event["part"]), "a done summary is what was told");
        }
      } else if (type == "response.function_call_arguments.delta") {
        if (auto* item = item_of(event)) append(*item, "arguments", event["delta"].str(), arena);
      } else if (type == "response.function_call_arguments.done") {
        if (auto* item = item_of(event)) {
          check((*item)["arguments"].equals(event["arguments"]), "arguments add up");
          check((*item)["name"].equals(event["name"]), "the name is the call's");
        }
      } else if (type == "response.custom_tool_call_input.delta") {
        if (auto* item = item_of(event)) append(*item, "input", event["delta"].str(), arena);
      } else if (type == "response.custom_tool_call_input.done") {
        if (auto* item = item_of(event))
          check((*item)["input"].equals(event["input"]), "input adds up");
      } else if (type == "response.completed" || type == "response.incomplete") {
        terminal = true;
        result.success = true;
        check(std::find(done.begin(), done.end(), false) == done.end(), "all items are done");
        check(event["response"]["output"].equals(output), "the terminal output is what was told");
        check(event["response"]["id"].equals(response["id"]), "the id stays");
        response = copy(event["response"], arena);
      } else if (type == "response.failed") {
        terminal = true;
        ++result.errors;
        check(event["response"]["status"].str() == "failed", "a failed answer says so");
        check(event["response"]["error"]["code"].is_string(), "and why");
        check(event["response"]["output"].size() == output.size(), "with the items so far");
      } else {
        check(type.starts_with("response.web_search_call.") ||
                  type.starts_with("response.image_generation_call."),
              "known events");
        item_of(event);
      }
    }
    result.answer = response;
  }
};

// ---- Gemini -------------------------------------------------------------------------------------

struct GeminiReader : Reader {
  void run(const std::vector<std::string>& events) {
    auto answer = json::Value::object();
    struct Candidate {
      json::Value parts = json::Value::array();
      json::Value last;
      json::Value chosen = json::Value::array(), top = json::Value::array();
    };
    std::map<int64_t, Candidate> candidates;
    bool finished = false;
    for (const auto& data : events) {
      const auto chunk = parse_or_null(data, arena);
      check(!finished && result.errors == 0, "nothing comes after the finish or an error");
      if (chunk.has("error")) {
        ++result.errors;
        check(chunk["error"]["code"].is_number() && chunk["error"]["status"].is_string(),
              "an error has code and status");
        continue;
      }
      check(chunk["candidates"].is_array(), "a chunk has candidates");
      for (const auto* name : {"modelVersion", "responseId"}) {
        check(chunk.has(name), "modelVersion and responseId are on every chunk");
        answer.set(arena, name, chunk[name]);
      }
      if (chunk["usageMetadata"].is_object()) {
        answer.set(arena, "usageMetadata", chunk["usageMetadata"]);
      }
      for (const auto& said : chunk["candidates"].items()) {
        auto& candidate = candidates[said["index"].int_or(-1)];
        check(said["content"]["role"].str() == "model", "the role is model");
        for (const auto& part : said["content"]["parts"].items()) add(candidate.parts, part);
        for (const auto& token : said["logprobsResult"]["chosenCandidates"].items()) {
          candidate.chosen.push(arena, token);
        }
        for (const auto& token : said["logprobsResult"]["topCandidates"].items()) {
          candidate.top.push(arena, token);
        }
        if (said.has("finishReason")) {
          finished = true;
          candidate.last = said;
        }
      }
    }
    result.success = finished;
    auto list = json::Value::array();
    for (auto& [index, candidate] : candidates) {
      auto whole = json::Value::object();
      auto content = json::Value::object();
      content.add(arena, "role", json::Value::string("model"));
      content.add(arena, "parts", candidate.parts);
      whole.add(arena, "content", content);
      for (const auto& member : candidate.last.members()) {
        if (member.key != "content" && member.key != "logprobsResult") {
          whole.add(arena, member.key, member.value);
        }
      }
      if (!candidate.chosen.empty()) {
        auto result_object = json::Value::object();
        result_object.add(arena, "chosenCandidates", candidate.chosen);
        result_object.add(arena, "topCandidates", candidate.top);
        whole.add(arena, "logprobsResult", result_object);
      }
      list.push(arena, whole);
    }
    answer.add(arena, "candidates", list);
    result.answer = answer;
  }

  void add(json::Value& parts, const json::Value& part) {
    if (part["text"].is_string() && !parts.empty()) {
      auto& last = parts.items()[parts.size() - 1];
      if (last["text"].is_string() && last["thought"].as_bool() == part["thought"].as_bool()) {
        append(last, "text", part["text"].str(), arena);
        if (part.has("thoughtSignature"))
          last.set(arena, "thoughtSignature", part["thoughtSignature"]);
        return;
      }
    }
    if (part["functionCall"].is_object()) {
      check(!part["functionCall"]["name"].str().empty() && part["functionCall"]["args"].is_object(),
            "a call is complete");
    }
    parts.push(arena, copy(part, arena));
  }
};

}  // namespace

Accumulated accumulate(Protocol client, std::string_view bytes, Arena& arena) {
  Accumulated result;
  const auto events = unframe(bytes);
  switch (client) {
    case Protocol::claude:
      ClaudeReader{{result, arena}}.run(events);
      break;
    case Protocol::openai_response:
      ResponsesReader{{result, arena}}.run(events);
      break;
    case Protocol::gemini:
      GeminiReader{{result, arena}}.run(events);
      break;
    default:
      ChatReader{{result, arena}}.run(events);
      break;
  }
  return result;
}

}  // namespace gproxy::translate::test
