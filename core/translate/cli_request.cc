#include "translate/cli_request.h"

#include "base/json_scan.h"
#include "translate/errors.h"
#include "translate/request.h"
#include "translate/response.h"

namespace gproxy::translate {

Result<Profile> cli_profile(const ProfileSet& rules, std::string_view model, Protocol upstream,
                            const std::vector<std::pair<std::string, std::string>>& overrides) {
  auto profile = rules.find(model, upstream);
  for (const auto& [key, value] : overrides) {
    GP_CHECK(profile.set(key, std::string_view(value)));
  }
  return profile;
}

std::string body_model(std::string_view body) {
  if (!json::validate(body)) return {};
  auto span = json::find(body, {"model"});
  if (!span.found) span = json::find(body, {"generateContentRequest", "model"});
  if (!span.found || span.kind != json::Kind::string) return {};
  auto model = json::decode_string(body, span);
  constexpr std::string_view kPrefix = "models/";
  if (model.compare(0, kPrefix.size(), kPrefix) == 0) model.erase(0, kPrefix.size());
  return model;
}

CliAnswer run_request(const CliRequest& request) {
  CliAnswer answer;
  std::string model(request.model);
  if (model.empty()) model = body_model(request.body);
  const auto& rules = request.rules != nullptr ? *request.rules : ProfileSet::builtin();
  auto profile = cli_profile(rules, model, request.to, request.profile);
  if (!profile) {
    answer.exit_code = 64;
    answer.message = profile.error().message;
    return answer;
  }
  // Gemini names the model in the path, which a body on standard input does not have.
  if (model.empty() && request.from == Protocol::gemini) model = "model";
  RequestMeta meta;
  meta.model = model;
  meta.query = request.query;
  Arena arena;
  auto operation = request.count ? Operation::count_tokens : Operation::generate;
  // A Gemini body does not say whether it streams; its path does.
  auto translated = translate_request(request.from, request.to, operation, request.body, meta,
                                      *profile, request.options, arena);
  if (!translated) {
    const auto& error = translated.error();
    answer.out = encode_error(request.from, error, {});
    answer.status = error_status(request.from, error);
    answer.exit_code = 1;
    return answer;
  }
  answer.losses = std::move(translated->losses);
  answer.out = translated->local_count ? write_count(request.from, translated->estimate)
                                       : std::move(translated->body);
  return answer;
}

Result<RequestContext> cli_context(Protocol client, Protocol upstream, std::string_view body,
                                   std::string_view model, std::string_view query,
                                   const Profile& profile, const Options& options) {
  RequestMeta meta;
  meta.model = model;
  meta.query = query;
  Arena arena;
  return read_request_context(client, upstream, Operation::generate, body, meta, profile, options,
                              arena);
}

}  // namespace gproxy::translate
