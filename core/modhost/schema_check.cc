#include "modhost/schema_check.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/strings.h"

namespace gproxy::modhost {
namespace {

using json::Kind;
using json::Value;

constexpr int kMaxDepth = 32;

constexpr std::array<std::string_view, 7> kTypes = {"null",   "boolean", "integer", "number",
                                                    "string", "array",   "object"};

bool known_type(std::string_view type) {
  for (auto known : kTypes) {
    if (known == type) return true;
  }
  return false;
}

bool has_type(const Value& value, std::string_view type) {
  switch (value.kind()) {
    case Kind::null:
      return type == "null";
    case Kind::boolean:
      return type == "boolean";
    case Kind::number:
      return type == "number" || (type == "integer" && value.as_int().has_value());
    case Kind::string:
      return type == "string";
    case Kind::array:
      return type == "array";
    case Kind::object:
      return type == "object";
  }
  return false;
}

bool type_allows(const Value& schema, std::string_view type) {
  const auto& types = schema["type"];
  if (types.is_string()) return types.str() == type;
  for (const auto& t : types.items()) {
    if (t.str() == type) return true;
  }
  return false;
}

std::string kind_word(const Value& value) {
  switch (value.kind()) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "a boolean";
    case Kind::number:
      return "a number";
    case Kind::string:
      return "a string";
    case Kind::array:
      return "an array";
    case Kind::object:
      return "an object";
  }
  return "something else";
}

std::string type_words(const Value& types) {
  if (types.is_string()) return std::string(types.str());
  std::string words;
  for (const auto& t : types.items()) {
    if (!words.empty()) words += " or ";
    words += t.str();
  }
  return words;
}

bool in_enum(const Value& schema, const Value& value) {
  for (const auto& one : schema["enum"].items()) {
    if (one.equals(value)) return true;
  }
  return false;
}

size_t characters(std::string_view text) {
  size_t n = 0;
  for (unsigned char c : text) n += (c & 0xC0) != 0x80;
  return n;
}

// Follows "#/definitions/<name>"; other references were refused by parse_schema.
const Value& resolve(const Value& root, const Value& schema) {
  const Value* at = &schema;
  for (int i = 0; i < kMaxDepth; ++i) {
    auto ref = (*at)["$ref"].str();
    if (ref.empty()) return *at;
    constexpr std::string_view kPrefix = "#/definitions/";
    at = &root["definitions"][ref.substr(kPrefix.size())];
  }
  return *at;
}

bool counts_as_absent(const Value& schema, const Value& value) {
  if (value.is_null()) return !type_allows(schema, "null") && !in_enum(schema, value);
  if (value.is_string() && value.str().empty()) return !in_enum(schema, value);
  return false;
}

std::string join(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

struct Checker {
  const Value& root;
  const SchemaOptions& options;

  Error fail(std::string message, const std::string& path) const {
    Error error{ErrorKind::invalid, options.code, std::move(message), path};
    return error;
  }

  Result<void> object(const Value& schema, const Value& value, const std::string& path,
                      int depth) const {
    const auto& properties = schema["properties"];
    for (const auto& name : schema["required"].items()) {
      const auto* member = value.find(name.str());
      if (member == nullptr || counts_as_absent(resolve(root, properties[name.str()]), *member)) {
        return fail(fmt::format("required member `{}` is missing", name.str()),
                    join(path, name.str()));
      }
    }
    const auto* additional = schema.find("additionalProperties");
    for (const auto& member : value.members()) {
      auto where = join(path, member.key);
      if (const auto* declared = properties.find(member.key)) {
        const auto& sub = resolve(root, *declared);
        if (counts_as_absent(sub, member.value)) continue;
        GP_CHECK(check(sub, member.value, where, depth + 1));
        continue;
      }
      if (additional != nullptr && additional->is_object()) {
        GP_CHECK(check(*additional, member.value, where, depth + 1));
        continue;
      }
      if (additional != nullptr
              ? additional->as_bool()
              : options.unknown == UnknownMembers::ignore || !schema.has("properties")) {
        continue;
      }
      std::vector<std::string_view> names;
      for (const auto& p : properties.members()) names.push_back(p.key);
      auto near = nearest(member.key, names);
      return fail(near.empty()
                      ? fmt::format("unknown member `{}`", member.key)
                      : fmt::format("unknown member `{}`, did you mean `{}`?", member.key, near),
                  where);
    }
    return ok();
  }

  Result<void> numbers(const Value& schema, const Value& value, const std::string& path) const {
    if (const auto* least = schema.find("minimum");
        least != nullptr && value.as_double() < least->as_double()) {
      return fail(
          fmt::format("must be at least {}, is {}", least->number_text(), value.number_text()),
          path);
    }
    if (const auto* most = schema.find("maximum");
        most != nullptr && value.as_double() > most->as_double()) {
      return fail(
          fmt::format("must be at most {}, is {}", most->number_text(), value.number_text()), path);
    }
    return ok();
  }

  Result<void> sizes(const Value& schema, size_t size, std::string_view least,
                     std::string_view most, std::string_view unit, const std::string& path) const {
    if (auto n = schema[least].as_int();
        n && size < static_cast<size_t>(std::max<int64_t>(0, *n))) {
      return fail(fmt::format("must have at least {} {}, has {}", *n, unit, size), path);
    }
    if (auto n = schema[most].as_int(); n && size > static_cast<size_t>(std::max<int64_t>(0, *n))) {
      return fail(fmt::format("must have at most {} {}, has {}", *n, unit, size), path);
    }
    return ok();
  }

  // How many alternatives hold; `nearest_error` is what the first one said.
  size_t matches(const Value& alternatives, const Value& value, const std::string& path, int depth,
                 std::optional<Error>& first) const {
    size_t count = 0;
    for (const auto& one : alternatives.items()) {
      auto result = check_part(one, value, path, depth + 1);
      if (result.ok()) {
        ++count;
      } else if (!first || result.error().param.size() > first->param.size()) {
        first = std::move(result).error();  // the alternative that got furthest explains best
      }
    }
    return count;
  }

  // An alternative describes a part of the value only: it refuses unknown members only by saying
  // so.
  Result<void> check_part(const Value& schema, const Value& value, const std::string& path,
                          int depth) const {
    SchemaOptions lenient = options;
    lenient.unknown = UnknownMembers::ignore;
    return Checker{root, lenient}.check(schema, value, path, depth);
  }

  Result<void> check(const Value& unresolved, const Value& value, const std::string& path,
                     int depth) const {
    if (depth > kMaxDepth) return fail("nested too deeply for its schema", path);
    const auto& schema = resolve(root, unresolved);
    if (const auto* types = schema.find("type")) {
      bool fits = false;
      if (types->is_string()) {
        fits = has_type(value, types->str());
      } else {
        for (const auto& t : types->items()) fits = fits || has_type(value, t.str());
      }
      if (!fits)
        return fail(fmt::format("must be of type {}, is {}", type_words(*types), kind_word(value)),
                    path);
    }
    if (schema.has("enum") && !in_enum(schema, value)) {
      std::string words;
      for (const auto& one : schema["enum"].items()) {
        if (!words.empty()) words += ", ";
        words += json::write(one);
      }
      return fail(fmt::format("must be one of {}", words), path);
    }
    if (value.is_string())
      GP_CHECK(
          sizes(schema, characters(value.str()), "minLength", "maxLength", "characters", path));
    if (value.is_number()) GP_CHECK(numbers(schema, value, path));
    if (value.is_array()) {
      GP_CHECK(sizes(schema, value.size(), "minItems", "maxItems", "elements", path));
      if (const auto* items = schema.find("items")) {
        for (size_t i = 0; i < value.size(); ++i) {
          GP_CHECK(check(*items, value.items()[i], fmt::format("{}[{}]", path, i), depth + 1));
        }
      }
    }
    if (value.is_object()) GP_CHECK(object(schema, value, path, depth));
    for (const auto& one : schema["allOf"].items())
      GP_CHECK(check_part(one, value, path, depth + 1));
    std::optional<Error> first;
    if (const auto& any = schema["anyOf"];
        any.is_array() && matches(any, value, path, depth, first) == 0) {
      return first ? std::move(*first) : fail("fits none of the alternatives", path);
    }
    first.reset();
    if (const auto& one = schema["oneOf"]; one.is_array()) {
      auto count = matches(one, value, path, depth, first);
      if (count == 0)
        return first ? std::move(*first) : fail("fits none of the alternatives", path);
      if (count > 1) return fail("fits more than one of the alternatives", path);
    }
    return ok();
  }
};

Value strip(const Value& root, const Value& unresolved, const Value& value, Arena& arena,
            int depth) {
  if (depth > kMaxDepth) return value;
  const auto& schema = resolve(root, unresolved);
  if (value.is_object()) {
    auto out = Value::object();
    for (const auto& member : value.members()) {
      const auto* declared = schema["properties"].find(member.key);
      if (declared == nullptr) {
        out.add(arena, member.key, member.value);
      } else if (!counts_as_absent(resolve(root, *declared), member.value)) {
        out.add(arena, member.key, strip(root, *declared, member.value, arena, depth + 1));
      }
    }
    return out;
  }
  if (value.is_array() && schema["items"].is_object()) {
    auto out = Value::array();
    for (const auto& item : value.items())
      out.push(arena, strip(root, schema["items"], item, arena, depth + 1));
    return out;
  }
  return value;
}

Result<void> well_formed(const Value& root, const Value& schema, const std::string& path,
                         int depth) {
  auto bad = [&](std::string what) {
    return invalid_error(fmt::format("schema at `{}`: {}", path, what), path);
  };
  if (depth > kMaxDepth) return bad("nested too deeply");
  if (!schema.is_object()) return bad("must be an object");
  if (const auto* ref = schema.find("$ref")) {
    auto text = ref->str();
    if (!text.starts_with("#/definitions/") || !root["definitions"][text.substr(14)].is_object()) {
      return bad("$ref must name one of #/definitions");
    }
  }
  if (const auto* type = schema.find("type")) {
    if (type->is_string() ? !known_type(type->str()) : type->empty()) return bad("unknown type");
    for (const auto& t : type->items()) {
      if (!known_type(t.str())) return bad("unknown type");
    }
  }
  for (auto key : {"properties", "definitions"}) {
    const auto* map = schema.find(key);
    if (map == nullptr) continue;
    if (!map->is_object()) return bad(fmt::format("{} must be an object", key));
    for (const auto& member : map->members()) {
      GP_CHECK(well_formed(root, member.value, fmt::format("{}/{}/{}", path, key, member.key),
                           depth + 1));
    }
  }
  for (auto key : {"anyOf", "oneOf", "allOf"}) {
    const auto* list = schema.find(key);
    if (list == nullptr) continue;
    if (list->empty()) return bad(fmt::format("{} must be a list of schemas", key));
    for (const auto& one : list->items())
      GP_CHECK(well_formed(root, one, fmt::format("{}/{}", path, key), depth + 1));
  }
  if (const auto* items = schema.find("items"))
    GP_CHECK(well_formed(root, *items, path + "/items", depth + 1));
  if (const auto* required = schema.find("required")) {
    if (!required->is_array()) return bad("required must be a list");
    for (const auto& one : required->items()) {
      if (!one.is_string()) return bad("required must be a list of names");
    }
  }
  if (const auto* enumeration = schema.find("enum"); enumeration != nullptr && enumeration->empty())
    return bad("enum must be a list");
  if (const auto* more = schema.find("additionalProperties"); more != nullptr && !more->is_bool()) {
    GP_CHECK(well_formed(root, *more, path + "/additionalProperties", depth + 1));
  }
  for (auto key : {"minLength", "maxLength", "minItems", "maxItems"}) {
    if (const auto* n = schema.find(key); n != nullptr && n->int_or(-1) < 0)
      return bad(fmt::format("{} must be a count", key));
  }
  for (auto key : {"minimum", "maximum"}) {
    if (const auto* n = schema.find(key); n != nullptr && !n->is_number())
      return bad(fmt::format("{} must be a number", key));
  }
  if (schema.has("pattern") || schema.has("patternProperties"))
    return bad("pattern is not in the subset");
  return ok();
}

}  // namespace

Result<void> check_schema(const Value& schema, const Value& value, const SchemaOptions& options) {
  return Checker{schema, options}.check(schema, value, std::string(options.root), 0);
}

Value without_absent(const Value& schema, const Value& value, Arena& arena) {
  return strip(schema, schema, value, arena, 0);
}

Result<Value> parse_schema(std::string_view schema_json, Arena& arena) {
  if (trim(schema_json).empty()) schema_json = R"({"type":"object","properties":{}})";
  GP_TRY(auto schema, json::parse(schema_json, arena));
  GP_CHECK(well_formed(schema, schema, "#", 0));
  return schema;
}

}  // namespace gproxy::modhost
