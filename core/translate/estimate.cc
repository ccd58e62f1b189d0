// Local estimate of input tokens (wire-formats 6.1): no tokenizer, bytes and code points.
#include <algorithm>
#include <cstring>

#include "translate/request.h"

#include "translate/schema.h"

namespace gproxy::translate {

namespace {

constexpr int64_t kPerMessage = 4;
constexpr int64_t kPerImage = 1600;
constexpr int64_t kPerPdf = 2000;
constexpr size_t kBytesPerPdfPage = 50000;  // base64; a rough page where the file is not read

struct Counter {
  int64_t tokens = 0;

  void text(std::string_view text) {
    size_t wide = 0, continuation = 0;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
      // Mostly ASCII: eight bytes at a time.
      uint64_t word = 0;
      if (end - at >= 8) {
        std::memcpy(&word, at, 8);
        if ((word & 0x8080808080808080u) == 0) {
          at += 8;
          continue;
        }
      }
      auto u = static_cast<unsigned char>(*at++);
      continuation += (u & 0xC0) == 0x80 ? 1 : 0;
      wide += u >= 0xE0 ? 1 : 0;  // leads of three and four bytes
    }
    size_t points = text.size() - continuation;
    // Mostly CJK and the like: a token is about one and a half characters.
    if (wide * 2 > points) {
      tokens += static_cast<int64_t>((points * 2 + 2) / 3);
    } else {
      tokens += static_cast<int64_t>((text.size() + 3) / 4);
    }
  }
  void json(const json::Value& value) {
    if (!value.is_null()) tokens += size_of(value) / 4;
  }
  // Length of the JSON text without writing it.
  static int64_t size_of(const json::Value& value) {
    switch (value.kind()) {
      case json::Kind::string:
        return static_cast<int64_t>(value.str().size()) + 2;
      case json::Kind::number:
        return static_cast<int64_t>(value.number_text().size());
      case json::Kind::array: {
        int64_t total = 2;
        for (const auto& item : value.items()) total += size_of(item) + 1;
        return total;
      }
      case json::Kind::object: {
        int64_t total = 2;
        for (const auto& member : value.members()) {
          total += static_cast<int64_t>(member.key.size()) + 4 + size_of(member.value);
        }
        return total;
      }
      default:
        return 4;
    }
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
        tokens += kPerImage;
        break;
      case PartKind::audio:
      case PartKind::video:
        tokens += static_cast<int64_t>(part.media->data.size() / 1000) + 100;
        break;
      case PartKind::document:
      case PartKind::search_result:
        media(*part.media);
        break;
      case PartKind::call:
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
  void media(const Media& media) {
    if (media.source == Media::Source::text) {
      text(media.data);
    } else if (media.source == Media::Source::content) {
      for (const auto& piece : media.content) part(piece);
    } else {
      tokens += kPerPdf * static_cast<int64_t>(1 + media.data.size() / kBytesPerPdfPage);
    }
  }
};

}  // namespace

int64_t estimate_body_tokens(std::string_view body) {
  constexpr size_t kBlock = 4096, kSample = 64;
  int64_t tokens = 0;
  bool in_media = false;
  for (size_t at = 0; at < body.size(); at += kBlock) {
    const auto block = body.substr(at, kBlock);
    // A piece of each block tells: text and JSON have spaces, quotes, colons; base64 has none.
    const auto sample = block.substr(block.size() / 2, kSample);
    const bool media =
        block.size() == kBlock && std::all_of(sample.begin(), sample.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '+' || c == '/' || c == '=';
        });
    if (!media) {
      tokens += static_cast<int64_t>((block.size() + 3) / 4);
    } else if (!in_media) {
      tokens += kPerImage;
    }
    in_media = media;
  }
  return tokens;
}

int64_t estimate_tokens(const Request& request) {
  Counter counter;
  for (const auto& segment : request.system) counter.text(segment.text);
  for (const auto& message : request.messages) {
    counter.tokens += kPerMessage;
    for (const auto& part : message.parts) counter.part(part);
  }
  for (const auto& tool : request.tools) {
    counter.text(tool.name);
    counter.text(tool.description);
    counter.json(tool.schema);
  }
  counter.json(request.format.schema);
  return counter.tokens;
}

}  // namespace gproxy::translate
