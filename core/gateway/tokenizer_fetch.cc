#include "gateway/tokenizer_fetch.h"

#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "base_version.h"
#include "gateway/shared_state.h"
#include "gateway/worker_context.h"
#include "http/uri.h"
#include "tokenize/library.h"

namespace gproxy::gateway {
namespace {

constexpr int kMaxRedirects = 5;
constexpr size_t kMaxRunning = 8;  // per worker; more are answered as failed
constexpr int64_t kTotalMs = 30'000;
constexpr int64_t kConnectMs = 10'000;

}  // namespace

bool is_same_origin(std::string_view a, std::string_view b) {
  const auto x = http::parse_uri(a), y = http::parse_uri(b);
  return x.ok() && y.ok() && iequals(x->scheme, y->scheme) && iequals(x->host, y->host) &&
         x->port == y->port;
}

std::string follow_redirect(std::string_view url, std::string_view location) {
  const auto from = http::parse_uri(url);
  if (!from.ok() || location.empty()) return {};
  std::string target;
  if (location.starts_with("//")) {
    target.append(from->scheme).append(":").append(location);
  } else if (location.front() == '/') {
    target.append(from->scheme).append("://").append(from->authority).append(location);
  } else {
    target = location;
  }
  const auto to = http::parse_uri(target);
  if (!to.ok() || (iequals(from->scheme, "https") && !iequals(to->scheme, "https"))) return {};
  return target;
}

void TokenizerFetch::join(WorkerContext& context, std::string_view url, std::string_view bearer,
                          std::string_view proxy, Waiter waiter) {
  auto& running = context.tokenizer_fetches;
  for (const auto& fetch : running) {
    if (fetch->wanted_ == url) {
      fetch->waiters_.push_back(std::move(waiter));
      return;
    }
  }
  if (running.size() >= kMaxRunning ||
      context.shared.tokenizers.failed_lately(tokenize::Origin::url, url, context.loop.now_ms())) {
    context.loop.defer([waiter = std::move(waiter)] { waiter(); });
    return;
  }
  auto fetch = std::make_shared<TokenizerFetch>(context, url, bearer, proxy);
  fetch->waiters_.push_back(std::move(waiter));
  running.push_back(fetch);
  fetch->send(std::string(url));
}

TokenizerFetch::TokenizerFetch(WorkerContext& context, std::string_view url,
                               std::string_view bearer, std::string_view proxy)
    : context_(context), wanted_(url), bearer_(bearer), proxy_(proxy) {}

TokenizerFetch::~TokenizerFetch() {
  if (transfer_ != nullptr) transfer_->abort();
}

void TokenizerFetch::send(std::string url) {
  url_ = std::move(url);
  std::string authorization;
  http::HeaderView headers[3] = {{"accept", "application/json"},
                                 {"user-agent", "gproxy/" GPROXY_VERSION}};
  size_t count = 2;
  if (!bearer_.empty() && is_same_origin(url_, wanted_)) {
    authorization = "Bearer " + bearer_;
    headers[count++] = {"authorization", std::string_view(authorization)};
  }
  upstream::Request request;
  request.method = "GET";
  request.url = url_;
  request.headers = std::span(headers).first(count);
  request.proxy = proxy_;
  request.timeouts.connect_ms = kConnectMs;
  request.timeouts.total_ms = kTotalMs;
  request.receive_buffer = 64 * 1024;
  status_ = 0;
  location_.clear();
  body_.clear();
  transfer_ = context_.client.start(request, *this);
}

void TokenizerFetch::on_head(const upstream::Head& head) {
  status_ = head.status;
  location_ = http::find(head.headers, "location");
}

void TokenizerFetch::on_data(std::string_view bytes) {
  if (status_ != 200 || too_large_) return;
  if (body_.size() + bytes.size() <= tokenize::Library::kMaxFile) {
    body_.append(bytes);
    return;
  }
  too_large_ = true;
  transfer_->abort();
  context_.loop.defer_delete(std::move(transfer_));
  end("too large");
}

void TokenizerFetch::on_complete(const upstream::Completion& completion) {
  context_.loop.defer_delete(std::move(transfer_));
  if (completion.failure != upstream::FailureKind::none) {
    end(upstream::name(completion.failure));
    return;
  }
  if (status_ >= 301 && status_ <= 308 && status_ != 304 && redirects_ < kMaxRedirects) {
    if (auto target = follow_redirect(url_, location_); !target.empty()) {
      ++redirects_;
      send(std::move(target));
      return;
    }
  }
  if (status_ != 200) {
    end("status " + std::to_string(status_));
    return;
  }
  keep();
}

void TokenizerFetch::keep() {
  auto work = [&library = context_.shared.tokenizers, url = wanted_,
               body = std::move(body_)]() -> std::string {
    const auto kept = library.keep(url, body);
    return kept.ok() ? std::string() : std::string(kept.error().code);
  };
  work_ = net::run_in_pool(context_.loop, std::move(work), [this](std::string why) { end(why); });
}

void TokenizerFetch::end(std::string_view why) {
  if (!why.empty()) {
    const auto where = http::parse_uri(url_);
    log::warn("tokenizer not fetched",
              {{"host", where.ok() ? where->host : std::string_view()}, {"why", why}});
    context_.shared.tokenizers.note_failure(tokenize::Origin::url, wanted_, context_.loop.now_ms());
  }
  auto waiters = std::exchange(waiters_, {});
  auto& running = context_.tokenizer_fetches;
  for (auto it = running.begin(); it != running.end(); ++it) {
    if (it->get() != this) continue;
    // The last owner may be this list: it goes when nothing of it is on the stack.
    context_.loop.defer([keep = std::move(*it)] {});
    running.erase(it);
    break;
  }
  for (const auto& waiter : waiters) waiter();
}

}  // namespace gproxy::gateway
