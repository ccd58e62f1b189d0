#include "app/accounts.h"

#include <memory>
#include <utility>

#include "admin/logins.h"

namespace gproxy::app {
namespace {

// `done`, but on the loop.
template <class T>
std::function<void(Result<T>)> on_loop(net::Loop& loop, std::function<void(Result<T>)> done) {
  return [&loop, done = std::move(done)](Result<T> result) {
    auto kept = std::make_shared<Result<T>>(std::move(result));
    loop.post([done, kept] { done(std::move(*kept)); });
  };
}

}  // namespace

void Accounts::put_flow(storage::FlowRow row, net::Loop& loop, std::function<void(Result<void>)> done) {
  auto answer = on_loop<void>(loop, std::move(done));
  auto posted = writer_.post([row = std::move(row), answer](storage::Store& store) { answer(store.put_flow(row)); });
  if (!posted.ok()) answer(std::move(posted));
}

void Accounts::find_flow(int64_t provider_id, int64_t user_id, std::optional<Digest> state, net::Loop& loop,
                         std::function<void(Result<storage::FoundFlow>)> done) {
  auto answer = on_loop<storage::FoundFlow>(loop, std::move(done));
  auto posted = writer_.post([provider_id, user_id, state, answer](storage::Store& store) {
    answer(store.find_flow(provider_id, user_id, state));
  });
  if (!posted.ok()) answer(std::move(posted).error());
}

void Accounts::save_login(gateway::NewLogin login, net::Loop& loop,
                          std::function<void(Result<gateway::SavedLogin>)> done) {
  auto answer = on_loop<gateway::SavedLogin>(loop, std::move(done));
  post_main_([this, login = std::move(login), answer]() mutable {
    admin::save_login(plane_, std::move(login), answer);
  });
}

void Accounts::response_owner(std::string response_id, int64_t user_id, net::Loop& loop,
                              std::function<void(Result<std::optional<storage::ResponseOwner>>)> done) {
  auto answer = on_loop<std::optional<storage::ResponseOwner>>(loop, std::move(done));
  auto posted = writer_.query([id = std::move(response_id), user_id, answer](storage::Reader& reader) {
    answer(reader.response_owner(id, user_id));
  });
  if (!posted.ok()) answer(std::move(posted).error());
}

}  // namespace gproxy::app
