#include "gateway/token_count.h"

#include <utility>

#include "base/log.h"
#include "gateway/shared_state.h"
#include "gateway/tokenizer_fetch.h"
#include "gateway/worker_context.h"
#include "translate/count.h"

namespace gproxy::gateway {
namespace {

using Source = modhost::CountPlan::Source;

tokenize::Origin origin_of(Source source) {
  switch (source) {
    case Source::file:
      return tokenize::Origin::file;
    case Source::url:
      return tokenize::Origin::url;
    default:
      return tokenize::Origin::encoding;
  }
}

}  // namespace

// Pure but for reading the tokenizer; on the loop or in the pool. Outlives its TokenCount in the
// pool.
struct TokenCount::Job {
  tokenize::Library& library;
  CountInput input;
  tokenize::TokenizerPtr tokenizer;  // null: to be loaded, or none is to be had
  bool give_up = false;              // without a tokenizer: estimate
  int64_t now_ms = 0;
  std::atomic<bool> stop{false};
  std::string kept;

  Job(tokenize::Library& from, const CountInput& given) : library(from), input(given) {}

  void own() {
    kept.reserve(input.body.size() + input.model.size() + input.plan.name.size());
    const auto keep = [this](std::string_view& text) {
      const size_t at = kept.size();
      kept += text;
      text = std::string_view(kept).substr(at);
    };
    keep(input.body);
    keep(input.model);
    keep(input.plan.name);
    input.plan.bearer = input.proxy = {};
  }

  Result<Counted> run() {
    if (tokenizer == nullptr && !give_up) {
      GP_TRY(tokenizer, library.load(origin_of(input.plan.source), input.plan.name, now_ms));
    }
    return count();
  }

  Result<Counted> count() {
    Arena arena(size_t{16} << 10, input.max_arena_bytes);
    translate::Options options;
    options.limits = input.limits;
    translate::RequestMeta meta;
    meta.model = input.model;
    const auto* vocabulary = tokenizer != nullptr ? tokenizer->vocabulary.get() : nullptr;
    uint64_t tokens = 0;
    bool exact = vocabulary != nullptr;
    const auto add = [&](std::string_view text) {
      if (vocabulary == nullptr || stop.load(std::memory_order_relaxed)) return;
      tokens += vocabulary->count(text, &stop);
      exact = exact && tokenizer->exact_for(text);
    };
    GP_TRY(const auto rest,
           translate::read_countable(input.client, input.body, meta, options, arena, add));
    if (vocabulary == nullptr) return Counted{rest.estimate, true};
    return Counted{static_cast<int64_t>(tokens) + rest.by_rule, !exact || rest.guessed};
  }
};

std::shared_ptr<TokenCount> TokenCount::start(WorkerContext& context, const CountInput& input,
                                              Done done) {
  auto made = std::make_shared<TokenCount>(context, input, std::move(done));
  made->begin();
  return made;
}

TokenCount::TokenCount(WorkerContext& context, const CountInput& input, Done done)
    : context_(context), input_(input), done_(std::move(done)) {}

TokenCount::~TokenCount() {
  if (job_ != nullptr) job_->stop.store(true, std::memory_order_relaxed);
}

void TokenCount::begin() {
  auto& library = context_.shared.tokenizers;
  job_ = std::make_shared<Job>(library, input_);
  job_->now_ms = context_.loop.now_ms();
  if (input_.plan.source == Source::estimate) {
    job_->give_up = true;
  } else {
    job_->tokenizer = library.find(origin_of(input_.plan.source), input_.plan.name, job_->now_ms);
  }
  const bool ready = job_->tokenizer != nullptr || job_->give_up;
  if (ready && input_.body.size() <= kInlineBytes) {
    finish(job_->run());
    return;
  }
  job_->own();
  run_in_pool();
}

void TokenCount::run_in_pool() {
  work_ = net::run_in_pool(
      context_.loop, [job = job_] { return std::make_shared<Result<Counted>>(job->run()); },
      [this](std::shared_ptr<Result<Counted>> result) {
        if (result->ok() || job_->give_up || job_->tokenizer != nullptr) {
          finish(std::move(*result));
          return;
        }
        const auto& error = result->error();
        if (error.code == "tokenizer_missing" && input_.plan.source == Source::url && !fetched_) {
          fetch();
          return;
        }
        const bool of_tokenizer =
            error.code.starts_with("tokenizer_") || error.code == "invalid_tokenizer";
        if (!of_tokenizer) {
          finish(std::move(*result));
          return;
        }
        log::warn("token count is estimated",
                  {{"tokenizer", input_.plan.name}, {"why", error.code}});
        job_->give_up = true;
        run_in_pool();
      });
}

void TokenCount::fetch() {
  fetched_ = true;
  // Whatever comes of it, the count goes on: what could not be had is not there at the next look
  // either.
  TokenizerFetch::join(context_, input_.plan.name, input_.plan.bearer, input_.proxy,
                       [weak = weak_from_this()] {
                         if (const auto self = weak.lock()) self->run_in_pool();
                       });
}

void TokenCount::finish(Result<Counted> result) {
  if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

}  // namespace gproxy::gateway
