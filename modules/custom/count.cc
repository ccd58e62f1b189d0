// The settings `count_tokens` and `tokenizer`: who counts, and with what.
#include "custom.h"

namespace gproxy_custom {
namespace {

// What is counted with where the operator names no tokenizer.
constexpr std::string_view kEncoding = "o200k_base";

bool absent(const gp::Json::Value& value) {
  return !value.found || value.type == GP_JSON_NULL || (value.is_string() && value.text.empty());
}

}  // namespace

gp::Status Provider::read_count(const gp::Json& json) {
  const auto tokenizer = json.get("/tokenizer");
  if (!absent(tokenizer) && !tokenizer.is_object()) {
    return gp::invalid("must be one of {\"encoding\"}, {\"file\"}, {\"url\"}", "tokenizer");
  }
  struct Choice {
    std::string_view pointer, param;
    CountWith with;
  };
  static constexpr Choice kChoices[] = {
      {"/tokenizer/encoding", "tokenizer.encoding", CountWith::encoding},
      {"/tokenizer/file", "tokenizer.file", CountWith::file},
      {"/tokenizer/url", "tokenizer.url", CountWith::url},
  };
  for (const auto& [pointer, param, with] : kChoices) {
    const auto value = json.get(pointer);
    if (absent(value)) continue;
    if (!value.is_string()) return gp::invalid("must be a text", param);
    if (count_with_ != CountWith::upstream) {
      return gp::invalid("only one of encoding, file and url can be given", param);
    }
    if (with == CountWith::encoding && value.text != "o200k_base" && value.text != "cl100k_base" &&
        value.text != "deepseek_v3" && value.text != "llama3") {
      return gp::invalid("must be o200k_base, cl100k_base, deepseek_v3 or llama3", param);
    }
    if (with == CountWith::file && !is_inner_path(value.text)) {
      return gp::invalid(
          "must be a path below the data directory's folder tokenizers, without \"..\"", param);
    }
    if (with == CountWith::url && !value.text.starts_with("https://") &&
        !value.text.starts_with("http://")) {
      return gp::invalid("must be an absolute http or https address", param);
    }
    count_with_ = with;
    tokenizer_ = value.text;
  }
  if (const auto token = json.get("/tokenizer/token"); !absent(token)) {
    if (!token.is_string() || count_with_ != CountWith::url) {
      return gp::invalid("is for an url only, and a text", "tokenizer.token");
    }
    tokenizer_token_ = token.text;
  }

  // A tokenizer without more words is meant to be used; `upstream` keeps it out of use.
  const std::string_view how = json.get("/count_tokens").or_empty();
  if (how == "upstream" || (how.empty() && count_with_ == CountWith::upstream)) {
    count_with_ = CountWith::upstream;
    return gp::ok();
  }
  if (how == "estimate") {
    count_with_ = CountWith::estimate;
  } else if (how != "local" && how != "tokenizers" && how != "tiktoken" && !how.empty()) {
    return gp::invalid("must be \"upstream\", \"local\" or \"estimate\"", "count_tokens");
  } else if (count_with_ == CountWith::upstream) {
    count_with_ = CountWith::encoding;
    tokenizer_ = kEncoding;
  }
  for (gp_route& row : routes_) {
    if (row.operation != GP_OP_COUNT_TOKENS) continue;
    row.mode = GP_ROUTE_LOCAL;
    row.target = 0;
  }
  return gp::ok();
}

gp::Status Provider::count_plan(const gp::Request&, gp::CountPlan& plan) const {
  switch (count_with_) {
    case CountWith::encoding:
      plan.encoding(tokenizer_);
      break;
    case CountWith::file:
      plan.file(tokenizer_);
      break;
    case CountWith::url:
      plan.url(tokenizer_, tokenizer_token_);
      break;
    default:
      plan.estimate();
  }
  return gp::ok();
}

bool is_inner_path(std::string_view path) {
  if (path.empty() || path.size() > 512 || path.find('\\') != std::string_view::npos) return false;
  for (size_t at = 0; at <= path.size();) {
    const size_t slash = path.find('/', at);
    const auto segment = path.substr(at, slash == std::string_view::npos ? slash : slash - at);
    if (segment.empty() || segment == "." || segment == "..") return false;
    if (slash == std::string_view::npos) break;
    at = slash + 1;
  }
  return true;
}

}  // namespace gproxy_custom
