#include "answer_support.h"

#include <doctest/doctest.h>

#include "base/sse.h"
#include "base/strings.h"

namespace gproxy::translate::test {

namespace {

std::string raw_of(const json::Value& value) {
  return value.is_null() ? std::string() : json::write(value);
}

}  // namespace

RequestContext context_of(Protocol upstream, Protocol client, const json::Value& settings) {
  RequestContext context;
  context.upstream = upstream;
  context.client = client;
  const bool thinking = settings["thinking"].as_bool();
  context.thinking_enabled = context.include_thoughts = context.reasoning_summary = thinking;
  context.stream = settings["stream"].as_bool();
  context.include_usage = settings["include_usage"].as_bool();
  context.requested_model = settings["model"].str();
  context.estimated_input_tokens = settings["estimated_input_tokens"].int_or(0);
  if (settings["framing"].str() == "array") context.framing = GeminiFraming::array;
  for (const auto& tool : settings["tools"].items()) {
    ToolName name;
    name.sent = tool["sent"].str();
    name.original = tool["original"].str();
    name.name_space = tool["namespace"].str();
    if (tool["custom"].as_bool()) name.kind = Call::Kind::custom;
    name.wrapped = tool["wrapped"].as_bool();
    name.tool_search = tool["tool_search"].as_bool();
    context.tools.push_back(name);
  }
  const auto& echo = settings["echo"];
  context.echo.instructions = raw_of(echo["instructions"]);
  context.echo.tools = raw_of(echo["tools"]);
  context.echo.tool_choice = raw_of(echo["tool_choice"]);
  context.echo.temperature = raw_of(echo["temperature"]);
  context.echo.metadata = raw_of(echo["metadata"]);
  context.echo.max_output_tokens = raw_of(echo["max_output_tokens"]);
  return context;
}

Options options_of(const json::Value& settings) {
  Options options;
  if (settings.has("chat_reasoning_ext")) {
    options.chat_reasoning_ext = settings["chat_reasoning_ext"].as_bool();
  }
  options.markdown_images = settings["markdown_images"].as_bool();
  options.upstream_model_name = settings["upstream_model_name"].as_bool();
  return options;
}

json::Value parse_or_null(std::string_view text, Arena& arena) {
  auto value = json::parse(text, arena);
  return value ? *value : json::Value();
}

std::string frame(Protocol upstream, const std::vector<std::string>& events) {
  std::string out;
  for (const auto& data : events) {
    std::string_view name;
    Arena arena;
    const auto doc = parse_or_null(data, arena);
    if (upstream == Protocol::claude || upstream == Protocol::openai_response) {
      name = doc["type"].str();
    }
    sse::write(out, name, data);
  }
  return out;
}

std::vector<std::string> unframe(std::string_view bytes) {
  std::vector<std::string> out;
  if (!bytes.empty() && bytes.front() == '[') {
    Arena arena(64 * 1024);
    const auto list = json::parse(bytes, arena);
    REQUIRE_MESSAGE(list.ok(), std::string(bytes));
    for (const auto& item : list->items()) out.push_back(json::write(item));
    return out;
  }
  sse::Reader reader;
  const auto take = [&out](const sse::Event& event) {
    out.emplace_back(event.data);
    return true;
  };
  REQUIRE(reader.feed(bytes, take).ok());
  CHECK(reader.at_boundary());
  return out;
}

const json::Value& at_path(const json::Value& root, std::string_view path) {
  const json::Value* at = &root;
  while (!path.empty()) {
    if (path.front() == '.') path.remove_prefix(1);
    if (path.front() == '[') {
      const auto end = path.find(']');
      auto index = parse_int(path.substr(1, end - 1)).value_or(0);
      if (index < 0) index += static_cast<int64_t>(at->size());
      path.remove_prefix(end + 1);
      at = &(*at)[static_cast<size_t>(index)];
    } else {
      const auto end = path.find_first_of(".[");
      at = &(*at)[path.substr(0, end)];
      path.remove_prefix(end == std::string_view::npos ? path.size() : end);
    }
  }
  return *at;
}

}  // namespace gproxy::translate::test
