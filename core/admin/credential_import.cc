#include "admin/credential_import.h"

#include <algorithm>

#include "base/strings.h"

namespace gproxy::admin {
namespace {

constexpr size_t kMaxItems = 10'000;

bool is_placeholder(std::string_view text) {
  for (const std::string_view begin : {"<required", "<optional", "<必填", "<可选"}) {
    if (text.starts_with(begin)) return true;
  }
  return false;
}

// The field that a bare key goes into; empty if the kind's credentials are more than one text.
std::string_view key_field(const json::Value& schema) {
  for (const std::string_view field : {"api_key", "session_key"}) {
    if (schema["properties"].has(field)) return field;
  }
  return {};
}

// Texts as the kind's schema wants them: numbers and booleans may come as text.
json::Value typed(const json::Value& value, const json::Value& schema) {
  if (!value.is_string()) return value;
  const auto text = trim(value.str());
  const auto type = schema["type"].str();
  if ((type == "integer" || type == "number") && parse_int(text)) {
    return json::Value::number_text(text);
  }
  if (type == "boolean" && (text == "true" || text == "false")) {
    return json::Value::boolean(text == "true");
  }
  return json::Value::string(text);
}

// Enough of a key to know it again, never more than half of it.
std::string name_of_key(std::string_view key) {
  return std::string(key.substr(0, std::min<size_t>(16, key.size() / 2)));
}

ImportItem failed(std::string why) {
  return {{}, {}, std::move(why)};
}

// Splits concatenated documents: where the first one ends. npos if it does not.
size_t document_end(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (--depth <= 0) return i + 1;
    }
  }
  return std::string_view::npos;
}

}  // namespace

ImportItem import_value(const modhost::KindInfo& kind, const json::Value& value, Arena& arena) {
  const auto parsed = json::parse(kind.credential_schema, arena);
  const json::Value schema = parsed.ok() ? *parsed : json::Value();
  auto fields = json::Value::object();
  ImportItem out;
  if (value.is_string()) {
    const auto key = trim(value.str());
    const auto field = key_field(schema);
    if (field.empty()) return failed("credentials of this kind are JSON documents, not keys");
    if (key.empty()) return failed("the key is empty");
    fields.add(arena, field, json::Value::string(key));
    out.name = name_of_key(key);
  } else if (value.is_object()) {
    const auto* tagged = value.find(kind.credential_tag);
    if (tagged != nullptr && tagged->is_object() && !tagged->empty()) {
      fields = *tagged;
    } else {
      for (const auto& member : value.members()) {
        std::string_view name = member.key;
        for (const auto& alias : kind.aliases) {
          if (alias.from == name) name = alias.field;
        }
        const auto* wanted = schema["properties"].find(name);
        if (wanted == nullptr) continue;
        if (member.value.is_null()) continue;
        if (member.value.is_string() &&
            (trim(member.value.str()).empty() || is_placeholder(trim(member.value.str())))) {
          continue;
        }
        fields.set(arena, name, typed(member.value, *wanted));
      }
      if (fields.empty()) return failed("has no field of this kind's credentials");
    }
    for (const std::string_view field : {"user_email", "client_email", "email"}) {
      if (out.name.empty()) out.name = std::string(trim(fields[field].str()));
    }
    if (out.name.empty()) {
      if (const auto field = key_field(schema); !field.empty())
        out.name = name_of_key(trim(fields[field].str()));
    }
  } else {
    return failed("must be an object or a key");
  }
  auto whole = json::Value::object();
  whole.add(arena, kind.credential_tag, fields);
  out.secret_json = json::write(whole);
  return out;
}

Result<std::vector<ImportItem>> import_text(const modhost::KindInfo& kind, std::string_view text) {
  std::vector<ImportItem> out;
  Arena arena;
  text = trim(text);
  const auto full = [&] { return out.size() >= kMaxItems; };
  if (!text.starts_with("{") && !text.starts_with("[")) {
    for (const auto line : split(text, '\n')) {
      if (trim(line).empty()) continue;
      if (full()) return invalid_error("more than 10000 entries", "text");
      out.push_back(import_value(kind, json::Value::string(trim(line)), arena));
    }
    return out;
  }
  while (!text.empty()) {
    const size_t begin = text.find_first_of("{[");
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    const size_t end = document_end(text);
    if (end == std::string_view::npos) return invalid_error("Invalid JSON document", "text");
    const auto document = json::parse(text.substr(0, end), arena);
    // The parser's message could quote a secret.
    if (!document.ok()) return invalid_error("Invalid JSON document", "text");
    text.remove_prefix(end);
    if (document->is_object()) {
      if (full()) return invalid_error("more than 10000 entries", "text");
      out.push_back(import_value(kind, *document, arena));
    }
    for (const auto& item : document->items()) {
      if (!item.is_object()) continue;
      if (full()) return invalid_error("more than 10000 entries", "text");
      out.push_back(import_value(kind, item, arena));
    }
  }
  return out;
}

}  // namespace gproxy::admin
