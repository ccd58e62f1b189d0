#include "app/health_keeper.h"

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "storage/store.h"

namespace gproxy::app {

HealthKeeper::HealthKeeper(const Clock& clock, storage::WriterThread& writer,
                           storage::Recorder& events,
                           std::function<void(std::function<void()>)> post_main)
    : clock_(clock), writer_(writer), events_(events), post_main_(std::move(post_main)) {}

void HealthKeeper::restore(config::SlotTable& slots, const std::vector<storage::HealthRow>& rows) {
  const auto wall = clock_.wall_us();
  const auto now = clock_.now_ms();
  std::vector<storage::HealthRow> over;
  for (const auto& row : rows) {
    const auto slot = slots.find(row.credential_id);
    if (row.until_at <= wall || slot == nullptr) {
      over.push_back(row);
      continue;
    }
    const auto until = row.until_at == INT64_MAX ? INT64_MAX : now + (row.until_at - wall) / 1000;
    slot->restore({row.scope, row.reason, until});
    live_[{row.credential_id, row.scope}] = row;
  }
  if (!over.empty()) store({}, std::move(over));
}

void HealthKeeper::rested(int64_t credential_id, const config::CoolDown& rest) {
  note({credential_id, false, rest});
}

void HealthKeeper::restored(int64_t credential_id) {
  note({credential_id, true, {}});
}

void HealthKeeper::note(Change change) {
  {
    std::lock_guard lock(mutex_);
    if (changes_.size() >= kMaxChanges)
      changes_.erase(changes_.begin(), changes_.begin() + kMaxChanges / 2);
    changes_.push_back(std::move(change));
    if (posted_) return;
    posted_ = true;
  }
  post_main_([this] { flush(); });
}

void HealthKeeper::flush() {
  std::vector<Change> changes;
  {
    std::lock_guard lock(mutex_);
    changes.swap(changes_);
    posted_ = false;
  }
  const auto wall = clock_.wall_us();
  const auto now = clock_.now_ms();
  std::map<Key, storage::HealthRow> resting, ended;
  for (const auto& change : changes) {
    if (change.all_ended) {
      for (auto at = live_.lower_bound({change.credential_id, {}});
           at != live_.end() && at->first.first == change.credential_id; at = live_.erase(at)) {
        tell("cooldown_end", at->second);
        resting.erase(at->first);
        ended[at->first] = at->second;
      }
      continue;
    }
    const Key key(change.credential_id, change.rest.scope);
    const auto until =
        change.rest.until_ms == INT64_MAX ? INT64_MAX : wall + (change.rest.until_ms - now) * 1000;
    storage::HealthRow row{change.credential_id, change.rest.scope, change.rest.reason, until};
    tell("cooldown_start", row);
    live_[key] = row;
    ended.erase(key);
    resting[key] = std::move(row);
  }
  std::vector<storage::HealthRow> put, gone;
  for (auto& [key, row] : resting) put.push_back(std::move(row));
  for (auto& [key, row] : ended) gone.push_back(std::move(row));
  if (!put.empty() || !gone.empty()) store(std::move(put), std::move(gone));
}

void HealthKeeper::sweep() {
  const auto wall = clock_.wall_us();
  std::vector<storage::HealthRow> over;
  std::erase_if(live_, [&](auto& entry) {
    if (entry.second.until_at > wall) return false;
    tell("cooldown_end", entry.second);
    over.push_back(std::move(entry.second));
    return true;
  });
  if (!over.empty()) store({}, std::move(over));
}

void HealthKeeper::store(std::vector<storage::HealthRow> resting,
                         std::vector<storage::HealthRow> ended) {
  auto posted =
      writer_.post([resting = std::move(resting), ended = std::move(ended)](storage::Store& store) {
        if (auto put = store.put_health(resting, ended); !put.ok())
          log::warn("cooldowns not stored", put.error());
      });
  if (!posted.ok()) log::warn("cooldowns not stored", posted.error());
}

void HealthKeeper::tell(std::string_view type, const storage::HealthRow& row) {
  std::string payload;
  json::Writer w(payload);
  w.begin_object();
  w.field("credential_id", row.credential_id);
  w.key("scope");
  if (row.scope.empty())
    w.null();
  else
    w.string(row.scope);
  w.field("reason", row.reason);
  w.key("until");
  if (row.until_at == INT64_MAX)
    w.null();
  else
    w.string(rfc3339(row.until_at));
  w.end_object();
  storage::InternalEvent event;
  event.at = clock_.wall_us();
  event.event_type = type;
  event.payload_json = payload;
  events_.event(event);
}

}  // namespace gproxy::app
