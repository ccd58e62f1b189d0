#include "gateway/step_runner.h"

#include <utility>

#include "gateway/record_text.h"
#include "http/uri.h"

namespace gproxy::gateway {
namespace {

modhost::FailureKind kind_of(upstream::FailureKind kind) {
  switch (kind) {
    case upstream::FailureKind::connect:
      return modhost::FailureKind::connect;
    case upstream::FailureKind::dns:
      return modhost::FailureKind::dns;
    case upstream::FailureKind::tls:
      return modhost::FailureKind::tls;
    case upstream::FailureKind::connect_timeout:
      return modhost::FailureKind::connect_timeout;
    case upstream::FailureKind::first_byte_timeout:
      return modhost::FailureKind::first_byte_timeout;
    case upstream::FailureKind::idle_timeout:
      return modhost::FailureKind::idle_timeout;
    case upstream::FailureKind::total_timeout:
      return modhost::FailureKind::total_timeout;
    case upstream::FailureKind::reset:
      return modhost::FailureKind::reset;
    case upstream::FailureKind::too_large:
      return modhost::FailureKind::too_large;
    case upstream::FailureKind::proxy:
      return modhost::FailureKind::proxy;
    default:
      return modhost::FailureKind::other;
  }
}

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
  auto runner = std::make_shared<StepRunner>(context, std::move(snapshot), std::move(machine),
                                             purpose, std::move(done));
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
    reply.failure = kind_of(completion.failure);
  } else if (too_large_) {
    reply.failure = modhost::FailureKind::too_large;
  }
  next(&reply);
}

void StepRunner::record(const upstream::Completion& completion) {
  if (context_.recorder == nullptr || !(*snapshot_)->settings().request_log) return;
  const bool failed = completion.failure != upstream::FailureKind::none;
  auto target = url_;
  if (const auto scheme = target.find("://"); scheme != std::string_view::npos) {
    const auto slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  const auto question = target.find('?');
  const auto headers = redacted_headers_json(request_.headers);
  storage::UpstreamRequestRow row;
  row.at = fetched_wall_us_;
  row.user_id = purpose_.user_id;
  row.user_key_id = purpose_.user_key_id;
  row.credential_id = purpose_.credential_id;
  if (purpose_.provider != nullptr) {
    row.provider = purpose_.provider->name;
    row.provider_id = purpose_.provider->id;
  }
  row.method = request_.method;
  row.path = target.substr(0, question);
  if (question != std::string_view::npos)
    row.query = redacted_query(target.substr(question + 1), *arena_);
  row.request_headers_json = headers;
  row.operation = static_cast<int32_t>(purpose_.operation);
  row.status = status_;
  row.attempt_no = fetches_;
  row.internal = true;
  const bool refused = failed || status_ >= 400;
  row.outcome = refused ? storage::Outcome::failed : storage::Outcome::ok;
  if (failed) {
    row.error_kind = modhost::name(kind_of(completion.failure));
  } else if (refused) {
    row.error_kind = "http";
  }
  row.request_bytes = static_cast<int64_t>(request_.body.size());
  row.response_bytes = static_cast<int64_t>(body_.size());
  row.duration_us = net::Loop::now_us() - fetched_us_;
  context_.recorder->upstream(row);
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
