#include "translate/wire.h"

namespace gproxy::translate::wire {

namespace {

std::string_view kind_word(const json::Value& value) {
  switch (value.kind()) {
    case json::Kind::null:
      return "null";
    case json::Kind::boolean:
      return "a boolean";
    case json::Kind::number:
      return "a number";
    case json::Kind::string:
      return "a string";
    case json::Kind::array:
      return "an array";
    case json::Kind::object:
      return "an object";
  }
  return "another type";
}

bool fits(const json::Value& value, Want want) {
  switch (want) {
    case Want::any:
      return true;
    case Want::number:
      return value.is_number();
    case Want::integer:
      return value.as_int().has_value();
    case Want::boolean:
      return value.is_bool();
    case Want::string:
      return value.is_string();
    case Want::array:
      return value.is_array();
    case Want::object:
      return value.is_object();
  }
  return true;
}

std::string_view want_word(Want want) {
  switch (want) {
    case Want::any:
      return "a value";
    case Want::number:
      return "a number";
    case Want::integer:
      return "an integer";
    case Want::boolean:
      return "a boolean";
    case Want::string:
      return "a string";
    case Want::array:
      return "an array";
    case Want::object:
      return "an object";
  }
  return "a value";
}

}  // namespace

const Path* key(Arena& arena, const Path* parent, std::string_view name) {
  auto* path = make<Path>(arena);
  *path = Path{parent, name, -1};
  return path;
}

const Path* item(Arena& arena, const Path* parent, size_t index) {
  auto* path = make<Path>(arena);
  *path = Path{parent, {}, static_cast<int32_t>(index)};
  return path;
}

Error wrong_type(const Path* at, std::string_view expected, const json::Value& got) {
  std::string message = "expected ";
  message += expected;
  message += ", got ";
  message += kind_word(got);
  return Error{ErrorKind::invalid, "invalid_type", std::move(message), path_text(at)};
}

Error missing(const Path* at, std::string_view member) {
  return Error{ErrorKind::invalid, "missing_required_parameter",
               "missing required field " + std::string(member), path_text(at, member)};
}

const json::Value* get(const json::Value& object, std::string_view name) {
  const auto* value = object.find(name);
  return value != nullptr && !value->is_null() ? value : nullptr;
}

Result<std::string_view> text(const json::Value& object, std::string_view name, const Path* at) {
  const auto* value = get(object, name);
  if (value == nullptr) return std::string_view{};
  if (!value->is_string()) {
    Path here{at, name, -1};
    return wrong_type(&here, "a string", *value);
  }
  return value->str();
}

Result<std::string_view> required_text(const json::Value& object, std::string_view name,
                                       const Path* at) {
  if (get(object, name) == nullptr) return missing(at, name);
  return text(object, name, at);
}

Result<int8_t> flag(const json::Value& object, std::string_view name, const Path* at) {
  const auto* value = get(object, name);
  if (value == nullptr) return int8_t{-1};
  if (!value->is_bool()) {
    Path here{at, name, -1};
    return wrong_type(&here, "a boolean", *value);
  }
  return static_cast<int8_t>(value->as_bool() ? 1 : 0);
}

Result<const json::Value*> object(const json::Value& parent, std::string_view name,
                                  const Path* at) {
  const auto* value = get(parent, name);
  if (value != nullptr && !value->is_object()) {
    Path here{at, name, -1};
    return wrong_type(&here, "an object", *value);
  }
  return value;
}

Result<const json::Value*> array(const json::Value& parent, std::string_view name, const Path* at) {
  const auto* value = get(parent, name);
  if (value != nullptr && !value->is_array()) {
    Path here{at, name, -1};
    return wrong_type(&here, "an array", *value);
  }
  return value;
}

Result<Param> param(const json::Value& object, std::string_view name, Want want, const Path* at,
                    Arena& arena) {
  const auto* value = get(object, name);
  if (value == nullptr) return Param{};
  const auto* here = key(arena, at, name);
  if (!fits(*value, want)) return wrong_type(here, want_word(want), *value);
  Param result;
  result.value = *value;
  result.at = here;
  return result;
}

void report_unknown(const json::Value& object, std::initializer_list<std::string_view> known,
                    const Path* at, LossLog& losses) {
  for (const auto& member : object.members()) {
    bool found = false;
    for (auto name : known) {
      if (name == member.key) {
        found = true;
        break;
      }
    }
    if (!found && !member.value.is_null()) losses.dropped(at, "unknown field", member.key);
  }
}

json::Value typed(Arena& arena, std::string_view type) {
  auto value = json::Value::object();
  value.add(arena, "type", str(type));
  return value;
}

json::Value own(Arena& arena, std::string_view text) {
  return str(arena.copy(text));
}

bool is_blank(std::string_view text) {
  for (char c : text) {
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\v') return false;
  }
  return true;
}

void drop(const Param& param, LossLog& losses, std::string_view reason) {
  if (param) losses.dropped(param.at, reason);
}

}  // namespace gproxy::translate::wire
