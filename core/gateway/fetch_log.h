// The log row of a call to an upstream that is no attempt of an exchange: steps of logins,
// refreshes and quota calls, pages of gathered model lists, tests of credentials. On the loop.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "gateway/worker_context.h"
#include "storage/records.h"
#include "translate/protocol.h"
#include "upstream/client.h"

namespace gproxy::gateway {

struct FetchLog {
  std::string_view trace_id;  // of the request it serves; empty: it serves none and gets its own
  const config::ProviderEntry* provider = nullptr;
  int64_t credential_id = storage::kNoId;
  int64_t user_id = storage::kNoId;
  int64_t user_key_id = storage::kNoId;
  translate::Protocol protocol = translate::Protocol::none;
  translate::Operation operation = translate::Operation::none;
  int32_t attempt_no = 1;
  bool internal = false;  // gproxy's own call, not a client's
  std::string_view method;
  std::string_view url;
  std::span<const http::HeaderView> headers;  // of the request; secrets are taken out here
  uint64_t request_bytes = 0;
  int status = 0;  // 0: none came
  uint64_t response_bytes = 0;
  upstream::FailureKind failure = upstream::FailureKind::none;
  int64_t began_wall_us = 0;
  int64_t began_us = 0;  // Loop::now_us()
};

// Writes it, if requests are logged at all.
void log_fetch(WorkerContext& context, const config::Settings& settings, const FetchLog& fetch);

}  // namespace gproxy::gateway
