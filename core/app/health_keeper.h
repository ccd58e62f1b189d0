// Keeps what rests across restarts, and tells of it: a row per rest in the store, an event when one
// begins and when it ends. Slots speak on any thread; everything else happens on main, at most once
// per turn. Owned by the server; taken off the slots before it dies.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "config/credential_slot.h"
#include "storage/recorder.h"
#include "storage/records.h"
#include "storage/writer_thread.h"

namespace gproxy::app {

class HealthKeeper final : public config::HealthListener {
 public:
  // Everything outlives it. `events` is main's own recorder.
  HealthKeeper(const Clock& clock, storage::WriterThread& writer, storage::Recorder& events,
               std::function<void(std::function<void()>)> post_main);

  // At the start, with the slots made: what still rests does so again. [main]
  void restore(config::SlotTable& slots, const std::vector<storage::HealthRow>& rows);
  // Ends what is over. [main, every second]
  void sweep();

  void rested(int64_t credential_id, const config::CoolDown& rest) override;
  void restored(int64_t credential_id) override;

  size_t resting() const { return live_.size(); }  // [main]

 private:
  static constexpr size_t kMaxChanges = 65'536;  // not yet looked at; the latest of a scope counts
  using Key = std::pair<int64_t, std::string>;   // credential, scope
  struct Change {
    int64_t credential_id;
    bool all_ended;
    config::CoolDown rest;
  };
  void note(Change change);
  void flush();
  void store(std::vector<storage::HealthRow> resting, std::vector<storage::HealthRow> ended);
  void tell(std::string_view type, const storage::HealthRow& row);

  const Clock& clock_;
  storage::WriterThread& writer_;
  storage::Recorder& events_;
  const std::function<void(std::function<void()>)> post_main_;
  std::mutex mutex_;  // guards changes_ and posted_
  std::vector<Change> changes_;
  bool posted_ = false;
  std::map<Key, storage::HealthRow> live_;  // [main]
};

}  // namespace gproxy::app
