#include "common/text.h"

#include <charconv>
#include <string>

#include "gproxy/verdicts.hpp"

namespace gproxy_common {
namespace {

int hex_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = gp::lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Empty if an escape is broken or hides a control character.
std::string_view decoded(const gp::Arena& arena, std::string_view text) {
  if (text.find_first_of("%+") == std::string_view::npos) return text;
  char* out = static_cast<char*>(arena.bytes(text.size(), 1));
  size_t used = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+') {
      c = ' ';
    } else if (c == '%') {
      if (i + 2 >= text.size()) return {};
      const int high = hex_of(text[i + 1]), low = hex_of(text[i + 2]);
      if (high < 0 || low < 0) return {};
      c = static_cast<char>(high * 16 + low);
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return {};
      i += 2;
    }
    out[used++] = c;
  }
  return {out, used};
}

std::string_view first_of(std::string_view a, std::string_view b) {
  return a.empty() ? b : a;
}

}  // namespace

std::string_view query_value(const gp::Arena& arena, std::string_view query,
                             std::string_view name) {
  size_t at = 0;
  while (at < query.size()) {
    const size_t end = std::min(query.find('&', at), query.size());
    const std::string_view pair = query.substr(at, end - at);
    at = end + 1;
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || decoded(arena, pair.substr(0, equals)) != name)
      continue;
    const std::string_view value = gp::trim(decoded(arena, pair.substr(equals + 1)));
    if (!value.empty()) return value;
  }
  return {};
}

LoginAnswer login_answer(const gp::Arena& arena, std::string_view query) {
  auto read = [&](std::string_view from) {
    return LoginAnswer{
        query_value(arena, from, "code"), query_value(arena, from, "state"),
        first_of(query_value(arena, from, "error_description"), query_value(arena, from, "error"))};
  };
  LoginAnswer answer = read(query);
  std::string_view url = query_value(arena, query, "callback_url");
  if (url.empty()) return answer;
  if (const size_t question = url.find('?'); question != std::string_view::npos)
    url.remove_prefix(question + 1);
  const LoginAnswer inside = read(url.substr(0, url.find('#')));
  answer.code = first_of(answer.code, inside.code);
  answer.state = first_of(answer.state, inside.state);
  answer.error = first_of(answer.error, inside.error);
  return answer;
}

std::string_view form_encode(const gp::Arena& arena, std::initializer_list<Pair> pairs) {
  std::vector<std::string_view> parts;
  for (const auto& [name, value] : pairs) {
    if (value.empty()) continue;
    if (!parts.empty()) parts.push_back("&");
    parts.push_back(gp::encode_query(arena, name));
    parts.push_back("=");
    parts.push_back(gp::encode_query(arena, value));
  }
  return arena.concat(std::span<const std::string_view>(parts));
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  return raw(name, gp::json_quote(arena_, value));
}

JsonObject& JsonObject::text_if(std::string_view name, std::string_view value) {
  return value.empty() ? *this : text(name, value);
}

JsonObject& JsonObject::number(std::string_view name, int64_t value) {
  return raw(name, arena_.copy(std::to_string(value)));
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  parts_.push_back(parts_.empty() ? "{" : ",");
  parts_.push_back(gp::json_quote(arena_, name));
  parts_.push_back(":");
  parts_.push_back(json);
  return *this;
}

std::string_view JsonObject::str() const {
  if (parts_.empty()) return "{}";
  std::vector<std::string_view> parts = parts_;
  parts.push_back("}");
  return arena_.concat(std::span<const std::string_view>(parts));
}

std::string_view with_members(const gp::Json& object, const gp::Arena& arena,
                              std::span<const Pair> members) {
  JsonObject out(arena);
  std::vector<bool> written(members.size(), false);
  object.each(object.node(""), [&](const gp_json_member& member) {
    const std::string_view name = object.decode(member.key);
    for (size_t i = 0; i < members.size(); ++i) {
      if (members[i].first != name) continue;
      if (!written[i]) out.raw(name, members[i].second);
      written[i] = true;
      return true;
    }
    out.raw(name, object.raw(member.value));
    return true;
  });
  for (size_t i = 0; i < members.size(); ++i) {
    if (!written[i]) out.raw(members[i].first, members[i].second);
  }
  return out.str();
}

int64_t integer_or(std::string_view text, int64_t otherwise) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? value
                                                                                   : otherwise;
}

int64_t stored_time_ms(const gp::Json::Value& value) {
  if (!value.found || (value.type != GP_JSON_NUMBER && value.type != GP_JSON_STRING)) return 0;
  const int64_t number = integer_or(value.text.substr(0, value.text.find('.')), 0);
  if (number <= 0 || number > 100'000'000'000'000) return 0;
  return number > 100'000'000'000 ? number : number * 1000;
}

int64_t date_time_ms(std::string_view text) {
  if (text.size() < 20 || text.size() > 40) return 0;
  size_t at = 19;
  if (text[at] == '.') {
    ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  }
  const std::string_view zone = text.substr(at);
  int64_t offset_ms = 0;
  if (zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':') {
    const int64_t hours = integer_or(zone.substr(1, 2), -1);
    const int64_t minutes = integer_or(zone.substr(4, 2), -1);
    if (hours < 0 || minutes < 0) return 0;
    offset_ms = (hours * 60 + minutes) * gp::kMinute * (zone[0] == '-' ? -1 : 1);
  } else if (zone != "Z") {
    return 0;
  }
  const std::string utc = std::string(text.substr(0, 19)) + "Z";
  const auto ms = gp::rfc3339_ms(utc);
  return ms ? *ms - offset_ms : 0;
}

std::string_view random_token(const gp::StepIn& in, size_t bytes) {
  char raw[96];
  gp_str out{};
  if (in.crypto == nullptr || bytes > sizeof raw || in.crypto->random(raw, bytes) != GP_OK ||
      in.crypto->base64url_encode(in.arena.handle(), {raw, bytes}, &out) != GP_OK) {
    return {};
  }
  return gp::view(out);
}

std::string_view pkce_challenge(const gp::StepIn& in, std::string_view verifier) {
  uint8_t digest[32];
  gp_str out{};
  if (in.crypto == nullptr || in.crypto->sha256(gp::str(verifier), digest) != GP_OK ||
      in.crypto->base64url_encode(in.arena.handle(),
                                  {reinterpret_cast<const char*>(digest), sizeof digest},
                                  &out) != GP_OK) {
    return {};
  }
  return gp::view(out);
}

std::string_view token_claims(const gp::StepIn& in, std::string_view token) {
  const size_t first = token.find('.');
  if (first == std::string_view::npos || in.crypto == nullptr) return {};
  const size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return {};
  gp_str out{};
  if (in.crypto->base64url_decode(
          in.arena.handle(), gp::str(token.substr(first + 1, second - first - 1)), &out) != GP_OK) {
    return {};
  }
  gp_json_node root{};
  gp_error error = gp::stamped<gp_error>();
  if (in.json_ext->validate(out, &root, &error) != GP_OK || root.type != GP_JSON_OBJECT) return {};
  return gp::view(out);
}

}  // namespace gproxy_common
