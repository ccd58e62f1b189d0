// What an account has left, from the backend's usage endpoint.
#include "codex.h"
#include "common/steps.h"
#include "gproxy/verdicts.hpp"

namespace gproxy_codex {

using namespace gproxy_common;

namespace {

// "five_hour" and "seven_day" where the length is theirs, else primary or secondary.
std::string_view window_name(const gp::Json& window, std::string_view otherwise) {
  switch (integer_or(window.get("/limit_window_seconds").text, 0)) {
    case 5 * 3600:
      return "five_hour";
    case 7 * 24 * 3600:
      return "seven_day";
    default:
      return otherwise;
  }
}

class Windows {
 public:
  explicit Windows(const gp::StepIn& in) : in_(in) {}

  // {"primary_window":{…},"secondary_window":{…}}
  void limit(const gp::Json& json, std::string_view pointer, std::string_view scope) {
    for (std::string_view window : {"primary", "secondary"}) {
      const gp_json_node node = json.node(in_.arena.concat({pointer, "/", window, "_window"}));
      if (node.type == GP_JSON_OBJECT) add(json.inside(node), window, scope);
    }
  }
  void credits(const gp::Json& json) {
    const auto balance = json.get("/credits/balance");
    if (!json.get("/credits/has_credits").is_true() || !gp::decimal_ms(balance.text, 1)) return;
    put(JsonObject(in_.arena)
            .text("name", "credits")
            .text("scope", "account")
            .raw("remaining", balance.text)
            .text("unit", "credits")
            .str());
  }
  std::string_view str() const {
    std::vector<std::string_view> parts = parts_;
    parts.insert(parts.begin(), "[");
    parts.push_back("]");
    return in_.arena.concat(std::span<const std::string_view>(parts));
  }

 private:
  void add(const gp::Json& window, std::string_view which, std::string_view scope) {
    JsonObject object(in_.arena);
    object.text("name", window_name(window, which)).text("scope", scope);
    const auto used = window.get("/used_percent");
    if (used.found && used.type == GP_JSON_NUMBER) object.raw("used_percent", used.text);
    int64_t resets = stored_time_ms(window.get("/reset_at"));
    if (const auto after = gp::decimal_ms(window.get("/reset_after_seconds").text, gp::kSecond);
        resets == 0 && after) {
      resets = in_.arena.host()->now_ms() + *after;
    }
    if (resets > 0) object.number("resets_at_ms", resets);
    put(object.str());
  }
  void put(std::string_view window) {
    if (!parts_.empty()) parts_.push_back(",");
    parts_.push_back(window);
  }

  const gp::StepIn& in_;
  std::vector<std::string_view> parts_;
};

}  // namespace

gp::Status Provider::quota_start(const gp::StepIn& in, gp_step& out) {
  if (in.raw.credential == nullptr)
    return fail(out, 400, "credential_not_found", "usage is an account's: none is given");
  const Provider& provider = provider_of<Provider>(in);
  const Credential& account = credential_of<Credential>(in);
  return fetch(in, out,
               {.method = "GET",
                .url = provider.endpoints().usage,
                .headers = {{"authorization", account.bearer},
                            {"chatgpt-account-id", account.account_id},
                            {"originator", provider.originator()},
                            {"user-agent", provider.user_agent()}}},
               "{}");
}

gp::Status Provider::quota_resume(const gp::StepIn& in, gp_step& out) {
  const auto json = usage_reply(in, out);
  if (!json) return gp::ok();
  Windows windows(in);
  windows.limit(*json, "/rate_limit", "account");
  windows.limit(*json, "/code_review_rate_limit", "code_review");
  json->each(json->node("/additional_rate_limits"), [&](const gp_json_member& member) {
    const gp::Json entry = json->inside(member.value);
    const std::string_view name = entry.get("/limit_name").or_empty();
    if (!name.empty()) windows.limit(entry, "/rate_limit", name);
    return true;
  });
  windows.credits(*json);
  out.kind = GP_STEP_DONE;
  out.reply_json = in.raw.reply->body;
  out.windows_json = gp::str(windows.str());
  return gp::ok();
}

}  // namespace gproxy_codex
