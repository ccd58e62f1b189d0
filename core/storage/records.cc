#include "storage/records.h"

namespace gproxy::storage {

std::string_view name(Origin origin) {
  switch (origin) {
    case Origin::db:
      return "db";
    case Origin::file:
      return "file";
    case Origin::env:
      return "env";
    case Origin::cli:
      return "cli";
  }
  return "db";
}

Origin origin_from(int64_t number) {
  return number >= 0 && number <= static_cast<int64_t>(Origin::cli) ? static_cast<Origin>(number)
                                                                    : Origin::db;
}

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::failed:
      return "failed";
    case Outcome::cancelled:
      return "cancelled";
    case Outcome::truncated:
      return "truncated";
    case Outcome::refused:
      return "refused";
  }
  return "failed";
}

}  // namespace gproxy::storage
