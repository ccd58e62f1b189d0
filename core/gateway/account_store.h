// What logins and stored responses need of the database, which the loops do not touch. Implemented
// by the application; called on a worker's loop, `done` is called on `loop`, later.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "net/loop.h"
#include "storage/records.h"

namespace gproxy::gateway {

// An account that was logged in.
struct NewLogin {
  int64_t provider_id = storage::kNoId;
  Digest state{};  // of its flow, which ends with it
  Secret credential_json;
  std::string identity;  // the account's id; a row with an equal one is updated. Empty: a new row
  std::string name;
  std::string settings_json;  // empty = {} or unchanged
};

struct SavedLogin {
  int64_t credential_id = storage::kNoId;
  bool created = false;
  std::string name;
};

class AccountStore {
 public:
  virtual ~AccountStore() = default;
  virtual void put_flow(storage::FlowRow row, net::Loop& loop,
                        std::function<void(Result<void>)> done) = 0;
  virtual void find_flow(int64_t provider_id, int64_t user_id, std::optional<Digest> state,
                         net::Loop& loop, std::function<void(Result<storage::FoundFlow>)> done) = 0;
  // The flow's row goes, too. `done` runs when every loop has the credential.
  virtual void save_login(NewLogin login, net::Loop& loop,
                          std::function<void(Result<SavedLogin>)> done) = 0;
  virtual void response_owner(
      std::string response_id, int64_t user_id, net::Loop& loop,
      std::function<void(Result<std::optional<storage::ResponseOwner>>)> done) = 0;
};

}  // namespace gproxy::gateway
