#include "translate/count.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "translate/image_size.h"
#include "translate/request.h"

namespace gproxy::translate {
namespace {

constexpr int64_t kPerRequest = 3;  // the beginning of the answer
constexpr int64_t kPerMessage = 3;  // its role and its end
constexpr int64_t kPerTool = 8;     // a definition's frame
constexpr int64_t kPerCall = 3;
constexpr size_t kBytesPerPdfPage = 50'000;  // of base64, where the file is not read

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Tiles of 512 px after fitting into 2048 x 2048 and, the short side, into 768.
int64_t openai_image(std::optional<ImageSize> size, std::string_view detail) {
  constexpr int64_t kBase = 85, kPerTile = 170;
  if (detail == "low") return kBase;
  double width = size ? size->width : 1024, height = size ? size->height : 1024;
  const double fit = std::min(1.0, 2048 / std::max(width, height));
  width *= fit;
  height *= fit;
  const double narrow = std::min(1.0, 768 / std::min(width, height));
  const auto tiles = [&](double side) {
    return static_cast<int64_t>(std::ceil(side * narrow / 512 - 1e-9));
  };
  return kBase +
         kPerTile * std::max<int64_t>(tiles(width), 1) * std::max<int64_t>(tiles(height), 1);
}

// Pixels by 750 after fitting into 1568 px and 1.15 megapixels.
int64_t claude_image(std::optional<ImageSize> size) {
  if (!size) return 1600;
  double width = size->width, height = size->height;
  const double fit =
      std::min({1.0, 1568 / std::max(width, height), std::sqrt(1.15e6 / (width * height))});
  return std::max<int64_t>(1, static_cast<int64_t>(width * fit * height * fit / 750));
}

// 258 up to 384 px, else 258 for each tile of 768.
int64_t gemini_image(std::optional<ImageSize> size) {
  constexpr int64_t kTile = 258;
  if (!size || (size->width <= 384 && size->height <= 384)) return kTile;
  return kTile * ceil_div(size->width, 768) * ceil_div(size->height, 768);
}

class Walker {
 public:
  Walker(Protocol client, const std::function<void(std::string_view)>& text)
      : client_(client), text_(text) {}

  Countable count(const Request& request) {
    out_.by_rule = kPerRequest;
    for (const auto& segment : request.system) {
      out_.by_rule += kPerMessage;
      text(segment.text);
    }
    for (const auto& message : request.messages) {
      out_.by_rule += kPerMessage;
      text(message.name);
      for (const auto& item : message.parts) part(item);
    }
    for (const auto& tool : request.tools) {
      out_.by_rule += kPerTool;
      text(tool.name);
      text(tool.description);
      if (tool.kind == Tool::Kind::builtin) json(tool.raw);
      json(tool.schema);
      json(tool.format);
    }
    if (!request.format.schema.is_null()) {
      out_.by_rule += kPerTool;
      text(request.format.name);
      json(request.format.schema);
    }
    return out_;
  }

 private:
  void text(std::string_view text) {
    if (!text.empty()) text_(text);
  }
  // The written text dies with this call.
  void json(const json::Value& value) {
    if (!value.is_null()) text_(json::write(value));
  }
  void part(const Part& part) {
    switch (part.kind) {
      case PartKind::text:
      case PartKind::reasoning:
      case PartKind::refusal:
      case PartKind::code:
      case PartKind::code_result:
        text(part.text);
        break;
      case PartKind::image:
        image(*part.media);
        break;
      case PartKind::audio:
      case PartKind::video:
        out_.by_rule += static_cast<int64_t>(part.media->data.size() / 1000) + 100;
        out_.guessed = true;
        break;
      case PartKind::document:
      case PartKind::search_result:
        document(*part.media);
        break;
      case PartKind::call:
        out_.by_rule += kPerCall;
        text(part.call->name);
        text(part.call->args);
        if (part.call->args.empty()) json(part.call->parsed);
        break;
      case PartKind::result:
        for (const auto& piece : part.result->parts) this->part(piece);
        break;
      case PartKind::server:
      case PartKind::raw:
        json(part.raw);
        break;
    }
  }
  void image(const Media& media) {
    const auto size = media.source == Media::Source::base64 ? image_size(media.data) : std::nullopt;
    if (!size && media.detail != "low") out_.guessed = true;
    switch (client_) {
      case Protocol::claude:
        out_.by_rule += claude_image(size);
        break;
      case Protocol::gemini:
        out_.by_rule += gemini_image(size);
        break;
      default:
        out_.by_rule += openai_image(size, media.detail);
    }
  }
  void document(const Media& media) {
    text(media.name);
    if (media.source == Media::Source::text) {
      text(media.data);
    } else if (media.source == Media::Source::content) {
      for (const auto& piece : media.content) part(piece);
    } else {
      const int64_t per_page = client_ == Protocol::gemini ? 258 : 2000;
      out_.by_rule += per_page * static_cast<int64_t>(1 + media.data.size() / kBytesPerPdfPage);
      out_.guessed = true;
    }
  }

  Protocol client_;
  const std::function<void(std::string_view)>& text_;
  Countable out_;
};

}  // namespace

Countable count_parts(const Request& request, Protocol client,
                      const std::function<void(std::string_view)>& text) {
  auto out = Walker(client, text).count(request);
  out.estimate = estimate_tokens(request);
  return out;
}

Result<Countable> read_countable(Protocol client, std::string_view body, const RequestMeta& meta,
                                 const Options& options, Arena& arena,
                                 const std::function<void(std::string_view)>& text) {
  GP_TRY(const auto* request, decode_count_request(client, body, meta, options, arena));
  return count_parts(*request, client, text);
}

}  // namespace gproxy::translate
