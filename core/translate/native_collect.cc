#include "translate/native_collect.h"

#include <deque>

#include "base/arena.h"
#include "translate/answer_common.h"

namespace gproxy::translate {

namespace {

using json::Value;

constexpr size_t kBlock = 4096;

// An object whose texts grow: they are kept apart from the tree, so that appending costs what it
// appends.
class Growing {
 public:
  // The texts that pieces are added to, by member name.
  void append(std::string_view name, std::string_view piece) {
    for (auto& text : texts_) {
      if (text.name == name) {
        text.value += piece;
        return;
      }
    }
    texts_.push_back({std::string(name), std::string(piece)});
  }
  void set(Arena& arena, std::string_view name, const Value& value) {
    rest_.set(arena, arena.copy(name), deep_copy(value, arena));
  }
  // Lists grow at their end.
  void extend(Arena& arena, std::string_view name, const Value& list) {
    auto* known = rest_.find(name);
    if (known == nullptr || !known->is_array()) return set(arena, name, list);
    for (const auto& item : list.items()) known->push(arena, deep_copy(item, arena));
  }
  const Value& operator[](std::string_view name) const { return rest_[name]; }
  std::string_view text(std::string_view name) const {
    for (const auto& text : texts_) {
      if (text.name == name) return text.value;
    }
    return {};
  }
  bool has_text(std::string_view name) const {
    for (const auto& text : texts_) {
      if (text.name == name) return true;
    }
    return false;
  }
  // The object; views of this.
  Value value(Arena& arena) const {
    Value out = rest_;
    for (const auto& text : texts_) out.set(arena, text.name, Value::string(text.value));
    return out;
  }
  size_t held_bytes() const {
    size_t bytes = 0;
    for (const auto& text : texts_) bytes += text.value.size();
    return bytes;
  }

 private:
  struct Text {
    std::string name, value;
  };
  Value rest_ = Value::object();
  std::deque<Text> texts_;
};

class CollectorBase : public NativeCollector {
 public:
  explicit CollectorBase(size_t max_bytes) : arena_(kBlock, max_bytes) {}
  size_t held_bytes() const override { return arena_.used() + text_bytes(); }

 protected:
  virtual size_t text_bytes() const = 0;
  bool finish(Value answer, std::string_view model_member, std::string_view model,
              std::string& out) {
    if (!model.empty()) answer.set(arena_, model_member, Value::string(model));
    if (arena_.exhausted() || answer.empty()) return false;
    json::write_to(answer, out);
    return true;
  }
  // A member that says nothing does not take the place of one that does.
  void keep(Growing& into, std::string_view name, const Value& value) {
    if (value.is_null() && into[name].is_null()) into.set(arena_, name, value);
    if (!value.is_null()) into.set(arena_, name, value);
  }

  Arena arena_;
};

// ---- Chat Completions ---------------------------------------------------------------------------

class ChatCollector final : public CollectorBase {
 public:
  using CollectorBase::CollectorBase;

  void take(const Value& chunk) override {
    for (const auto& member : chunk.members()) {
      if (member.key != "choices" && member.key != "object") keep(top_, member.key, member.value);
    }
    for (const auto& said : chunk["choices"].items()) {
      Choice& choice = choice_of(said["index"].int_or(0));
      for (const auto& member : said.members()) {
        if (member.key == "delta") {
          take_delta(choice, member.value);
        } else if (member.key == "logprobs" && member.value.is_object()) {
          for (const auto& list : member.value.members()) {
            if (list.value.is_array()) {
              choice.logprobs.extend(arena_, list.key, list.value);
            } else {
              keep(choice.logprobs, list.key, list.value);
            }
          }
          choice.any_logprobs = true;
        } else {
          keep(choice.rest, member.key, member.value);
        }
      }
    }
  }

  bool write(std::string_view model, std::string& out) override {
    auto answer = top_.value(arena_);
    answer.set(arena_, "object", Value::string("chat.completion"));
    auto choices = Value::array();
    for (auto& choice : choices_) {
      auto message = choice.message.value(arena_);
      if (!choice.calls.empty()) {
        auto calls = Value::array();
        for (const auto& call : choice.calls) calls.push(arena_, call_value(call));
        message.set(arena_, "tool_calls", calls);
      }
      if (!message.has("role")) message.set(arena_, "role", Value::string("assistant"));
      if (!message.has("content") || (message["content"].str().empty() && !choice.calls.empty())) {
        message.set(arena_, "content", Value());
      }
      auto whole = choice.rest.value(arena_);
      whole.set(arena_, "message", message);
      if (choice.any_logprobs) whole.set(arena_, "logprobs", choice.logprobs.value(arena_));
      choices.push(arena_, whole);
    }
    answer.set(arena_, "choices", choices);
    return !choices_.empty() && finish(answer, "model", model, out);
  }

 private:
  struct Call {
    int64_t index = 0;
    Growing rest, inner;
    std::string holder;  // "function" or "custom"
  };
  struct Choice {
    int64_t index = 0;
    Growing rest, message, logprobs;
    bool any_logprobs = false;
    std::deque<Call> calls;
  };

  size_t text_bytes() const override {
    size_t bytes = 0;
    for (const auto& choice : choices_) {
      bytes += choice.message.held_bytes();
      for (const auto& call : choice.calls) bytes += call.inner.held_bytes();
    }
    return bytes;
  }
  Choice& choice_of(int64_t index) {
    for (auto& choice : choices_) {
      if (choice.index == index) return choice;
    }
    auto& choice = choices_.emplace_back();
    choice.index = index;
    return choice;
  }

  void take_delta(Choice& choice, const Value& delta) {
    for (const auto& member : delta.members()) {
      if (member.key == "tool_calls") {
        for (const auto& call : member.value.items()) take_call(choice, call);
      } else if (member.value.is_string() && member.key != "role") {
        choice.message.append(member.key, member.value.str());
      } else if (member.value.is_array()) {
        choice.message.extend(arena_, member.key, member.value);
      } else if (!(member.value.is_null() && choice.message.has_text(member.key))) {
        keep(choice.message, member.key, member.value);
      }
    }
  }

  void take_call(Choice& choice, const Value& said) {
    const auto index = said["index"].int_or(static_cast<int64_t>(choice.calls.size()));
    Call* call = nullptr;
    for (auto& known : choice.calls) {
      if (known.index == index) call = &known;
    }
    if (call == nullptr) {
      call = &choice.calls.emplace_back();
      call->index = index;
    }
    for (const auto& member : said.members()) {
      if ((member.key == "function" || member.key == "custom") && member.value.is_object()) {
        call->holder = member.key;
        for (const auto& inner : member.value.members()) {
          const bool grows = inner.key == "arguments" || inner.key == "input";
          if (grows && inner.value.is_string()) {
            call->inner.append(inner.key, inner.value.str());
          } else if (!inner.value.str().empty() || !inner.value.is_string()) {
            keep(call->inner, inner.key, inner.value);
          }
        }
      } else if (member.key != "index" &&
                 !(member.value.is_string() && member.value.str().empty())) {
        keep(call->rest, member.key, member.value);
      }
    }
  }

  Value call_value(const Call& call) {
    auto out = call.rest.value(arena_);
    if (!call.holder.empty()) out.set(arena_, call.holder, call.inner.value(arena_));
    return out;
  }

  Growing top_;
  std::deque<Choice> choices_;
};

// ---- Claude Messages ----------------------------------------------------------------------------

class ClaudeCollector final : public CollectorBase {
 public:
  using CollectorBase::CollectorBase;

  void take(const Value& event) override {
    const auto type = event["type"].str();
    if (type == "message_start") {
      for (const auto& member : event["message"].members()) {
        if (member.key == "usage") {
          take_usage(member.value);
        } else if (member.key != "content") {
          message_.set(arena_, member.key, member.value);
        }
      }
    } else if (type == "content_block_start") {
      auto& block = blocks_.emplace_back();
      block.index = event["index"].int_or(0);
      for (const auto& member : event["content_block"].members()) {
        const bool grows =
            member.key == "text" || member.key == "thinking" || member.key == "signature";
        if (grows && member.value.is_string()) {
          block.rest.append(member.key, member.value.str());
        } else {
          block.rest.set(arena_, member.key, member.value);
        }
      }
    } else if (type == "content_block_delta") {
      take_delta(event["index"].int_or(0), event["delta"]);
    } else if (type == "message_delta") {
      for (const auto& member : event["delta"].members())
        message_.set(arena_, member.key, member.value);
      take_usage(event["usage"]);
      for (const auto& member : event.members()) {
        if (member.key != "type" && member.key != "delta" && member.key != "usage") {
          message_.set(arena_, member.key, member.value);
        }
      }
    }
  }

  bool write(std::string_view model, std::string& out) override {
    auto answer = message_.value(arena_);
    auto content = Value::array();
    for (const auto& block : blocks_) {
      auto value = block.rest.value(arena_);
      if (!block.json.empty()) {
        auto input = json::parse(block.json, arena_);
        if (!input.ok()) return false;
        value.set(arena_, "input", *input);
      }
      content.push(arena_, value);
    }
    answer.set(arena_, "content", content);
    answer.set(arena_, "usage", usage_.value(arena_));
    return message_["type"].is_string() && finish(answer, "model", model, out);
  }

 private:
  struct Block {
    int64_t index = 0;
    Growing rest;
    std::string json;
  };

  size_t text_bytes() const override {
    size_t bytes = 0;
    for (const auto& block : blocks_) bytes += block.rest.held_bytes() + block.json.size();
    return bytes;
  }

  void take_usage(const Value& usage) {
    for (const auto& member : usage.members()) keep(usage_, member.key, member.value);
  }

  void take_delta(int64_t index, const Value& delta) {
    for (auto& block : blocks_) {
      if (block.index != index) continue;
      for (const auto& member : delta.members()) {
        if (member.key == "type") continue;
        if (member.key == "partial_json") {
          block.json += member.value.str();
        } else if (member.key == "citation") {
          auto one = Value::array();
          one.push(arena_, member.value);
          block.rest.extend(arena_, "citations", one);
        } else if (member.value.is_string()) {
          block.rest.append(member.key, member.value.str());
        } else {
          block.rest.set(arena_, member.key, member.value);
        }
      }
      return;
    }
  }

  Growing message_, usage_;
  std::deque<Block> blocks_;
};

// ---- Gemini -------------------------------------------------------------------------------------

class GeminiCollector final : public CollectorBase {
 public:
  using CollectorBase::CollectorBase;

  void take(const Value& chunk) override {
    for (const auto& member : chunk.members()) {
      if (member.key != "candidates") keep(top_, member.key, member.value);
    }
    int64_t position = 0;
    for (const auto& said : chunk["candidates"].items()) {
      Candidate& candidate = candidate_of(said["index"].int_or(position++));
      for (const auto& member : said.members()) {
        if (member.key != "content") {
          keep(candidate.rest, member.key, member.value);
          continue;
        }
        for (const auto& inner : member.value.members()) {
          if (inner.key != "parts") keep(candidate.content, inner.key, inner.value);
        }
        for (const auto& part : member.value["parts"].items()) take_part(candidate, part);
      }
    }
  }

  bool write(std::string_view model, std::string& out) override {
    auto answer = top_.value(arena_);
    if (!candidates_.empty()) {
      auto list = Value::array();
      for (const auto& candidate : candidates_) {
        auto content = candidate.content.value(arena_);
        auto parts = Value::array();
        for (const auto& part : candidate.parts) parts.push(arena_, part.rest.value(arena_));
        content.set(arena_, "parts", parts);
        auto whole = candidate.rest.value(arena_);
        whole.set(arena_, "content", content);
        list.push(arena_, whole);
      }
      answer.set(arena_, "candidates", list);
    }
    return finish(answer, "modelVersion", model, out);
  }

 private:
  struct Part {
    Growing rest;
    bool text = false, thought = false, is_signed = false;
  };
  struct Candidate {
    int64_t index = 0;
    Growing rest, content;
    std::deque<Part> parts;
  };

  size_t text_bytes() const override {
    size_t bytes = 0;
    for (const auto& candidate : candidates_) {
      for (const auto& part : candidate.parts) bytes += part.rest.held_bytes();
    }
    return bytes;
  }
  Candidate& candidate_of(int64_t index) {
    for (auto& candidate : candidates_) {
      if (candidate.index == index) return candidate;
    }
    auto& candidate = candidates_.emplace_back();
    candidate.index = index;
    return candidate;
  }

  // Neighbouring texts of one kind are one part; everything else stays alone.
  void take_part(Candidate& candidate, const Value& part) {
    const bool text = part["text"].is_string();
    const bool thought = part["thought"].as_bool();
    const bool is_signed = part.has("thoughtSignature");
    auto* last = candidate.parts.empty() ? nullptr : &candidate.parts.back();
    const bool joins = text && last != nullptr && last->text && last->thought == thought &&
                       !(last->is_signed && is_signed);
    if (!joins) {
      last = &candidate.parts.emplace_back();
      last->text = text;
      last->thought = thought;
    }
    last->is_signed = last->is_signed || is_signed;
    for (const auto& member : part.members()) {
      if (member.key == "text" && text) {
        last->rest.append("text", member.value.str());
      } else {
        last->rest.set(arena_, member.key, member.value);
      }
    }
  }

  Growing top_;
  std::deque<Candidate> candidates_;
};

}  // namespace

std::unique_ptr<NativeCollector> make_native_collector(Protocol protocol, size_t max_bytes) {
  switch (protocol) {
    case Protocol::openai_chat:
      return std::make_unique<ChatCollector>(max_bytes);
    case Protocol::claude:
      return std::make_unique<ClaudeCollector>(max_bytes);
    case Protocol::gemini:
      return std::make_unique<GeminiCollector>(max_bytes);
    default:
      return nullptr;
  }
}

}  // namespace gproxy::translate
