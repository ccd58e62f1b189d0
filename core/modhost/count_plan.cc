#include "modhost/count_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "gproxy/ext/count.h"
#include "modhost/abi_text.h"
#include "modhost/call_request.h"
#include "modhost/prepared.h"

namespace gproxy::modhost {
namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kMaxPath = 512;
constexpr size_t kMaxBearer = 4096;

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// Empty, or the rule that is broken.
std::string_view broken_rule(CountPlan::Source source, std::string_view name,
                             std::string_view bearer) {
  using enum CountPlan::Source;
  switch (source) {
    case estimate:
      return {};
    case encoding:
      return !name.empty() && name.size() <= kMaxName && is_printable(name)
                 ? std::string_view()
                 : "the encoding is not a name of at most 64 characters";
    case file:
      return is_inner_path(name) ? std::string_view()
                                 : "the file is not a relative path without \"..\"";
    case url:
      if (name.size() > GP_MAX_URL || !check_url(name).ok())
        return "the url is not absolute http or https";
      if (bearer.size() > kMaxBearer || !is_printable(bearer))
        return "the bearer token cannot stand in a header";
      return {};
  }
  return {};
}

}  // namespace

bool is_inner_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPath) return false;
  for (size_t at = 0; at <= path.size();) {
    const size_t slash = std::min(path.find('/', at), path.size());
    const auto segment = path.substr(at, slash - at);
    if (segment.empty() || segment == "." || segment == "..") return false;
    at = slash + 1;
  }
  return std::none_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\';
  });
}

Result<CountPlan> CountPlan::ask(const Provider& provider, const CallRequest& request) {
  const auto* count = provider.module().extensions().count;
  if (count == nullptr) return provider.breach("plan", "the module has no " GP_EXT_COUNT);
  gp_request in{};
  fill_request(request, in);
  in.credential = nullptr;
  gp_count_plan out{};
  out.size = sizeof out;
  gp_error error{};
  error.size = sizeof error;
  const auto started = provider.clock().now_us();
  const auto status = count->plan(provider.handle(), &in, &out, &error);
  provider.note_duration("plan", started);
  if (status != GP_OK) return provider.refusal("plan", status, error, *request.arena);
  if (!is_sound(out.name) || !is_sound(out.bearer)) {
    return provider.breach("plan", "a text has a length and no bytes");
  }
  CountPlan plan;
  switch (out.source) {
    case GP_COUNT_ENCODING:
      plan.source = Source::encoding;
      break;
    case GP_COUNT_FILE:
      plan.source = Source::file;
      break;
    case GP_COUNT_URL:
      plan.source = Source::url;
      break;
    default:
      return plan;
  }
  if (const auto rule = broken_rule(plan.source, view(out.name), view(out.bearer)); !rule.empty()) {
    return provider.breach("plan", rule);
  }
  plan.name = request.arena->copy(view(out.name));
  if (plan.source == Source::url) plan.bearer = request.arena->copy(view(out.bearer));
  return plan;
}

}  // namespace gproxy::modhost
