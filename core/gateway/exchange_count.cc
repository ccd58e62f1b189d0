// Exchange: token counts that gproxy makes itself, on LOCAL count routes of modules that say with
// what (gproxy.count/1). No upstream and no credential is involved.
#include <utility>

#include "gateway/exchange.h"
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
  Arena scratch(size_t{64} << 10, settings().limits.max_exchange_bytes);
  translate::Options options;
  options.limits = {.max_depth = settings().limits.max_json_depth,
                    .max_bytes = settings().limits.max_request_bytes};
  const auto client = codec_of(match_.protocol);
  translate::RequestMeta meta;
  meta.model = model_;
  auto context = translate::read_request_context(client, client, operation_, body_.view(), meta, {},
                                                 options, scratch);
  if (!context.ok()) {
    reply_error(context.error());
    return;
  }
  const http::HeaderView headers[] = {{"content-type", "application/json"},
                                      {"x-gproxy-estimated", "1"}};
  outcome_ = storage::Outcome::ok;
  reply_whole(200, headers, translate::write_count(client, context->estimated_input_tokens));
}

}  // namespace gproxy::gateway
