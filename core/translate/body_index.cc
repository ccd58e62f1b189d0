#include "translate/body_index.h"

#include <iterator>
#include <utility>

namespace gproxy::translate {
namespace {

// In the order of BodyField, from `model` on; the two that are not top-level members have no name
// to look for.
constexpr std::string_view kNames[] = {
    "model",
    "stream",
    "stream_options",
    "messages",
    "system",
    "input",
    "instructions",
    "contents",
    "tools",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_k",
    "store",
    "include",
    "metadata",
    "prompt_cache_key",
    "previous_response_id",
    "service_tier",
    "generateContentRequest",
};
constexpr size_t kNameCount = std::size(kNames);
static_assert(kNameCount == kBodyFields - 2);

// include_usage stands between stream_options and messages.
constexpr size_t field_of(size_t name) {
  return name < static_cast<size_t>(BodyField::stream_options) ? name + 1 : name + 2;
}

}  // namespace

std::string_view name(BodyField field) {
  if (field == BodyField::include_usage) return "stream_options.include_usage";
  for (size_t i = 0; i < kNameCount; ++i) {
    if (field_of(i) == static_cast<size_t>(field)) return kNames[i];
  }
  return {};
}

BodyIndex& BodyIndex::operator=(BodyIndex&& other) noexcept {
  // A short string moves its bytes: the view has to follow them.
  const bool own =
      other.model.data() != nullptr && other.model.data() == other.model_unescaped.data();
  spans = other.spans;
  model = other.model;
  stream = other.stream;
  model_unescaped = std::move(other.model_unescaped);
  if (own) model = model_unescaped;
  return *this;
}

Result<BodyIndex> index_body(std::string_view body, ModelRule rule, const json::Limits& limits) {
  BodyIndex index;
  std::array<json::Span, kNameCount> found{};
  GP_TRY(const auto scan, json::scan_object(body, kNames, found, limits));
  if (scan.root != json::Kind::object) {
    return invalid_error("the request body must be a JSON object");
  }
  auto& root = index.spans[0];
  root.found = true;
  root.kind = scan.root;
  root.at = scan.root_at;
  root.len = scan.root_len;
  for (size_t i = 0; i < kNameCount; ++i) index.spans[field_of(i)] = found[i];

  const auto& options = index[BodyField::stream_options];
  if (options.found && options.kind == json::Kind::object) {
    auto inner = json::find(body.substr(options.at, options.len), {"include_usage"});
    inner.at += options.at;
    index.spans[static_cast<size_t>(BodyField::include_usage)] = inner;
  }

  const auto& model = index[BodyField::model];
  if (model.found) {
    if (model.kind != json::Kind::string) {
      if (rule == ModelRule::in_body) return invalid_error("model must be a string", "model");
    } else if (model.escaped) {
      index.model_unescaped = json::decode_string(body, model);
      index.model = index.model_unescaped;
    } else {
      index.model = body.substr(model.at + 1, model.len - 2);
    }
  }
  if (rule == ModelRule::in_body && index.model.empty()) {
    return invalid_error("model is required", "model");
  }
  const auto& stream = index[BodyField::stream];
  if (stream.found && stream.kind != json::Kind::null) {
    if (stream.kind != json::Kind::boolean) {
      if (rule == ModelRule::in_body)
        return invalid_error("stream must be true or false", "stream");
    } else {
      index.stream = body[stream.at] == 't';
    }
  }
  return index;
}

}  // namespace gproxy::translate
