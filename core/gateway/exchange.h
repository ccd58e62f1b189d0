// One request from its head to its last row: who asks, what is asked of whom, the attempts, the
// answer, the accounts. Lives on its session's loop, owned by it; the snapshot it starts with stays
// with it to the end. Everything ends in finish(), once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "config/credential_pool.h"
#include "config/publisher.h"
#include "gateway/admission.h"
#include "gateway/auth.h"
#include "gateway/body_buffer.h"
#include "gateway/decision.h"
#include "gateway/local_reply.h"
#include "gateway/response_path.h"
#include "gateway/retry.h"
#include "gateway/router.h"
#include "gateway/session.h"
#include "gateway/usage_estimate.h"
#include "gateway/worker_context.h"
#include "http/parser.h"
#include "http/writer.h"
#include "modhost/call.h"
#include "modhost/local_answer.h"
#include "modhost/provider.h"
#include "net/timer.h"
#include "net/work.h"
#include "storage/records.h"
#include "translate/body_index.h"
#include "translate/loss.h"
#include "translate/request.h"
#include "translate/response.h"
#include "upstream/client.h"

namespace gproxy::gateway {

class AggregateList;
class PoolWait;
struct RoutePlan;
class ExchangeCall;
class TokenCount;
class Translation;
struct ModelPages;
struct Counted;

class Exchange final : private upstream::TransferSink, private ResponsePath::Receiver {
 public:
  Exchange(WorkerContext& context, Session& session, config::LoopSnapshotPtr snapshot);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  static void* operator new(size_t bytes);
  static void operator delete(void* block);

  Arena& arena() { return arena_; }

  // ---- from the session ------------------------------------------------------------------------
  // `pause` means that the body waits for memory: retry_memory() until it answers.
  http::Action on_head(const http::RequestHead& head);
  enum class Memory : uint8_t { granted, wait, refused };
  Memory retry_memory(int64_t waited_ms);
  void on_body(std::string_view bytes);
  // Where on_body() would copy a long body's next bytes to; they may be put there before. Empty for
  // short bodies and for those whose length is not known.
  std::span<char> body_room();
  // The request is complete (or on_head stopped it): the answer begins.
  void run();
  // The request broke off or broke a rule; answers it and closes. Where on_head() was never called,
  // `head` (or null) and `line` are what is known of it: the answer has the form of its route.
  void fail_request(const Error& error, const http::RequestHead* head,
                    const http::RequestLine& line);
  void on_flushed();
  void on_output_full();
  void on_writable();
  // The session has nothing of this request but its first bytes.
  bool has_head() const { return head_ != nullptr; }

  enum class Cancel : uint8_t { client_gone, stalled, shutdown };
  void cancel(Cancel reason);

  // ---- for the helpers of its answer (HttpCall, aggregate list)
  // ----------------------------------
  void reply_whole(int status, std::span<const http::HeaderView> headers, std::string_view body);
  void reply_error(const Error& error);
  bool begin_stream(int status, std::span<const http::HeaderView> headers);
  bool write_stream(std::string_view bytes);
  void end_stream();
  WorkerContext& context() { return context_; }
  const config::LoopSnapshotPtr& snapshot() const { return snapshot_; }
  const config::Settings& settings() const { return (*snapshot_)->settings(); }
  const RouteMatch& match() const { return match_; }
  const config::KeyEntry* key() const { return key_; }
  bool by_state() const { return by_state_; }
  std::string_view query() const { return query_; }
  std::string_view request_id() const { return request_id_; }
  std::string_view trace_id() const { return trace_id_; }
  const http::RequestHead& head() const { return *head_; }
  // May this request's key use that provider, and that model of it (empty: none named yet)? Error:
  // permission, 403.
  Result<void> check_allowed(std::string_view provider, std::string_view model) const;
  std::span<const http::HeaderView> client_headers();

 private:
  enum class Phase : uint8_t {
    head,       // nothing known yet
    body,       // the request comes in
    attempt,    // an upstream is asked, nothing went to the client
    waiting,    // between two attempts, or for a refresh
    streaming,  // the answer's head has gone out
    local,      // gproxy itself answers (module pieces, lists, the admin floor)
    draining,   // the answer is complete but for the kernel
    done,
  };
  void enter(Phase next);

  // exchange.cc: who and what
  void check_head();
  Result<void> authenticate();
  bool is_admin() const;
  Result<void> admit_key();
  Result<void> find_provider();
  Result<void> index_request();
  Result<void> index_body(translate::ModelRule rule, size_t max_bytes,
                          std::string_view* body_model = nullptr);
  void answer_local_route();
  void serve_metrics();
  void serve_handler();
  void serve_account();

  // exchange_attempt.cc: asking upstream
  void start();
  void begin();
  void choose_way();
  void start_attempt();
  modhost::CallRequest call_request();
  void send();
  void on_head(const upstream::Head& head) override;
  void on_data(std::string_view bytes) override;
  void on_complete(const upstream::Completion& completion) override;
  void complete_answer();
  // exchange_garbage.cc: answers that are not what was asked for
  bool expects_events(bool said) const;
  ResponsePath::Expects expected_answer(int status, bool as_events) const;
  static bool is_json_answer(std::string_view body);
  void log_garbage(size_t bytes) const;
  void fail_garbage(std::string_view what);
  void complete_collected();
  // exchange_limits.cc: what its headers say of the credential
  void note_limits(const upstream::Head& head);
  // exchange_failure.cc: when it went wrong, and the accounts
  void fail_attempt(const modhost::Failure& failure);
  void attempt_again(const Decision& decision);
  // exchange_pool.cc: which credential, and waiting for one
  config::CredentialPool::Ask ask() const;
  bool take_credential();
  void use(config::Lease lease);
  void drop_credential();
  bool wait_for_credential();
  void on_granted(config::Lease lease);
  void on_wait_timer();
  void stop_waiting();
  void refuse_without_credential();
  // exchange_route.cc: the operator's own model names
  Result<bool> plan_route();
  const config::RouteTarget* peek_target(size_t& at) const;
  std::string_view target_fault(const config::RouteTarget& target) const;
  bool has_next_target() const;
  bool next_target_ready() const;
  bool next_target();
  bool fail_over();
  void enter_target();
  void keep_client_body();
  void reply_route_model();
  bool prefixes_model() const { return match_.aggregate && plan_ == nullptr; }
  // A provider's own list is shown without the models that the key may not use.
  bool filters_models() const;
  std::string allowed_models(std::string_view list) const;
  void watch_first_token();
  void on_first_token_late();
  void deliver_failure(const modhost::Failure& failure);
  void refresh(int32_t cause);
  void patch(std::string_view credential_json);
  void end_attempt(storage::Outcome outcome, bool final, const Error* error);
  // The attempt's usage row, once: at its end, or before the write that may complete the answer.
  void record_usage(storage::Outcome outcome, bool final);
  // The module's own reading of usage; null where it has none, or nothing is counted.
  std::unique_ptr<ModuleUsageReader> usage_reader(translate::Framing framing) const;
  // The attempt's token counts: the upstream's own, estimates where it will never tell.
  AttemptUsage attempt_usage(storage::Outcome outcome) const;
  void on_timer();

  // exchange_why.cc: what is remembered of the way
  enum class Pausing : uint8_t { no, queue, backoff, refresh };
  DecisionNotes* notes();
  DecisionSkip describe(const config::CredentialPool::Skip& from) const;
  void note_skips();
  void note_who_was_skipped();
  void note_skip(const DecisionSkip& skip, size_t attempt);
  void note_unusable(std::string_view why);
  void note_target(const config::RouteTarget& target, std::string_view why);
  void note_verdict(const modhost::Failure& failure, const modhost::Verdict& verdict,
                    std::string_view then, int64_t backoff_ms);
  void note_attempt(storage::Outcome outcome, const Error* error);
  void note_wait(std::string_view ended);
  void note_sent();
  void note_connection(const upstream::Completion& completion);
  void begin_pause(Pausing what);
  void end_pause();
  uint8_t tier_of(const config::RouteTarget* target) const;
  uint8_t tier() const;
  void fill_decision(DecisionRecord& record, storage::Outcome outcome) const;
  void record_decision(storage::Outcome outcome);

  // exchange_translate.cc: routes whose upstream speaks otherwise
  bool translates() const {
    return resolved_.mode == modhost::RouteMode::translate || resolved_.bridged(operation_);
  }
  void serve();
  void start_translation();
  void take_translation(Result<translate::TranslatedRequest> made,
                        const translate::Options& options);
  Result<void> take_translated_body();
  void translate_call(modhost::CallRequest& request);
  void begin_translated(std::span<const http::HeaderView> upstream, translate::Framing framing);
  void finish_translated();
  void fail_translated(const Error& why);
  void complete_translated(const modhost::Reply& reply);
  void complete_models(const modhost::Reply& reply);
  bool next_models_page(const modhost::Reply& reply);
  TenantReasoning tenant_reasoning();
  void start_translated_local();
  void finish_whole(const translate::TranslatedAnswer& answer);
  bool count_here() const;
  void reply_count();
  std::span<const http::HeaderView> translated_headers(std::span<const http::HeaderView> upstream);
  ResponsePath::Options translated_options(translate::Framing framing, modhost::Call* call);
  void note_losses(const translate::LossLog& losses);

  // exchange_owner.cc: answers that an upstream keeps
  bool asks_for_kept() const;
  std::string_view previous_response_id();
  void find_owner(std::string_view response_id);
  void take_owner(const std::optional<storage::ResponseOwner>& owner);
  Error kept_not_found() const;
  void on_response_id(std::string_view id) override;

  // exchange_local.cc: answers of the module itself
  void start_local();
  void next_local_piece();

  // exchange_count.cc: token counts made here
  void start_count();
  void reply_counted(Result<Counted> counted);

  // exchange_answer.cc: to the client
  void begin_answer(int status, std::span<const http::HeaderView> headers,
                    std::optional<uint64_t> content_length);
  void on_answer(std::string_view bytes) override;
  void end_answer();
  void take_back_head();
  void interrupt_answer(const Error& error, storage::Outcome outcome);
  void on_ping();
  void arm_ping();
  std::span<const http::HeaderView> answer_headers(std::span<const http::HeaderView> upstream);
  void release_request_body();
  void finish(storage::Outcome outcome);
  void record_request(storage::Outcome outcome);
  void begin_logging_bodies();
  void begin_logging_attempt();
  void record_attempt_bodies();
  void record_bodies();

  bool is_stream() const { return operation_ == translate::Operation::stream_generate; }
  bool pings_possible() const;
  Error attempt_error(const modhost::Failure& failure) const;
  static std::string error_event(std::string_view events);
  void end_error_answer();
  void drop_transfer();

  WorkerContext& context_;
  Session& session_;
  config::LoopSnapshotPtr snapshot_;
  Arena arena_;

  // The request.
  const http::RequestHead* head_ = nullptr;
  RouteMatch match_;
  const config::KeyEntry* key_ = nullptr;
  PresentedKey presented_;
  std::optional<Admission> admission_;  // of a key with limits
  std::string_view query_;
  std::string_view request_id_;
  std::string_view trace_id_;
  std::span<const http::HeaderView> client_headers_;
  BodyBuffer body_{context_.blocks};
  size_t charged_ = 0;  // taken from the memory budget
  std::optional<Error> refusal_;
  bool stop_after_head_ = false;
  bool by_state_ = false;  // a login's callback without a key
  bool client_headers_made_ = false;

  // What it comes to.
  const config::ProviderEntry* provider_ = nullptr;
  translate::Operation operation_ = translate::Operation::none;
  modhost::Resolved resolved_;
  std::string_view model_;           // without the provider
  std::unique_ptr<RoutePlan> plan_;  // where the client wrote a route's name
  std::span<modhost::FieldSpan> spans_;
  bool model_differs_ = false;
  bool usage_row_ = false;  // a generate operation
  std::unique_ptr<Translation> translation_;
  std::unique_ptr<ModelPages> pages_;  // of a list that is translated
  net::PendingWork translating_;       // a large request, in the pool
  std::shared_ptr<TokenCount> counting_;
  std::string_view dropped_;  // x-gproxy-dropped

  // The attempt.
  const config::CredentialEntry* credential_ = nullptr;
  config::Lease lease_;                // of credential_
  std::shared_ptr<PoolWait> waiting_;  // our place in the pool's queue
  int64_t wait_until_ms_ = 0;          // the end of our patience there; 0 = not set yet
  uint64_t conversation_ = 0;          // for pools that are sticky
  modhost::CredentialHandle handle_;
  modhost::Call call_;
  std::unique_ptr<upstream::Transfer> transfer_;
  std::optional<ResponsePath> path_;
  std::string collected_;  // an error's body, or a whole answer for the module's body hook
  std::span<const http::HeaderView> upstream_headers_;  // kept when collected_ is
  int upstream_status_ = 0;
  enum class Mode : uint8_t { none, relay, collect_error, collect_answer } mode_ = Mode::none;
  std::string_view transport_kind_;  // the reference's word, where no answer came
  bool attempt_open_ = false;
  bool sse_ = false;
  Budget budget_;
  std::vector<int64_t> tried_;
  int64_t pinned_ =
      0;  // the one credential that can serve this: it holds what is asked for; 0 = any
  std::optional<Error> last_error_;  // of the attempt before this one
  std::unique_ptr<modhost::LocalAnswer> local_;
  modhost::LocalAnswer::Piece local_piece_;
  bool local_waits_ = false;         // local_piece_ waits for its time
  std::shared_ptr<Exchange*> self_;  // given to refreshes that may outlive us
  std::unique_ptr<AggregateList> list_;
  std::shared_ptr<ExchangeCall> http_call_;

  // The answer.
  http::ResponseWriter writer_;
  size_t head_at_ = 0;     // where a held-back head begins in held_head_
  std::string held_head_;  // the head, until the first byte of the body
  uint64_t answer_bytes_ = 0;
  uint64_t upstream_bytes_ = 0;  // of the running attempt's answer, as they came
  int64_t input_estimate_ = -1;  // tokens of the request's body, once it was let go; -1 = not asked
  uint64_t answer_length_ = UINT64_MAX;  // as announced to the client
  bool usage_recorded_ = false;          // of the running attempt
  // The beginnings of the bodies, where the log keeps them; else null.
  struct LoggedBodies {
    std::string request, response;        // between the client and us
    std::string up_request, up_response;  // of the running attempt
    uint64_t request_bytes = 0, up_request_bytes = 0;
  };
  std::unique_ptr<LoggedBodies> logged_;
  int status_ = 0;
  std::string_view error_code_;
  storage::Outcome outcome_ = storage::Outcome::ok;
  bool paused_upstream_ = false;
  bool pinged_ = false;  // status 200 went out before the upstream answered
  bool close_after_ = false;
  bool streamed_ = false;

  // Times, in microseconds of Loop::now_us() unless the name says otherwise.
  int64_t started_us_ = 0;
  int64_t started_wall_us_ = 0;
  int64_t attempt_us_ = 0;
  int64_t attempt_wall_us_ = 0;
  int64_t first_byte_us_ = 0;
  int64_t overhead_us_ = -1;  // the gateway's own share until the answer's head
  int64_t upstream_us_ = 0;   // spent waiting for upstreams until the head went down
  int64_t last_write_ms_ = 0;

  // For the decision's record; microseconds of Loop::now_us(), or a sum of them.
  DecisionNotes* notes_ = nullptr;  // of arena_, where there is more to tell
  std::span<DecisionSkip> skips_;   // at the first pick
  uint32_t skipped_ = 0;            // at the last one
  config::Lease::Binding binding_ = config::Lease::Binding::none;
  Pausing pause_ = Pausing::no;
  int64_t pause_began_us_ = 0;
  std::array<int64_t, 3> paused_us_{};  // by Pausing, without `no`
  int64_t run_us_ = 0;                  // the request was complete
  int64_t mark_us_ = 0;                 // from here on gproxy works on the next attempt
  int64_t mark_paused_us_ = 0;          // of that, paused before
  int64_t sent_us_ = 0;                 // the last attempt
  int64_t ended_us_ = 0;                // it ended
  int64_t prepare_us_ = 0;
  int64_t failed_us_ = 0;
  int64_t connect_us_ = -1;
  bool last_failed_ = false;  // the last attempt

  net::Timer timer_;  // backoff, pieces of a local answer
  net::Timer ping_;
  net::Timer first_token_;
  Phase phase_ = Phase::head;
};

}  // namespace gproxy::gateway
