#include "gateway/translation.h"

#include <algorithm>
#include <array>

#include "base/arena.h"
#include "base/json.h"

namespace gproxy::gateway {
namespace {

using translate::Operation;
using translate::Protocol;

// The neutral model of a request and the value tree it is read from.
constexpr size_t kScratchBlock = 16 * 1024;
constexpr size_t kScratchBase = size_t{16} << 20;
constexpr size_t kScratchPerByte = 32;

// Bridging between equal protocols: only what says how the answer comes differs.
Result<std::string> with_stream_flag(std::string_view body, bool stream, const json::Limits& limits, Arena& arena) {
  GP_TRY(auto root, json::parse(body, arena, limits));
  if (stream) {
    root.set(arena, "stream", json::Value::boolean(true));
  } else {
    root.remove("stream");
    root.remove("stream_options");
  }
  return json::write(root);
}

}  // namespace

std::string RandomIds::next(std::string_view prefix) {
  constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr size_t kLength = 24;  // 142 bits
  constexpr size_t kPerDraw = 10;
  std::string out(prefix);
  out.reserve(prefix.size() + kLength);
  uint64_t bits = 0;
  for (size_t i = 0; i < kLength; ++i) {
    if (i % kPerDraw == 0) bits = random_();
    out += kAlphabet[bits % kAlphabet.size()];
    bits /= kAlphabet.size();
  }
  return out;
}

void TranslationJob::own() {
  const std::array<std::string_view*, 7> views = {&body,  &path_model,     &upstream_model,   &shown_model,
                                                  &query, &anthropic_beta, &anthropic_version};
  size_t total = 0;
  for (const auto* view : views) total += view->size();
  kept_.reserve(total);
  for (auto* view : views) {
    const size_t at = kept_.size();
    kept_.append(*view);
    *view = {kept_.data() + at, view->size()};
  }
}

Protocol codec_of(Protocol protocol) {
  return protocol == Protocol::openai ? Protocol::openai_response : protocol;
}

Result<translate::TranslatedRequest> prepare_translation(const TranslationJob& job) {
  const auto client = codec_of(job.client);
  const auto upstream = codec_of(job.route.target_protocol);
  const bool generates = translate::is_generate(job.operation);
  const bool streams = job.route.target_operation == Operation::stream_generate;
  Arena arena(kScratchBlock, kScratchBase + job.body.size() * kScratchPerByte);
  const translate::RequestMeta meta{.model = job.path_model,
                                    .upstream_model = job.upstream_model,
                                    .query = job.query,
                                    .anthropic_beta = job.anthropic_beta,
                                    .anthropic_version = job.anthropic_version};
  GP_TRY(auto made, translate::translate_request(client, upstream, job.operation, job.body, meta, job.profile,
                                                 job.options, arena, generates ? (streams ? 1 : 0) : -1));
  made.context.requested_model = std::string(job.shown_model);
  if (client == upstream && generates && client != Protocol::gemini) {
    GP_TRY(made.body, with_stream_flag(made.body, streams, job.options.limits, arena));
  }
  return made;
}

std::unique_ptr<translate::StreamTranslator> Translation::translator() {
  using translate::AnswerForm;
  return std::make_unique<translate::StreamTranslator>(
      context(), options_, ids_, context().stream ? AnswerForm::stream : AnswerForm::document);
}

std::string_view Translation::content_type() const {
  if (!context().stream) return "application/json";
  return translate::StreamTranslator::content_type(context().client, context().framing);
}

}  // namespace gproxy::gateway
