#include "upstream/curl_loop.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "upstream/curl_memory.h"
#include "upstream/curl_multi.h"
#include "upstream/curl_transfer.h"
#include "upstream/send_batch.h"
#include "upstream/socket_polls.h"
#include "upstream/url_cache.h"

namespace gproxy::upstream {
namespace {

// A share keeps 8 TLS sessions and no more, so a loop has several, chosen by origin. Its names are
// resolved once for all multis.
constexpr size_t kShares = 8;
constexpr size_t kKeptMultis = 2;
constexpr size_t kKeptHeads = 16;

}  // namespace

struct CurlClient::State final : TransferHost {
  State(net::Loop& l, CurlConfig c)
      : owner_loop(l),
        settings(std::move(c)),
        sends(l),
        polls(l, sends),
        url_cache(settings.kept_urls),
        trim(l, [this] { drop_idle_multis(); }) {
    init_curl();
    for (CURLSH*& share : shares) {
      share = curl_share_init();
      curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
      curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    }
  }

  ~State() {
    for (auto& transfer : live) transfer->detach();
    live.clear();
    for (auto& pool : pools) pool.clear();
    multis.clear();  // closes the connections
    for (CURLSH* share : shares) curl_share_cleanup(share);
  }

  // TransferHost
  net::Loop& loop() override { return owner_loop; }
  const CurlConfig& config() const override { return settings; }
  UrlCache& urls() override { return url_cache; }
  std::unique_ptr<ResponseHead> lend_head() override {
    if (heads.empty()) return std::make_unique<ResponseHead>();
    auto head = std::move(heads.back());
    heads.pop_back();
    return head;
  }
  void give_back(std::unique_ptr<ResponseHead> head) override {
    head->clear();
    if (heads.size() < kKeptHeads) heads.push_back(std::move(head));
  }
  void recycle(CurlTransfer& transfer, CurlMulti* left) override {
    if (left != nullptr) first_open = std::min(first_open, left->index());
    const size_t at = transfer.live_index;
    auto owned = std::move(live[at]);
    if (at + 1 != live.size()) {
      live[at] = std::move(live.back());
      live[at]->live_index = at;
    }
    live.pop_back();
    if (kept >= settings.kept_easy_handles) return;
    ++kept;
    pools[owned->pool()].push_back(std::move(owned));
  }
  void on_connection_opened() override { ++opened; }
  void on_connection_closing(curl_socket_t fd) override {
    polls.closing(fd);
    sends.forget(fd);
  }
  void on_socket_opened(curl_socket_t fd, Sends how) override {
    polls.opened(fd);
    sends.forget(fd);
    if (how == Sends::batch) sends.hold(fd);
  }
  void count_reused() override { ++reused; }
  void use_trusted_certificates(void* ssl_ctx) override {
    if (settings.ca == nullptr || settings.verify == CurlConfig::Verify::nothing) return;
    if (x509_store_st* store = settings.ca->native()) {
      SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(ssl_ctx), store);
    }
  }

  // Newest first: its memory is warm and its last connection the least likely to be stale.
  CurlTransfer& take(size_t pool) {
    std::unique_ptr<CurlTransfer> transfer;
    if (!pools[pool].empty()) {
      transfer = std::move(pools[pool].back());
      pools[pool].pop_back();
      --kept;
    } else {
      transfer = std::make_unique<CurlTransfer>(*this, shares[pool], pool);
    }
    transfer->live_index = live.size();
    live.push_back(std::move(transfer));
    return *live.back();
  }

  CurlMulti& pick_multi() {
    size_t i = first_open;
    while (i < multis.size() && multis[i] != nullptr &&
           multis[i]->live() >= settings.transfers_per_multi) {
      ++i;
    }
    first_open = i;
    if (i == multis.size()) multis.emplace_back();
    if (multis[i] == nullptr) {
      multis[i] = std::make_unique<CurlMulti>(owner_loop, polls, i, settings.connections_per_multi);
      if (i >= kKeptMultis && !trim.active()) {
        trim.start(settings.idle_multi_ms, settings.idle_multi_ms);
      }
    }
    return *multis[i];
  }

  void drop_idle_multis() {
    const int64_t old = owner_loop.now_ms() - settings.idle_multi_ms;
    for (size_t i = kKeptMultis; i < multis.size(); ++i) {
      if (multis[i] != nullptr && multis[i]->live() == 0 && multis[i]->idle_since_ms() <= old) {
        multis[i].reset();
      }
    }
    while (multis.size() > kKeptMultis && multis.back() == nullptr) multis.pop_back();
    first_open = std::min(first_open, multis.size());
    if (multis.size() <= kKeptMultis) trim.stop();
  }

  net::Loop& owner_loop;
  CurlConfig settings;
  SendBatch sends;
  SocketPolls polls;
  UrlCache url_cache;
  std::array<CURLSH*, kShares> shares{};
  std::array<std::vector<std::unique_ptr<CurlTransfer>>, kShares> pools;
  std::vector<std::unique_ptr<CurlTransfer>> live;
  std::vector<std::unique_ptr<CurlMulti>> multis;  // null = dropped while idle
  std::vector<std::unique_ptr<ResponseHead>> heads;
  net::Timer trim;
  size_t first_open = 0;  // no multi before it has room
  size_t kept = 0;
  uint64_t started = 0;
  uint64_t opened = 0;
  uint64_t reused = 0;
};

CurlClient::CurlClient(net::Loop& loop, CurlConfig config)
    : state_(std::make_unique<State>(loop, std::move(config))) {}
CurlClient::~CurlClient() = default;

std::unique_ptr<Transfer> CurlClient::start(const Request& request, TransferSink& sink) {
  State& s = *state_;
  ++s.started;
  auto url = request.secret_query.empty()
                 ? s.url_cache.find(request.url)
                 : s.url_cache.with_query(request.url, request.secret_query);
  const size_t pool = url.ok() ? (*url)->origin_hash % kShares : 0;
  CurlMulti* multi = url.ok() ? &s.pick_multi() : nullptr;
  return s.take(pool).begin(request, std::move(url), sink, multi);
}

void CurlClient::set_ca(std::shared_ptr<const CaStore> ca) {
  state_->settings.ca = std::move(ca);
}

CurlStats CurlClient::stats() const {
  const State& s = *state_;
  size_t multis = 0;
  for (const auto& multi : s.multis) multis += multi != nullptr ? 1 : 0;
  return {.live = s.live.size(),
          .multis = multis,
          .kept_easy_handles = s.kept,
          .polls = s.polls.size(),
          .started = s.started,
          .connections = s.opened,
          .reused = s.reused};
}

}  // namespace gproxy::upstream
