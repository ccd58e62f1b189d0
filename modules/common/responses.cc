#include "common/responses.h"

namespace gproxy_common {
namespace {

struct Row {
  int32_t operation;
  std::string_view method, path;  // '*' stands for the response id
};

constexpr Row kRows[] = {
    {GP_OP_COUNT_TOKENS, "POST", "/responses/input_tokens"},
    {GP_OP_RESPONSE_GET, "GET", "/responses/*"},
    {GP_OP_RESPONSE_DELETE, "DELETE", "/responses/*"},
    {GP_OP_RESPONSE_CANCEL, "POST", "/responses/*/cancel"},
    {GP_OP_RESPONSE_INPUT_ITEMS, "GET", "/responses/*/input_items"},
    {GP_OP_RESPONSE_COMPACT, "POST", "/responses/compact"},
    {GP_OP_MEMORY_TRACE_SUMMARIZE, "POST", "/memories/trace_summarize"},
};

std::string_view query_for(const gp::Request& request) {
  switch (request.operation()) {
    case GP_OP_RESPONSE_GET:
      return gp::pick_query(request.arena(), request.query(),
                            {"include", "include[]", "include%5B%5D", "stream", "starting_after",
                             "include_obfuscation"});
    case GP_OP_RESPONSE_INPUT_ITEMS:
      return gp::pick_query(request.arena(), request.query(),
                            {"limit", "order", "after", "include", "include[]", "include%5B%5D"});
    default:
      return {};
  }
}

}  // namespace

gp::Status responses_call(const gp::Request& request, gp::Upstream& up, ResponsesCall& out) {
  const gp::Arena& arena = request.arena();
  for (const Row& row : kRows) {
    if (row.operation != request.operation()) continue;
    std::string_view path = row.path;
    if (const size_t star = path.find('*'); star != std::string_view::npos) {
      if (!gp::usable_segment(request.resource()))
        return gp::invalid("the id cannot stand in a path", "response_id");
      path = arena.concat({path.substr(0, star), gp::encode_segment(arena, request.resource()),
                           path.substr(star + 1)});
    }
    out = {row.method, path, query_for(request)};
    if (row.operation == GP_OP_RESPONSE_GET &&
        out.query.find("stream=true") != std::string_view::npos) {
      up.flag(GP_UPSTREAM_STREAM);
    }
    if (row.operation == GP_OP_RESPONSE_CANCEL) up.flag(GP_UPSTREAM_NO_BODY);
    return gp::ok();
  }
  return gp::unsupported("this kind does not offer this operation");
}

}  // namespace gproxy_common
