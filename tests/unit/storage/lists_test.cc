// The lists of usage and of logs, on either database: each filter alone and some together, walked
// page by page, give the rows that a look at every row would.
#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/strings.h"
#include "storage/store.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

constexpr int64_t kFirst = 1'780'000'000'000'000;
constexpr std::string_view kNames[] = {"alpha", "beta", "gamma"};
constexpr std::string_view kModels[] = {"Small-1", "small_2", "large%3", "LARGE-4", ""};
constexpr std::string_view kPaths[] = {"/v1/messages", "/v1/chat/completions", "/v1/%x"};

// Rows in the lists' order: many share a moment, so that the id decides.
class Books {
 public:
  Books() {
    auto store = open_fresh();
    REQUIRE(store);
    store_ = std::move(*store);
    std::vector<UpstreamRequestRow> upstream;
    std::vector<RequestRow> downstream;
    for (int64_t id = 1; id <= 400; ++id) {
      const int64_t at = kFirst + id / 5 * 1'000;
      traces_.push_back("01980000-0000-7000-8000-" + std::to_string(100'000'000'000 + id / 3));
      UsageRow& u = usage.emplace_back(a_usage_row(id));
      u.at = at;
      u.trace_id = traces_.back();
      u.provider = kNames[below(3)];
      u.model = kModels[below(5)];
      u.credential_id = below(4) - 1;
      u.user_id = below(3);
      u.user_key_id = below(6);
      u.status = below(10) == 0 ? 500 : below(10) == 0 ? 302 : 200;
      u.outcome = below(8) == 0 ? Outcome::failed : Outcome::ok;
      UpstreamRequestRow& r = upstream.emplace_back();
      r.id = 1'000 + 2 * id;
      r.at = at;
      r.trace_id = u.trace_id;
      r.provider = u.provider;
      r.credential_id = u.credential_id;
      r.user_id = u.user_id;
      r.user_key_id = u.user_key_id;
      r.operation = static_cast<int32_t>(below(3));
      r.status = u.status;
      r.method = "POST";
      r.path = kPaths[below(3)];
      RequestRow& d = downstream.emplace_back();
      d.id = r.id + 1;
      d.at = at;
      d.trace_id = u.trace_id;
      d.user_id = u.user_id;
      d.user_key_id = u.user_key_id;
      d.status = below(9) == 0 ? 429 : u.status;
      d.method = "POST";
      d.path = r.path;
      logs.push_back({true, r.id, at, r.trace_id, r.provider, r.credential_id, r.user_id,
                      r.user_key_id, r.operation, r.status, r.path});
      logs.push_back(
          {false, d.id, at, d.trace_id, {}, kNoId, d.user_id, d.user_key_id, -1, d.status, d.path});
    }
    REQUIRE(store_->append_batch({.usage = usage, .requests = downstream, .upstream = upstream}));
    auto reader = store_->open_reader();
    REQUIRE(reader);
    reader_ = std::move(*reader);
  }

  // Of all pages, in the order they came.
  template <class Query>
  std::vector<int64_t> walk(Query q) {
    q.limit = 7;
    std::vector<int64_t> ids;
    for (;;) {
      auto page = list(q);
      REQUIRE(page);
      for (const auto& row : page->rows) ids.push_back(row.id);
      if (!page->more) return ids;
      REQUIRE(page->rows.size() == q.limit);
      q.before = Cursor{page->rows.back().at, page->rows.back().id};
    }
  }

  struct Log {
    bool upstream;
    int64_t id, at;
    std::string_view trace_id, provider;
    int64_t credential_id, user_id, user_key_id, operation, status;
    std::string_view path;
  };
  std::vector<UsageRow> usage;
  std::vector<Log> logs;

 private:
  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  Result<UsagePage> list(const UsageListQuery& q) { return reader_->list_usage(q); }
  Result<LogPage> list(const LogQuery& q) { return reader_->list_logs(q); }

  std::mt19937_64 random_{7};
  std::deque<std::string> traces_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Reader> reader_;
};

// The ids of the rows that are wanted, newest first.
template <class Row>
std::vector<int64_t> newest(const std::vector<Row>& rows,
                            const std::function<bool(const Row&)>& wanted) {
  std::vector<const Row*> kept;
  for (const Row& row : rows) {
    if (wanted(row)) kept.push_back(&row);
  }
  std::sort(kept.begin(), kept.end(), [](const Row* a, const Row* b) {
    return a->at != b->at ? a->at > b->at : a->id > b->id;
  });
  std::vector<int64_t> ids;
  for (const Row* row : kept) ids.push_back(row->id);
  return ids;
}

}  // namespace

TEST_CASE("each filter of the usage list, page by page") {
  Books books;
  struct Case {
    const char* name;
    std::function<void(UsageListQuery&)> edit;
    std::function<bool(const UsageRow&)> wanted;
  };
  const Case cases[] = {
      {"none", [](auto&) {}, [](auto&) { return true; }},
      {"a range, both ends belong to it",
       [](auto& q) {
         q.filter.from = kFirst + 10'000;
         q.filter.to = kFirst + 30'000;
       },
       [](auto& r) { return r.at >= kFirst + 10'000 && r.at <= kFirst + 30'000; }},
      {"provider", [](auto& q) { q.filter.provider = "beta"; },
       [](auto& r) { return r.provider == "beta"; }},
      {"a provider that is not there", [](auto& q) { q.filter.provider = "nobody"; },
       [](auto&) { return false; }},
      {"model", [](auto& q) { q.filter.model = "LARGE-4"; },
       [](auto& r) { return r.model == "LARGE-4"; }},
      {"a part of the model, in any case", [](auto& q) { q.filter.model_contains = "sMaLL"; },
       [](auto& r) { return to_lower(r.model).find("small") != std::string::npos; }},
      {"a part of the model that a pattern would read",
       [](auto& q) { q.filter.model_contains = "%"; },
       [](auto& r) { return r.model.find('%') != std::string::npos; }},
      {"a part of no model", [](auto& q) { q.filter.model_contains = "none"; },
       [](auto&) { return false; }},
      {"credential", [](auto& q) { q.filter.credential_id = 2; },
       [](auto& r) { return r.credential_id == 2; }},
      {"user", [](auto& q) { q.filter.user_id = 1; }, [](auto& r) { return r.user_id == 1; }},
      {"key", [](auto& q) { q.filter.user_key_id = 4; },
       [](auto& r) { return r.user_key_id == 4; }},
      {"trace", [](auto& q) { q.trace_id = "01980000-0000-7000-8000-100000000007"; },
       [](auto& r) { return r.trace_id.ends_with("000007"); }},
      {"status from", [](auto& q) { q.status_min = 300; }, [](auto& r) { return r.status >= 300; }},
      {"status from, of what went wrong", [](auto& q) { q.status_min = 400; },
       [](auto& r) { return r.status >= 400; }},
      {"status to", [](auto& q) { q.status_max = 302; }, [](auto& r) { return r.status <= 302; }},
      {"outcome", [](auto& q) { q.outcome = Outcome::failed; },
       [](auto& r) { return r.outcome == Outcome::failed; }},
      {"several",
       [](auto& q) {
         q.filter.model_contains = "a";
         q.filter.provider = "alpha";
         q.filter.user_id = 1;
         q.filter.from = kFirst + 5'000;
       },
       [](auto& r) {
         return to_lower(r.model).find('a') != std::string::npos && r.provider == "alpha" &&
                r.user_id == 1 && r.at >= kFirst + 5'000;
       }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    UsageListQuery q;
    c.edit(q);
    CHECK(books.walk(q) == newest<UsageRow>(books.usage, c.wanted));
  }
}

TEST_CASE("each filter of the logs, page by page, over both sides") {
  Books books;
  using Log = Books::Log;
  struct Case {
    const char* name;
    std::function<void(LogQuery&)> edit;
    std::function<bool(const Log&)> wanted;
  };
  const Case cases[] = {
      {"none", [](auto&) {}, [](auto&) { return true; }},
      {"one side", [](auto& q) { q.upstream = false; }, [](auto& r) { return !r.upstream; }},
      {"user", [](auto& q) { q.user_id = 1; }, [](auto& r) { return r.user_id == 1; }},
      {"key", [](auto& q) { q.user_key_id = 4; }, [](auto& r) { return r.user_key_id == 4; }},
      {"trace", [](auto& q) { q.trace_id = "01980000-0000-7000-8000-100000000007"; },
       [](auto& r) { return r.trace_id.ends_with("000007"); }},
      {"status", [](auto& q) { q.status_min = 400; }, [](auto& r) { return r.status >= 400; }},
      {"a status within", [](auto& q) { q.status_min = 301, q.status_max = 499; },
       [](auto& r) { return r.status >= 301 && r.status <= 499; }},
      {"a part of the path", [](auto& q) { q.path_contains = "/%x"; },
       [](auto& r) { return r.path.find("/%x") != std::string::npos; }},
      {"provider",
       [](auto& q) {
         q.provider = "beta";
         q.downstream = false;
       },
       [](auto& r) { return r.upstream && r.provider == "beta"; }},
      {"credential",
       [](auto& q) {
         q.credential_id = 2;
         q.downstream = false;
       },
       [](auto& r) { return r.upstream && r.credential_id == 2; }},
      {"operation",
       [](auto& q) {
         q.operation = 2;
         q.downstream = false;
       },
       [](auto& r) { return r.upstream && r.operation == 2; }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    LogQuery q;
    c.edit(q);
    CHECK(books.walk(q) == newest<Log>(books.logs, c.wanted));
  }
}
