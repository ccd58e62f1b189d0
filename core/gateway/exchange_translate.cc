// Exchange, on routes whose upstream speaks otherwise than the client, or answers in another form: the
// request is translated once and kept for all attempts, the answer as it comes.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "gateway/aggregate_list.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/route_plan.h"
#include "gateway/local_reply.h"
#include "gateway/translation.h"
#include "translate/errors.h"
#include "translate/models.h"
#include "translate/response.h"

namespace gproxy::gateway {
namespace {

using modhost::Failure;
using storage::Outcome;
using translate::Operation;
using translate::Protocol;

// Longer bodies are translated in the pool: the loop has others to serve.
constexpr size_t kInlineBytes = size_t{4} << 20;
constexpr std::string_view kEventStream = "text/event-stream";

bool serves_models(Operation operation) {
  return operation == Operation::model_list || operation == Operation::model_get;
}

}  // namespace

// ---- the request ---------------------------------------------------------------------------------

void Exchange::start_translation() {
  if (serves_models(operation_)) {  // no body; only the answer is translated
    serve();
    return;
  }
  constexpr std::string_view kModels = "models/";
  auto job = std::make_shared<TranslationJob>();
  job->client = match_.protocol;
  job->operation = operation_;
  job->route = resolved_;
  job->body = body_.view();
  job->path_model = match_.model;
  // What answers carry: the client's name, but Gemini's have the upstream's (reference core 3).
  job->shown_model = prefixes_model() && match_.protocol != Protocol::gemini
                         ? arena_.concat({provider_->name, "/", model_})
                         : model_;
  if (model_.starts_with(kModels)) model_.remove_prefix(kModels.size());
  job->upstream_model = model_;
  job->query = query_;
  job->anthropic_beta = head_->header("anthropic-beta");
  job->anthropic_version = head_->header("anthropic-version");
  job->profile = (*snapshot_)->profiles().find(job->upstream_model, codec_of(resolved_.target_protocol), provider_->kind);
  const auto& limits = settings().limits;
  auto& options = job->options;
  options.lossless = settings().translation.lossless || head_->header("x-gproxy-lossless") == "1";
  options.limits = {.max_depth = limits.max_json_depth, .max_bytes = limits.max_request_bytes};
  options.max_event_bytes = limits.max_event_bytes;
  options.max_response_bytes = limits.max_buffered_bytes;
  job->reasoning.emplace(tenant_reasoning());
  if (body_.size() <= kInlineBytes) {
    options.opaque_cache = &*job->reasoning;
    take_translation(prepare_translation(*job), options);
    return;
  }
  enter(Phase::waiting);
  job->own();
  // The pool asks by the job's view; what it leaves behind is the answer's own.
  auto answer_options = options;
  options.opaque_cache = &*job->reasoning;
  translating_ = net::run_in_pool(
      context_.loop, [job] { return prepare_translation(*job); },
      [this, answer_options](Result<translate::TranslatedRequest> made) {
        take_translation(std::move(made), answer_options);
      });
}

TenantReasoning Exchange::tenant_reasoning() {
  return {context_.shared.reasoning, key_ != nullptr ? key_->user_id : -1, context_.clock};
}

void Exchange::take_translation(Result<translate::TranslatedRequest> made, const translate::Options& options) {
  if (phase_ == Phase::done || phase_ == Phase::draining) return;
  if (!made.ok()) {
    reply_error(made.error());
    return;
  }
  translation_ = std::make_unique<Translation>(std::move(*made), options, RandomIds(context_.random, context_.clock), tenant_reasoning());
  note_losses(translation_->request().losses);
  if (translation_->request().local_count) {
    reply_count();
    return;
  }
  if (auto taken = take_translated_body(); !taken.ok()) {
    reply_error(taken.error());
    return;
  }
  serve();
}

// The translated body takes the place of the client's, in memory and in the memory's account.
Result<void> Exchange::take_translated_body() {
  const auto body = translation_->take_body();
  keep_client_body();
  const auto& limits = settings().limits;
  const size_t charged = charged_ - (plan_ != nullptr ? plan_->charged : 0);
  if (body.size() > charged && body.size() > kInlineBytes) {
    const size_t more = body.size() - charged;
    if (!context_.shared.memory.take(more, limits.memory_budget_bytes)) {
      context_.metrics.refused.add();
      return overloaded_error("memory for requests is used up", 1000);
    }
    charged_ += more;
  }
  body_.release();
  body_.reserve(body.size());
  if (!body_.append(body)) return overloaded_error("memory is out", 1000);
  // A translated body may be longer than what clients may send.
  return index_body(translate::ModelRule::elsewhere, body.size() + 1);
}

void Exchange::note_losses(const translate::LossLog& losses) {
  if (losses.empty()) return;
  for (const auto& loss : losses.entries()) {
    if (loss.harmless || loss.action == translate::LossAction::synthesised) continue;
    context_.metrics.dropped(translate::generic_path(loss.path));
  }
  const auto header = losses.header();
  if (header.empty()) return;
  dropped_ = dropped_.empty() ? arena_.copy(header) : arena_.concat({dropped_, ", ", header});
}

void Exchange::translate_call(modhost::CallRequest& request) {
  if (translation_ != nullptr) {
    const auto& made = translation_->request();
    request.needs_sse = resolved_.target_operation == Operation::stream_generate;
    request.path = made.path;
    request.query = made.query;
    return;
  }
  if (resolved_.mode != modhost::RouteMode::translate) return;
  const bool gemini = resolved_.target_protocol == Protocol::gemini;
  const std::string_view list = gemini ? "/v1beta/models" : "/v1/models";
  if (operation_ == Operation::model_list) {
    request.path = list;
    request.query = pages_ != nullptr ? std::string_view(pages_->query) : first_page_query(resolved_.target_protocol);
  } else {
    request.path = arena_.concat({list, "/", model_});
    request.query = {};
  }
}

// ---- the answer ----------------------------------------------------------------------------------

ResponsePath::Options Exchange::translated_options(translate::Framing framing, modhost::Call* call) {
  ResponsePath::Options options;
  options.protocol = resolved_.target_protocol;
  options.framing = framing;
  options.call = call;
  options.usage = usage_reader(framing);
  options.translator = translation_->translator();
  options.whole = !translation_->context().stream;
  options.max_whole_bytes = settings().limits.max_buffered_bytes;
  // Of an answer that is only collected or cut into events the client gets the upstream's own id.
  options.report_id = resolved_.target_protocol == translate::Protocol::openai_response &&
                      match_.protocol == translate::Protocol::openai_response;
  return options;
}

// Of an upstream's headers only its name for the request means anything in another protocol.
std::span<const http::HeaderView> Exchange::translated_headers(std::span<const http::HeaderView> upstream) {
  auto list = arena_.array<http::HeaderView>(3);
  if (list.size() < 3) return {};
  size_t n = 0;
  list[n++] = {"content-type", translation_ != nullptr ? translation_->content_type() : std::string_view("application/json")};
  auto id = http::find(upstream, "x-request-id");
  if (id.empty()) id = http::find(upstream, "request-id");
  if (!id.empty()) list[n++] = {"x-upstream-request-id", id};
  if (match_.protocol == Protocol::claude) list[n++] = {"request-id", request_id_};
  return answer_headers(list.first(n));
}

// The upstream's head has come. Nothing goes down before the translator has understood something.
void Exchange::begin_translated(std::span<const http::HeaderView> upstream, translate::Framing framing) {
  path_.emplace(translated_options(framing, call_.has_data() ? &call_ : nullptr), static_cast<ResponsePath::Receiver&>(*this));
  if (!translation_->context().stream) {
    upstream_headers_ = upstream;
    return;
  }
  if (!pinged_) {
    sse_ = translation_->content_type() == kEventStream;
    begin_answer(200, translated_headers(upstream), std::nullopt);
  }
  if (!streamed_) {
    streamed_ = true;
    context_.metrics.open_streams.add();
  }
}

// The upstream's bytes are complete.
void Exchange::finish_translated() {
  if (auto done = path_->finish(); !done.ok()) {
    fail_translated(done.error());
    return;
  }
  const auto* translator = path_->translator();
  const bool stream = translation_->context().stream;
  if (stream ? !path_->open() || !translator->ended() : path_->whole().empty()) {
    fail_translated(stream_interrupted());
    return;
  }
  if (!stream) {
    note_losses(translator->losses());
    const auto body = path_->whole();
    begin_answer(200, translated_headers(upstream_headers_), body.size());
    on_answer(body);
  } else {
    for (const auto& loss : translator->losses().entries()) {
      if (!loss.harmless && loss.action != translate::LossAction::synthesised) {
        context_.metrics.dropped(translate::generic_path(loss.path));
      }
    }
  }
  if (credential_ != nullptr) credential_->slot->record_success();
  outcome_ = Outcome::ok;
  end_attempt(outcome_, /*final=*/true, nullptr);
  end_answer();
}

// The upstream's answer cannot be translated, or says that it failed. Before anything went down that is
// an attempt like any other that failed.
void Exchange::fail_translated(const Error& why) {
  if (transfer_ != nullptr) {
    transfer_->abort();
    context_.loop.defer_delete(std::move(transfer_));
  }
  const Error error = why;
  if (path_->open() || local_ != nullptr) {  // the module's own answers are not asked for twice
    end_attempt(Outcome::failed, /*final=*/true, &error);
    path_->open() ? interrupt_answer(error, Outcome::failed) : reply_error(error);
    return;
  }
  if (path_->translator_error() == nullptr && error.code == "module_error") {
    end_attempt(Outcome::failed, /*final=*/true, &error);
    reply_error(error);
    return;
  }
  if (!path_->scan().failed()) log_garbage(path_->held().size());
  Failure failure;
  failure.kind = path_->scan().failed() ? modhost::FailureKind::stream_error : modhost::FailureKind::protocol;
  failure.status = path_->scan().failed() ? upstream_status_ : 0;
  collected_ = path_->scan_is_sse() ? error_event(path_->held()) : std::string(path_->held());
  fail_attempt(failure);
}

// A whole answer that was collected: generated and to be edited by the module, or none of generation.
void Exchange::complete_translated(const modhost::Reply& reply) {
  if (serves_models(operation_)) {
    complete_models(reply);
    return;
  }
  if (translation_->counts()) {
    auto answer = translate::translate_count_response(translation_->context(), reply.status, reply.body);
    finish_whole(answer);
    return;
  }
  const auto type = http::find(reply.headers, "content-type");
  const auto framing = type.starts_with(kEventStream) ? translate::Framing::sse : translate::Framing::json;
  path_.emplace(translated_options(framing, nullptr), static_cast<ResponsePath::Receiver&>(*this));
  if (is_stream() && !pinged_) {
    sse_ = translation_->content_type() == kEventStream;
    begin_answer(200, translated_headers(reply.headers), std::nullopt);
  }
  const std::string body(reply.body);  // what was collected may be put aside by a failure
  if (auto fed = path_->feed(body); !fed.ok()) {
    fail_translated(fed.error());
    return;
  }
  finish_translated();
}

// LOCAL at the translation's target.
void Exchange::start_translated_local() {
  const auto& reply = local_->reply();
  if (reply.status >= 400) {
    const auto error = translate::decode_error(codec_of(resolved_.target_protocol), reply.status, reply.body);
    end_attempt(Outcome::failed, /*final=*/true, &error);
    reply_error(error);
    return;
  }
  first_byte_us_ = net::Loop::now_us();
  if (!local_->streamed()) {
    complete_translated(reply);
    return;
  }
  const bool events = http::find(reply.headers, "content-type").starts_with(kEventStream);
  begin_translated(reply.headers, events ? translate::Framing::sse : translate::Framing::json);
  arm_ping();
  next_local_piece();
}

void Exchange::finish_whole(const translate::TranslatedAnswer& answer) {
  if (answer.failed) {
    end_attempt(Outcome::failed, /*final=*/true, &answer.error);
    reply_error(answer.error);
    return;
  }
  if (credential_ != nullptr) credential_->slot->record_success();
  outcome_ = Outcome::ok;
  begin_answer(200, translated_headers(upstream_headers_), answer.body.size());
  on_answer(answer.body);
  end_attempt(outcome_, /*final=*/true, nullptr);
  end_answer();
}

// Keeps this page of the upstream's list and asks for the next. False: this was the last, or no page.
bool Exchange::next_models_page(const modhost::Reply& reply) {
  if (operation_ != Operation::model_list || reply.status >= 300) return false;
  auto page = translate::read_models(resolved_.target_protocol, reply.body);
  if (!page.ok() || page->single) {
    pages_.reset();  // half a list is no list
    return false;
  }
  if (pages_ == nullptr) pages_ = std::make_unique<ModelPages>();
  auto& all = pages_->models;
  all.insert(all.end(), std::make_move_iterator(page->models.begin()), std::make_move_iterator(page->models.end()));
  if (page->next.empty() || local_ != nullptr || ++pages_->count >= ModelPages::kMax) return false;
  pages_->query = first_page_query(resolved_.target_protocol);
  if (!pages_->query.empty()) pages_->query += '&';
  pages_->query += page->next;
  if (credential_ != nullptr) credential_->slot->record_success();
  end_attempt(Outcome::ok, /*final=*/false, nullptr);
  call_.release();
  start_attempt();
  return true;
}

void Exchange::complete_models(const modhost::Reply& reply) {
  if (next_models_page(reply)) return;
  const auto target = resolved_.target_protocol;
  if (pages_ != nullptr && filters_models()) {
    std::erase_if(pages_->models, [this](const auto& model) {
      return !check_allowed(provider_->name, model.id).ok();
    });
  }
  auto answer = pages_ != nullptr ? translate::translate_model_list(match_.protocol, target, std::move(pages_->models), query_)
                                  : translate::translate_models(match_.protocol, target, reply.status, reply.body, query_);
  if (!answer.failed && pages_ == nullptr && filters_models()) {
    answer.body = allowed_models(answer.body);
  }
  if (!answer.failed && prefixes_model()) {
    answer.body = prefix_model_field(answer.body, match_.protocol == Protocol::gemini ? "name" : "id", provider_->name);
  }
  finish_whole(answer);
}

// ---- counts made here ----------------------------------------------------------------------------

bool Exchange::count_here() const {
  if (translation_ == nullptr || !translation_->counts()) return false;
  return upstream_status_ == 404 || upstream_status_ == 405 || upstream_status_ == 501;
}

void Exchange::reply_count() {
  const http::HeaderView headers[] = {{"content-type", "application/json"}, {"x-gproxy-estimated", "1"}};
  outcome_ = Outcome::ok;
  reply_whole(200, headers, translate::write_count(translation_->context().client, translation_->request().estimate));
}

}  // namespace gproxy::gateway
