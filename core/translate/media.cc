#include "translate/media.h"

#include <algorithm>

#include "base/base64.h"
#include "base/strings.h"

namespace gproxy::translate {

namespace {

struct Extension {
  std::string_view suffix, mime;
};
constexpr Extension kExtensions[] = {
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"bmp", "image/bmp"},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"svg", "image/svg+xml"},
    {"pdf", "application/pdf"},
    {"txt", "text/plain"},
    {"md", "text/markdown"},
    {"csv", "text/csv"},
    {"html", "text/html"},
    {"htm", "text/html"},
    {"xml", "text/xml"},
    {"css", "text/css"},
    {"js", "text/javascript"},
    {"py", "text/x-python"},
    {"json", "application/json"},
    {"wav", "audio/wav"},
    {"mp3", "audio/mp3"},
    {"ogg", "audio/ogg"},
    {"flac", "audio/flac"},
    {"aac", "audio/aac"},
    {"m4a", "audio/mp4"},
    {"aiff", "audio/aiff"},
    {"mp4", "video/mp4"},
    {"mov", "video/quicktime"},
    {"webm", "video/webm"},
    {"mpeg", "video/mpeg"},
    {"mpg", "video/mpeg"},
    {"avi", "video/x-msvideo"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
};

bool starts_with_nocase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

std::string_view mime_before_parameters(std::string_view mime) {
  return trim(mime.substr(0, mime.find(';')));
}

}  // namespace

bool is_data_url(std::string_view text) {
  return starts_with_nocase(text, "data:");
}

bool is_http_url(std::string_view text) {
  return starts_with_nocase(text, "http://") || starts_with_nocase(text, "https://");
}

std::string_view normal_base64(std::string_view text, Arena& arena) {
  bool clean = text.size() % 4 == 0;
  if (clean) {
    for (char c : text) {
      if (c == '-' || c == '_' || static_cast<unsigned char>(c) <= ' ') {
        clean = false;
        break;
      }
    }
  }
  if (clean) return text;
  std::string out;
  out.reserve(text.size() + 3);
  for (char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '=') continue;
    out += c == '-' ? '+' : c == '_' ? '/' : c;
  }
  while (out.size() % 4 != 0) out += '=';
  return arena.copy(out);
}

std::string_view lower_mime(std::string_view mime, Arena& arena) {
  mime = mime_before_parameters(mime);
  for (char c : mime) {
    if (c >= 'A' && c <= 'Z') return arena.copy(to_lower(mime));
  }
  return mime;
}

std::optional<DataUrl> parse_data_url(std::string_view text, Arena& arena) {
  if (!is_data_url(text)) return std::nullopt;
  auto comma = text.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  auto head = text.substr(5, comma - 5);
  auto data = text.substr(comma + 1);
  DataUrl url;
  bool base64 = false;
  auto semicolon = head.find(';');
  url.mime = lower_mime(head, arena);
  while (semicolon != std::string_view::npos) {
    head.remove_prefix(semicolon + 1);
    semicolon = head.find(';');
    if (iequals(trim(head.substr(0, semicolon)), "base64")) base64 = true;
  }
  if (url.mime.empty()) url.mime = "text/plain";
  if (base64) {
    if (data.find('%') != std::string_view::npos) {
      // What escapes to other than base64's characters is passed on as it was written.
      auto decoded = percent_decode(data);
      const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
      if (decoded && std::all_of(decoded->begin(), decoded->end(), is_ascii)) {
        data = arena.copy(*decoded);
      }
    }
    url.base64 = normal_base64(data, arena);
  } else {
    auto decoded = percent_decode(data);
    url.base64 = arena.copy(base64_encode(decoded ? *decoded : std::string(data)));
  }
  return url;
}

std::string_view make_data_url(std::string_view mime, std::string_view base64, Arena& arena) {
  return arena.concat({"data:", mime, ";base64,", base64});
}

std::string_view mime_of_name(std::string_view name) {
  name = name.substr(0, name.find_first_of("?#"));
  auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  auto suffix = name.substr(dot + 1);
  for (const auto& extension : kExtensions) {
    if (iequals(suffix, extension.suffix)) return extension.mime;
  }
  return {};
}

bool is_image(std::string_view mime) {
  return mime.substr(0, 6) == "image/";
}
bool is_audio(std::string_view mime) {
  return mime.substr(0, 6) == "audio/";
}
bool is_video(std::string_view mime) {
  return mime.substr(0, 6) == "video/";
}
bool is_pdf(std::string_view mime) {
  return mime == "application/pdf";
}
bool is_text(std::string_view mime) {
  return mime.substr(0, 5) == "text/" || mime == "application/json" || mime == "application/xml" ||
         mime == "application/javascript" || mime == "application/x-javascript" ||
         mime == "application/yaml" || mime == "application/x-yaml";
}
bool is_claude_image(std::string_view mime) {
  return mime == "image/jpeg" || mime == "image/png" || mime == "image/gif" || mime == "image/webp";
}

std::string_view chat_audio_format(std::string_view mime) {
  if (mime == "audio/wav" || mime == "audio/x-wav" || mime == "audio/wave") return "wav";
  if (mime == "audio/mp3" || mime == "audio/mpeg") return "mp3";
  return {};
}

std::string_view audio_mime(std::string_view format) {
  if (format == "wav") return "audio/wav";
  if (format == "mp3") return "audio/mp3";
  return {};
}

PartKind part_kind_of(std::string_view mime) {
  if (is_image(mime)) return PartKind::image;
  if (is_audio(mime)) return PartKind::audio;
  if (is_video(mime)) return PartKind::video;
  return PartKind::document;
}

std::string_view document_text(std::string_view title, std::string_view text, Arena& arena) {
  if (title.empty()) return arena.concat({"<document>\n", text, "\n</document>"});
  std::string safe;
  for (char c : title) {
    if (c == '"') {
      safe += "&quot;";
    } else {
      safe += c;
    }
  }
  return arena.concat({"<document title=\"", safe, "\">\n", text, "\n</document>"});
}

std::optional<std::string_view> decode_text(std::string_view base64, Arena& arena) {
  auto bytes = base64_decode(base64);
  if (!bytes || !is_valid_utf8(*bytes)) return std::nullopt;
  std::string_view text = *bytes;
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  return arena.copy(text);
}

std::string_view search_result_text(const Media& media, Arena& arena) {
  std::string out = "[";
  out += media.name;
  out += "](";
  out += media.data;
  out += ")";
  for (const auto& part : media.content) {
    if (part.kind != PartKind::text) continue;
    out += '\n';
    out += part.text;
  }
  return arena.copy(out);
}

std::optional<std::string_view> text_of_document(const Media& media, Arena& arena) {
  switch (media.source) {
    case Media::Source::text:
      return media.data;
    case Media::Source::base64:
      if (!is_text(media.mime)) return std::nullopt;
      return decode_text(media.data, arena);
    case Media::Source::content: {
      std::string out;
      for (const auto& part : media.content) {
        if (part.kind != PartKind::text) continue;
        if (!out.empty()) out += '\n';
        out += part.text;
      }
      return arena.copy(out);
    }
    default:
      return std::nullopt;
  }
}

}  // namespace gproxy::translate
