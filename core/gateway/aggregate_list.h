// GET /v1/models and /v1beta/models without a provider: all providers are asked at once, each
// within the same deadline, and their lists are merged. Providers that have nothing to say (no
// credential, no such operation, disabled) are left out silently; any other failure makes the list
// `partial`. Lives on the exchange's loop, owned by it.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "gateway/model_list.h"
#include "net/timer.h"

namespace gproxy::gateway {

class Exchange;

class AggregateList {
 public:
  explicit AggregateList(Exchange& exchange);
  ~AggregateList();
  AggregateList(const AggregateList&) = delete;
  AggregateList& operator=(const AggregateList&) = delete;

  // May answer before it returns; the exchange deletes this then only deferred.
  void start();

 private:
  class Fetch;
  enum class Ended : uint8_t { well, silent, failed };
  void on_fetch_ended(Ended how);
  void finish();

  Exchange& exchange_;
  std::vector<std::unique_ptr<Fetch>> fetches_;
  std::vector<ListedModel> models_;
  net::Timer deadline_;
  size_t running_ = 0;
  int32_t attempts_ = 0;  // pages asked for
  bool partial_ = false;
  bool starting_ = true;
  bool done_ = false;
};

}  // namespace gproxy::gateway
