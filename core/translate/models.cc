#include "translate/models.h"

#include <algorithm>
#include <cstdio>

#include "base/arena.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/strings.h"
#include "translate/answer_common.h"
#include "translate/errors.h"

namespace gproxy::translate {

namespace {

constexpr std::string_view kModels = "models/";
constexpr int64_t kMaxPage = 1000;

// Days since 1970-01-01 of a civil date, and back (proleptic Gregorian calendar).
int64_t days_of(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t yoe = year - era * 400;
  const int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t parse_time(std::string_view text) {  // "2025-02-24T00:00:00Z"
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const std::string owned(text.substr(0, 19));
  if (std::sscanf(owned.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute,
                  &second) < 3 ||
      year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) {
    return 0;
  }
  return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

std::string time_text(int64_t seconds) {
  seconds = std::clamp<int64_t>(seconds, 0, 253402300799);  // to the end of the year 9999
  const int64_t days = seconds / 86400 + 719468;
  const int64_t rest = seconds % 86400;
  const int64_t era = days / 146097;
  const int64_t doe = days - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  const int64_t day = doy - (153 * mp + 2) / 5 + 1;
  const int64_t month = mp + (mp < 10 ? 3 : -9);
  const int64_t year = yoe + era * 400 + (month <= 2);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", static_cast<int>(year),
                static_cast<int>(month), static_cast<int>(day), static_cast<int>(rest / 3600),
                static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
  return text;
}

std::string_view bare_id(std::string_view name) {
  return name.starts_with(kModels) ? name.substr(kModels.size()) : name;
}

ModelInfo read_one(const json::Value& said) {
  ModelInfo model;
  const auto name = said["name"].str();
  model.id = bare_id(said["id"].str(name));
  model.display_name = said["display_name"].str(said["displayName"].str());
  model.description = said["description"].str();
  model.owner = said["owned_by"].str();
  model.version = said["version"].str();
  model.created = said["created"].int_or(0);
  if (const auto at = said["created_at"].str(); !at.empty()) model.created = parse_time(at);
  model.input_limit = said["max_input_tokens"].int_or(said["inputTokenLimit"].int_or(0));
  model.output_limit = said["max_tokens"].int_or(said["outputTokenLimit"].int_or(0));
  if (const auto& thinking = said["capabilities"]["thinking"]["supported"]; thinking.is_bool()) {
    model.thinking = thinking.as_bool();
  } else if (said["thinking"].is_bool()) {
    model.thinking = said["thinking"].as_bool();
  }
  for (const auto& method : said["supportedGenerationMethods"].items()) {
    model.methods.emplace_back(method.str());
  }
  return model;
}

// The value of a query parameter, decoded.
std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  for (const auto pair : split(query, '&')) {
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    if (equals == std::string_view::npos) return std::string();
    return percent_decode(pair.substr(equals + 1), true).value_or(std::string());
  }
  return std::nullopt;
}

void write_openai(json::Writer& w, const ModelInfo& model, std::string_view owner) {
  w.begin_object();
  w.field("id", model.id);
  w.field("object", "model");
  w.field("created", model.created);
  w.field("owned_by", model.owner.empty() ? owner : std::string_view(model.owner));
  w.end_object();
}

void write_limit(json::Writer& w, std::string_view name, int64_t limit) {
  w.key(name);
  limit > 0 ? w.integer(limit) : w.null();
}

void write_claude(json::Writer& w, const ModelInfo& model) {
  w.begin_object();
  w.field("type", "model");
  w.field("id", model.id);
  w.field("display_name", model.display_name.empty() ? model.id : model.display_name);
  w.field("created_at", time_text(model.created));
  write_limit(w, "max_input_tokens", model.input_limit);
  write_limit(w, "max_tokens", model.output_limit);
  w.key("capabilities");
  if (model.thinking) {
    w.begin_object();
    w.key("thinking");
    w.begin_object();
    w.field("supported", *model.thinking);
    w.end_object();
    w.end_object();
  } else {
    w.null();
  }
  w.field("lifecycle", "active");
  for (const auto* name : {"line", "deprecated_at", "retires_at"}) {
    w.key(name);
    w.null();
  }
  w.end_object();
}

void write_gemini(json::Writer& w, const ModelInfo& model) {
  w.begin_object();
  w.field("name", std::string(kModels) + model.id);
  w.field("version", model.version.empty() ? std::string("001") : model.version);
  w.field("displayName", model.display_name.empty() ? model.id : model.display_name);
  if (!model.description.empty()) w.field("description", model.description);
  if (model.input_limit > 0) w.field("inputTokenLimit", model.input_limit);
  if (model.output_limit > 0) w.field("outputTokenLimit", model.output_limit);
  w.key("supportedGenerationMethods");
  w.begin_array();
  if (model.methods.empty()) {
    for (const auto* method : {"generateContent", "streamGenerateContent", "countTokens"}) {
      w.string(method);
    }
  }
  for (const auto& method : model.methods) w.string(method);
  w.end_array();
  if (model.thinking) w.field("thinking", *model.thinking);
  w.end_object();
}

struct Window {
  size_t from = 0, to = 0;
};

Result<Window> claude_page(const std::vector<ModelInfo>& models, std::string_view query,
                           bool& has_more) {
  int64_t limit = 20;
  if (const auto said = parameter(query, "limit"); said && !said->empty()) {
    const auto number = parse_int(*said);
    if (!number || *number < 1 || *number > kMaxPage) {
      return invalid_error("limit must be between 1 and 1000", "limit");
    }
    limit = *number;
  }
  const auto size = static_cast<size_t>(limit);
  const auto place = [&models](const std::string& id) {
    for (size_t i = 0; i < models.size(); ++i) {
      if (models[i].id == id) return i;
    }
    return models.size();
  };
  const auto after = parameter(query, "after_id");
  const auto before = parameter(query, "before_id");
  if (after && !after->empty() && before && !before->empty()) {
    return invalid_error("after_id and before_id exclude each other", "before_id");
  }
  Window window;
  if (before && !before->empty()) {
    window.to = place(*before);
    if (window.to == models.size())
      return invalid_error("before_id is no known model", "before_id");
    window.from = window.to > size ? window.to - size : 0;
    has_more = window.from > 0;
    return window;
  }
  if (after && !after->empty()) {
    const size_t at = place(*after);
    if (at == models.size()) return invalid_error("after_id is no known model", "after_id");
    window.from = at + 1;
  }
  window.to = std::min(models.size(), window.from + size);
  has_more = window.to < models.size();
  return window;
}

// Google's query parameters come in both spellings.
std::optional<std::string> either(std::string_view query, std::string_view name,
                                  std::string_view snake) {
  auto said = parameter(query, name);
  return said ? said : parameter(query, snake);
}

Result<Window> gemini_page(const std::vector<ModelInfo>& models, std::string_view query,
                           std::string& next) {
  int64_t limit = 50;
  if (const auto said = either(query, "pageSize", "page_size"); said && !said->empty()) {
    const auto number = parse_int(*said);
    if (!number) return invalid_error("pageSize must be an integer", "pageSize");
    // 0 is proto3's way of saying nothing.
    if (*number != 0) limit = std::clamp<int64_t>(*number, 1, kMaxPage);
  }
  Window window;
  if (const auto token = either(query, "pageToken", "page_token"); token && !token->empty()) {
    const auto id = base64_decode(*token);
    size_t at = models.size();
    for (size_t i = 0; id && i < models.size(); ++i) {
      if (models[i].id == *id) at = i;
    }
    if (at == models.size()) return invalid_error("pageToken is not valid", "pageToken");
    window.from = at + 1;
  }
  window.to = std::min(models.size(), window.from + static_cast<size_t>(limit));
  if (window.to < models.size() && window.to > window.from) {
    next = base64url_encode(models[window.to - 1].id);
  }
  return window;
}

std::string_view owner_of(Protocol upstream) {
  switch (upstream) {
    case Protocol::claude:
      return "anthropic";
    case Protocol::gemini:
      return "google";
    default:
      return "openai";
  }
}

}  // namespace

bool ModelInfo::generates() const {
  return methods.empty() ||
         std::find(methods.begin(), methods.end(), "generateContent") != methods.end();
}

Result<ModelPage> read_models(Protocol upstream, std::string_view body) {
  Arena arena;
  const auto doc = json::parse(body, arena);
  if (!doc || !doc->is_object()) {
    return bad_upstream("upstream_invalid_response", "upstream listed models with no JSON object");
  }
  ModelPage page;
  const json::Value* list = doc->find("data");
  if (list == nullptr || !list->is_array()) list = doc->find("models");
  if (list != nullptr && list->is_array()) {
    for (const auto& said : list->items()) {
      auto model = read_one(said);
      if (!model.id.empty()) page.models.push_back(std::move(model));
    }
    const auto token = (*doc)["nextPageToken"].str();
    if (!token.empty()) {
      page.next = "pageToken=" + percent_encode(token);
    } else if (upstream == Protocol::claude && (*doc)["has_more"].as_bool() &&
               !(*doc)["last_id"].str().empty()) {
      page.next = "after_id=" + percent_encode((*doc)["last_id"].str());
    }
    return page;
  }
  auto model = read_one(*doc);
  if (model.id.empty()) {
    // An empty list of proto3 JSON is an empty object.
    if (upstream == Protocol::gemini && doc->empty()) return page;
    return bad_upstream("upstream_invalid_response",
                        "upstream answered with neither models nor a model");
  }
  page.single = true;
  page.models.push_back(std::move(model));
  return page;
}

Result<std::string> write_model_list(Protocol client, std::vector<ModelInfo> models,
                                     std::string_view query, std::string_view default_owner) {
  if (client != Protocol::gemini) {
    std::erase_if(models, [](const ModelInfo& model) { return !model.generates(); });
  }
  std::stable_sort(models.begin(), models.end(),
                   [](const ModelInfo& a, const ModelInfo& b) { return a.id < b.id; });
  models.erase(std::unique(models.begin(), models.end(),
                           [](const ModelInfo& a, const ModelInfo& b) { return a.id == b.id; }),
               models.end());
  std::string out;
  json::Writer w(out);
  if (client == Protocol::claude) {
    bool has_more = false;
    GP_TRY(const Window window, claude_page(models, query, has_more));
    w.begin_object();
    w.key("data");
    w.begin_array();
    for (size_t i = window.from; i < window.to; ++i) write_claude(w, models[i]);
    w.end_array();
    w.key("first_id");
    window.from < window.to ? w.string(models[window.from].id) : w.null();
    w.key("last_id");
    window.from < window.to ? w.string(models[window.to - 1].id) : w.null();
    w.field("has_more", has_more);
    w.end_object();
  } else if (client == Protocol::gemini) {
    std::string next;
    GP_TRY(const Window window, gemini_page(models, query, next));
    w.begin_object();
    w.key("models");
    w.begin_array();
    for (size_t i = window.from; i < window.to; ++i) write_gemini(w, models[i]);
    w.end_array();
    if (!next.empty()) w.field("nextPageToken", next);
    w.end_object();
  } else {
    w.begin_object();
    w.field("object", "list");
    w.key("data");
    w.begin_array();
    for (const auto& model : models) write_openai(w, model, default_owner);
    w.end_array();
    w.end_object();
  }
  return out;
}

std::string write_model(Protocol client, const ModelInfo& model, std::string_view default_owner) {
  std::string out;
  json::Writer w(out);
  if (client == Protocol::claude) {
    write_claude(w, model);
  } else if (client == Protocol::gemini) {
    write_gemini(w, model);
  } else {
    write_openai(w, model, default_owner);
  }
  return out;
}

TranslatedAnswer translate_models(Protocol client, Protocol upstream, int status,
                                  std::string_view body, std::string_view query,
                                  std::string_view default_owner) {
  RequestContext request;
  request.client = client;
  request.upstream = upstream;
  request.operation = Operation::model_list;
  if (status >= 400) return translate_error(request, status, body);
  auto page = read_models(upstream, body);
  if (!page) return error_answer(request, std::move(page).error());
  if (!page->single) {
    return translate_model_list(client, upstream, std::move(page->models), query, default_owner);
  }
  const auto owner = default_owner.empty() ? owner_of(upstream) : default_owner;
  TranslatedAnswer answer;
  answer.body = write_model(client, page->models.front(), owner);
  return answer;
}

TranslatedAnswer translate_model_list(Protocol client, Protocol upstream,
                                      std::vector<ModelInfo> models, std::string_view query,
                                      std::string_view default_owner) {
  const auto owner = default_owner.empty() ? owner_of(upstream) : default_owner;
  TranslatedAnswer answer;
  auto list = write_model_list(client, std::move(models), query, owner);
  if (!list) {
    RequestContext request;
    request.client = client;
    request.upstream = upstream;
    request.operation = Operation::model_list;
    return error_answer(request, std::move(list).error());
  }
  answer.body = std::move(list).value();
  return answer;
}

Protocol models_dialect(bool has_anthropic_version, bool has_goog_key, std::string_view path) {
  if (path.starts_with("/v1beta/")) return Protocol::gemini;
  if (has_anthropic_version) return Protocol::claude;
  return has_goog_key ? Protocol::gemini : Protocol::openai;
}

}  // namespace gproxy::translate
