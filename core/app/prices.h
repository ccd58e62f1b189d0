// The prices in force: the built-in table, the operator's file before it. Reads that file; any
// thread but a worker's.
#pragma once

#include "base/result.h"
#include "config/schema.h"
#include "storage/prices.h"

namespace gproxy::app {

// Error: conflict 409 "bad_prices", param "prices_file"; the message names the file and the place
// in it ("prices[3].input").
Result<storage::PriceTable> price_table(const config::Settings& settings);

// Nothing wrong with them?
Result<void> check_prices(const config::Settings& settings);

}  // namespace gproxy::app
