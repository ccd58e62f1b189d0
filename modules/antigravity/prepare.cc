// Requests in the product's envelope, and counts estimated here.
#include <string>

#include "antigravity.h"
#include "common/google/errors.h"
#include "common/google/gemini.h"

namespace gproxy_antigravity {
namespace {

using namespace gproxy_google;

// Older versions marked ways of streaming in a model's name; clients still have such names.
std::string_view plain_model(std::string_view model) {
  model = bare_model(model);
  for (std::string_view mark : {"假流式", "流式抗截断"}) {
    if (model.starts_with(mark) && model.substr(mark.size()).starts_with('/'))
      model.remove_prefix(mark.size() + 1);
    if (model.ends_with(mark) && model.size() > mark.size() &&
        model[model.size() - mark.size() - 1] == '-') {
      model.remove_suffix(mark.size() + 1);
    }
  }
  return model;
}

size_t characters(std::string_view text) {
  size_t count = 0;
  for (char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

// The characters of all text parts of a list of contents.
size_t text_of(const gp::Json& contents) {
  size_t count = 0;
  contents.each(contents.node(""), [&](const gp_json_member& content) {
    const gp::Json one = contents.inside(content.value);
    one.each(one.node("/parts"), [&](const gp_json_member& part) {
      count += characters(one.inside(part.value).get("/text").or_empty());
      return true;
    });
    return true;
  });
  return count;
}

}  // namespace

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up,
                             std::unique_ptr<Call>& call) const {
  const gp::Arena& arena = request.arena();
  if (request.protocol() != GP_PROTOCOL_GEMINI)
    return gp::unsupported("the antigravity kind speaks Gemini only");
  const std::string_view model = plain_model(request.model());
  const int32_t operation = request.operation();
  const bool models = operation == GP_OP_MODEL_LIST || operation == GP_OP_MODEL_GET;
  if (model.empty() && operation != GP_OP_MODEL_LIST)
    return gp::invalid("the model is missing", "model");

  const std::string_view path = models ? "/v1internal:fetchAvailableModels"
                                : operation == GP_OP_COUNT_TOKENS ? "/v1internal:countTokens"
                                : operation == GP_OP_STREAM_GENERATE
                                    ? "/v1internal:streamGenerateContent?alt=sse"
                                : operation == GP_OP_GENERATE ? "/v1internal:generateContent"
                                                              : "";
  if (path.empty()) return gp::unsupported("the antigravity kind does not offer this operation");
  if (auto status = begin(request, up, kKind, path); !status.ok()) return status;
  up.header("requestid", arena.concat({"gproxy-", gp::view(request.raw().request_id)}));
  up.flag(request.streams() ? GP_UPSTREAM_STREAM : GP_UPSTREAM_BUFFER);

  auto what = Call::What::generation;
  if (models) {
    up.body("{}");
    what = operation == GP_OP_MODEL_LIST ? Call::What::list : Call::What::get;
  } else if (operation == GP_OP_COUNT_TOKENS) {
    up.body(arena.concat({R"({"request":{"model":)",
                          gp::json_quote(arena, arena.concat({"models/", model})),
                          R"(,"contents":)", counted_contents(request), "}}"}));
  } else {
    up.header("requesttype", model.find("image") != std::string_view::npos ? "image_gen" : "agent");
    wrap_request(
        request, up,
        arena.concat({R"({"model":)", gp::json_quote(arena, model), R"(,"project":)",
                      gp::json_quote(arena, request.credential<Credential>().project), ","}));
  }
  call = std::make_unique<Call>(request.json().ext(),
                                wants_events(request) ? Framing::events : Framing::array, what,
                                what == Call::What::get ? model : std::string_view());
  return gp::ok();
}

gp::Status Provider::respond(const gp::Request& request, gp::Local& out,
                             std::unique_ptr<LocalCall>&) const {
  if (request.operation() != GP_OP_COUNT_TOKENS)
    return gp::unsupported("only counts are answered locally");
  const gp::Arena& arena = request.arena();
  const gp::Json contents(arena, request.json().ext(), counted_contents(request));
  const size_t tokens = (text_of(contents) + 3) / 4;
  out.json(200, arena.concat({R"({"totalTokens":)", std::to_string(tokens), "}"}));
  out.header("x-gproxy-estimated", "1");
  return gp::ok();
}

}  // namespace gproxy_antigravity
