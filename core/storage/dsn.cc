#include "storage/dsn.h"

#include <filesystem>
#include <system_error>

#include "base/base64.h"
#include "base/strings.h"

namespace gproxy::storage {
namespace {

namespace fs = std::filesystem;

Error bad_dsn(std::string message) {
  return Error{ErrorKind::invalid, "bad_dsn", std::move(message), "dsn"};
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

Result<Dsn::Mode> parse_mode(std::string_view value) {
  if (value == "rwc") return Dsn::Mode::rwc;
  if (value == "rw") return Dsn::Mode::rw;
  if (value == "ro") return Dsn::Mode::ro;
  if (value == "memory") return Dsn::Mode::memory;
  return bad_dsn("mode is one of ro, rw, rwc, memory, not `" + std::string(value) + "`");
}

Result<Dsn> parse_sqlite(Dsn dsn, std::string_view rest) {
  if (const size_t hash = rest.find('#'); hash != std::string_view::npos)
    rest = rest.substr(0, hash);
  std::string_view query;
  if (const size_t mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  rest = trim(rest);
  // Two slashes belong to the scheme; a third begins an absolute path.
  if (rest.starts_with("//")) rest.remove_prefix(2);
  auto path = percent_decode(rest);
  if (!path) return bad_dsn("the path has a broken percent escape");
  if (path->find('\0') != std::string::npos) return bad_dsn("the path has a NUL");
  dsn.path = std::move(*path);
  dsn.mode = Dsn::Mode::rw;
  for (std::string_view pair : split(query, '&')) {
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    const std::string_view key = pair.substr(0, equals);
    if (key != "mode") {
      return bad_dsn("unknown query key `" + std::string(key) + "`; `mode` is the only one");
    }
    GP_TRY(dsn.mode, parse_mode(equals == std::string_view::npos ? std::string_view()
                                                                 : pair.substr(equals + 1)));
  }
  if (iequals(dsn.path, ":memory:")) dsn.mode = Dsn::Mode::memory;
  if (dsn.mode == Dsn::Mode::memory) {
    dsn.path.clear();
  } else if (dsn.path.empty()) {
    return bad_dsn("sqlite: needs a path, as in sqlite://gproxy.db?mode=rwc");
  } else if (dsn.path.back() == '/') {
    return bad_dsn("the path names a folder, not a file");
  }
  return dsn;
}

}  // namespace

std::string mask_password(std::string_view text) {
  std::string out(text);
  const size_t authority = out.find("://");
  if (authority == std::string::npos) return out;
  const size_t begin = authority + 3;
  const size_t end = std::min(out.find_first_of("/?#", begin), out.size());
  const size_t at = out.rfind('@', end);
  if (at != std::string::npos && at > begin) {
    const size_t colon = out.find(':', begin);
    if (colon != std::string::npos && colon < at) out.replace(colon + 1, at - colon - 1, "***");
  }
  for (size_t from = out.find('?'); from != std::string::npos;) {
    const size_t next = out.find('&', from + 1);
    const size_t equals = out.find('=', from + 1);
    const size_t stop = next == std::string::npos ? out.size() : next;
    if (equals != std::string::npos && equals < stop &&
        starts_with_ignoring_case(std::string_view(out).substr(from + 1), "password=")) {
      out.replace(equals + 1, stop - equals - 1, "***");
    }
    from = out.find('&', from + 1);
  }
  return out;
}

Result<Dsn> parse_dsn(std::string_view text) {
  text = trim(text);
  Dsn dsn;
  dsn.text = std::string(text);
  dsn.shown = mask_password(text);
  if (text.empty()) return bad_dsn("the dsn is empty");
  if (iequals(text, ":memory:")) {
    dsn.mode = Dsn::Mode::memory;
    return dsn;
  }
  if (starts_with_ignoring_case(text, "sqlite:"))
    return parse_sqlite(std::move(dsn), text.substr(7));
  if (starts_with_ignoring_case(text, "postgres://") ||
      starts_with_ignoring_case(text, "postgresql://")) {
    dsn.backend = Dsn::Backend::postgres;
    return dsn;
  }
  if (starts_with_ignoring_case(text, "mysql:") || starts_with_ignoring_case(text, "mariadb:")) {
    return bad_dsn("mysql is not supported; use sqlite: or postgres://");
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return bad_dsn("the dsn has no scheme; for a file write sqlite://<path>?mode=rwc");
  }
  return bad_dsn("unknown scheme `" + std::string(text.substr(0, colon)) +
                 "`; sqlite: and postgres:// are known");
}

std::string default_dsn(std::string_view data_dir) {
  while (data_dir.size() > 1 && data_dir.back() == '/') data_dir.remove_suffix(1);
  if (data_dir.empty()) return "sqlite://gproxy.db?mode=rwc";
  if (data_dir == "/") return "sqlite:///gproxy.db?mode=rwc";
  return "sqlite://" + percent_encode(data_dir, "/") + "/gproxy.db?mode=rwc";
}

std::string data_directory(const Dsn& dsn, std::string_view configured) {
  while (configured.size() > 1 && configured.back() == '/') configured.remove_suffix(1);
  if (!configured.empty()) return std::string(configured);
  if (dsn.in_memory()) return {};
  if (dsn.backend == Dsn::Backend::sqlite) {
    const std::string parent = fs::path(dsn.path).parent_path().string();
    if (!parent.empty()) return parent;
  }
  return ".";
}

std::string ring_directory(const Dsn& dsn, std::string_view data_dir) {
  if (dsn.in_memory()) return {};
  // Beside its own file, so that two databases in one folder keep apart.
  if (dsn.backend == Dsn::Backend::sqlite) return dsn.path + ".rings";
  return (data_dir.empty() ? std::string(".") : std::string(data_dir)) + "/rings";
}

Result<void> create_directories(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) {
    const bool denied = ec == std::errc::permission_denied;
    return Error{ErrorKind::server, denied ? "no_permission" : "cannot_create",
                 "cannot create the folder " + path + ": " + ec.message()};
  }
  return ok();
}

Result<void> create_parent_directory(const Dsn& dsn) {
  if (dsn.backend != Dsn::Backend::sqlite || dsn.mode != Dsn::Mode::rwc) return ok();
  const std::string parent = fs::path(dsn.path).parent_path().string();
  if (parent.empty()) return ok();
  return create_directories(parent);
}

}  // namespace gproxy::storage
