// Exchange, when an upstream answers 200 and something that its protocol does not know: a page, an
// empty body, half an object, a stream without events. Such an attempt has failed.
#include <utility>

#include "base/json_scan.h"
#include "base/log.h"
#include "gateway/aggregate_list.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/route_plan.h"
#include "gateway/token_count.h"
#include "gateway/translation.h"

namespace gproxy::gateway {

using translate::Operation;
using translate::Protocol;

// Streams are events in every protocol; Gemini's are an array unless alt=sse was asked for.
bool Exchange::expects_events(bool said) const {
  if (!is_stream()) return false;
  return said || resolved_.target_protocol != Protocol::gemini ||
         call_.upstream().url.find("alt=sse") != std::string_view::npos;
}

ResponsePath::Expects Exchange::expected_answer(int status, bool as_events) const {
  using enum ResponsePath::Expects;
  if (status != 200 && status != 201) return anything;  // 204 has no body
  if (translate::is_generate(operation_)) {
    if (as_events) return events;
    return is_stream()                                     ? elements
           : resolved_.target_protocol == Protocol::gemini ? container
                                                           : object;
  }
  // A kept response may be read as a stream; the client asked for it.
  return as_events ? anything : container;
}

// Its brackets close; what is between them is nobody's business here.
bool Exchange::is_json_answer(std::string_view body) {
  constexpr std::string_view kBlank = " \t\r\n\xEF\xBB\xBF";
  const size_t first = body.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return false;
  const char last = body[body.find_last_not_of(kBlank)];
  return (body[first] == '{' && last == '}') || (body[first] == '[' && last == ']');
}

// Never a piece of the body: nobody knows what it is.
void Exchange::log_garbage(size_t bytes) const {
  log::warn("the upstream's answer is not what was asked for",
            {{"id", trace_id_},
             {"provider", provider_->name},
             {"module", provider_->provider->module().id()},
             {"status", upstream_status_},
             {"bytes", bytes}});
}

void Exchange::fail_garbage(std::string_view what) {
  const std::string held(what);  // it may stand in what is put aside now
  drop_transfer();
  log_garbage(held.size());
  modhost::Failure failure;
  failure.kind = modhost::FailureKind::protocol;
  // One object where a stream was asked for may be an error that forgot its status.
  if (is_json_answer(held) && json::validate(held).ok() && json::find(held, {"error"}).found) {
    failure.kind = modhost::FailureKind::stream_error;
    failure.status = upstream_status_;
    collected_ = held;
  } else {
    collected_.clear();
  }
  fail_attempt(failure);
}

}  // namespace gproxy::gateway
