#include "gateway/model_list.h"

#include <algorithm>
#include <optional>

#include "base/base64.h"
#include "base/json.h"
#include "base/strings.h"
#include "http/uri.h"

namespace gproxy::gateway {
namespace {

using translate::Protocol;

constexpr std::string_view kModels = "models/";
constexpr size_t kMaxPage = 1000;

Error bad_page(std::string message, std::string param) {
  return invalid_error(std::move(message), std::move(param));
}

std::string with_provider(std::string_view model, std::string_view provider) {
  const bool has =
      model == provider || (model.size() > provider.size() && model.starts_with(provider) &&
                            model[provider.size()] == '/');
  if (model.empty() || has) return std::string(model);
  return std::string(provider) + "/" + std::string(model);
}

// 1 to 1000; everything when absent.
Result<size_t> page_size(std::string_view query, std::string_view name) {
  const auto text = http::query_value(query, name);
  if (!text || text->empty()) return kMaxPage;
  const auto value = parse_int(*text);
  if (!value || *value < 1)
    return bad_page(std::string(name) + " must be a number from 1 to 1000", std::string(name));
  return static_cast<size_t>(std::min<int64_t>(*value, kMaxPage));
}

// The index of `id` in the sorted list.
std::optional<size_t> index_of(const std::vector<ListedModel>& models, std::string_view id) {
  const auto at = std::lower_bound(
      models.begin(), models.end(), id,
      [](const ListedModel& model, std::string_view wanted) { return model.id < wanted; });
  if (at == models.end() || at->id != id) return std::nullopt;
  return static_cast<size_t>(at - models.begin());
}

void write_items(json::Writer& w, const std::vector<ListedModel>& models, size_t from, size_t to) {
  w.begin_array();
  for (size_t i = from; i < to; ++i) w.raw(models[i].json);
  w.end_array();
}

Result<std::string> write_claude(const std::vector<ListedModel>& models, std::string_view query,
                                 bool partial) {
  GP_TRY(const size_t limit, page_size(query, "limit"));
  const auto after = http::query_value(query, "after_id");
  const auto before = http::query_value(query, "before_id");
  size_t from = 0, to = models.size();
  bool more = false;
  if (after && !after->empty()) {
    const auto at = index_of(models, *after);
    if (!at) return bad_page("after_id names no model of this list", "after_id");
    from = *at + 1;
  }
  if (before && !before->empty()) {
    const auto at = index_of(models, *before);
    if (!at) return bad_page("before_id names no model of this list", "before_id");
    to = std::max(*at, from);
    const size_t first = to - std::min(limit, to - from);
    more = first > from;
    from = first;
  } else if (to - from > limit) {
    to = from + limit;
    more = true;
  }
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("data");
  write_items(w, models, from, to);
  w.key("first_id");
  from < to ? w.string(models[from].id) : w.null();
  w.key("last_id");
  from < to ? w.string(models[to - 1].id) : w.null();
  w.field("has_more", more);
  w.field("partial", partial);
  w.end_object();
  return out;
}

Result<std::string> write_gemini(const std::vector<ListedModel>& models, std::string_view query,
                                 bool partial) {
  GP_TRY(const size_t limit, page_size(query, "pageSize"));
  size_t from = 0;
  if (const auto token = http::query_value(query, "pageToken"); token && !token->empty()) {
    const auto last = base64_decode(*token);
    if (!last || last->empty() || !is_valid_utf8(*last))
      return bad_page("pageToken is not one of ours", "pageToken");
    // The model may have gone meanwhile: the page goes on where it would stand.
    const auto at = std::upper_bound(
        models.begin(), models.end(), std::string_view(*last),
        [](std::string_view wanted, const ListedModel& model) { return wanted < model.id; });
    from = static_cast<size_t>(at - models.begin());
  }
  const size_t to = std::min(models.size(), from + limit);
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("models");
  write_items(w, models, from, to);
  if (to < models.size()) w.field("nextPageToken", base64url_encode(models[to - 1].id));
  w.field("partial", partial);
  w.end_object();
  return out;
}

}  // namespace

std::string_view first_page_query(Protocol protocol) {
  if (protocol == Protocol::claude) return "limit=1000";
  if (protocol == Protocol::gemini) return "pageSize=1000";
  return {};
}

Result<ModelPage> read_model_page(Protocol protocol, std::string_view body,
                                  std::string_view provider) {
  Arena arena(16 * 1024, size_t{256} << 20);
  const auto broken = [](std::string message) {
    Error error{ErrorKind::server, "decode_response_failed", std::move(message)};
    error.status = 502;
    return error;
  };
  auto parsed = json::parse(body, arena);
  if (!parsed.ok()) return broken("the provider's model list is no JSON");
  const bool gemini = protocol == Protocol::gemini;
  auto* list = parsed->find(gemini ? "models" : "data");
  // Google leaves the member out when it is empty.
  if (list == nullptr && gemini && parsed->is_object() && !parsed->has("error")) return ModelPage{};
  if (list == nullptr || !list->is_array()) return broken("the provider's answer is no model list");
  ModelPage page;
  page.models.reserve(list->size());
  std::string last_id;
  for (auto& item : list->items()) {
    auto* id = item.find(gemini ? "name" : "id");
    if (id == nullptr || !id->is_string()) continue;
    auto name = id->str();
    last_id = name;
    if (gemini && name.starts_with(kModels)) name.remove_prefix(kModels.size());
    ListedModel model;
    model.id = with_provider(name, provider);
    if (model.id.empty()) continue;
    *id = json::Value::string(gemini ? arena.concat({kModels, model.id}) : arena.copy(model.id));
    model.json = json::write(item);
    page.models.push_back(std::move(model));
  }
  if (gemini) {
    if (const auto token = (*parsed)["nextPageToken"].str(); !token.empty()) {
      page.next_query = "pageSize=1000&pageToken=" + percent_encode(token);
    }
  } else if (protocol == Protocol::claude && (*parsed)["has_more"].as_bool() && !last_id.empty()) {
    page.next_query = "limit=1000&after_id=" + percent_encode(last_id);
  }
  return page;
}

std::string keep_models(std::string_view body,
                        const std::function<bool(std::string_view id)>& keep) {
  Arena arena(16 * 1024, size_t{256} << 20);
  auto parsed = json::parse(body, arena);
  if (!parsed.ok()) return std::string(body);
  const std::string_view list = parsed->has("data") ? "data" : kModels.substr(0, 6);
  if (!(*parsed)[list].is_array()) return std::string(body);
  const auto id_of = [](const json::Value& item) {
    auto id = item[item.has("id") ? "id" : "name"].str();
    if (id.starts_with(kModels)) id.remove_prefix(kModels.size());
    return id;
  };
  std::vector<const json::Value*> kept;
  for (const auto& item : (*parsed)[list].items()) {
    if (keep(id_of(item))) kept.push_back(&item);
  }
  // Claude's cursors: those of what is shown, except where the next page is found by one.
  const bool more = (*parsed)["has_more"].as_bool();
  std::string out;
  json::Writer w(out);
  const auto cursor = [&](const json::Value* item) {
    item == nullptr ? w.null() : w.string(id_of(*item));
  };
  w.begin_object();
  for (const auto& member : parsed->members()) {
    w.key(member.key);
    if (member.key == list) {
      w.begin_array();
      for (const auto* item : kept) w.value(*item);
      w.end_array();
    } else if (member.key == "first_id") {
      cursor(kept.empty() ? nullptr : kept.front());
    } else if (member.key == "last_id" && !more) {
      cursor(kept.empty() ? nullptr : kept.back());
    } else {
      w.value(member.value);
    }
  }
  w.end_object();
  return out;
}

Result<std::string> write_model_page(Protocol protocol, std::vector<ListedModel> models,
                                     std::string_view query, bool partial) {
  std::stable_sort(models.begin(), models.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
  if (protocol == Protocol::claude) return write_claude(models, query, partial);
  if (protocol == Protocol::gemini) return write_gemini(models, query, partial);
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("object", "list");
  w.key("data");
  write_items(w, models, 0, models.size());
  w.field("partial", partial);
  w.end_object();
  return out;
}

}  // namespace gproxy::gateway
