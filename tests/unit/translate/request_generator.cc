#include "request_generator.h"

#include "base/strings.h"

namespace gproxy::translate::testing {

namespace {

size_t below(std::mt19937& random, size_t n) {
  return std::uniform_int_distribution<size_t>(0, n - 1)(random);
}

const std::string& pick(std::mt19937& random, const std::vector<std::string>& list) {
  return list[below(random, list.size())];
}

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"hello",
                                                   " ",
                                                   "",
                                                   "\n",
                                                   "\xF0\x9F\x98\x80",
                                                   "e\xCC\x81",
                                                   "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D",
                                                   "\xE6\x97\xA5\xE6\x9C\xAC",
                                                   "a \"quoted\" \\ back",
                                                   "\x01\x1F",
                                                   "tab\tline",
                                                   "{\"json\":1}",
                                                   "<system>",
                                                   "data: x",
                                                   std::string(300, 'z')};
  std::string text;
  for (size_t i = below(random, 4); i-- > 0;) text += pick(random, kPieces);
  return text;
}

std::string random_args(std::mt19937& random) {
  static const std::vector<std::string> kArgs = {"{}",
                                                 R"({"x":1})",
                                                 R"({"id":12345678901234567890123,"r":1.10})",
                                                 R"({"a":[1,2,{"b":null}],"s":"é\"x"})",
                                                 R"({"nested":{"deep":{"deeper":[true,false]}}})",
                                                 R"({"e":1E5,"neg":-0.0})"};
  return pick(random, kArgs);
}

void quote(std::string_view text, std::string& out) {
  json::write_string(text, out);
}
std::string quoted(std::string_view text) {
  std::string out;
  quote(text, out);
  return out;
}

std::string data_url(const GenImage& image) {
  return "data:" + image.mime + ";base64," + image.base64;
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) {
    if (!out.empty()) out += ',';
    out += item;
  }
  return out;
}

}  // namespace

Conversation random_conversation(std::mt19937& random) {
  static const std::vector<std::string> kNames = {"get_weather", "run", "a-b", "Search2", "x_y_z"};
  static const std::vector<std::string> kSchemas = {
      R"({"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]})",
      R"({"type":"object","properties":{"q":{"type":"string","enum":["a","b"]},"default":{"type":"string"}},"additionalProperties":false})",
      R"({"type":"object","properties":{"n":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":["string","null"]}}})"};
  Conversation out;
  if (below(random, 2) == 0) out.system = "system " + random_text(random);
  size_t tools = below(random, 4);
  for (size_t i = 0; i < tools; ++i) {
    out.tools.push_back({kNames[i], "does " + std::to_string(i), pick(random, kSchemas)});
  }
  if (tools > 0) out.choice = static_cast<int>(below(random, 5));
  size_t rounds = below(random, 6);
  int ids = 0;
  for (size_t i = 0; i <= rounds; ++i) {
    GenTurn user;
    size_t texts = 1 + below(random, 3);
    for (size_t t = 0; t < texts; ++t) user.texts.push_back(random_text(random));
    user.texts.push_back("u" + std::to_string(i));
    if (below(random, 4) == 0) {
      user.images.push_back({below(random, 2) == 0 ? "image/png" : "image/jpeg", "iVBORw0KGgo="});
    }
    out.turns.push_back(user);
    if (i == rounds) break;
    GenTurn assistant;
    assistant.assistant = true;
    if (below(random, 4) != 0)
      assistant.texts.push_back("a" + std::to_string(i) + random_text(random));
    size_t calls = tools == 0 ? 0 : below(random, 4);
    for (size_t c = 0; c < calls; ++c) {
      assistant.calls.push_back({"call_" + std::to_string(ids++),
                                 out.tools[below(random, tools)].name, random_args(random),
                                 random_text(random)});
    }
    out.turns.push_back(assistant);
  }
  if (below(random, 2) == 0) out.max_tokens = 16 + static_cast<int64_t>(below(random, 4000));
  if (below(random, 3) == 0) out.temperature = "0.5";
  if (below(random, 3) == 0) out.top_p = "0.9";
  for (size_t i = below(random, 3); i-- > 0;) out.stop.push_back("STOP" + std::to_string(i));
  out.stream = below(random, 2) == 0;
  return out;
}

namespace {

std::string chat(const Conversation& c) {
  std::vector<std::string> messages;
  if (!c.system.empty())
    messages.push_back(R"({"role":"system","content":)" + quoted(c.system) + "}");
  for (const auto& turn : c.turns) {
    if (!turn.assistant) {
      std::vector<std::string> parts;
      for (const auto& text : turn.texts)
        parts.push_back(R"({"type":"text","text":)" + quoted(text) + "}");
      for (const auto& image : turn.images) {
        parts.push_back(R"({"type":"image_url","image_url":{"url":)" + quoted(data_url(image)) +
                        "}}");
      }
      messages.push_back(R"({"role":"user","content":[)" + joined(parts) + "]}");
      continue;
    }
    std::string message = R"({"role":"assistant","content":)";
    message += turn.texts.empty() ? "null" : quoted(turn.texts[0]);
    std::vector<std::string> calls;
    for (const auto& call : turn.calls) {
      calls.push_back(R"({"id":)" + quoted(call.id) + R"(,"type":"function","function":{"name":)" +
                      quoted(call.name) + R"(,"arguments":)" + quoted(call.args) + "}}");
    }
    if (!calls.empty()) message += R"(,"tool_calls":[)" + joined(calls) + "]";
    messages.push_back(message + "}");
    for (const auto& call : turn.calls) {
      messages.push_back(R"({"role":"tool","tool_call_id":)" + quoted(call.id) + R"(,"content":)" +
                         quoted(call.result) + "}");
    }
  }
  std::string out = R"({"model":"m","messages":[)" + joined(messages) + "]";
  std::vector<std::string> tools;
  for (const auto& tool : c.tools) {
    tools.push_back(R"({"type":"function","function":{"name":)" + quoted(tool.name) +
                    R"(,"description":)" + quoted(tool.description) + R"(,"parameters":)" +
                    tool.schema + "}}");
  }
  if (!tools.empty()) out += R"(,"tools":[)" + joined(tools) + "]";
  if (c.choice == 1) out += R"(,"tool_choice":"auto")";
  if (c.choice == 2) out += R"(,"tool_choice":"none")";
  if (c.choice == 3) out += R"(,"tool_choice":"required")";
  if (c.choice == 4) {
    out +=
        R"(,"tool_choice":{"type":"function","function":{"name":)" + quoted(c.tools[0].name) + "}}";
  }
  if (c.max_tokens > 0) out += R"(,"max_completion_tokens":)" + std::to_string(c.max_tokens);
  return out;
}

std::string responses(const Conversation& c) {
  std::vector<std::string> items;
  for (const auto& turn : c.turns) {
    if (!turn.assistant) {
      std::vector<std::string> parts;
      for (const auto& text : turn.texts) {
        parts.push_back(R"({"type":"input_text","text":)" + quoted(text) + "}");
      }
      for (const auto& image : turn.images) {
        parts.push_back(R"({"type":"input_image","detail":"auto","image_url":)" +
                        quoted(data_url(image)) + "}");
      }
      items.push_back(R"({"type":"message","role":"user","content":[)" + joined(parts) + "]}");
      continue;
    }
    for (const auto& text : turn.texts) {
      items.push_back(
          R"({"type":"message","role":"assistant","content":[{"type":"output_text","annotations":[],"text":)" +
          quoted(text) + "}]}");
    }
    for (const auto& call : turn.calls) {
      items.push_back(R"({"type":"function_call","call_id":)" + quoted(call.id) + R"(,"name":)" +
                      quoted(call.name) + R"(,"arguments":)" + quoted(call.args) + "}");
    }
    for (const auto& call : turn.calls) {
      items.push_back(R"({"type":"function_call_output","call_id":)" + quoted(call.id) +
                      R"(,"output":)" + quoted(call.result) + "}");
    }
  }
  std::string out = R"({"model":"m","input":[)" + joined(items) + "]";
  if (!c.system.empty()) out += R"(,"instructions":)" + quoted(c.system);
  std::vector<std::string> tools;
  for (const auto& tool : c.tools) {
    tools.push_back(R"({"type":"function","strict":false,"name":)" + quoted(tool.name) +
                    R"(,"description":)" + quoted(tool.description) + R"(,"parameters":)" +
                    tool.schema + "}");
  }
  if (!tools.empty()) out += R"(,"tools":[)" + joined(tools) + "]";
  if (c.choice == 1) out += R"(,"tool_choice":"auto")";
  if (c.choice == 2) out += R"(,"tool_choice":"none")";
  if (c.choice == 3) out += R"(,"tool_choice":"required")";
  if (c.choice == 4)
    out += R"(,"tool_choice":{"type":"function","name":)" + quoted(c.tools[0].name) + "}";
  if (c.max_tokens > 0) out += R"(,"max_output_tokens":)" + std::to_string(c.max_tokens);
  return out;
}

std::string claude(const Conversation& c) {
  std::vector<std::string> messages;
  std::vector<std::string> results;
  for (const auto& turn : c.turns) {
    std::vector<std::string> blocks;
    if (!turn.assistant) blocks = results;
    results.clear();
    for (const auto& text : turn.texts)
      blocks.push_back(R"({"type":"text","text":)" + quoted(text) + "}");
    for (const auto& image : turn.images) {
      blocks.push_back(R"({"type":"image","source":{"type":"base64","media_type":)" +
                       quoted(image.mime) + R"(,"data":)" + quoted(image.base64) + "}}");
    }
    for (const auto& call : turn.calls) {
      blocks.push_back(R"({"type":"tool_use","id":)" + quoted(call.id) + R"(,"name":)" +
                       quoted(call.name) + R"(,"input":)" + call.args + "}");
      results.push_back(R"({"type":"tool_result","tool_use_id":)" + quoted(call.id) +
                        R"(,"content":)" + quoted(call.result) + "}");
    }
    messages.push_back(std::string(R"({"role":")") + (turn.assistant ? "assistant" : "user") +
                       R"(","content":[)" + joined(blocks) + "]}");
  }
  std::string out = R"({"model":"m","messages":[)" + joined(messages) + "]";
  if (!c.system.empty()) out += R"(,"system":)" + quoted(c.system);
  std::vector<std::string> tools;
  for (const auto& tool : c.tools) {
    tools.push_back(R"({"name":)" + quoted(tool.name) + R"(,"description":)" +
                    quoted(tool.description) + R"(,"input_schema":)" + tool.schema + "}");
  }
  if (!tools.empty()) out += R"(,"tools":[)" + joined(tools) + "]";
  if (c.choice == 1) out += R"(,"tool_choice":{"type":"auto"})";
  if (c.choice == 2) out += R"(,"tool_choice":{"type":"none"})";
  if (c.choice == 3) out += R"(,"tool_choice":{"type":"any"})";
  if (c.choice == 4)
    out += R"(,"tool_choice":{"type":"tool","name":)" + quoted(c.tools[0].name) + "}";
  out += R"(,"max_tokens":)" + std::to_string(c.max_tokens > 0 ? c.max_tokens : 1000);
  return out;
}

std::string gemini(const Conversation& c) {
  std::vector<std::string> contents;
  for (const auto& turn : c.turns) {
    std::vector<std::string> parts, results;
    for (const auto& text : turn.texts) parts.push_back(R"({"text":)" + quoted(text) + "}");
    for (const auto& image : turn.images) {
      parts.push_back(R"({"inlineData":{"mimeType":)" + quoted(image.mime) + R"(,"data":)" +
                      quoted(image.base64) + "}}");
    }
    for (const auto& call : turn.calls) {
      parts.push_back(R"({"functionCall":{"id":)" + quoted(call.id) + R"(,"name":)" +
                      quoted(call.name) + R"(,"args":)" + call.args + "}}");
      results.push_back(R"({"functionResponse":{"id":)" + quoted(call.id) + R"(,"name":)" +
                        quoted(call.name) + R"(,"response":{"output":)" + quoted(call.result) +
                        "}}}");
    }
    contents.push_back(std::string(R"({"role":")") + (turn.assistant ? "model" : "user") +
                       R"(","parts":[)" + joined(parts) + "]}");
    if (!results.empty()) {
      contents.push_back(R"({"role":"user","parts":[)" + joined(results) + "]}");
    }
  }
  std::string out = R"({"contents":[)" + joined(contents) + "]";
  if (!c.system.empty())
    out += R"(,"systemInstruction":{"parts":[{"text":)" + quoted(c.system) + "}]}";
  std::vector<std::string> tools;
  for (const auto& tool : c.tools) {
    tools.push_back(R"({"name":)" + quoted(tool.name) + R"(,"description":)" +
                    quoted(tool.description) + R"(,"parametersJsonSchema":)" + tool.schema + "}");
  }
  if (!tools.empty()) out += R"(,"tools":[{"functionDeclarations":[)" + joined(tools) + "]}]";
  static const char* kModes[] = {"", "AUTO", "NONE", "ANY", "ANY"};
  if (c.choice > 0) {
    out += R"(,"toolConfig":{"functionCallingConfig":{"mode":")" + std::string(kModes[c.choice]) +
           "\"";
    if (c.choice == 4) out += R"(,"allowedFunctionNames":[)" + quoted(c.tools[0].name) + "]";
    out += "}}";
  }
  std::vector<std::string> config;
  if (c.max_tokens > 0) config.push_back(R"("maxOutputTokens":)" + std::to_string(c.max_tokens));
  if (!c.temperature.empty()) config.push_back(R"("temperature":)" + c.temperature);
  if (!c.top_p.empty()) config.push_back(R"("topP":)" + c.top_p);
  std::vector<std::string> stops;
  for (const auto& stop : c.stop) stops.push_back(quoted(stop));
  if (!stops.empty()) config.push_back(R"("stopSequences":[)" + joined(stops) + "]");
  if (!config.empty()) out += R"(,"generationConfig":{)" + joined(config) + "}";
  return out + "}";
}

}  // namespace

std::string write_request(const Conversation& c, Protocol protocol) {
  if (protocol == Protocol::gemini) return gemini(c);
  std::string out = protocol == Protocol::openai_chat       ? chat(c)
                    : protocol == Protocol::openai_response ? responses(c)
                                                            : claude(c);
  if (!c.temperature.empty()) out += R"(,"temperature":)" + c.temperature;
  if (!c.top_p.empty()) out += R"(,"top_p":)" + c.top_p;
  std::vector<std::string> stops;
  for (const auto& stop : c.stop) stops.push_back(quoted(stop));
  if (!stops.empty() && protocol == Protocol::openai_chat)
    out += R"(,"stop":[)" + joined(stops) + "]";
  if (!stops.empty() && protocol == Protocol::claude) {
    out += R"(,"stop_sequences":[)" + joined(stops) + "]";
  }
  if (c.stream) out += R"(,"stream":true)";
  return out + "}";
}

}  // namespace gproxy::translate::testing
