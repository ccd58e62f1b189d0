#include "app/prices.h"

#include <fstream>
#include <string>
#include <utility>

namespace gproxy::app {
namespace {

constexpr size_t kMaxFileBytes = size_t{16} << 20;

}  // namespace

Result<storage::PriceTable> price_table(const config::Settings& settings) {
  const std::string& path = settings.prices_file;
  const auto bad = [&](const std::string& why) {
    Error error{ErrorKind::conflict, "bad_prices", path + ": " + why, "prices_file"};
    error.status = 409;
    return error;
  };
  std::string own;
  if (!path.empty()) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return bad("cannot be opened");
    char block[64 * 1024];
    while (file.read(block, sizeof block) || file.gcount() > 0) {
      own.append(block, static_cast<size_t>(file.gcount()));
      if (own.size() > kMaxFileBytes) return bad("is too large");
    }
    if (file.bad()) return bad("cannot be read");
    if (own.empty()) return bad("is empty");
  }
  auto table = storage::PriceTable::parse(storage::PriceTable::built_in(), own);
  if (table.ok()) return table;
  const Error& error = table.error();
  return bad(error.param.empty() ? error.message : error.param + ": " + error.message);
}

Result<void> check_prices(const config::Settings& settings) {
  if (settings.prices_file.empty()) return ok();
  auto table = price_table(settings);
  if (!table.ok()) return std::move(table).error();
  return ok();
}

}  // namespace gproxy::app
