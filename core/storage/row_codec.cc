#include "storage/row_codec.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace gproxy::storage {
namespace {

// Bounds of text, in bytes.
constexpr size_t kName = 64;  // trace ids, providers, methods, kinds
constexpr size_t kModel = 256;
constexpr size_t kPath = 2048;
constexpr size_t kMessage = 1024;
constexpr size_t kHeaders = 16 * 1024;
constexpr size_t kPayload = 16 * 1024;
constexpr size_t kBody = 64 * 1024;
constexpr size_t kRequestId = 128;
constexpr size_t kDecision = 64 * 1024;

struct UsageFixed {
  int64_t id, at, provider_id, credential_id, user_id, user_key_id;
  int64_t input, output, cache_read, cache_write, reasoning, ttft_us, duration_us;
  int32_t attempt_no, protocol, operation, status;
  uint8_t final, has_usage, estimated, outcome;
  uint32_t cache_write_1h;  // 0 in the rings of former versions
};

struct RequestFixed {
  int64_t id, at, user_id, user_key_id, request_bytes, response_bytes, ttft_us, duration_us;
  int32_t protocol, operation, status, attempts;
  uint8_t stream, outcome, reserved_1[2];
  uint32_t reserved_2;
};

struct UpstreamFixed {
  int64_t id, at, user_id, user_key_id, provider_id, credential_id;
  int64_t request_bytes, response_bytes, ttft_us, duration_us;
  int32_t protocol, operation, status, attempt_no;
  uint8_t internal, stream, outcome, reserved_1;
  uint32_t reserved_2;
};

struct EventFixed {
  int64_t id, at;
};

struct ResponseFixed {
  int64_t id, at, user_id, provider_id, credential_id;
};

struct BodyFixed {
  int64_t id, at, total_bytes;
  int32_t attempt_no;
  uint8_t direction, reserved[3];
};

struct DecisionFixed {
  int64_t id, at;
};

static_assert(sizeof(UsageFixed) == 128 && sizeof(RequestFixed) == 88 &&
              sizeof(UpstreamFixed) == 104);

std::string_view cut(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  size_t end = bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

// Half a JSON text is worth nothing.
std::string_view whole(std::string_view text, size_t bytes) {
  return text.size() <= bytes ? text : std::string_view();
}

// fixed part, N lengths, texts.
template <class Fixed, size_t N>
bool put(Ring& ring, FrameType type, const Fixed& fixed,
         const std::array<std::string_view, N>& texts) {
  std::array<uint32_t, N> lengths;
  size_t bytes = sizeof fixed + sizeof lengths;
  for (size_t i = 0; i < N; ++i) {
    lengths[i] = static_cast<uint32_t>(texts[i].size());
    bytes += texts[i].size();
  }
  char* p = ring.reserve(bytes);
  if (p == nullptr) return false;
  std::memcpy(p, &fixed, sizeof fixed);
  p += sizeof fixed;
  std::memcpy(p, lengths.data(), sizeof lengths);
  p += sizeof lengths;
  for (std::string_view text : texts) {
    if (!text.empty()) std::memcpy(p, text.data(), text.size());
    p += text.size();
  }
  ring.publish(static_cast<uint32_t>(type));
  return true;
}

template <class Fixed, size_t N>
bool get(std::string_view payload, Fixed& fixed, std::array<std::string_view, N>& texts) {
  std::array<uint32_t, N> lengths;
  if (payload.size() < sizeof fixed + sizeof lengths) return false;
  std::memcpy(&fixed, payload.data(), sizeof fixed);
  std::memcpy(lengths.data(), payload.data() + sizeof fixed, sizeof lengths);
  payload.remove_prefix(sizeof fixed + sizeof lengths);
  for (size_t i = 0; i < N; ++i) {
    if (lengths[i] > payload.size()) return false;
    texts[i] = payload.substr(0, lengths[i]);
    payload.remove_prefix(lengths[i]);
  }
  return true;
}

Outcome outcome_of(uint8_t value) {
  return value <= static_cast<uint8_t>(Outcome::refused) ? static_cast<Outcome>(value)
                                                         : Outcome::failed;
}

}  // namespace

bool push(Ring& ring, const UsageRow& r) {
  const UsageFixed fixed{
      r.id,
      r.at,
      r.provider_id,
      r.credential_id,
      r.user_id,
      r.user_key_id,
      r.input,
      r.output,
      r.cache_read,
      r.cache_write,
      r.reasoning,
      r.ttft_us,
      r.duration_us,
      r.attempt_no,
      r.protocol,
      r.operation,
      r.status,
      r.final,
      r.has_usage,
      r.estimated,
      static_cast<uint8_t>(r.outcome),
      static_cast<uint32_t>(std::clamp<int64_t>(r.cache_write_1h, 0, UINT32_MAX))};
  return put(ring, FrameType::usage_1, fixed,
             std::array{cut(r.trace_id, kName), cut(r.provider, kName), cut(r.model, kModel)});
}

bool decode(std::string_view payload, UsageRow& r) {
  UsageFixed f;
  std::array<std::string_view, 3> texts;
  if (!get(payload, f, texts)) return false;
  r.id = f.id;
  r.at = f.at;
  r.provider_id = f.provider_id;
  r.credential_id = f.credential_id;
  r.user_id = f.user_id;
  r.user_key_id = f.user_key_id;
  r.input = f.input;
  r.output = f.output;
  r.cache_read = f.cache_read;
  r.cache_write = f.cache_write;
  r.cache_write_1h = f.cache_write_1h;
  r.reasoning = f.reasoning;
  r.ttft_us = f.ttft_us;
  r.duration_us = f.duration_us;
  r.attempt_no = f.attempt_no;
  r.protocol = f.protocol;
  r.operation = f.operation;
  r.status = f.status;
  r.final = f.final != 0;
  r.has_usage = f.has_usage != 0;
  r.estimated = f.estimated != 0;
  r.outcome = outcome_of(f.outcome);
  r.trace_id = texts[0];
  r.provider = texts[1];
  r.model = texts[2];
  return true;
}

bool push(Ring& ring, const RequestRow& r) {
  const RequestFixed fixed{r.id,
                           r.at,
                           r.user_id,
                           r.user_key_id,
                           r.request_bytes,
                           r.response_bytes,
                           r.ttft_us,
                           r.duration_us,
                           r.protocol,
                           r.operation,
                           r.status,
                           r.attempts,
                           r.stream,
                           static_cast<uint8_t>(r.outcome),
                           {0, 0},
                           0};
  return put(ring, FrameType::request_1, fixed,
             std::array{cut(r.trace_id, kName), cut(r.method, kName), cut(r.path, kPath),
                        cut(r.query, kPath), whole(r.request_headers_json, kHeaders),
                        whole(r.response_headers_json, kHeaders), cut(r.client, kName),
                        cut(r.provider, kName), cut(r.model, kModel), cut(r.error_code, kName)});
}

bool decode(std::string_view payload, RequestRow& r) {
  RequestFixed f;
  std::array<std::string_view, 10> texts;
  if (!get(payload, f, texts)) return false;
  r.id = f.id;
  r.at = f.at;
  r.user_id = f.user_id;
  r.user_key_id = f.user_key_id;
  r.request_bytes = f.request_bytes;
  r.response_bytes = f.response_bytes;
  r.ttft_us = f.ttft_us;
  r.duration_us = f.duration_us;
  r.protocol = f.protocol;
  r.operation = f.operation;
  r.status = f.status;
  r.attempts = f.attempts;
  r.stream = f.stream != 0;
  r.outcome = outcome_of(f.outcome);
  r.trace_id = texts[0];
  r.method = texts[1];
  r.path = texts[2];
  r.query = texts[3];
  r.request_headers_json = texts[4];
  r.response_headers_json = texts[5];
  r.client = texts[6];
  r.provider = texts[7];
  r.model = texts[8];
  r.error_code = texts[9];
  return true;
}

bool push(Ring& ring, const UpstreamRequestRow& r) {
  const UpstreamFixed fixed{r.id,
                            r.at,
                            r.user_id,
                            r.user_key_id,
                            r.provider_id,
                            r.credential_id,
                            r.request_bytes,
                            r.response_bytes,
                            r.ttft_us,
                            r.duration_us,
                            r.protocol,
                            r.operation,
                            r.status,
                            r.attempt_no,
                            r.internal,
                            r.stream,
                            static_cast<uint8_t>(r.outcome),
                            0,
                            0};
  return put(ring, FrameType::upstream_1, fixed,
             std::array{cut(r.trace_id, kName), cut(r.provider, kName), cut(r.model, kModel),
                        cut(r.method, kName), cut(r.path, kPath), cut(r.query, kPath),
                        whole(r.request_headers_json, kHeaders),
                        whole(r.response_headers_json, kHeaders), cut(r.error_kind, kName),
                        cut(r.error_message, kMessage), cut(r.transport_kind, kName)});
}

bool decode(std::string_view payload, UpstreamRequestRow& r) {
  UpstreamFixed f;
  std::array<std::string_view, 11> texts;
  if (!get(payload, f, texts)) return false;
  r.id = f.id;
  r.at = f.at;
  r.user_id = f.user_id;
  r.user_key_id = f.user_key_id;
  r.provider_id = f.provider_id;
  r.credential_id = f.credential_id;
  r.request_bytes = f.request_bytes;
  r.response_bytes = f.response_bytes;
  r.ttft_us = f.ttft_us;
  r.duration_us = f.duration_us;
  r.protocol = f.protocol;
  r.operation = f.operation;
  r.status = f.status;
  r.attempt_no = f.attempt_no;
  r.internal = f.internal != 0;
  r.stream = f.stream != 0;
  r.outcome = outcome_of(f.outcome);
  r.trace_id = texts[0];
  r.provider = texts[1];
  r.model = texts[2];
  r.method = texts[3];
  r.path = texts[4];
  r.query = texts[5];
  r.request_headers_json = texts[6];
  r.response_headers_json = texts[7];
  r.error_kind = texts[8];
  r.error_message = texts[9];
  r.transport_kind = texts[10];
  return true;
}

bool push(Ring& ring, const InternalEvent& r) {
  return put(ring, FrameType::event_1, EventFixed{r.id, r.at},
             std::array{cut(r.event_type, kName), whole(r.payload_json, kPayload)});
}

bool decode(std::string_view payload, InternalEvent& r) {
  EventFixed f;
  std::array<std::string_view, 2> texts;
  if (!get(payload, f, texts)) return false;
  r.id = f.id;
  r.at = f.at;
  r.event_type = texts[0];
  r.payload_json = texts[1];
  return true;
}

bool push(Ring& ring, const ResponseRow& r) {
  const ResponseFixed fixed{r.id, r.at, r.user_id, r.provider_id, r.credential_id};
  return put(ring, FrameType::response_1, fixed, std::array{whole(r.response_id, kModel)});
}

bool decode(std::string_view payload, ResponseRow& r) {
  ResponseFixed f;
  std::array<std::string_view, 1> texts;
  if (!get(payload, f, texts)) return false;
  r.id = f.id;
  r.at = f.at;
  r.user_id = f.user_id;
  r.provider_id = f.provider_id;
  r.credential_id = f.credential_id;
  r.response_id = texts[0];
  return true;
}

bool push(Ring& ring, const BodyRow& r) {
  const BodyFixed fixed{
      r.id, r.at, r.total_bytes, r.attempt_no, static_cast<uint8_t>(r.direction), {0, 0, 0}};
  return put(ring, FrameType::body_1, fixed,
             std::array{cut(r.trace_id, kName), r.body.substr(0, kBody)});
}

bool decode(std::string_view payload, BodyRow& r) {
  BodyFixed f;
  std::array<std::string_view, 2> texts;
  if (!get(payload, f, texts)) return false;
  r.id = f.id;
  r.at = f.at;
  r.total_bytes = f.total_bytes;
  r.attempt_no = f.attempt_no;
  r.direction = f.direction == 0 ? BodyRow::Direction::request : BodyRow::Direction::response;
  r.trace_id = texts[0];
  r.body = texts[1];
  return true;
}

bool push(Ring& ring, const DecisionRow& r) {
  return put(ring, FrameType::decision_1, DecisionFixed{r.id, r.at},
             std::array{cut(r.trace_id, kName), cut(r.request_id, kRequestId),
                        whole(r.decision_json, kDecision)});
}

bool decode(std::string_view payload, DecisionRow& r) {
  DecisionFixed f;
  std::array<std::string_view, 3> texts;
  if (!get(payload, f, texts)) return false;
  r.id = f.id;
  r.at = f.at;
  r.trace_id = texts[0];
  r.request_id = texts[1];
  r.decision_json = texts[2];
  return true;
}

}  // namespace gproxy::storage
