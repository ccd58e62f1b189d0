// What an account has left, as the vendor tells it per model.
#include <charconv>
#include <cmath>
#include <string>

#include "common/google/code_assist.h"
#include "common/steps.h"
#include "common/text.h"
#include "gproxy/verdicts.hpp"

namespace gproxy_google {

gp::Status quota_ask(const CodeAssist& self, const gp::StepIn& in, gp_step& out,
                     std::string_view path, std::string_view body) {
  const Account& account = gproxy_common::credential_of<Account>(in);
  return gproxy_common::fetch(
      in, out,
      {.method = "POST",
       .url = in.arena.concat({self.base_url(), path}),
       .headers = {{"authorization", account.bearer}, {"user-agent", self.user_agent()}},
       .body = body,
       .content_type = "application/json"},
      {});
}

gp::Status quota_answer(const gp::StepIn& in, gp_step& out, ReadWindows windows) {
  if (!gproxy_common::has_reply(in))
    return gproxy_common::fail(out, 502, "quota_failed", "the vendor could not be reached");
  if (!gproxy_common::succeeded(in)) {
    const std::string status = std::to_string(gproxy_common::reply_status(in));
    return gproxy_common::fail(out, gproxy_common::reply_status(in), "quota_failed",
                               in.arena.concat({"the vendor answered ", status}));
  }
  const auto json = gproxy_common::reply_json(in);
  if (!json) {
    return gproxy_common::fail(out, 502, "quota_failed", "the vendor's answer is no JSON object");
  }
  out.kind = GP_STEP_DONE;
  out.reply_json = gp::str(json->text());
  out.windows_json = gp::str(windows(*json, in.arena));
  return gp::ok();
}

void WindowList::add(std::string_view window) {
  if (window.empty()) return;
  parts_.push_back(parts_.empty() ? "[" : ",");
  parts_.push_back(window);
}

std::string_view WindowList::str(const gp::Arena& arena) const {
  if (parts_.empty()) return "[]";
  return arena.concat({arena.concat(std::span<const std::string_view>(parts_)), "]"});
}

std::string_view model_window(const gp::Arena& arena, std::string_view model, std::string_view name,
                              const gp::Json& told) {
  const auto fraction = told.get("/remainingFraction");
  const auto reset = gp::rfc3339_ms(told.get("/resetTime").or_empty());
  double left = -1;
  if (fraction.found && fraction.type == GP_JSON_NUMBER)
    std::from_chars(fraction.text.data(), fraction.text.data() + fraction.text.size(), left);
  const bool known = std::isfinite(left) && left >= 0 && left <= 1;
  if (model.empty() || (!known && !reset)) return {};
  gproxy_common::JsonObject window(arena);
  window.text("name", name).text("scope", arena.concat({"model:", model}));
  if (known) {
    char text[32];
    // Two digits are what the vendor's own screens show.
    const auto end = std::to_chars(text, text + sizeof text, std::round((1 - left) * 1e4) / 1e2);
    window.raw("used_percent", arena.copy({text, static_cast<size_t>(end.ptr - text)}));
  }
  const std::string_view amount = told.get("/remainingAmount").or_empty();
  if (gproxy_common::integer_or(amount, -1) >= 0) window.raw("remaining", amount);
  if (reset) window.number("resets_at_ms", *reset);
  return window.str();
}

}  // namespace gproxy_google
