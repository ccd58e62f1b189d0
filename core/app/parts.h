// What serve and check share: finding folders, and turning options into what the floors want.
// Main thread, at start.
#pragma once

#include <string>
#include <vector>

#include "admin/bootstrap.h"
#include "app/options.h"
#include "base/result.h"
#include "modhost/registry.h"
#include "storage/dsn.h"
#include "storage/store.h"

namespace gproxy::app {

// The folder of the executable that runs.
std::string executable_folder();
size_t resident_bytes();
// Each --modules-dir, then the installed private library folder; absolute, without repetitions.
// What is given comes first: of two files with one id or kind the first wins. `configured`: the
// setting modules_dirs, after --modules-dir.
std::vector<std::string> module_directories(const Options& options,
                                            const std::vector<std::string>& configured = {});

std::vector<admin::Override> overrides_of(const Options& options);
Result<storage::Dsn> dsn_of(const Options& options);
storage::StoreOptions store_options_of(const Options& options, const storage::Dsn& dsn);
std::vector<std::string> seed_kinds(const modhost::ModuleRegistry& registry);

// Sets the exit code that goes with an error where the floors have not done so.
Error with_exit(Error error, int code);
// What main() returns for an error of start().
int exit_of(const Error& error);

}  // namespace gproxy::app
