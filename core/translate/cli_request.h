// What `gproxy translate --kind request` and `--kind count` do between reading and writing. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "translate/codec.h"
#include "translate/loss.h"

namespace gproxy::translate {

struct CliRequest {
  Protocol from = Protocol::none;  // the client's
  Protocol to = Protocol::none;    // the upstream's
  bool count = false;
  std::string_view body;
  std::string_view model;  // wins over the body's
  std::string_view query;
  std::vector<std::pair<std::string, std::string>> profile;  // --profile KEY=VALUE
  Options options;
  const ProfileSet* rules = nullptr;  // null: the built-in ones
};

struct CliAnswer {
  std::string out;    // the upstream's body, or an error in the client's protocol; for counts that
                      // are made locally the client's answer
  int status = 200;   // what the client would see
  int exit_code = 0;  // 0, 1 (an error was written), 64 (a profile key or value is wrong)
  std::string message;  // for 64
  LossLog losses;
};

CliAnswer run_request(const CliRequest& request);

// The profile of a model with overrides on top: also for the answer's side of the command.
Result<Profile> cli_profile(const ProfileSet& rules, std::string_view model, Protocol upstream,
                            const std::vector<std::pair<std::string, std::string>>& overrides);
// The model a body names, or empty.
std::string body_model(std::string_view body);
// The context for `--request FILE`: the client's original request.
Result<RequestContext> cli_context(Protocol client, Protocol upstream, std::string_view body,
                                   std::string_view model, std::string_view query,
                                   const Profile& profile, const Options& options);

}  // namespace gproxy::translate
