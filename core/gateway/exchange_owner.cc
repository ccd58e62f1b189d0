// Exchange, where an answer that an upstream keeps is asked for or gone on from: only the
// credential that made it can serve it, and only to the user it was made for.
#include "base/log.h"
#include "gateway/exchange.h"
#include "gateway/local_reply.h"

namespace gproxy::gateway {
namespace {

using translate::Operation;

// The number of the member in the module's reading (GP_FIELD_PREVIOUS_RESPONSE_ID).
constexpr auto kPrevious = static_cast<int32_t>(translate::BodyField::previous_response_id);

// The operator holds all credentials: what gproxy does not know may have been made without it.
constexpr int64_t kOperator = 0;

}  // namespace

bool Exchange::asks_for_kept() const {
  switch (match_.operation) {
    case Operation::response_get:
    case Operation::response_delete:
    case Operation::response_cancel:
    case Operation::response_input_items:
      return true;
    default:
      return false;
  }
}

// Of a request that goes to its upstream as it is; translated ones carry their own history.
std::string_view Exchange::previous_response_id() {
  if (translates() || resolved_.served == modhost::RouteMode::local) return {};
  for (const auto& span : spans_) {
    if (span.field != kPrevious || span.len < 2) continue;
    const auto text = body_.view().substr(span.at, span.len);
    // Ids have no characters that need escapes: one that has them is nobody's.
    if (text.front() == '"') return text.substr(1, text.size() - 2);
  }
  return {};
}

Error Exchange::kept_not_found() const {
  const bool previous = !asks_for_kept();
  Error error{ErrorKind::not_found, previous ? "previous_response_not_found" : "response_not_found",
              "there is no such response of yours"};
  if (previous) error.param = "previous_response_id";
  return error;
}

void Exchange::find_owner(std::string_view response_id) {
  if (response_id.empty()) {
    reply_error(kept_not_found());
    return;
  }
  const auto known = context_.shared.responses.find(response_id, key_->user_id);
  if (known || context_.accounts == nullptr) {
    take_owner(known);
    return;
  }
  enter(Phase::waiting);
  if (self_ == nullptr) self_ = std::make_shared<Exchange*>(this);
  context_.accounts->response_owner(
      std::string(response_id), key_->user_id, context_.loop,
      [self = self_](const Result<std::optional<storage::ResponseOwner>>& found) {
        Exchange* exchange = *self;
        if (exchange == nullptr || exchange->phase_ != Phase::waiting) return;
        if (!found.ok()) {
          exchange->reply_error(found.error());
          return;
        }
        exchange->enter(Phase::body);
        exchange->take_owner(*found);
      });
}

void Exchange::take_owner(const std::optional<storage::ResponseOwner>& owner) {
  const bool kept = asks_for_kept();
  const auto refuse = [&] { reply_error(kept_not_found()); };
  if (!owner) {
    if (key_->user_id != kOperator || (kept && match_.aggregate)) return refuse();
  } else {
    if (kept && match_.aggregate) {
      for (const auto& one : (*snapshot_)->providers()) {
        if (one.id == owner->provider_id) match_.provider = one.name;
      }
      if (match_.provider.empty()) return refuse();
      if (auto found = find_provider(); !found.ok()) {
        reply_error(found.error());
        return;
      }
    }
    if (provider_->id != owner->provider_id) {
      // Another target of the route may be the one.
      return !kept && fail_over() ? enter_target() : refuse();
    }
    if (owner->credential_id > 0) {
      const auto* credential = (*snapshot_)->find_credential(owner->credential_id);
      if (credential == nullptr || !credential->enabled) return refuse();
      pinned_ = owner->credential_id;
    }
  }
  kept ? begin() : choose_way();
}

// Before the client can know the id, it stands where a restart finds it.
void Exchange::on_response_id(std::string_view id) {
  if (key_ == nullptr || provider_ == nullptr) return;
  storage::ResponseOwner owner;
  owner.provider_id = provider_->id;
  owner.credential_id = credential_ != nullptr ? credential_->id : storage::kNoId;
  owner.at = context_.clock.wall_us();
  context_.shared.responses.put(id, key_->user_id, owner);
  if (context_.recorder == nullptr) return;
  storage::ResponseRow row;
  row.at = owner.at;
  row.user_id = key_->user_id;
  row.provider_id = owner.provider_id;
  row.credential_id = owner.credential_id;
  row.response_id = id;
  if (!context_.recorder->response(row))
    log::warn("owner of a response not recorded", {{"id", trace_id_}});
}

}  // namespace gproxy::gateway
