// Media in messages: data URLs, MIME types, text forms of documents. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "translate/model.h"

namespace gproxy::translate {

struct DataUrl {
  std::string_view mime;    // lower case, without parameters
  std::string_view base64;  // standard alphabet, padded, no white space
};
// data:<mime>[;param]*[;base64],<data>; nothing for other texts. Percent-encoded payloads become
// base64, base64url becomes base64.
std::optional<DataUrl> parse_data_url(std::string_view text, Arena& arena);
bool is_data_url(std::string_view text);
bool is_http_url(std::string_view text);
// Standard base64 without white space (a copy only where something had to change).
std::string_view normal_base64(std::string_view text, Arena& arena);
std::string_view make_data_url(std::string_view mime, std::string_view base64, Arena& arena);

// By file name or URL extension; empty when unknown.
std::string_view mime_of_name(std::string_view name);
std::string_view lower_mime(std::string_view mime, Arena& arena);  // without parameters
bool is_image(std::string_view mime);
bool is_audio(std::string_view mime);
bool is_video(std::string_view mime);
bool is_text(std::string_view mime);  // text/*, JSON, XML and the like
bool is_pdf(std::string_view mime);
bool is_claude_image(std::string_view mime);  // jpeg, png, gif, webp
// "wav" or "mp3", or empty: what Chat's input_audio takes.
std::string_view chat_audio_format(std::string_view mime);
std::string_view audio_mime(std::string_view format);

// What kind of part a file of this MIME type is.
PartKind part_kind_of(std::string_view mime);

// <document title="…">\n…\n</document>
std::string_view document_text(std::string_view title, std::string_view text, Arena& arena);
// The text of a base64 text file, or nothing when it is not UTF-8.
std::optional<std::string_view> decode_text(std::string_view base64, Arena& arena);
// [title](source)\n…
std::string_view search_result_text(const Media& media, Arena& arena);
// The text of a text document, whatever form it has; nothing when it is none.
std::optional<std::string_view> text_of_document(const Media& media, Arena& arena);

}  // namespace gproxy::translate
