// Exchange: token counts that gproxy makes itself, on LOCAL count routes of modules that say with
// what (gproxy.count/1). No upstream and no credential is involved.
#include <utility>

#include "gateway/exchange.h"
#include "gateway/token_count.h"
#include "gateway/translation.h"
#include "modhost/count_plan.h"
#include "translate/response.h"

namespace gproxy::gateway {

void Exchange::start_count() {
  enter(Phase::local);
  auto asked = call_request();
  asked.protocol = match_.protocol;
  asked.operation = operation_;
  asked.translated = false;
  auto plan = modhost::CountPlan::ask(*provider_->provider, asked);
  if (!plan.ok()) {
    reply_error(plan.error());
    return;
  }
  CountInput input;
  input.client = codec_of(match_.protocol);
  input.body = body_.view();
  input.model = model_;
  input.limits = {.max_depth = settings().limits.max_json_depth,
                  .max_bytes = settings().limits.max_request_bytes};
  input.max_arena_bytes = settings().limits.max_exchange_bytes;
  input.plan = *plan;
  input.proxy = settings().proxy;
  auto counting = TokenCount::start(
      context_, input, [this](Result<Counted> counted) { reply_counted(std::move(counted)); });
  // It may have answered already.
  if (phase_ == Phase::local) counting_ = std::move(counting);
}

void Exchange::reply_counted(Result<Counted> counted) {
  if (phase_ != Phase::local) return;
  if (!counted.ok()) {
    const auto& error = counted.error();
    reply_error(error.code == "unknown_encoding"
                    ? provider_->provider->breach("plan", error.message)
                    : error);
    return;
  }
  const http::HeaderView headers[] = {{"content-type", "application/json"},
                                      {"x-gproxy-estimated", "1"}};
  outcome_ = storage::Outcome::ok;
  reply_whole(200, std::span(headers).first(counted->estimated ? 2 : 1),
              translate::write_count(codec_of(match_.protocol), counted->tokens));
}

}  // namespace gproxy::gateway
