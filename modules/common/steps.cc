#include "common/steps.h"

#include <string>

namespace gproxy_common {
namespace {

bool is_word(std::string_view text) {
  if (text.empty() || text.size() > 48) return false;
  for (char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return true;
}

// error: "invalid_grant" (RFC 6749), or {"error":{"code"|"type"|"status": …}}.
std::string_view error_word(const gp::Json& json) {
  for (std::string_view pointer : {"/error", "/error/code", "/error/type", "/code"}) {
    if (const std::string_view word = json.get(pointer).or_empty(); is_word(word)) return word;
  }
  return {};
}

// The grant itself is refused: nothing but a new login helps.
bool refuses_grant(std::string_view word) {
  for (std::string_view known :
       {"invalid_grant", "refresh_token_expired", "refresh_token_reused",
        "refresh_token_invalidated", "token_revoked", "account_deactivated"}) {
    if (word == known) return true;
  }
  return false;
}

}  // namespace

gp::Status fetch(const gp::StepIn& in, gp_step& out, const Fetch& request, std::string_view flow) {
  auto* up = in.arena.array<gp_upstream>(1);
  up->size = sizeof(gp_upstream);
  up->method = gp::str(request.method);
  up->url = gp::str(request.url);
  auto* headers = in.arena.array<gp_header>(request.headers.size() + 3);
  size_t count = 0;
  for (const auto& [name, value] : request.headers) {
    if (!value.empty()) headers[count++] = {gp::str(name), gp::str(value)};
  }
  auto has = [&](std::string_view name) {
    return gp::find_header({headers, count}, name).data() != nullptr;
  };
  if (!has("user-agent")) headers[count++] = {gp::str("user-agent"), in.arena.host()->user_agent};
  if (!has("accept")) headers[count++] = {gp::str("accept"), gp::str("application/json")};
  if (request.body.data() != nullptr) {
    up->body = gp::str(request.body);
    headers[count++] = {gp::str("content-type"), gp::str(request.content_type)};
  }
  up->headers = headers;
  up->header_count = count;
  out.kind = GP_STEP_FETCH;
  out.fetch = up;
  out.flow = gp::str(flow);
  return gp::ok();
}

gp::Status fail(gp_step& out, int32_t status, std::string_view code, std::string_view message,
                Refused how) {
  out.kind = GP_STEP_FAIL;
  out.status = status;
  out.code = gp::str(code);
  out.message = gp::str(message);
  if (how == Refused::for_good) out.flags |= GP_STEP_DEFINITIVE;
  return gp::ok();
}

gp::Status reply(gp_step& out, int32_t status, std::string_view reply_json, std::string_view flow) {
  out.kind = GP_STEP_REPLY;
  out.status = status;
  out.flags |= GP_STEP_KEEP_FLOW;
  out.reply_json = gp::str(reply_json);
  out.flow = gp::str(flow);
  return gp::ok();
}

std::string_view redirect_of(const gp::StepIn& in, std::string_view otherwise) {
  const std::string_view said = query_value(in.arena, query_of(in), "redirect_uri");
  if (!said.empty()) return said;
  return in.raw.redirect_uri.len > 0 ? gp::view(in.raw.redirect_uri) : otherwise;
}

std::string_view query_or(const gp::StepIn& in, std::string_view name, std::string_view otherwise) {
  const std::string_view said = query_value(in.arena, query_of(in), name);
  return said.empty() ? otherwise : said;
}

std::optional<Pkce> make_pkce(const gp::StepIn& in, gp_step& out, size_t bytes) {
  Pkce pkce;
  pkce.verifier = random_token(in, bytes);
  pkce.challenge = pkce_challenge(in, pkce.verifier);
  if (!pkce.verifier.empty() && !pkce.challenge.empty()) return pkce;
  fail(out, 500, "provider_error", "the host has no random bytes");
  return std::nullopt;
}

std::string_view flow_text(const gp::StepIn& in, std::string_view name) {
  const std::string_view flow = gp::view(in.raw.flow);
  if (flow.empty()) return {};
  return in.json(flow).get(in.arena.concat({"/", name})).or_empty();
}

std::optional<gp::Json> reply_json(const gp::StepIn& in) {
  if (in.raw.reply == nullptr || in.raw.reply->body.len == 0) return std::nullopt;
  gp_json_node root{};
  gp_error error = gp::stamped<gp_error>();
  if (in.json_ext->validate(in.raw.reply->body, &root, &error) != GP_OK ||
      root.type != GP_JSON_OBJECT) {
    return std::nullopt;
  }
  return in.json(gp::view(in.raw.reply->body));
}

std::optional<gp::Json> usage_reply(const gp::StepIn& in, gp_step& out) {
  auto json = reply_json(in);
  if (succeeded(in) && json) return json;
  fail(out, reply_status(in) >= 400 ? reply_status(in) : 502, "upstream_error",
       "the usage endpoint gave no usage");
  return std::nullopt;
}

std::optional<TokenReply> read_token_reply(const gp::StepIn& in, gp_step& out) {
  if (!has_reply(in)) {
    fail(out, 502, "oauth_token_failed", "the token endpoint could not be reached");
    return std::nullopt;
  }
  const auto json = reply_json(in);
  if (!succeeded(in)) {
    const std::string_view word = json ? error_word(*json) : std::string_view();
    const int32_t status = reply_status(in);
    const bool for_good = status >= 400 && status < 500 && refuses_grant(word);
    const std::string_view number = in.arena.copy(std::to_string(status));
    fail(out, for_good ? 400 : 502, for_good ? word : "oauth_token_failed",
         in.arena.concat({"the token endpoint answered ", number, word.empty() ? "" : " ", word}),
         for_good ? Refused::for_good : Refused::for_now);
    return std::nullopt;
  }
  TokenReply tokens;
  if (json) {
    tokens.access_token = json->get("/access_token").or_empty();
    tokens.refresh_token = json->get("/refresh_token").or_empty();
    tokens.id_token = json->get("/id_token").or_empty();
    const auto expires = json->get("/expires_in");
    tokens.expires_in_s = std::clamp<int64_t>(
        integer_or(expires.text.substr(0, expires.text.find('.')), 0), 0, 10LL * 365 * 24 * 3600);
  }
  if (tokens.access_token.empty()) {
    fail(out, 502, "oauth_token_failed", "the token endpoint's answer holds no access token");
    return std::nullopt;
  }
  return tokens;
}

std::string_view patched_credential(const gp::StepIn& in, std::string_view tag,
                                    std::span<const Pair> members) {
  const std::string_view text = gp::view(in.raw.credential_json);
  std::string_view inner = "{}";
  if (!text.empty()) {
    const gp::Json json = in.json(text);
    if (const auto node = json.node(in.arena.concat({"/", tag})); node.type == GP_JSON_OBJECT)
      inner = json.raw(node);
  }
  return JsonObject(in.arena).raw(tag, with_members(in.json(inner), in.arena, members)).str();
}

}  // namespace gproxy_common
