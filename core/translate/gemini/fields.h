// Proto JSON reading: every key in lowerCamelCase or snake_case, one object where a list is
// expected, enum words in any case, numbers as strings. Internal to translate; pure.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "translate/codec.h"
#include "translate/wire.h"

namespace gproxy::translate::gemini {

// Whether `key` spells `camel` ("inlineData": "inlineData" or "inline_data").
bool same_key(std::string_view key, std::string_view camel);
// The member, or null when absent or JSON null; the last of several.
const json::Value* field(const json::Value& object, std::string_view camel);
// The elements of a list, or the one value itself; none for null.
std::span<const json::Value> list(const json::Value* value);

Result<std::string_view> text_field(const json::Value& object, std::string_view camel,
                                    const Path* at);
Result<const json::Value*> object_field(const json::Value& object, std::string_view camel,
                                        const Path* at);
// Numbers may be strings.
enum class Number : uint8_t { integer, real };
Result<Param> number_field(const json::Value& object, std::string_view camel, Number kind,
                           const Path* at, Arena& arena);
Param any_field(const json::Value& object, std::string_view camel, const Path* at, Arena& arena);
bool flag_field(const json::Value& object, std::string_view camel);
void report_unknown(const json::Value& object, std::initializer_list<std::string_view> known,
                    const Path* at, LossLog& losses);
// "models/x" and "x" are one model.
std::string_view bare_model(std::string_view name);

}  // namespace gproxy::translate::gemini
