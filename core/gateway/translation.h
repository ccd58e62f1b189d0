// What an exchange carries while its client and its upstream speak differently (routes that say
// TRANSLATE, and those that bridge streams and whole answers): the request in the upstream's words, and
// what the answer needs to know of the client's. Made once per exchange and kept for its retries; native
// routes never have one. On the exchange's loop, but for prepare_translation(), which is pure and may
// run in the pool.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/reasoning_cache.h"
#include "modhost/routes.h"
#include "translate/codec.h"
#include "translate/models.h"
#include "translate/profile.h"
#include "translate/protocol.h"
#include "translate/request.h"
#include "translate/stream.h"

namespace gproxy::gateway {

// The ids of answers that are written here.
class RandomIds final : public translate::IdSource {
 public:
  RandomIds(std::mt19937_64& random, const Clock& clock) : random_(random), clock_(clock) {}
  std::string next(std::string_view prefix) override;
  int64_t now_s() const override { return clock_.wall_us() / 1'000'000; }

 private:
  std::mt19937_64& random_;
  const Clock& clock_;
};

// One request to be translated. Views of the exchange; own() makes them the job's own for the pool.
struct TranslationJob {
  translate::Protocol client = translate::Protocol::none;
  translate::Operation operation = translate::Operation::none;  // the client's
  modhost::Resolved route;
  std::string_view body;
  std::string_view path_model;      // from the path (Gemini), as the client wrote it
  std::string_view upstream_model;  // without provider
  std::string_view shown_model;     // what answers carry
  std::string_view query;
  std::string_view anthropic_beta, anthropic_version;
  translate::Profile profile;  // what the model accepts
  translate::Options options;
  std::optional<TenantReasoning> reasoning;  // the options' cache may be this

  void own();

 private:
  std::string kept_;
};

// Fails with what is wrong in the client's body (its JSON path as param).
Result<translate::TranslatedRequest> prepare_translation(const TranslationJob& job);

// See the top. Answers are written by translators that refer to it: it outlives them.
class Translation {
 public:
  Translation(translate::TranslatedRequest request, const translate::Options& options, RandomIds ids,
              TenantReasoning reasoning)
      : request_(std::move(request)), options_(options), ids_(ids), reasoning_(reasoning) {
    options_.opaque_cache = &reasoning_;
  }
  Translation(const Translation&) = delete;
  Translation& operator=(const Translation&) = delete;

  const translate::TranslatedRequest& request() const { return request_; }
  const translate::RequestContext& context() const { return request_.context; }
  const translate::Options& options() const { return options_; }
  bool counts() const { return context().operation == translate::Operation::count_tokens; }
  // The body moves to where the exchange keeps it.
  std::string take_body() { return std::move(request_.body); }

  // For one attempt's answer: the client's stream, or a whole answer.
  std::unique_ptr<translate::StreamTranslator> translator();
  // Content type of what the translator writes.
  std::string_view content_type() const;

 private:
  translate::TranslatedRequest request_;
  translate::Options options_;
  RandomIds ids_;
  TenantReasoning reasoning_;
};

// A provider's model list on its way to a client of another protocol, page after page: the client's
// own paging is done on the whole, sorted list.
struct ModelPages {
  static constexpr int kMax = 20;
  std::vector<translate::ModelInfo> models;
  std::string query;  // asks for the next page
  int count = 0;      // read so far
};

// Where a generation protocol is meant: `openai` counts as Responses do.
translate::Protocol codec_of(translate::Protocol protocol);

}  // namespace gproxy::gateway
