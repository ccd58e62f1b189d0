#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "modhost/library.h"
#include "modhost/local_answer.h"
#include "modhost/registry.h"
#include "stub_module.h"
#include "temp_folder.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::built;
using test::mapped_modules;
using test::TempFolder;

namespace {

const std::string kEcho = built("examples/echo.so");
const std::string kEchoC = built("examples/echo_c.so");

bool has(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

std::string refusal(const std::string& path) {
  auto library = Library::open(path);
  REQUIRE_FALSE(library.ok());
  CHECK(library.error().code == "module_refused");
  CHECK(has(library.error().message, path));
  return library.error().message;
}

// Asks an echo instance for its models: code of the library runs.
bool answers(const std::shared_ptr<const Provider>& provider) {
  Arena arena;
  CallRequest request;
  request.protocol = request.client_protocol = translate::Protocol::openai;
  request.operation = translate::Operation::model_list;
  request.method = "GET";
  request.path = "/v1/models";
  request.arena = &arena;
  auto answer = LocalAnswer::respond(*provider, request);
  return answer.ok() && answer->reply().status == 200 &&
         has(std::string(answer->reply().body), "echo");
}

std::shared_ptr<const Provider> echo_of(const ModuleRegistry& registry) {
  auto module = registry.find_kind("echo");
  REQUIRE(module != nullptr);
  auto provider = Provider::create(module, {"echo", "echo", "{}"});
  REQUIRE_MESSAGE(provider.ok(), provider.error().message);
  return *provider;
}

}  // namespace

TEST_CASE("a file that others could have written is not loaded") {
  TempFolder folder;
  folder.install(kEcho, "a.so");
  auto path = folder.file("a.so");
  REQUIRE(Library::open(path).ok());
  for (mode_t mode : {0757u, 0775u, 0666u}) {
    ::chmod(path.c_str(), mode);
    CHECK(has(refusal(path), "writable by others"));
  }
  ::chmod(path.c_str(), 0755);
  if (::geteuid() == 0) {
    REQUIRE(::chown(path.c_str(), 12345, 12345) == 0);
    CHECK(has(refusal(path), "owned by uid 12345"));
  }
}

TEST_CASE("what is no module is refused with the reason") {
  TempFolder folder;
  CHECK(has(refusal(folder.file("none.so")), "cannot be opened"));
  folder.write("text.so", std::string(500, 'x'));
  CHECK(has(refusal(folder.file("text.so")), "does not link"));
  folder.write("empty.so", "");
  CHECK(has(refusal(folder.file("empty.so")), "not a shared library"));
  CHECK(has(refusal(folder.path()), "not a regular file"));
  REQUIRE(::mkfifo(folder.file("pipe.so").c_str(), 0600) == 0);
  CHECK(has(refusal(folder.file("pipe.so")), "not a regular file"));
}

TEST_CASE("a file that was cut off anywhere is refused, not linked") {
  TempFolder folder;
  std::ifstream in(kEcho, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  REQUIRE(whole.size() > 4096);
  // Pages that a cut file lacks would end the process when the linker touches them.
  for (size_t bytes = 64; bytes < whole.size(); bytes += whole.size() / 23) {
    folder.write("cut.so", whole.substr(0, bytes));
    ModuleRegistry registry;
    registry.set_directories({folder.path()});
    registry.load_all();
    CAPTURE(bytes);
    if (registry.modules().empty()) {
      REQUIRE(registry.faults().size() == 1);
      CHECK(has(registry.faults()[0].message, "cut.so"));
    }
  }
  folder.write("cut.so", whole.substr(0, 8192));
  CHECK(has(refusal(folder.file("cut.so")), "cut off"));
}

TEST_CASE("overwriting a module's file in place does not touch the running code") {
  TempFolder folder;
  folder.install(kEcho, "echo.so");
  ModuleRegistry registry;
  registry.set_directories({folder.path()});
  registry.load_all();
  auto provider = echo_of(registry);
  REQUIRE(answers(provider));
  // The same inode, new bytes: with a plain dlopen this is a crash.
  auto size = std::filesystem::file_size(folder.file("echo.so"));
  std::fstream file(folder.file("echo.so"), std::ios::binary | std::ios::in | std::ios::out);
  file << std::string(size, '\xcc');
  file.close();
  CHECK(answers(provider));
  registry.load_all();
  REQUIRE(registry.faults().size() == 1);
  CHECK(has(registry.faults()[0].message, "does not link"));
  CHECK(answers(echo_of(registry)));  // the old generation goes on
}

TEST_CASE("a changed file becomes a new generation; the old one ends with its last instance") {
  auto before = mapped_modules();
  {
    TempFolder folder;
    folder.install(kEcho, "echo.so");
    ModuleRegistry registry;
    registry.set_directories({folder.path()});
    registry.load_all();
    auto first = registry.find_kind("echo");
    auto provider = echo_of(registry);
    CHECK(first->info().generation == 1);
    registry.load_all();
    CHECK(registry.find_kind("echo") == first);  // nothing changed
    folder.install(kEcho, "echo.so");
    auto candidate = registry.scan();
    CHECK(registry.find_kind("echo") == first);  // not in force yet
    registry.commit(candidate);
    candidate.reset();
    auto second = registry.find_kind("echo");
    CHECK(second != first);
    CHECK(second->info().generation == 2);
    CHECK(&second->vt() != &first->vt());  // really another copy of the code
    CHECK(answers(provider));
    CHECK(answers(echo_of(registry)));
    registry.reaper()->drain();
    CHECK(mapped_modules() == before + 2);
    first.reset();
    provider.reset();
    registry.reaper()->drain();
    CHECK(mapped_modules() == before + 1);
    CHECK(answers(echo_of(registry)));
  }
  CHECK(mapped_modules() == before);
}

TEST_CASE("many reloads leave no copy behind, also when descriptors are used again") {
  auto before = mapped_modules();
  TempFolder folder;
  ModuleRegistry registry;
  registry.set_directories({folder.path()});
  for (int i = 1; i <= 5; ++i) {
    folder.install(i % 2 != 0 ? kEcho : kEchoC, "echo.so");
    registry.load_all();
    registry.reaper()->drain();
    CHECK(registry.faults().empty());
    CHECK(registry.find_kind(i % 2 != 0 ? "echo" : "echo-c") != nullptr);
    CHECK(registry.find_kind(i % 2 != 0 ? "echo-c" : "echo") == nullptr);
    CHECK(mapped_modules() == before + 1);
  }
}

TEST_CASE("two files with one id: the first by name keeps it, the fault names both") {
  TempFolder folder;
  folder.install(kEcho, "a.so");
  folder.install(kEcho, "b.so");
  folder.install(kEchoC, "c.so");
  ModuleRegistry registry;
  registry.set_directories({folder.path()});
  registry.load_all();
  REQUIRE(registry.faults().size() == 1);
  CHECK(has(registry.faults()[0].message, folder.file("a.so")));
  CHECK(has(registry.faults()[0].message, folder.file("b.so")));
  CHECK(registry.find_kind("echo")->info().path == folder.file("a.so"));
  CHECK(registry.modules().size() == 2);
}

TEST_CASE("a kind belongs to one module") {
  TempFolder folder;
  folder.install(kEcho, "a.so");
  ModuleRegistry registry;
  registry.set_directories({folder.path()});
  registry.load_all();
  test::Stub stub;
  stub.kind.name = test::str("echo");
  {
    auto module = stub.module();
    REQUIRE(module.ok());
    auto added = registry.add(*module);
    REQUIRE_FALSE(added.ok());
    CHECK(has(added.error().message, "kind echo"));
  }
}

TEST_CASE("a module whose file is gone leaves the registry, a missing folder is a fault") {
  TempFolder folder;
  folder.install(kEcho, "a.so");
  ModuleRegistry registry;
  registry.set_directories({folder.path(), folder.file("nowhere")});
  registry.load_all();
  REQUIRE(registry.faults().size() == 1);
  CHECK(has(registry.faults()[0].message, "cannot be read"));
  std::filesystem::remove(folder.file("a.so"));
  registry.load_all();
  CHECK(registry.find_kind("echo") == nullptr);
}

TEST_CASE("inspection tells kinds, schemas, routes and extensions") {
  TempFolder folder;
  folder.install(kEchoC, "a.so");
  auto reaper = std::make_shared<Reaper>();
  auto module = Module::load(folder.file("a.so"), 1, reaper);
  REQUIRE_MESSAGE(module.ok(), module.error().message);
  auto inspection = inspect(*module);
  auto text = inspection_json(inspection);
  Arena arena;
  auto json = json::parse(text, arena);
  REQUIRE(json.ok());
  CHECK((*json)["kinds"][0]["name"].str() == "echo-c");
  CHECK((*json)["kinds"][0]["settings_schema"].is_object());
  CHECK((*json)["kinds"][0]["routes"].size() > 5);
  CHECK((*json)["extensions"][0].str() == "gproxy.local/1");
  CHECK(has(inspection_text(inspection), "echo-c"));
  reaper->close();
}
