// OpenAI Responses answers, read and written (wire-formats 3 and 4). One object per answer.
#pragma once

#include <memory>

#include "translate/stream_codec.h"

namespace gproxy::translate {

std::unique_ptr<AnswerDecoder> make_responses_decoder(const AnswerContext& context);
std::unique_ptr<AnswerEncoder> make_responses_encoder(AnswerForm form,
                                                      const AnswerContext& context);

}  // namespace gproxy::translate
