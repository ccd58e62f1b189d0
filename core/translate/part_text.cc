#include "translate/part_text.h"

#include "base/base64.h"
#include "base/strings.h"

namespace gproxy::translate {

namespace {

void put_le(std::string& out, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// 16 bit mono PCM, as "audio/L16;codec=pcm;rate=24000" says it.
std::string wav_of_pcm(std::string_view pcm, uint32_t rate) {
  std::string out = "RIFF";
  put_le(out, static_cast<uint32_t>(36 + pcm.size()), 4);
  out += "WAVEfmt ";
  put_le(out, 16, 4);
  put_le(out, 1, 2);  // PCM
  put_le(out, 1, 2);  // one channel
  put_le(out, rate, 4);
  put_le(out, rate * 2, 4);
  put_le(out, 2, 2);
  put_le(out, 16, 2);
  out += "data";
  put_le(out, static_cast<uint32_t>(pcm.size()), 4);
  out += pcm;
  return out;
}

}  // namespace

std::string fence_open(PartKind kind, std::string_view language) {
  std::string out = "\n```";
  if (kind == PartKind::code && language != "LANGUAGE_UNSPECIFIED") out += to_lower(language);
  out += '\n';
  return out;
}

std::string image_text(const json::Value& raw, const Options& options) {
  const auto data = raw["data"].str();
  if (!options.markdown_images || data.empty()) return "[image omitted]";
  std::string out = "![image](data:";
  out += raw["mimeType"].str("image/png");
  out += ";base64,";
  out += data;
  out += ')';
  return out;
}

std::string audio_text(const json::Value& raw) {
  const auto transcript = raw["transcript"].str();
  return transcript.empty() ? "[audio omitted]" : std::string(transcript);
}

void write_chat_audio(json::Writer& w, const json::Value& raw, std::string_view id) {
  std::string data(raw["data"].str());
  const auto mime = to_lower(raw["mimeType"].str());
  if (mime.starts_with("audio/l16") || mime.starts_with("audio/pcm")) {
    uint32_t rate = 24000;
    if (const auto at = mime.find("rate="); at != std::string::npos) {
      const auto digits = std::string_view(mime).substr(at + 5);
      if (const auto said = parse_uint(digits.substr(0, digits.find(';')));
          said && *said > 0 && *said <= 384000) {
        rate = static_cast<uint32_t>(*said);
      }
    }
    if (const auto pcm = base64_decode(data)) data = base64_encode(wav_of_pcm(*pcm, rate));
  }
  w.begin_object();
  const auto own_id = raw["id"].str();
  w.field("id", own_id.empty() ? id : own_id);
  w.field("data", data);
  w.field("expires_at", raw["expires_at"].int_or(0));
  w.field("transcript", raw["transcript"].str());
  w.end_object();
}

}  // namespace gproxy::translate
