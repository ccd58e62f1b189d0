// Parts that become text where the client's protocol has no place for them (wire-formats 3.0.5):
// executed code, images, audio. Internal to translate; pure.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "translate/codec.h"
#include "translate/model.h"

namespace gproxy::translate {

// What opens and closes the fence around a code or code_result part's deltas.
std::string fence_open(PartKind kind, std::string_view language);
inline constexpr std::string_view kFenceClose = "\n```\n";

// An image the model made: "[image omitted]", or a markdown data URL where the option says so.
std::string image_text(const json::Value& raw, const Options& options);
// An audio part's transcript, or "[audio omitted]".
std::string audio_text(const json::Value& raw);

// Chat's message.audio of an audio part; PCM is wrapped into a WAV container.
void write_chat_audio(json::Writer& w, const json::Value& raw, std::string_view id);

}  // namespace gproxy::translate
