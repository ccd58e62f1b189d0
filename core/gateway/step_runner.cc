#include "gateway/step_runner.h"

#include <utility>

#include "gateway/fetch_log.h"
#include "gateway/request_id.h"
#include "gateway/verdicts.h"
#include "http/uri.h"

namespace gproxy::gateway {
namespace {

// Where a redirect leads, if it stays with the same scheme and host.
std::string_view redirect_target(std::string_view url, std::string_view location, Arena& arena) {
  const auto from = http::parse_uri(url);
  if (!from.ok() || location.empty()) return {};
  if (location.front() == '/' && !location.starts_with("//")) {
    return arena.concat({from->scheme, "://", from->authority, location});
  }
  const auto to = http::parse_uri(location);
  if (!to.ok() || to->scheme != from->scheme || to->authority != from->authority) return {};
  return arena.copy(location);
}

}  // namespace

StepRunner::StepRunner(WorkerContext& context, config::LoopSnapshotPtr snapshot,
                       modhost::StepMachine machine, const Purpose& purpose, Done done)
    : context_(context),
      snapshot_(std::move(snapshot)),
      machine_(std::move(machine)),
      purpose_(purpose),
      done_(std::move(done)),
      timer_(context.loop, [this] { next(nullptr); }) {}

void StepRunner::run(WorkerContext& context, config::LoopSnapshotPtr snapshot,
                     modhost::StepMachine machine, const Purpose& purpose, Done done) {
  auto named = purpose;
  if (named.trace_id.empty()) {
    Arena arena;
    named.trace_id =
        make_request_id(arena, context.clock.wall_ms(), context.random(), context.random());
  }
  auto runner = std::make_shared<StepRunner>(context, std::move(snapshot), std::move(machine),
                                             named, std::move(done));
  context.runners.push_back(runner);
  context.loop.defer([runner] {
    if (runner->done_) runner->next(nullptr);
  });
}

void StepRunner::cancel() {
  end(internal_error("the worker has ended"));
}

void StepRunner::next(const modhost::StepReply* reply) {
  auto arena = std::make_unique<Arena>(4096, size_t{8} << 20);
  auto step = machine_.next(*arena, reply);
  arena_ =
      std::move(arena);  // the step's views live in it; the one before held the reply's request
  take(std::move(step));
}

void StepRunner::take(Result<modhost::Step> step) {
  if (!step.ok()) {
    end(std::move(step));
    return;
  }
  switch (step->kind) {
    case modhost::StepKind::fetch:
      request_ = step->fetch;
      redirects_ = 0;
      fetch(request_, request_.url);
      break;
    case modhost::StepKind::wait:
      timer_.start(std::max<int64_t>(step->wait_ms, 1));
      break;
    case modhost::StepKind::compute: {
      // Nothing here is touched until the pool has answered. The module sees one thread at a time.
      auto arena =
          std::make_shared<std::unique_ptr<Arena>>(std::make_unique<Arena>(4096, size_t{8} << 20));
      work_ = net::run_in_pool(
          context_.loop,
          [this, arena]() -> std::shared_ptr<Result<modhost::Step>> {
            return std::make_shared<Result<modhost::Step>>(machine_.next(**arena, nullptr));
          },
          [this, arena](std::shared_ptr<Result<modhost::Step>> result) {
            arena_ = std::move(*arena);
            take(std::move(*result));
          });
      break;
    }
    default:
      end(std::move(step));
  }
}

void StepRunner::fetch(const modhost::Prepared& prepared, std::string_view url) {
  url_ = url;
  const auto& settings = (*snapshot_)->settings();
  upstream::Request request;
  request.method = prepared.method;
  request.url = url;
  request.secret_query = prepared.secret_query;
  request.headers = prepared.headers;
  request.body = prepared.body;
  request.has_body = prepared.has_body;
  request.proxy = settings.proxy;
  request.timeouts.connect_ms = settings.timeouts.connect_ms;
  request.timeouts.total_ms = prepared.total_ms > 0
                                  ? std::min(prepared.total_ms, settings.timeouts.step_ms)
                                  : settings.timeouts.step_ms;
  replies_ = std::make_unique<Arena>(2048, size_t{1} << 20);
  headers_ = {};
  body_.clear();
  status_ = 0;
  too_large_ = false;
  fetched_us_ = net::Loop::now_us();
  fetched_wall_us_ = context_.clock.wall_us();
  ++fetches_;
  transfer_ = context_.client.start(request, *this);
}

void StepRunner::on_head(const upstream::Head& head) {
  status_ = head.status;
  auto copy = replies_->array<http::HeaderView>(head.headers.size());
  for (size_t i = 0; i < copy.size(); ++i) {
    copy[i] = {replies_->copy(head.headers[i].name), replies_->copy(head.headers[i].value)};
  }
  headers_ = copy;
}

void StepRunner::on_data(std::string_view bytes) {
  if (body_.size() + bytes.size() > kMaxReply) {
    too_large_ = true;
    return;
  }
  body_.append(bytes);
}

void StepRunner::on_complete(const upstream::Completion& completion) {
  context_.loop.defer_delete(std::move(transfer_));
  record(completion);
  if (completion.failure == upstream::FailureKind::none && status_ >= 301 && status_ <= 308 &&
      status_ != 304 && redirects_ < kMaxRedirects &&
      (request_.method == "GET" || status_ >= 307)) {
    const auto target = redirect_target(url_, http::find(headers_, "location"), *arena_);
    if (!target.empty()) {
      ++redirects_;
      fetch(request_, target);
      return;
    }
  }
  modhost::StepReply reply;
  reply.status = status_;
  reply.headers = headers_;
  reply.body = body_;
  if (completion.failure != upstream::FailureKind::none) {
    reply.failure = failure_kind(completion.failure);
  } else if (too_large_) {
    reply.failure = modhost::FailureKind::too_large;
  }
  next(&reply);
}

void StepRunner::record(const upstream::Completion& completion) {
  FetchLog row;
  row.trace_id = purpose_.trace_id;
  row.provider = purpose_.provider;
  row.credential_id = purpose_.credential_id;
  row.user_id = purpose_.user_id;
  row.user_key_id = purpose_.user_key_id;
  row.operation = purpose_.operation;
  row.attempt_no = fetches_;
  row.internal = true;
  row.method = request_.method;
  row.url = url_;
  row.headers = request_.headers;
  row.request_bytes = request_.body_bytes;
  row.status = status_;
  row.response_bytes = body_.size();
  row.failure = completion.failure;
  row.began_wall_us = fetched_wall_us_;
  row.began_us = fetched_us_;
  log_fetch(context_, (*snapshot_)->settings(), row);
}

void StepRunner::end(Result<modhost::Step> result) {
  if (!done_) return;
  auto done = std::exchange(done_, nullptr);
  work_.cancel();
  timer_.stop();
  if (transfer_ != nullptr) {
    transfer_->abort();
    context_.loop.defer_delete(std::move(transfer_));
  }
  auto& all = context_.runners;
  for (auto it = all.begin(); it != all.end(); ++it) {
    if (it->get() == this) {
      // The last owner may be this list: it goes when nothing of it is on the stack.
      context_.loop.defer([keep = std::move(*it)] {});
      all.erase(it);
      break;
    }
  }
  done(std::move(result), *this);
}

}  // namespace gproxy::gateway
