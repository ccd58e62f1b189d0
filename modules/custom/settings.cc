// Reads channel_settings once, in create. Each refusal names the setting by its path.
#include <algorithm>

#include "custom.h"

namespace gproxy_custom {
namespace {

constexpr size_t kMaxExtras = 32;

bool is_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  });
}

// Headers that frame the message are the host's.
bool frames_message(std::string_view name) {
  for (std::string_view own :
       {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer",
        "upgrade", "expect", "accept-encoding", "content-encoding"}) {
    if (gp::equals_ignoring_case(own, name)) return true;
  }
  return gp::equals_ignoring_case(name.substr(0, 6), "proxy-");
}

bool absent(const gp::Json::Value& value) {
  return !value.found || value.type == GP_JSON_NULL;
}

}  // namespace

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  const gp::Status status = provider->read_settings(settings);
  if (status.ok()) out = std::move(provider);
  return status;
}

gp::Status Provider::read_settings(const gp::Settings& settings) {
  const gp::Json json = settings.json();
  if (json.get("/base_url").or_empty().empty())
    return gp::invalid("base_url is required", "base_url");
  std::string base_url;
  if (auto status = gp::base_url_setting(settings, {}, base_url); !status.ok()) return status;
  bases_ = bases_of(base_url);

  const auto proto = json.get("/proto");
  const int32_t protocol = protocol_named(proto.or_empty());
  if (protocol == GP_PROTOCOL_NONE) {
    return gp::invalid("proto must be claude, openai_chat, openai_response, gemini or openai",
                       "proto");
  }
  if (auto status = read_dispatch(json, protocol, settings.arena, routes_); !status.ok())
    return status;
  if (auto status = read_models(json, settings.arena); !status.ok()) return status;

  if (auto status = read_count(json); !status.ok()) return status;
  if (auto status = read_mask(json, settings.arena); !status.ok()) return status;
  return read_extras(json, settings.arena);
}

gp::Status Provider::read_models(const gp::Json& json, const gp::Arena& arena) {
  const gp::Status status = models_.read(json, "/model_table", "model_table", arena);
  if (!status.ok() || models_.empty()) return status;
  // The table answers for every protocol whose list is served at all.
  for (gp_route& row : routes_) {
    if (row.operation == GP_OP_MODEL_LIST || row.operation == GP_OP_MODEL_GET) {
      row.mode = GP_ROUTE_LOCAL;
      row.target = 0;
    }
  }
  return gp::ok();
}

gp::Status Provider::read_mask(const gp::Json& json, const gp::Arena& arena) {
  const auto mode = json.get("/json_param_mask_mode");
  const std::string_view name = mode.or_empty();
  if (name == "remove") {
    mask_.set_mode(MaskMode::remove);
  } else if (!absent(mode) && (!mode.is_string() || (!name.empty() && name != "null"))) {
    return gp::invalid("json_param_mask_mode must be \"null\" or \"remove\"",
                       "json_param_mask_mode");
  }
  const auto list = json.get("/json_param_mask");
  if (absent(list)) return gp::ok();
  if (!list.is_array())
    return gp::invalid("json_param_mask must be an array of paths", "json_param_mask");
  gp::Status error;
  size_t position = 0;
  json.each(json.node("/json_param_mask"), [&](const gp_json_member& member) {
    if (member.value.type != GP_JSON_STRING) {
      error = gp::invalid("json_param_mask must be an array of paths", "json_param_mask");
    } else {
      error = mask_.add(json.decode(member.value), position++, arena);
    }
    return error.ok();
  });
  return error;
}

gp::Status Provider::read_extras(const gp::Json& json, const gp::Arena& arena) {
  for (std::string_view setting : {"extra_headers", "extra_query"}) {
    const bool headers = setting == "extra_headers";
    const auto object = json.get(arena.concat({"/", setting}));
    if (absent(object)) continue;
    if (!object.is_object())
      return gp::invalid(arena.concat({setting, " must be an object of texts"}), setting);
    gp::Status error;
    size_t count = 0;
    json.each(json.node(arena.concat({"/", setting})), [&](const gp_json_member& member) {
      const std::string_view name = json.decode(member.key);
      const std::string_view value =
          member.value.type == GP_JSON_STRING ? json.decode(member.value) : "\n";
      const std::string_view param = arena.concat({setting, ".", name.substr(0, 64)});
      const bool printable = std::none_of(value.begin(), value.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
      });
      if (!printable || value.size() > 4096) {
        error =
            gp::invalid("must be a text of at most 4096 bytes without control characters", param);
      } else if (++count > kMaxExtras) {
        error = gp::invalid("has more than 32 entries", setting);
      } else if (headers && (!is_token(name) || frames_message(name))) {
        error = gp::invalid("is not the name of a header that may be set", param);
      } else if (headers) {
        extra_headers_.emplace_back(name, value);
      } else {
        if (!extra_query_.empty()) extra_query_ += '&';
        extra_query_ += gp::encode_query(arena, name);
        extra_query_ += '=';
        extra_query_ += gp::encode_query(arena, value);
      }
      return error.ok();
    });
    if (!error.ok()) return error;
  }
  return gp::ok();
}

}  // namespace gproxy_custom
