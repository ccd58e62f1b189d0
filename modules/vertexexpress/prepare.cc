// Requests as aiplatform.googleapis.com wants them in express mode: the key stands in the query.
#include "common/google/errors.h"
#include "common/google/gemini.h"
#include "vertexexpress.h"

namespace gproxy_vertexexpress {

using namespace gproxy_google;

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up) const {
  const gp::Arena& arena = request.arena();
  const std::string_view action = action_of(request.operation());
  if (request.protocol() != GP_PROTOCOL_GEMINI || action.empty())
    return gp::unsupported("the vertexexpress kind generates and counts in Gemini only");
  const std::string_view model = bare_model(request.model());
  if (!gp::usable_segment(model))
    return gp::invalid("the model's name cannot stand in a path", "model");

  up.method("POST");
  up.url(gp::join_url(arena, base_url_,
                      arena.concat({"/v1beta1/publishers/google/models/",
                                    gp::encode_segment(arena, model, gp::Colon::encode), action}),
                      request.streams() ? stream_query(request) : std::string_view(),
                      {"/v1beta1"}));
  up.secret_query(
      arena.concat({"key=", gp::encode_query(arena, request.credential<Credential>().key)}));
  up.forward(kKind);
  if (request.operation() == GP_OP_COUNT_TOKENS) {
    up.body(vertex_count_body(request, model));
  } else {
    edit_publisher_model(request, up, model);
  }
  if (request.streams()) up.flag(GP_UPSTREAM_STREAM);
  return gp::ok();
}

gp::Status Provider::respond(const gp::Request& request, gp::Local& out,
                             std::unique_ptr<LocalCall>&) const {
  return models_.respond(request, out);
}

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  return judge(failure, verdict, Rejected::dead);
}

}  // namespace gproxy_vertexexpress
