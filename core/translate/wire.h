// Small helpers of the request codecs: paths, typed reading with the JSON path in the error, unknown
// members, building objects. Internal to translate; one exchange's arena.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/arena.h"
#include "base/json.h"
#include "base/result.h"
#include "translate/codec.h"

namespace gproxy::translate::wire {

// A new T in the arena. When its bound is reached: a scratch object, and arena.exhausted() says so.
template <class T>
T* make(Arena& arena) {
  if (auto* made = arena.make<T>()) return made;
  static thread_local T scratch;
  scratch = T();
  return &scratch;
}

const Path* key(Arena& arena, const Path* parent, std::string_view name);
const Path* item(Arena& arena, const Path* parent, size_t index);

// "expected a string, got a number", with the path.
Error wrong_type(const Path* at, std::string_view expected, const json::Value& got);
Error missing(const Path* at, std::string_view member);

// The member, or null when it is absent or JSON null.
const json::Value* get(const json::Value& object, std::string_view name);

// Absent gives the default; another type is a 400.
Result<std::string_view> text(const json::Value& object, std::string_view name, const Path* at);
Result<std::string_view> required_text(const json::Value& object, std::string_view name,
                                       const Path* at);
Result<int8_t> flag(const json::Value& object, std::string_view name, const Path* at);  // -1, 0, 1
Result<const json::Value*> object(const json::Value& parent, std::string_view name, const Path* at);
Result<const json::Value*> array(const json::Value& parent, std::string_view name, const Path* at);

// Parameters: a Param with its path (unset when absent or null).
enum class Want : uint8_t { any, number, integer, boolean, string, array, object };
Result<Param> param(const json::Value& object, std::string_view name, Want want, const Path* at,
                    Arena& arena);

// Every member not in `known` that is not null becomes a dropped loss.
void report_unknown(const json::Value& object, std::initializer_list<std::string_view> known,
                    const Path* at, LossLog& losses);

// Building: {"type":type}
json::Value typed(Arena& arena, std::string_view type);
inline json::Value str(std::string_view text) { return json::Value::string(text); }
// Copies a freshly built text into the arena.
json::Value own(Arena& arena, std::string_view text);

bool is_blank(std::string_view text);  // empty or ASCII white space (and U+00A0 etc. do not count)

// A dropped loss when the parameter was given.
void drop(const Param& param, LossLog& losses, std::string_view reason);

}  // namespace gproxy::translate::wire
