#include "storage/sql_db.h"

namespace gproxy::storage {

Result<std::string> Db::text_of(const std::string& sql) {
  Query query(*this, sql);
  GP_TRY(const bool row, query.step());
  return row ? query.string(0) : std::string();
}

Result<int64_t> Db::number_of(const std::string& sql) {
  Query query(*this, sql);
  GP_TRY(const bool row, query.step());
  return row ? query.integer(0) : int64_t{0};
}

Query::Query(Db& db, const char* sql) {
  auto found = db.cached(sql);
  if (found) {
    statement_ = *found;
  } else {
    error_ = std::move(found).error();
  }
}

Query::Query(Db& db, const std::string& sql) {
  auto made = db.prepare(sql);
  if (made) {
    owned_ = std::move(*made);
    statement_ = owned_.get();
  } else {
    error_ = std::move(made).error();
  }
}

Query::~Query() {
  if (statement_ != nullptr && owned_ == nullptr) statement_->clear();
}

Result<bool> Query::step() {
  if (error_) return *error_;
  return statement_->step();
}

Result<void> Query::run() {
  GP_TRY([[maybe_unused]] const bool row, step());
  return ok();
}

void Query::again() {
  if (statement_ != nullptr) statement_->reset();
  next_parameter_ = 1;
}

}  // namespace gproxy::storage
