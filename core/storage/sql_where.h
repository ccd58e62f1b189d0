// A WHERE clause made of the parts that are given, with its parameters in order. Column names are
// literals of the caller; values only ever become parameters.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/sql_db.h"

namespace gproxy::storage {

class Where {
 public:
  // "column op $n"
  Where& add(std::string_view column, std::string_view op, int64_t value) {
    return part(column, op, value);
  }
  Where& add(std::string_view column, std::string_view op, std::string_view value) {
    return part(column, op, std::string(value));
  }
  template <class T>
  Where& equals(std::string_view column, const std::optional<T>& value) {
    if (value) add(column, "=", *value);
    return *this;
  }
  // Some text with one `?`, which becomes the parameter.
  Where& with(std::string_view text, std::variant<int64_t, std::string> value) {
    const size_t mark = text.find('?');
    begin().append(text.substr(0, mark)).append(parameter());
    sql_.append(text.substr(mark + 1));
    values_.push_back(std::move(value));
    return *this;
  }
  // NOT (a = $n AND b op $m): what a cursor has seen of its own moment.
  Where& not_both(std::string_view a, int64_t is, std::string_view b, std::string_view op,
                  int64_t than) {
    begin().append("NOT (").append(a).append(" = ").append(parameter());
    values_.emplace_back(is);
    sql_.append(" AND ").append(b).append(" ").append(op).append(" ").append(parameter());
    sql_.append(")");
    values_.emplace_back(than);
    return *this;
  }
  const std::string& sql() const { return sql_; }  // " WHERE …" or empty
  void bind(Query& query) const {
    for (const auto& value : values_) {
      if (const auto* number = std::get_if<int64_t>(&value)) {
        query.with(*number);
      } else {
        query.with(std::get<std::string>(value));
      }
    }
  }

 private:
  std::string& begin() { return sql_.append(sql_.empty() ? " WHERE " : " AND "); }
  std::string parameter() const { return "$" + std::to_string(values_.size() + 1); }
  template <class T>
  Where& part(std::string_view column, std::string_view op, T value) {
    begin().append(column).append(" ").append(op).append(" ").append(parameter());
    values_.emplace_back(std::move(value));
    return *this;
  }

  std::string sql_;
  std::vector<std::variant<int64_t, std::string>> values_;
};

}  // namespace gproxy::storage
