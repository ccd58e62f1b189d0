#include "storage/sqlite_gate.h"

#include <chrono>
#include <string>
#include <utility>

namespace gproxy::storage {
namespace {

// Longer than a query may take; whoever has waited so long goes in all the same.
constexpr std::chrono::seconds kMaxWait{15};

class GatedReader final : public Reader {
 public:
  GatedReader(std::unique_ptr<Reader> reader, std::shared_ptr<ReaderGate> gate)
      : reader_(std::move(reader)), gate_(std::move(gate)) {}

  void set_timeout_ms(int64_t timeout_ms) override { reader_->set_timeout_ms(timeout_ms); }
  void interrupt() override {
    interrupted_ = true;
    reader_->interrupt();
    gate_->wake();
  }
  Result<UsageReport> usage_report(const UsageQuery& query) override {
    const Inside inside(*this);
    return reader_->usage_report(query);
  }
  Result<UsagePage> list_usage(const UsageListQuery& query) override {
    const Inside inside(*this);
    return reader_->list_usage(query);
  }
  Result<LogPage> list_logs(const LogQuery& query) override {
    const Inside inside(*this);
    return reader_->list_logs(query);
  }
  Result<std::vector<LogBody>> bodies_of(const std::string& trace_id) override {
    const Inside inside(*this);
    return reader_->bodies_of(trace_id);
  }
  Result<std::optional<std::string>> decision_of(std::string_view id) override {
    const Inside inside(*this);
    return reader_->decision_of(id);
  }
  Result<int64_t> count_rows(Table table) override {
    const Inside inside(*this);
    return reader_->count_rows(table);
  }
  Result<std::vector<AuditRow>> list_audit(const AuditFilter& filter) override {
    const Inside inside(*this);
    return reader_->list_audit(filter);
  }
  Result<std::optional<ResponseOwner>> response_owner(std::string_view response_id,
                                                      int64_t user_id) override {
    const Inside inside(*this);
    return reader_->response_owner(response_id, user_id);
  }
  Result<void> ping() override {
    const Inside inside(*this);
    return reader_->ping();
  }

 private:
  class Inside {
   public:
    explicit Inside(GatedReader& reader) : gate_(*reader.gate_) {
      gate_.enter(reader.interrupted_);
    }
    ~Inside() { gate_.leave(); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    ReaderGate& gate_;
  };

  std::unique_ptr<Reader> reader_;
  std::shared_ptr<ReaderGate> gate_;
  std::atomic<bool> interrupted_{false};
};

}  // namespace

void ReaderGate::shut() {
  const std::lock_guard lock(mutex_);
  shut_ = true;
}

void ReaderGate::open() {
  const std::lock_guard lock(mutex_);
  shut_ = false;
  changed_.notify_all();
}

bool ReaderGate::empty() const {
  const std::lock_guard lock(mutex_);
  return inside_ == 0;
}

void ReaderGate::enter(const std::atomic<bool>& interrupted) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kMaxWait, [&] { return !shut_ || interrupted; });
  ++inside_;
}

void ReaderGate::leave() {
  const std::lock_guard lock(mutex_);
  --inside_;
}

void ReaderGate::wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

std::unique_ptr<Reader> behind_gate(std::unique_ptr<Reader> reader,
                                    std::shared_ptr<ReaderGate> gate) {
  return std::make_unique<GatedReader>(std::move(reader), std::move(gate));
}

}  // namespace gproxy::storage
