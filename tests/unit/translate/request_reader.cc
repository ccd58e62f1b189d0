// Reads request bodies back: what happened in them, and what an upstream would reject.
#include "request_generator.h"

#include <map>
#include <set>

#include "base/strings.h"

namespace gproxy::translate::testing {

namespace {

using json::Value;

class Events {
 public:
  void text(bool assistant, std::string_view text) {
    if (trim(text).empty()) return;
    if (assistant == assistant_ && open_) {
      text_ += trim(text);
    } else {
      flush();
      assistant_ = assistant;
      open_ = true;
      text_ = std::string(trim(text));
    }
  }
  void call(std::string_view id, std::string_view name, std::string args) {
    flush();
    calls_[std::string(id)] = next_;
    out_.push_back("call " + std::to_string(next_++) + " " + std::string(name) + " " + args);
  }
  void result(std::string_view id, std::string_view text) {
    flush();
    auto found = calls_.find(std::string(id));
    out_.push_back("result " + (found == calls_.end() ? "?" : std::to_string(found->second)) + " " +
                   std::string(trim(text)));
  }
  void add(std::string line) {
    flush();
    out_.push_back(std::move(line));
  }
  std::vector<std::string> take() {
    flush();
    return std::move(out_);
  }

 private:
  void flush() {
    if (open_) out_.push_back((assistant_ ? "assistant: " : "user: ") + text_);
    open_ = false;
    text_.clear();
  }
  std::vector<std::string> out_;
  std::map<std::string, int> calls_;
  int next_ = 0;
  bool open_ = false, assistant_ = false;
  std::string text_;
};

std::string compact(std::string_view text) {
  Arena arena;
  auto parsed = json::parse(text, arena);
  return parsed ? json::write(*parsed) : "invalid " + std::string(text);
}

std::string plain_text(const Value& content) {
  if (content.is_string()) return std::string(content.str());
  std::string out;
  for (const auto& part : content.items()) out += part["text"].str();
  return out;
}

void read_chat(const Value& body, Events& events) {
  for (const auto& message : body["messages"].items()) {
    auto role = message["role"].str();
    if (role == "tool") {
      events.result(message["tool_call_id"].str(), plain_text(message["content"]));
      continue;
    }
    if (role == "system" || role == "developer") continue;
    bool assistant = role == "assistant";
    const auto& content = message["content"];
    if (content.is_string()) events.text(assistant, content.str());
    for (const auto& part : content.items()) {
      if (part["type"].str() == "text") events.text(assistant, part["text"].str());
      if (part["type"].str() == "image_url") {
        events.add("image " + std::string(part["image_url"]["url"].str()));
      }
    }
    for (const auto& call : message["tool_calls"].items()) {
      events.call(call["id"].str(), call["function"]["name"].str(),
                  compact(call["function"]["arguments"].str()));
    }
  }
  for (const auto& tool : body["tools"].items()) {
    const auto& f = tool["function"];
    events.add("tool " + std::string(f["name"].str()) + " " + std::string(f["description"].str()) +
               " " + json::write(f["parameters"]));
  }
  const auto& choice = body["tool_choice"];
  if (choice.is_string()) events.add("choice " + std::string(choice.str()));
  if (choice.is_object()) events.add("choice one " + std::string(choice["function"]["name"].str()));
  if (const auto* max = body.find("max_completion_tokens")) {
    events.add("max " + std::string(max->number_text()));
  }
}

void read_responses(const Value& body, Events& events) {
  for (const auto& item : body["input"].items()) {
    auto type = item["type"].str("message");
    if (type == "function_call") {
      events.call(item["call_id"].str(), item["name"].str(), compact(item["arguments"].str()));
    } else if (type == "function_call_output") {
      events.result(item["call_id"].str(), plain_text(item["output"]));
    } else if (type == "message" && item["role"].str() != "system" &&
               item["role"].str() != "developer") {
      bool assistant = item["role"].str() == "assistant";
      if (item["content"].is_string()) events.text(assistant, item["content"].str());
      for (const auto& part : item["content"].items()) {
        if (part["type"].str() == "input_image") {
          events.add("image " + std::string(part["image_url"].str()));
        } else {
          events.text(assistant, part["text"].str());
        }
      }
    }
  }
  for (const auto& tool : body["tools"].items()) {
    events.add("tool " + std::string(tool["name"].str()) + " " +
               std::string(tool["description"].str()) + " " + json::write(tool["parameters"]));
  }
  const auto& choice = body["tool_choice"];
  if (choice.is_string()) events.add("choice " + std::string(choice.str()));
  if (choice.is_object()) events.add("choice one " + std::string(choice["name"].str()));
  if (const auto* max = body.find("max_output_tokens")) {
    events.add("max " + std::string(max->number_text()));
  }
}

void read_claude(const Value& body, Events& events) {
  for (const auto& message : body["messages"].items()) {
    if (message["role"].str() == "system") continue;
    bool assistant = message["role"].str() == "assistant";
    const auto& content = message["content"];
    if (content.is_string()) events.text(assistant, content.str());
    for (const auto& block : content.items()) {
      auto type = block["type"].str();
      if (type == "text") events.text(assistant, block["text"].str());
      if (type == "image") {
        events.add("image data:" + std::string(block["source"]["media_type"].str()) + ";base64," +
                   std::string(block["source"]["data"].str()));
      }
      if (type == "tool_use") {
        events.call(block["id"].str(), block["name"].str(), json::write(block["input"]));
      }
      if (type == "tool_result") {
        events.result(block["tool_use_id"].str(), plain_text(block["content"]));
      }
    }
  }
  for (const auto& tool : body["tools"].items()) {
    events.add("tool " + std::string(tool["name"].str()) + " " +
               std::string(tool["description"].str()) + " " + json::write(tool["input_schema"]));
  }
  auto choice = body["tool_choice"]["type"].str();
  if (choice == "tool") {
    events.add("choice one " + std::string(body["tool_choice"]["name"].str()));
  } else if (!choice.empty()) {
    events.add("choice " + std::string(choice == "any" ? "required" : choice));
  }
  events.add("max " + std::string(body["max_tokens"].number_text()));
}

void read_gemini(const Value& body, Events& events) {
  for (const auto& content : body["contents"].items()) {
    bool assistant = content["role"].str() == "model";
    for (const auto& part : content["parts"].items()) {
      if (part.has("text")) events.text(assistant, part["text"].str());
      if (part.has("inlineData")) {
        events.add("image data:" + std::string(part["inlineData"]["mimeType"].str()) + ";base64," +
                   std::string(part["inlineData"]["data"].str()));
      }
      const auto& call = part["functionCall"];
      if (call.is_object())
        events.call(call["id"].str(), call["name"].str(), json::write(call["args"]));
      const auto& response = part["functionResponse"];
      if (response.is_object())
        events.result(response["id"].str(), response["response"]["output"].str());
    }
  }
  for (const auto& tool : body["tools"].items()) {
    for (const auto& f : tool["functionDeclarations"].items()) {
      events.add("tool " + std::string(f["name"].str()) + " " +
                 std::string(f["description"].str()) + " " +
                 json::write(f["parametersJsonSchema"]));
    }
  }
  const auto& config = body["toolConfig"]["functionCallingConfig"];
  auto mode = to_lower(config["mode"].str());
  if (!config["allowedFunctionNames"].empty()) {
    events.add("choice one " + std::string(config["allowedFunctionNames"][0].str()));
  } else if (!mode.empty()) {
    events.add("choice " + (mode == "any" ? std::string("required") : mode));
  }
  if (const auto* max = body["generationConfig"].find("maxOutputTokens")) {
    events.add("max " + std::string(max->number_text()));
  }
}

// ---- what upstreams reject ----

std::string chat_complaint(const Value& body) {
  if (body["tools"].empty() && (body.has("tool_choice") || body.has("parallel_tool_calls"))) {
    return "tool settings without tools";
  }
  const auto& messages = body["messages"];
  if (messages.empty()) return "no messages";
  std::set<std::string> open;
  for (const auto& message : messages.items()) {
    auto role = message["role"].str();
    if (role == "tool") {
      if (open.erase(std::string(message["tool_call_id"].str())) == 0) return "tool without call";
      continue;
    }
    if (!open.empty()) return "calls without tool messages";
    for (const auto& call : message["tool_calls"].items()) {
      if (call["id"].str().size() > 40 || call["id"].str().empty()) return "bad call id";
      if (!open.insert(std::string(call["id"].str())).second) return "duplicate call id";
    }
    if (role == "assistant" && message["content"].is_null() && message["tool_calls"].empty() &&
        message["refusal"].is_null()) {
      return "empty assistant message";
    }
  }
  return open.empty() ? "" : "dangling calls";
}

std::string responses_complaint(const Value& body) {
  if (body["tools"].empty() && (body.has("tool_choice") || body.has("parallel_tool_calls"))) {
    return "tool settings without tools";
  }
  if (body.has("max_output_tokens") && body["max_output_tokens"].int_or(0) < 16) return "below 16";
  for (const auto& tool : body["tools"].items()) {
    if (tool["type"].str() == "function" && !tool["strict"].is_bool()) return "strict not said";
  }
  const auto& input = body["input"];
  if (input.empty()) return "no input";
  std::set<std::string> open, all;
  for (size_t i = 0; i < input.size(); ++i) {
    const auto& item = input[i];
    auto type = item["type"].str();
    if (item.has("id")) return "an item id";
    if (type == "function_call" || type == "custom_tool_call") {
      if (!all.insert(std::string(item["call_id"].str())).second) return "duplicate call id";
      open.insert(std::string(item["call_id"].str()));
    }
    if (type == "function_call_output" || type == "custom_tool_call_output") {
      if (open.erase(std::string(item["call_id"].str())) == 0) return "output without call";
    }
    if (type == "reasoning") {
      if (i + 1 == input.size() || input[i + 1]["role"].str() == "user")
        return "reasoning at the end";
    }
  }
  return open.empty() ? "" : "dangling calls";
}

std::string claude_complaint(const Value& body) {
  const auto& messages = body["messages"];
  if (messages.empty()) return "no messages";
  if (body["tools"].empty() && body.has("tool_choice")) return "tool_choice without tools";
  if (!body["max_tokens"].as_int()) return "no max_tokens";
  if (messages[0]["role"].str() != "user") return "first message is not the user's";
  std::set<std::string> open, all;
  bool tool_blocks = false;
  std::string_view previous;
  for (const auto& message : messages.items()) {
    auto role = message["role"].str();
    if (role == previous) return "same role twice";
    previous = role;
    const auto& content = message["content"];
    if (content.is_string() && trim(content.str()).empty()) return "blank text";
    if (content.is_array() && content.empty()) return "no content";
    bool results_over = false;
    std::set<std::string> calls;
    for (const auto& block : content.items()) {
      auto type = block["type"].str();
      if (type == "text" && trim(block["text"].str()).empty()) return "blank text block";
      if (type == "tool_result") {
        tool_blocks = true;
        if (results_over) return "result after other blocks";
        if (open.erase(std::string(block["tool_use_id"].str())) == 0) return "result without call";
      } else {
        results_over = true;
      }
      if (type == "tool_use") {
        tool_blocks = true;
        auto id = std::string(block["id"].str());
        for (char c : id) {
          if (isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-') return "bad id";
        }
        if (id.empty() || id.size() > 64) return "bad id length";
        if (!block["input"].is_object()) return "input is no object";
        if (!all.insert(id).second) return "duplicate id";
        calls.insert(id);
      }
    }
    if (!open.empty()) return "calls without results";
    open = calls;
  }
  if (!open.empty()) return "dangling calls";
  if (tool_blocks && body["tools"].empty()) return "tool blocks without tools";
  const auto& thinking = body["thinking"];
  if (thinking["type"].str() == "enabled" &&
      (thinking["budget_tokens"].int_or(0) < 1024 ||
       thinking["budget_tokens"].int_or(0) >= body["max_tokens"].int_or(0))) {
    return "thinking budget";
  }
  return "";
}

std::string gemini_complaint(const Value& body) {
  const auto& contents = body["contents"];
  if (contents.empty()) return "no contents";
  if (body["tools"].empty() && body.has("toolConfig")) return "toolConfig without tools";
  if (contents[0]["role"].str() != "user") return "first content is not the user's";
  const auto& thinking = body["generationConfig"]["thinkingConfig"];
  if (thinking.has("thinkingBudget") && thinking.has("thinkingLevel")) return "budget and level";
  std::vector<std::string> open;
  for (const auto& content : contents.items()) {
    if (content["parts"].empty()) return "no parts";
    std::vector<std::string> calls, responses;
    size_t others = 0;
    for (const auto& part : content["parts"].items()) {
      if (part.has("functionCall")) {
        calls.emplace_back(part["functionCall"]["name"].str());
      } else if (part.has("functionResponse")) {
        responses.emplace_back(part["functionResponse"]["name"].str());
        if (!part["functionResponse"]["response"].is_object()) return "response is no object";
      } else {
        ++others;
        if (part.has("text") && part["text"].str().empty() && !part.has("thoughtSignature")) {
          return "empty text";
        }
      }
    }
    if (content["role"].str() == "model" && !responses.empty()) return "response of the model";
    if (responses != open) return "responses do not match the calls";
    if (!responses.empty() && others > 0) return "responses with other parts";
    open = calls;
  }
  return open.empty() ? "" : "dangling calls";
}

}  // namespace

std::vector<std::string> read_events(std::string_view body, Protocol protocol) {
  Arena arena;
  auto parsed = json::parse(body, arena);
  Events events;
  if (!parsed) return {"invalid JSON"};
  switch (protocol) {
    case Protocol::openai_chat:
      read_chat(*parsed, events);
      break;
    case Protocol::openai_response:
      read_responses(*parsed, events);
      break;
    case Protocol::claude:
      read_claude(*parsed, events);
      break;
    default:
      read_gemini(*parsed, events);
      break;
  }
  return events.take();
}

std::string complaint(std::string_view body, Protocol protocol) {
  Arena arena;
  auto parsed = json::parse(body, arena);
  if (!parsed) return "invalid JSON";
  switch (protocol) {
    case Protocol::openai_chat:
      return chat_complaint(*parsed);
    case Protocol::openai_response:
      return responses_complaint(*parsed);
    case Protocol::claude:
      return claude_complaint(*parsed);
    default:
      return gemini_complaint(*parsed);
  }
}

}  // namespace gproxy::translate::testing
