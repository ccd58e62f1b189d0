#include "app/secret_saver.h"

namespace gproxy::app {

void SecretSaver::save(int64_t credential_id, const Secret& secret_json, const std::string& settings_json,
                       net::Loop& loop, std::function<void(Result<void>)> done) {
  auto answer = [&loop, done = std::move(done)](Result<void> result) {
    loop.post([done, result = std::move(result)]() mutable { done(std::move(result)); });
  };
  post_main_([this, credential_id, secret_json, settings_json, answer = std::move(answer)] {
    plane_.save_secret(credential_id, secret_json, settings_json, answer);
  });
}

}  // namespace gproxy::app
