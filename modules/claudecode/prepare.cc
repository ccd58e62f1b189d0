// Requests as the API wants them from an account with a subscription.
#include "claudecode.h"
#include "common/members.h"

namespace gproxy_claudecode {
namespace {

constexpr std::string_view kVersion = "2023-06-01";  // what a client that does not say means
constexpr std::string_view kOauthBeta = "oauth-2025-04-20";
constexpr std::string_view kLongBeta = "context-1m-2025-08-07";
constexpr std::string_view kLongPrefix = "context-1m";

bool begins_with_any(std::string_view model, const std::vector<std::string>& beginnings) {
  for (const std::string& beginning : beginnings) {
    if (model.starts_with(beginning)) return true;
  }
  return false;
}

bool generates(const gp::Request& request) {
  return request.operation() == GP_OP_GENERATE || request.operation() == GP_OP_STREAM_GENERATE;
}

// The vendor's own client brings its prelude itself.
bool is_vendors_client(const gp::Request& request) {
  std::string agent(request.header("user-agent"));
  for (char& c : agent) c = gp::lower(c);
  return agent.find("claude-code") != std::string::npos ||
         agent.find("claude-cli") != std::string::npos;
}

// True if a text of the system prompt holds a prelude already.
bool has_prelude(const gp::Json& body, const gp_json_node& system, std::string_view prelude) {
  auto holds = [&](std::string_view text) {
    return is_known_prelude(text) || text.find(prelude) != std::string_view::npos;
  };
  if (system.type == GP_JSON_STRING) return holds(body.decode(system));
  bool found = false;
  if (system.type == GP_JSON_ARRAY) {
    body.each(system, [&](const gp_json_member& block) {
      found = holds(body.inside(block.value).get("/text").or_empty());
      return !found;
    });
  }
  return found;
}

}  // namespace

Family Provider::family_of(std::string_view model) const {
  if (begins_with_any(model, sonnet_long_)) return Family::sonnet;
  if (begins_with_any(model, opus_long_)) return Family::opus;
  return Family::none;
}

// The client's list, without the long context where it is not granted, with what OAuth needs.
std::string_view Provider::betas_for(const gp::Request& request, const Account& account) const {
  const gp::Arena& arena = request.arena();
  // Lists are not about one model.
  const LongContext granted = generates(request) || request.operation() == GP_OP_COUNT_TOKENS
                                  ? account.long_context(family_of(request.model()))
                                  : LongContext::off;
  std::vector<std::string_view> parts;
  bool oauth = false, long_context = false;
  auto add = [&](std::string_view beta) {
    if (!parts.empty()) parts.push_back(",");
    parts.push_back(beta);
  };
  if (!request.translated()) {
    for (const gp_header& header : request.headers()) {
      if (!gp::equals_ignoring_case(gp::view(header.name), "anthropic-beta")) continue;
      std::string_view list = gp::view(header.value);
      while (!list.empty()) {
        const size_t comma = std::min(list.find(','), list.size());
        const std::string_view beta = gp::trim(list.substr(0, comma));
        list.remove_prefix(std::min(comma + 1, list.size()));
        if (beta.empty()) continue;
        if (beta.starts_with(kLongPrefix)) {
          if (granted == LongContext::off) continue;
          long_context = true;
        }
        oauth = oauth || beta == kOauthBeta;
        add(beta);
      }
    }
  }
  if (!oauth) add(kOauthBeta);
  if (granted == LongContext::on && !long_context) add(kLongBeta);
  return arena.concat(std::span<const std::string_view>(parts));
}

void Provider::add_prelude(const gp::Request& request, gp::BodyEdit& edit) const {
  if (prelude_.empty() || is_vendors_client(request)) return;
  const gp::Arena& arena = request.arena();
  const gp::Json body = request.json();
  const gp_json_node system = body.node("/system");
  if (has_prelude(body, system, prelude_)) return;
  const std::string_view block =
      arena.concat({R"({"type":"text","text":)", gp::json_quote(arena, prelude_), "}"});
  if ((system.flags & GP_NODE_FOUND) == 0) {
    edit.insert_member(request.span(GP_FIELD_ROOT)->at,
                       arena.concat({R"("system":[)", block, "]"}));
  } else if (system.type == GP_JSON_STRING && system.len > 2) {
    edit.replace(system.at, 0, arena.concat({"[", block, R"(,{"type":"text","text":)"}));
    edit.replace(system.at + system.len, 0, "}]");
  } else if (system.type == GP_JSON_ARRAY) {
    gp_json_member first{};
    const bool empty = body.ext()->first(gp::str(body.text()), &system, &first) != GP_OK;
    edit.replace(system.at + 1, 0, empty ? block : arena.concat({block, ","}));
  } else {  // null, or a text that says nothing
    edit.replace(system.at, system.len, arena.concat({"[", block, "]"}));
  }
}

// Some models take one of the two sampling parameters; which ones is data.
void Provider::guard_sampling(const gp::Request& request, gp::BodyEdit& edit) const {
  const gp_span* temperature = request.span(GP_FIELD_TEMPERATURE);
  const gp_span* top_p = request.span(GP_FIELD_TOP_P);
  if (temperature == nullptr || top_p == nullptr ||
      gp::Request::type(*temperature) == GP_JSON_NULL ||
      gp::Request::type(*top_p) == GP_JSON_NULL) {
    return;
  }
  for (const std::string& part : one_sampling_) {
    if (request.model().find(part) == std::string_view::npos) continue;
    gproxy_common::MemberEdits edits;
    edits.drop("top_p");
    edits.apply(request, edit);
    return;
  }
}

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up) const {
  if (request.protocol() != GP_PROTOCOL_CLAUDE)
    return gp::unsupported("the claudecode kind speaks Messages");
  const gp::Arena& arena = request.arena();
  const Credential& account = request.credential<Credential>();
  std::string_view method = "POST", path, query;
  switch (request.operation()) {
    case GP_OP_GENERATE:
    case GP_OP_STREAM_GENERATE:
      path = "/v1/messages";
      query = gp::pick_query(arena, request.query(), {"beta"});
      break;
    case GP_OP_COUNT_TOKENS:
      path = "/v1/messages/count_tokens";
      query = gp::pick_query(arena, request.query(), {"beta"});
      break;
    case GP_OP_MODEL_LIST:
      method = "GET";
      path = "/v1/models";
      query = gp::pick_query(arena, request.query(), {"after_id", "before_id", "limit", "beta"});
      break;
    case GP_OP_MODEL_GET:
      if (!gp::usable_segment(request.model()))
        return gp::invalid("the id cannot stand in a path", "model");
      method = "GET";
      path = arena.concat({"/v1/models/", gp::encode_segment(arena, request.model())});
      break;
    default:
      return gp::unsupported("the claudecode kind does not offer this operation");
  }
  up.method(method);
  up.url(arena.concat({endpoints_.api, path, query.empty() ? "" : "?", query}));
  if (!user_agent_.empty()) up.header("user-agent", user_agent_);
  up.forward(kKind);
  if (!up.has_header("anthropic-version")) up.header("anthropic-version", kVersion);
  up.remove_header("anthropic-beta");  // there may have been several
  up.header("anthropic-beta", betas_for(request, account));
  up.header("authorization", account.bearer);
  up.sync_model();
  if (request.streams()) up.flag(GP_UPSTREAM_STREAM);
  if (request.span(GP_FIELD_ROOT) == nullptr) return gp::ok();
  add_prelude(request, up.edit());
  if (generates(request)) guard_sampling(request, up.edit());
  return gp::ok();
}

}  // namespace gproxy_claudecode
