// /admin/system/rekey: another master key while everything runs. A chain of short jobs for the
// store, so that rows and other changes get their turn in between.
#include <utility>

#include "admin/api.h"
#include "storage/secrets.h"

namespace gproxy::admin {
namespace {

std::string report_json(const storage::RekeyReport& report) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("done", report.done);
  w.field("fingerprint", report.fingerprint);
  w.field("records", report.records);
  w.field("unreadable", report.unreadable);
  w.key("key_file");
  report.key_file.empty() ? w.null() : w.string(report.key_file);
  w.end_object();
  return out;
}

Result<Secret> key_in(const std::string& file) {
  storage::MasterKeySource source;
  source.key_file = file;
  auto key = storage::read_master_key(source);
  if (key.ok()) return std::move(**key);
  Error error = std::move(key).error();
  error.kind = ErrorKind::invalid;
  error.param = "key_file";
  return error;
}

void go_on(const ContextPtr& c) {
  auto done = std::make_shared<bool>(false);
  c->plane.job(
      [done](storage::Store& store) -> Result<std::string> {
        GP_TRY(const auto report, store.rekey_step());
        *done = report.done;
        return report_json(report);
      },
      [c, done](Result<std::string> report) {
        report.ok() && !*done ? go_on(c) : answer(c, std::move(report));
      });
}

}  // namespace

void get_rekey(ContextPtr c) {
  c->plane.job(
      [](storage::Store& store) -> Result<std::string> { return report_json(store.rekey_state()); },
      [c](Result<std::string> report) { answer(c, std::move(report)); });
}

void post_rekey(ContextPtr c) {
  auto file = [&]() -> Result<std::optional<std::string>> {
    GP_CHECK(only_members(c->body, {"key_file"}));
    return opt_string(c->body, "key_file");
  }();
  if (!file.ok()) return c->respond(error_response(file.error()));
  c->plane.job(
      [file = *file](storage::Store& store) -> Result<std::string> {
        std::optional<Secret> key;
        if (file) {
          GP_TRY(key, key_in(*file));
        }
        GP_TRY(const auto report, store.begin_rekey(key));
        return report_json(report);
      },
      [c](Result<std::string> begun) { begun.ok() ? go_on(c) : answer(c, std::move(begun)); });
}

}  // namespace gproxy::admin
