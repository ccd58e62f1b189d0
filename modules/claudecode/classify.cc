// What the API's errors mean for an account with a subscription. Beside the words of the API there
// are the subscription's own limits, in anthropic-ratelimit-unified-* headers, and a long context
// that it may not grant.
#include "claudecode.h"
#include "common/anthropic.h"
#include "common/problem.h"
#include "common/text.h"
#include "gproxy/ext/credential.h"

namespace gproxy_claudecode {
namespace {

bool says_no_long_context(std::string_view message) {
  std::string text(message);
  for (char& c : text) c = gp::lower(c);
  for (std::string_view needle :
       {"context-1m", "context 1m", "1m context", "long context beta", "long context"}) {
    if (text.find(needle) != std::string::npos) return true;
  }
  return false;
}

// "OAuth authentication is currently not allowed for this organization.", "OAuth token does not
// meet scope requirement …". Other refusals are about one model, or about the request.
bool speaks_of_account(std::string_view message) {
  for (std::string_view word : {"organization", "OAuth"}) {
    if (message.find(word) != std::string_view::npos) return true;
  }
  return false;
}

// When the subscription's window opens again, in ms from now; 0 if the headers do not say.
int64_t unified_reset_ms(const gp::Failure& failure) {
  const std::string_view prefix = "anthropic-ratelimit-unified-";
  const gp::Arena& arena = failure.arena();
  int64_t at = gproxy_common::integer_or(failure.header(arena.concat({prefix, "reset"})), 0);
  for (std::string_view window : {"5h", "7d"}) {  // of the windows that are shut, the last to open
    if (failure.header(arena.concat({prefix, window, "-status"})) != "rejected") continue;
    at = std::max(
        at, gproxy_common::integer_or(failure.header(arena.concat({prefix, window, "-reset"})), 0));
  }
  const int64_t wait = at * gp::kSecond - failure.now_ms();
  return at > 0 && wait > 0 ? std::min<int64_t>(wait, 31LL * 24 * 60 * gp::kMinute) : 0;
}

}  // namespace

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  const auto words = gproxy_common::error_words(failure);
  const auto* account = reinterpret_cast<const Credential*>(failure.raw().credential);
  const int32_t status = failure.status();

  const Family family = family_of(gp::view(failure.raw().model));
  if ((status == 400 || status == 403) && account != nullptr && family != Family::none &&
      account->long_context(family) != LongContext::off && says_no_long_context(words.message)) {
    const auto whole = failure.json_of(account->text);
    const gp_json_node inner = whole.node("/ClaudeCode");
    const gproxy_common::Pair patch[] = {
        {family == Family::sonnet ? "supports_claude_1m_sonnet" : "supports_claude_1m_opus",
         "false"}};
    verdict.retry_patched(
        gproxy_common::JsonObject(failure.arena())
            .raw(kTag, gproxy_common::with_members(whole.inside(inner), failure.arena(), patch))
            .str(),
        "no_long_context");
    return gp::ok();
  }
  if (status == 401) {
    if (account != nullptr && !account->refresh_token.empty()) {
      verdict.refresh(GP_CAUSE_REJECTED, "unauthorized");
    } else {
      verdict.dead("unauthorized");
    }
    return gp::ok();
  }
  if (status == 403 && words.type == "permission_error" && speaks_of_account(words.message)) {
    // The account's organisation or login forbids it; every model alike.
    gp::cool_down_for(failure, verdict, GP_SCOPE_CREDENTIAL, gp::retry_after_ms(failure),
                      60 * gp::kMinute, "forbidden");
    return gp::ok();
  }
  if (status == 429) {
    const int64_t wait = unified_reset_ms(failure);
    const auto claim = failure.header("anthropic-ratelimit-unified-representative-claim");
    if (wait > 0) {
      // "seven_day_<family>" shuts one family of models, the others the whole account.
      const bool whole = claim.empty() || claim == "five_hour" || claim == "seven_day";
      verdict.cool_down(whole ? GP_SCOPE_CREDENTIAL : GP_SCOPE_MODEL, failure.now_ms() + wait,
                        "usage_limit");
      return gp::ok();
    }
  }
  return gproxy_common::judge_anthropic(failure, verdict, gproxy_common::Rejected::by_status);
}

}  // namespace gproxy_claudecode
