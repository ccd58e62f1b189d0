#include "translate/gemini/fields.h"

namespace gproxy::translate::gemini {

using json::Value;

bool same_key(std::string_view key, std::string_view camel) {
  if (key == camel) return true;
  size_t k = 0;
  for (char c : camel) {
    if (c >= 'A' && c <= 'Z') {
      if (k + 1 >= key.size() || key[k] != '_' || key[k + 1] != c + 32) return false;
      k += 2;
    } else {
      if (k >= key.size() || key[k] != c) return false;
      ++k;
    }
  }
  return k == key.size();
}

const Value* field(const Value& object, std::string_view camel) {
  const Value* found = nullptr;
  for (const auto& member : object.members()) {
    if (same_key(member.key, camel)) found = &member.value;
  }
  return found != nullptr && !found->is_null() ? found : nullptr;
}

std::span<const Value> list(const Value* value) {
  if (value == nullptr || value->is_null()) return {};
  if (value->is_array()) return value->items();
  return {value, 1};
}

Result<std::string_view> text_field(const Value& object, std::string_view camel, const Path* at) {
  const auto* value = field(object, camel);
  if (value == nullptr) return std::string_view{};
  if (!value->is_string()) {
    Path here{at, camel, -1};
    return wire::wrong_type(&here, "a string", *value);
  }
  return value->str();
}

Result<const Value*> object_field(const Value& object, std::string_view camel, const Path* at) {
  const auto* value = field(object, camel);
  if (value != nullptr && !value->is_object()) {
    Path here{at, camel, -1};
    return wire::wrong_type(&here, "an object", *value);
  }
  return value;
}

Result<Param> number_field(const Value& object, std::string_view camel, Number kind, const Path* at,
                           Arena& arena) {
  const auto* value = field(object, camel);
  if (value == nullptr) return Param{};
  Param param;
  param.at = wire::key(arena, at, camel);
  param.value = *value;
  if (value->is_string()) {
    auto parsed = json::parse(value->str(), arena);
    if (parsed && parsed->is_number()) param.value = *parsed;
  }
  if (!param.value.is_number() || (kind == Number::integer && !param.value.as_int().has_value())) {
    return wire::wrong_type(param.at, kind == Number::integer ? "an integer" : "a number", *value);
  }
  return param;
}

Param any_field(const Value& object, std::string_view camel, const Path* at, Arena& arena) {
  Param param;
  if (const auto* value = field(object, camel); value != nullptr) {
    param.value = *value;
    param.at = wire::key(arena, at, camel);
  }
  return param;
}

bool flag_field(const Value& object, std::string_view camel) {
  const auto* value = field(object, camel);
  return value != nullptr && (value->as_bool() || value->str() == "true");
}

void report_unknown(const Value& object, std::initializer_list<std::string_view> known,
                    const Path* at, LossLog& losses) {
  for (const auto& member : object.members()) {
    bool found = false;
    for (auto name : known) found = found || same_key(member.key, name);
    if (!found && !member.value.is_null()) losses.dropped(at, "unknown field", member.key);
  }
}

std::string_view bare_model(std::string_view name) {
  constexpr std::string_view kPrefix = "models/";
  if (name.substr(0, kPrefix.size()) == kPrefix) name.remove_prefix(kPrefix.size());
  return name;
}

}  // namespace gproxy::translate::gemini
