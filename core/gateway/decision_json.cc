#include "gateway/decision_json.h"

#include "base/clock.h"
#include "base/json.h"
#include "config/credential_pool.h"
#include "config/pool_settings.h"
#include "storage/records.h"
#include "translate/protocol.h"

namespace gproxy::gateway {
namespace {

std::string_view name(DecisionRecord::Way way) {
  using enum DecisionRecord::Way;
  switch (way) {
    case native:
      return "native";
    case translated:
      return "translated";
    case local:
      return "local";
    case gathered:
      return "gathered";
    case refused:
      break;
  }
  return "refused";
}

std::string_view name(config::Lease::Binding binding) {
  using enum config::Lease::Binding;
  switch (binding) {
    case made:
      return "made";
    case kept:
      return "kept";
    case moved:
      return "moved";
    case away:
      return "away";
    case none:
      break;
  }
  return {};
}

std::string_view name(DecisionSkip::Why why) {
  using enum DecisionSkip::Why;
  switch (why) {
    case dead:
      return "dead";
    case full:
      return "at_limit";
    case unusable:
      return "unusable";
    case rests:
      break;
  }
  return "rests";
}

std::string_view scope_name(uint8_t scope) {
  switch (static_cast<config::RestNote::Scope>(scope)) {
    case config::RestNote::Scope::model:
      return "model";
    case config::RestNote::Scope::operation:
      return "operation";
    case config::RestNote::Scope::credential:
      break;
  }
  return "credential";
}

class Page {
 public:
  explicit Page(std::string& out) : w_(out) {}

  void write(const DecisionRecord& d, const DecisionNotes* notes) {
    w_.begin_object();
    w_.field("trace_id", d.trace_id.view());
    text("request_id", d.request_id.view());
    w_.field("at", rfc3339(d.at_us));
    w_.field("outcome", storage::name(static_cast<storage::Outcome>(d.outcome)));
    number("status", d.status == 0 ? -1 : d.status);
    text("error_code", d.error_code.view());
    number("user_id", d.user_id);
    number("user_key_id", d.user_key_id);
    text("protocol", translate::name(static_cast<translate::Protocol>(d.protocol)));
    text("operation", translate::name(static_cast<translate::Operation>(d.operation)));
    w_.field("stream", d.stream);
    w_.field("way", name(d.way));
    text("target_protocol", translate::name(static_cast<translate::Protocol>(d.target_protocol)));
    text("provider", d.provider.view());
    credential(d.credential_id, d.credential.view());
    text("model", d.model.view());
    route(d, notes);
    pool(d);
    skipped(d, notes);
    attempts(d, notes);
    waits(notes);
    phases(d);
    w_.end_object();
  }

 private:
  void text(std::string_view key, std::string_view value) {
    w_.key(key);
    value.empty() ? w_.null() : w_.string(value);
  }
  void number(std::string_view key, int64_t value) {
    w_.key(key);
    value < 0 ? w_.null() : w_.integer(value);
  }
  void credential(int64_t id, std::string_view its_name) {
    w_.key("credential");
    if (id == 0) return w_.null();
    w_.begin_object();
    w_.field("id", id);
    text("name", its_name);
    w_.end_object();
  }

  void route(const DecisionRecord& d, const DecisionNotes* notes) {
    w_.key("route");
    if (d.route.view().empty()) return w_.null();
    w_.begin_object();
    w_.field("name", d.route.view());
    text("asked", d.asked.view());
    number("tier", d.tier == 0 ? -1 : d.tier);
    number("target", d.target == 0 ? -1 : d.target);
    w_.field("targets", int64_t{d.targets});
    w_.key("passed_over");
    w_.begin_array();
    for (const auto* one = notes != nullptr ? notes->targets.first : nullptr; one != nullptr;
         one = one->next) {
      w_.begin_object();
      w_.field("provider", one->provider);
      text("model", one->model);
      number("tier", one->tier == 0 ? -1 : one->tier);
      w_.field("why", one->why);
      w_.end_object();
    }
    w_.end_array();
    w_.end_object();
  }

  void pool(const DecisionRecord& d) {
    w_.key("pool");
    if (d.credentials == 0) return w_.null();
    w_.begin_object();
    w_.field("strategy", config::name(static_cast<config::Strategy>(d.strategy)));
    w_.field("credentials", int64_t{d.credentials});
    w_.field("skipped", int64_t{d.skipped});
    text("affinity", name(static_cast<config::Lease::Binding>(d.binding)));
    w_.key("pinned_credential_id");
    d.pinned == 0 ? w_.null() : w_.integer(d.pinned);
    w_.end_object();
  }

  void skip(std::string_view provider, uint32_t attempt, const DecisionSkip& skip) {
    w_.begin_object();
    w_.field("provider", provider);
    credential(skip.credential_id, skip.name.view());
    w_.field("attempt", int64_t{attempt});
    w_.field("why", name(skip.why));
    text("reason", skip.reason.view());
    const bool rests = skip.why == DecisionSkip::Why::rests || skip.why == DecisionSkip::Why::dead;
    text("scope", rests ? scope_name(skip.scope) : std::string_view());
    w_.key("until");
    skip.why != DecisionSkip::Why::rests || skip.until_ms == 0
        ? w_.null()
        : w_.string(rfc3339(skip.until_ms * 1000));
    w_.end_object();
  }

  void skipped(const DecisionRecord& d, const DecisionNotes* notes) {
    w_.key("skipped");
    w_.begin_array();
    for (size_t i = 0; i < d.skips; ++i) skip(d.provider.view(), 1, d.skip[i]);
    for (const auto* one = notes != nullptr ? notes->skips.first : nullptr; one != nullptr;
         one = one->next) {
      skip(one->provider, one->attempt, one->skip);
    }
    w_.end_array();
  }

  void attempts(const DecisionRecord& d, const DecisionNotes* notes) {
    w_.field("attempts_made", int64_t{d.attempts});
    w_.key("attempts");
    w_.begin_array();
    int64_t no = 0;
    const bool noted = notes != nullptr && notes->attempts.first != nullptr;
    for (const auto* one = noted ? notes->attempts.first : nullptr; one != nullptr;
         one = one->next) {
      attempt(*one, ++no);
    }
    // One that went well needs no note.
    if (!noted && d.attempts > 0) {
      AttemptNote only;
      only.provider = d.provider.view();
      only.credential = d.credential.view();
      only.credential_id = d.credential_id;
      only.model = d.model.view();
      only.protocol = d.target_protocol;
      only.status = d.upstream_status;
      only.tier = d.tier;
      only.outcome = storage::name(static_cast<storage::Outcome>(d.outcome));
      only.connect_us = d.connect_us;
      only.first_byte_us = d.first_byte_us;
      const auto part = [](int64_t us) { return std::max<int64_t>(us, 0); };
      only.duration_us = part(d.connect_us) + part(d.first_byte_us) + part(d.stream_us);
      only.began_us = std::max<int64_t>(d.total_us - only.duration_us, 0);
      attempt(only, ++no);
    }
    w_.end_array();
  }

  void attempt(const AttemptNote& one, int64_t no) {
    w_.begin_object();
    w_.field("no", no);
    w_.field("provider", one.provider);
    credential(one.credential_id, one.credential);
    text("model", one.model);
    text("protocol", translate::name(static_cast<translate::Protocol>(one.protocol)));
    number("tier", one.tier == 0 ? -1 : one.tier);
    w_.field("began_us", one.began_us);
    number("status", one.status == 0 ? -1 : one.status);
    w_.field("outcome", one.outcome);
    text("failure", one.failure);
    text("error_code", one.error_code);
    text("verdict", one.verdict);
    text("reason", one.reason);
    text("scope", one.scope);
    number("rest_ms", one.rest_ms == 0 ? -1 : one.rest_ms);
    text("then", one.then);
    w_.field("backoff_ms", one.backoff_ms);
    number("connect_us", one.connect_us);
    number("first_byte_us", one.first_byte_us);
    w_.field("duration_us", one.duration_us);
    w_.end_object();
  }

  void waits(const DecisionNotes* notes) {
    w_.key("waits");
    w_.begin_array();
    for (const auto* one = notes != nullptr ? notes->waits.first : nullptr; one != nullptr;
         one = one->next) {
      w_.begin_object();
      w_.field("provider", one->provider);
      w_.field("ended", one->ended);
      w_.field("duration_us", one->duration_us);
      w_.end_object();
    }
    w_.end_array();
  }

  void phases(const DecisionRecord& d) {
    w_.key("phases");
    w_.begin_object();
    number("receive_us", d.receive_us);
    w_.field("queue_us", d.queue_us);
    w_.field("prepare_us", d.prepare_us);
    w_.field("refresh_us", d.refresh_us);
    w_.field("failed_us", d.failed_us);
    w_.field("backoff_us", d.backoff_us);
    number("connect_us", d.connect_us);
    number("first_byte_us", d.first_byte_us);
    number("stream_us", d.stream_us);
    w_.field("total_us", d.total_us);
    w_.end_object();
  }

  json::Writer w_;
};

}  // namespace

void write_decision(std::string& out, const DecisionRecord& decision, const DecisionNotes* notes) {
  Page(out).write(decision, notes);
}

}  // namespace gproxy::gateway
