#include "translate/bridge.h"

#include "translate/answer_common.h"

namespace gproxy::translate {

Result<void> StreamCollector::feed(std::string_view in) {
  if (failed_) return ok();
  Result<void> result = translator_.feed(in, body_);
  if (result.ok() && translator_.held_bytes() > max_bytes_) {
    result = bad_upstream("response_too_large", "the answer exceeds max_response_bytes");
  }
  if (!result.ok()) {
    failed_ = true;
    error_ = result.error();
  }
  return result;
}

TranslatedAnswer StreamCollector::finish() {
  if (!failed_) {
    if (auto result = translator_.finish(body_); !result.ok()) {
      failed_ = true;
      error_ = std::move(result).error();
    }
  }
  TranslatedAnswer answer;
  if (failed_) {
    answer = error_answer(request_, error_);
  } else {
    answer.body = std::move(body_);
  }
  answer.losses = translator_.losses();
  answer.usage = translator_.usage();
  return answer;
}

}  // namespace gproxy::translate
