#include "translate/schema.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"

namespace gproxy::translate {

namespace {

using json::Value;

constexpr size_t kMaxNodes = 20000;  // an inlined $ref may repeat; this bounds the result
constexpr size_t kMaxDepth = 300;    // and this the stack: references nest beyond the text's depth

bool one_of(std::string_view key, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

Value upper(std::string_view text, Arena& arena) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return Value::string(arena.copy(out));
}

class OpenApi {
 public:
  OpenApi(const Value& root, Arena& arena) : root_(root), arena_(arena) {}

  Value convert(const Value& in) {
    auto out = Value::object();
    if (!in.is_object() || ++nodes_ > kMaxNodes || depth_ > kMaxDepth) return out;
    ++depth_;
    out = convert_inner(in);
    --depth_;
    return out;
  }

 private:
  Value convert_inner(const Value& in) {
    auto out = Value::object();
    Value schema = in;
    if (const auto* ref = in.find("$ref"); ref != nullptr && ref->is_string()) {
      auto target = std::string(ref->str());
      const Value* found = resolve(target);
      bool cycle = std::find(open_refs_.begin(), open_refs_.end(), target) != open_refs_.end();
      if (found == nullptr || cycle) {
        out.add(arena_, "type", Value::string("OBJECT"));
        const auto& said = in["description"];
        out.add(
            arena_, "description",
            said.is_string() ? said : Value::string(arena_.concat({"recursive: ", ref->str()})));
        return out;
      }
      open_refs_.push_back(target);
      Value merged = shallow(*found);
      for (const auto& member : in.members()) {
        if (member.key != "$ref") merged.set(arena_, member.key, member.value);
      }
      out = convert(merged);
      open_refs_.pop_back();
      return out;
    }
    if (const auto* all = in.find("allOf"); all != nullptr && all->is_array()) {
      schema = merge_all(in, *all);
    }
    bool nullable = schema["nullable"].as_bool();
    nullable = branches(schema, out) || nullable;
    nullable = type(schema, out) || nullable;
    nullable = values(schema, out) || nullable;
    structure(schema, out);
    limits(schema, out);
    for (auto key : {"title", "description", "pattern", "minItems", "maxItems", "minLength",
                     "maxLength", "minProperties", "maxProperties", "propertyOrdering"}) {
      if (const auto* value = schema.find(key); value != nullptr && !out.has(key)) {
        out.add(arena_, key, *value);
      }
    }
    if (const auto* format = schema.find("format"); format != nullptr && format->is_string()) {
      if (one_of(format->str(), {"enum", "date-time", "int32", "int64", "float", "double"})) {
        out.set(arena_, "format", *format);
      }
    }
    if (nullable) out.set(arena_, "nullable", Value::boolean(true));
    return out;
  }

  Value shallow(const Value& object) {
    auto copy = Value::object();
    for (const auto& member : object.members()) copy.add(arena_, member.key, member.value);
    return copy;
  }

  const Value* resolve(std::string_view ref) {
    if (ref.empty() || ref.front() != '#') return nullptr;
    const Value* at = &root_;
    ref.remove_prefix(1);
    while (!ref.empty()) {
      if (ref.front() != '/') return nullptr;
      ref.remove_prefix(1);
      auto end = ref.find('/');
      std::string token(ref.substr(0, end));
      for (size_t i = 0; (i = token.find('~', i)) != std::string::npos; ++i) {
        if (token.compare(i, 2, "~1") == 0)
          token.replace(i, 2, "/");
        else if (token.compare(i, 2, "~0") == 0)
          token.replace(i, 2, "~");
      }
      if (at->is_object()) {
        at = at->find(token);
      } else if (at->is_array()) {
        auto index = parse_uint(token);
        at = index && *index < at->size() ? &at->items()[*index] : nullptr;
      } else {
        at = nullptr;
      }
      if (at == nullptr) return nullptr;
      ref = end == std::string_view::npos ? std::string_view() : ref.substr(end);
    }
    return at->is_object() ? at : nullptr;
  }

  // The branches of allOf laid over the schema itself: properties joined, required united.
  Value merge_all(const Value& in, const Value& all) {
    auto out = Value::object();
    for (const auto& member : in.members()) {
      if (member.key != "allOf") out.set(arena_, member.key, member.value);
    }
    for (const auto& branch : all.items()) {
      const Value* part = &branch;
      if (const auto* ref = branch.find("$ref"); ref != nullptr) {
        part = resolve(ref->str());
        if (part == nullptr || ++nodes_ > kMaxNodes) continue;
      }
      for (const auto& member : part->members()) {
        auto* mine = out.find(member.key);
        if (mine == nullptr) {
          out.add(arena_, member.key, member.value);
        } else if (member.key == "properties" && mine->is_object()) {
          Value joined = shallow(*mine);
          for (const auto& property : member.value.members()) {
            joined.set(arena_, property.key, property.value);
          }
          *mine = joined;
        } else if (member.key == "required" && mine->is_array()) {
          auto joined = Value::array();
          for (const auto& item : mine->items()) joined.push(arena_, item);
          for (const auto& item : member.value.items()) joined.push(arena_, item);
          *mine = joined;
        }
      }
    }
    return out;
  }

  static bool is_null_schema(const Value& schema) {
    const auto& type = schema["type"];
    if (type.str() == "null" || type.str() == "NULL") return true;
    const auto* constant = schema.find("const");
    return constant != nullptr && constant->is_null();
  }

  // anyOf and oneOf. True when a null branch was taken out.
  bool branches(const Value& schema, Value& out) {
    const auto* any = schema.find("anyOf");
    if (any == nullptr || !any->is_array()) any = schema.find("oneOf");
    if (any == nullptr || !any->is_array()) return false;
    bool nullable = false;
    auto kept = Value::array();
    const Value* only = nullptr;
    for (const auto& branch : any->items()) {
      if (is_null_schema(branch)) {
        nullable = true;
      } else {
        only = &branch;
        kept.push(arena_, convert(branch));
      }
    }
    if (kept.size() == 1 && only != nullptr) {
      for (const auto& member : kept.items()[0].members()) {
        if (!(member.key == "description" && schema.has("description")) &&
            !(member.key == "title" && schema.has("title"))) {
          out.set(arena_, member.key, member.value);
        }
      }
    } else if (kept.size() > 1) {
      out.set(arena_, "anyOf", kept);
    }
    return nullable;
  }

  bool type(const Value& schema, Value& out) {
    const auto& type = schema["type"];
    if (type.is_string()) {
      out.set(arena_, "type", upper(type.str(), arena_));
      return false;
    }
    bool nullable = false;
    if (type.is_array()) {
      auto rest = Value::array();
      for (const auto& word : type.items()) {
        if (word.str() == "null") {
          nullable = true;
        } else if (word.is_string()) {
          rest.push(arena_, word);
        }
      }
      if (rest.size() == 1) {
        out.set(arena_, "type", upper(rest.items()[0].str(), arena_));
      } else if (rest.size() > 1 && !out.has("anyOf")) {
        auto any = Value::array();
        for (const auto& word : rest.items()) {
          auto branch = Value::object();
          branch.add(arena_, "type", upper(word.str(), arena_));
          if (word.str() == "array") {
            branch.add(arena_, "items", items_of(schema));
          }
          any.push(arena_, branch);
        }
        out.set(arena_, "anyOf", any);
      }
      return nullable;
    }
    if (out.has("type") || out.has("anyOf")) return false;
    if (schema["properties"].is_object()) {
      out.set(arena_, "type", Value::string("OBJECT"));
    } else if (schema.has("items")) {
      out.set(arena_, "type", Value::string("ARRAY"));
    }
    return false;
  }

  // enum and const. True when null was one of the values.
  bool values(const Value& schema, Value& out) {
    auto list = Value::array();
    bool nullable = false, all_strings = true;
    auto take = [&](const Value& value) {
      if (value.is_null()) {
        nullable = true;
        return;
      }
      if (value.is_string()) {
        list.push(arena_, value);
      } else {
        all_strings = false;
        list.push(arena_, Value::string(arena_.copy(json::write(value))));
      }
    };
    if (const auto* values = schema.find("enum"); values != nullptr && values->is_array()) {
      for (const auto& value : values->items()) take(value);
    } else if (const auto* constant = schema.find("const"); constant != nullptr) {
      take(*constant);
    } else {
      return false;
    }
    if (!list.empty()) {
      if (!all_strings || !out.has("type")) out.set(arena_, "type", Value::string("STRING"));
      out.set(arena_, "enum", list);
    }
    return nullable;
  }

  Value items_of(const Value& schema) {
    const auto& items = schema["items"];
    if (items.is_object() && !items.empty()) return convert(items);
    if (items.is_array() && !items.empty() && items[0].is_object()) return convert(items[0]);
    auto text = Value::object();
    text.add(arena_, "type", Value::string("STRING"));
    return text;
  }

  void structure(const Value& schema, Value& out) {
    if (const auto& properties = schema["properties"];
        properties.is_object() && !properties.empty()) {
      auto converted = Value::object();
      for (const auto& property : properties.members()) {
        converted.add(arena_, property.key, convert(property.value));
      }
      out.set(arena_, "properties", converted);
      if (const auto& required = schema["required"]; required.is_array()) {
        auto kept = Value::array();
        for (const auto& name : required.items()) {
          if (!name.is_string() || !properties.has(name.str())) continue;
          bool twice = false;
          for (const auto& seen : kept.items()) twice = twice || seen.str() == name.str();
          if (!twice) kept.push(arena_, name);
        }
        if (!kept.empty()) out.set(arena_, "required", kept);
      }
    }
    if (out["type"].str() == "ARRAY") out.set(arena_, "items", items_of(schema));
  }

  void limits(const Value& schema, Value& out) {
    bool integer = out["type"].str() == "INTEGER";
    auto bound = [&](std::string_view key, std::string_view exclusive, int64_t step) {
      if (const auto* value = schema.find(key); value != nullptr && value->is_number()) {
        out.set(arena_, key, *value);
        return;
      }
      const auto* value = schema.find(exclusive);
      if (value == nullptr || !value->is_number()) return;
      auto whole = value->as_int();
      if (integer && whole && *whole<INT64_MAX&& * whole> INT64_MIN) {
        out.set(arena_, key, Value::integer(arena_, *whole + step));
      } else {
        out.set(arena_, key, *value);
      }
    };
    bound("minimum", "exclusiveMinimum", 1);
    bound("maximum", "exclusiveMaximum", -1);
  }

  const Value& root_;
  Arena& arena_;
  std::vector<std::string> open_refs_;
  size_t nodes_ = 0;
  size_t depth_ = 0;
};

// Applies `visit` to every subschema of `schema`, copying only what is on the way.
template <class Visit>
Value rewrite(const Value& schema, Arena& arena, const Visit& visit) {
  if (!schema.is_object()) return schema;
  auto out = Value::object();
  for (const auto& member : schema.members()) {
    const auto& value = member.value;
    if (one_of(member.key,
               {"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"}) &&
        value.is_object()) {
      auto map = Value::object();
      for (const auto& entry : value.members()) {
        map.add(arena, entry.key, rewrite(entry.value, arena, visit));
      }
      out.add(arena, member.key, map);
    } else if (one_of(member.key, {"anyOf", "oneOf", "allOf", "prefixItems", "items"}) &&
               value.is_array()) {
      auto list = Value::array();
      for (const auto& entry : value.items()) list.push(arena, rewrite(entry, arena, visit));
      out.add(arena, member.key, list);
    } else if (one_of(member.key, {"items", "additionalProperties", "not", "if", "then", "else",
                                   "contains", "propertyNames"}) &&
               value.is_object()) {
      out.add(arena, member.key, rewrite(value, arena, visit));
    } else {
      out.add(arena, member.key, value);
    }
  }
  visit(out);
  return out;
}

bool is_object_schema(const Value& schema) {
  const auto& type = schema["type"];
  if (type.str() == "object") return true;
  for (const auto& word : type.items()) {
    if (word.str() == "object") return true;
  }
  return type.is_null() && schema["properties"].is_object();
}

}  // namespace

Value without_schema_ids(const Value& schema, Arena& arena) {
  if (!schema.is_object() || (!schema.has("$schema") && !schema.has("$id"))) return schema;
  auto out = Value::object();
  for (const auto& member : schema.members()) {
    if (member.key != "$schema" && member.key != "$id") out.add(arena, member.key, member.value);
  }
  return out;
}

Value to_openapi(const Value& schema, Arena& arena) {
  if (!schema.is_object()) return Value();
  OpenApi converter(schema, arena);
  auto out = converter.convert(schema);
  if (out.empty()) return Value();
  if (out["type"].str() == "OBJECT" && out["properties"].empty() && !out.has("anyOf")) {
    return Value();
  }
  return out;
}

Value from_openapi(const Value& schema, Arena& arena) {
  if (!schema.is_object()) return schema;
  auto out = Value::object();
  bool nullable = false;
  for (const auto& member : schema.members()) {
    const auto& value = member.value;
    auto key = member.key;
    // Both spellings of proto JSON.
    if (key == "any_of") key = "anyOf";
    if (key == "min_items") key = "minItems";
    if (key == "max_items") key = "maxItems";
    if (key == "min_length") key = "minLength";
    if (key == "max_length") key = "maxLength";
    if (key == "min_properties") key = "minProperties";
    if (key == "max_properties") key = "maxProperties";
    if (key == "type" && value.is_string()) {
      auto word = to_lower(value.str());
      if (word != "type_unspecified") out.add(arena, key, Value::string(arena.copy(word)));
    } else if (key == "nullable") {
      nullable = value.as_bool() || value.str() == "true";
    } else if (key == "propertyOrdering" || key == "property_ordering") {
      continue;
    } else if (key == "example") {
      auto list = Value::array();
      list.push(arena, value);
      out.add(arena, "examples", list);
    } else if (key == "properties" && value.is_object()) {
      auto map = Value::object();
      for (const auto& property : value.members()) {
        map.add(arena, property.key, from_openapi(property.value, arena));
      }
      out.add(arena, key, map);
    } else if (key == "items" && value.is_object()) {
      out.add(arena, key, from_openapi(value, arena));
    } else if (key == "anyOf" && value.is_array()) {
      auto list = Value::array();
      for (const auto& branch : value.items()) list.push(arena, from_openapi(branch, arena));
      out.add(arena, key, list);
    } else if (one_of(key, {"minItems", "maxItems", "minLength", "maxLength", "minProperties",
                            "maxProperties", "minimum", "maximum"}) &&
               value.is_string()) {
      auto number = json::parse(value.str(), arena);
      out.add(arena, key, number && number->is_number() ? *number : value);
    } else {
      out.add(arena, key, value);
    }
  }
  if (nullable) {
    if (auto* type = out.find("type"); type != nullptr) {
      auto both = Value::array();
      both.push(arena, *type);
      both.push(arena, Value::string("null"));
      *type = both;
      if (auto* values = out.find("enum"); values != nullptr && values->is_array()) {
        auto with_null = Value::array();
        for (const auto& value : values->items()) with_null.push(arena, value);
        with_null.push(arena, Value());
        *values = with_null;
      }
    } else if (auto* any = out.find("anyOf"); any != nullptr && any->is_array()) {
      auto null_type = Value::object();
      null_type.add(arena, "type", Value::string("null"));
      any->push(arena, null_type);
    }
  }
  return out;
}

Value closed(const Value& schema, Arena& arena, bool* changed) {
  return rewrite(schema, arena, [&](Value& node) {
    if (is_object_schema(node) && !node.has("additionalProperties")) {
      node.add(arena, "additionalProperties", Value::boolean(false));
      if (changed != nullptr) *changed = true;
    }
  });
}

Value without_limits(const Value& schema, Arena& arena) {
  return rewrite(schema, arena, [](Value& node) {
    for (auto key : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
                     "minLength", "maxLength", "maxItems", "minProperties", "maxProperties"}) {
      node.remove(key);
    }
  });
}

bool strict_ready(const Value& schema) {
  bool ready = true;
  Arena scratch;
  auto look = rewrite(schema, scratch, [&](Value& node) {
    if (!is_object_schema(node)) return;
    const auto* extra = node.find("additionalProperties");
    if (extra == nullptr || !extra->is_bool() || extra->as_bool()) ready = false;
    for (const auto& property : node["properties"].members()) {
      bool required = false;
      for (const auto& name : node["required"].items()) {
        required = required || name.str() == property.key;
      }
      if (!required) ready = false;
    }
  });
  return ready && is_object_schema(look);
}

Value as_object_schema(const Value& schema, Arena& arena) {
  auto out = Value::object();
  if (!schema.is_object() || schema.empty()) {
    out.add(arena, "type", Value::string("object"));
    out.add(arena, "properties", Value::object());
    return out;
  }
  if (schema.has("type")) return schema;
  out.add(arena, "type", Value::string("object"));
  for (const auto& member : schema.members()) out.add(arena, member.key, member.value);
  return out;
}

}  // namespace gproxy::translate
