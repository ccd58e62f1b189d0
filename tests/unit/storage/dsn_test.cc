#include "storage/dsn.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;

TEST_CASE("two slashes are the scheme's, a third begins an absolute path") {
  struct Row {
    const char* dsn;
    const char* path;
  };
  for (const Row& row :
       {Row{"sqlite:///abs/gproxy.db", "/abs/gproxy.db"},
        Row{"sqlite://rel/gproxy.db", "rel/gproxy.db"}, Row{"sqlite:rel.db", "rel.db"},
        Row{"sqlite:/abs.db?mode=rwc", "/abs.db"}, Row{"SQLite://gproxy.db?mode=rwc", "gproxy.db"},
        Row{"  sqlite://gproxy.db#part ", "gproxy.db"},
        Row{"sqlite://with%20space.db", "with space.db"}}) {
    CAPTURE(row.dsn);
    auto dsn = parse_dsn(row.dsn);
    REQUIRE(dsn);
    CHECK(dsn->path == row.path);
    CHECK(dsn->backend == Dsn::Backend::sqlite);
  }
}

TEST_CASE("mode decides whether a missing file is made") {
  CHECK(parse_dsn("sqlite://a.db")->mode == Dsn::Mode::rw);
  CHECK(parse_dsn("sqlite://a.db?mode=rwc")->mode == Dsn::Mode::rwc);
  CHECK(parse_dsn("sqlite://a.db?mode=ro")->mode == Dsn::Mode::ro);
  CHECK(parse_dsn("sqlite://a.db?mode=memory")->in_memory());
  CHECK(parse_dsn("sqlite://:memory:")->in_memory());
  CHECK(parse_dsn("sqlite::MEMORY:")->in_memory());
  CHECK(parse_dsn(":memory:")->in_memory());
}

TEST_CASE("postgres is told apart") {
  CHECK(parse_dsn("postgres://u@h/db")->backend == Dsn::Backend::postgres);
  CHECK(parse_dsn("postgresql://u@h/db")->backend == Dsn::Backend::postgres);
}

TEST_CASE("what cannot be meant is refused, by name where it helps") {
  struct Row {
    const char* dsn;
    const char* says;
  };
  for (const Row& row :
       {Row{"", "empty"}, Row{"mysql://u@h/db", "mysql"}, Row{"gproxy.db", "no scheme"},
        Row{"oracle://x", "oracle"}, Row{"sqlite://", "path"}, Row{"sqlite:", "path"},
        Row{"sqlite://dir/", "folder"}, Row{"sqlite://a.db?mode=rwx", "rwx"},
        Row{"sqlite://a.db?mode=rwc&cache=shared", "cache"}, Row{"sqlite://a.db?vfs=unix", "vfs"},
        Row{"sqlite://a%zz.db", "percent"}}) {
    CAPTURE(row.dsn);
    auto dsn = parse_dsn(row.dsn);
    REQUIRE_FALSE(dsn.ok());
    CHECK(dsn.error().code == "bad_dsn");
    CHECK(exit_code(dsn.error()) == 78);
    CHECK(dsn.error().message.find(row.says) != std::string::npos);
  }
}

TEST_CASE("a password is never shown") {
  CHECK(parse_dsn("postgres://user:hunter2@host:5432/db")->shown ==
        "postgres://user:***@host:5432/db");
  CHECK(parse_dsn("postgres://user:hun@ter2@host/db")->shown == "postgres://user:***@host/db");
  CHECK(parse_dsn("postgres://host/db?user=u&password=hunter2&sslmode=require")->shown ==
        "postgres://host/db?user=u&password=***&sslmode=require");
  CHECK(parse_dsn("sqlite://a.db?mode=rwc")->shown == "sqlite://a.db?mode=rwc");
}

TEST_CASE("the default lies in the data directory") {
  CHECK(default_dsn("") == "sqlite://gproxy.db?mode=rwc");
  CHECK(default_dsn("/var/lib/gproxy/") == "sqlite:///var/lib/gproxy/gproxy.db?mode=rwc");
  CHECK(parse_dsn(default_dsn("/a dir/100%"))->path == "/a dir/100%/gproxy.db");
  CHECK(default_dsn("data") == "sqlite://data/gproxy.db?mode=rwc");
}

TEST_CASE("rings lie beside their database, keys in the data directory") {
  const auto dsn = parse_dsn("sqlite:///var/lib/gproxy/gproxy.db?mode=rwc");
  CHECK(data_directory(*dsn, "") == "/var/lib/gproxy");
  CHECK(data_directory(*dsn, "/data/") == "/data");
  CHECK(ring_directory(*dsn, "/data") == "/var/lib/gproxy/gproxy.db.rings");
  CHECK(data_directory(*parse_dsn("sqlite://gproxy.db"), "") == ".");
  CHECK(ring_directory(*parse_dsn(":memory:"), "/data").empty());
  CHECK(ring_directory(*parse_dsn("postgres://h/db"), "/data") == "/data/rings");
}

TEST_CASE("the folders above a new database are made") {
  const test::Folder folder;
  const auto dsn = parse_dsn("sqlite://" + folder.file("a/b/c.db") + "?mode=rwc");
  REQUIRE(create_parent_directory(*dsn));
  CHECK(std::filesystem::is_directory(folder.file("a/b")));
  const auto existing = parse_dsn("sqlite://" + folder.file("x/y.db") + "?mode=rw");
  REQUIRE(create_parent_directory(*existing));
  CHECK_FALSE(std::filesystem::exists(folder.file("x")));
}
