#include "translate/arguments.h"

#include "translate/wire.h"

namespace gproxy::translate {

json::Value args_object(std::string_view text, Arena& arena) {
  auto object = json::Value::object();
  if (wire::is_blank(text)) return object;
  auto parsed = json::parse(text, arena);
  if (!parsed) {
    object.add(arena, "_raw_arguments", json::Value::string(text));
    return object;
  }
  if (parsed->is_object()) return *parsed;
  object.add(arena, "value", *parsed);
  return object;
}

json::Value args_object(const Call& call, Arena& arena) {
  if (call.kind == Call::Kind::custom) return wrap_input(call.args, arena);
  if (call.parsed.is_object()) return call.parsed;
  return args_object(call.args, arena);
}

std::string args_text(const json::Value& object) {
  return json::write(object);
}

std::string_view args_or_empty(std::string_view text) {
  return wire::is_blank(text) ? std::string_view("{}") : text;
}

json::Value wrap_input(std::string_view text, Arena& arena) {
  auto object = json::Value::object();
  object.add(arena, "input", json::Value::string(text));
  return object;
}

std::string unwrap_input(std::string_view args, Arena& arena) {
  auto parsed = json::parse(args, arena);
  if (!parsed || !parsed->is_object()) return std::string(args);
  const auto* input = parsed->find("input");
  if (input == nullptr) return parsed->empty() ? std::string() : std::string(args);
  return input->is_string() ? std::string(input->str()) : json::write(*input);
}

}  // namespace gproxy::translate
