// Gemini generateContent answers, read and written (wire-formats 3 and 4). One object per answer.
#pragma once

#include <memory>

#include "translate/stream_codec.h"

namespace gproxy::translate {

std::unique_ptr<AnswerDecoder> make_gemini_decoder(const AnswerContext& context);
std::unique_ptr<AnswerEncoder> make_gemini_encoder(AnswerForm form, const AnswerContext& context);

}  // namespace gproxy::translate
