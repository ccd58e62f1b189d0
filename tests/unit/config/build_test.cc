#include <doctest/doctest.h>

#include <deque>

#include "../modhost/stub_module.h"
#include "../modhost/temp_folder.h"
#include "config/build.h"
#include "config/publisher.h"

using namespace gproxy;
using namespace gproxy::config;
using modhost::ModuleRegistry;
using modhost::test::Stub;

namespace {

constexpr const char* kSecret = R"({"Stub":{"api_key":"a"}})";

Digest digest_of(std::string_view key) {
  return sha256(key);
}

// Inputs with one stub provider, one credential, one user with one key.
BuildInputs an_input() {
  BuildInputs in;
  in.revision = 1;
  in.digest_key = digest_of;
  in.settings.admin_key = Secret("admin-key");
  ProviderConfig p;
  p.id = 1;
  p.name = "main";
  p.kind = "stub";
  CredentialConfig c;
  c.id = 10;
  c.name = "k";
  c.secret_json = Secret(kSecret);
  p.credentials.push_back(c);
  in.providers.push_back(p);
  UserConfig u;
  u.id = 0;
  u.name = "user0";
  KeyConfig k;
  k.id = 5;
  k.key = Secret("user-key");
  u.keys.push_back(k);
  in.users.push_back(u);
  return in;
}

struct AWorld {
  Stub stub;
  ModuleRegistry registry;
  SlotTable slots;
  AWorld() { REQUIRE(registry.add(*stub.module()).ok()); }
  ~AWorld() { stub.reaper->drain(); }
  Built build(const BuildInputs& in, const Snapshot* previous = nullptr) {
    auto built = build_snapshot(in, registry, slots, previous, stub.clock);
    REQUIRE_MESSAGE(built.ok(), built.error().message);
    return std::move(*built);
  }
};

// A loop or main: tasks wait until run().
struct FakeLoop final : PostTarget {
  std::deque<std::function<void()>> tasks;
  bool gone = false;
  bool post(std::function<void()> task) override {
    if (gone) return false;
    tasks.push_back(std::move(task));
    return true;
  }
  void run() {
    while (!tasks.empty()) {
      auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }
};

}  // namespace

TEST_CASE("a snapshot finds providers, credentials and keys") {
  AWorld w;
  auto built = w.build(an_input());
  const auto& s = *built.snapshot;
  CHECK(built.warnings.empty());
  REQUIRE(s.find_provider("main") != nullptr);
  CHECK(s.find_provider("main")->usable());
  CHECK(s.find_provider("other") == nullptr);
  CHECK(s.find_credential(10)->name == "k");
  CHECK(s.find_credential(10)->fault.empty());
  CHECK(s.provider_of_credential(10)->name == "main");
  CHECK(s.find_credential(11) == nullptr);
  CHECK(s.find_key(digest_of("user-key"))->id == 5);
  CHECK(s.find_key(digest_of("user-key"))->usable(0));
  CHECK(s.find_key(digest_of("admin-key")) == nullptr);
  CHECK(s.admin_key_digest() == digest_of("admin-key"));
}

TEST_CASE("a bad provider stays with its fault and keeps nobody else away") {
  AWorld w;
  auto in = an_input();
  ProviderConfig gone = in.providers[0], wrong = in.providers[0];
  gone.id = 2;
  gone.name = "gone";
  gone.kind = "not-loaded";
  gone.credentials[0].id = 20;
  wrong.id = 3;
  wrong.name = "wrong";
  wrong.settings_json = R"({"base_ulr":"x"})";
  wrong.credentials.clear();
  in.providers.push_back(gone);
  in.providers.push_back(wrong);
  auto built = w.build(in);
  CHECK(built.warnings.size() == 2);
  CHECK(built.snapshot->find_provider("main")->usable());
  CHECK(built.snapshot->find_provider("gone")->fault ==
        "no loaded module offers the kind `not-loaded`");
  CHECK(built.snapshot->find_provider("wrong")->fault ==
        "base_ulr: unknown member `base_ulr`, did you mean `base_url`?");
  CHECK(built.snapshot->find_credential(20) != nullptr);
  CHECK(built.lost.empty());
}

TEST_CASE("a credential that does not open stays with its fault, without the secret in it") {
  AWorld w;
  auto in = an_input();
  in.providers[0].credentials[0].secret_json = Secret(R"({"Wrong":{"api_key":"sk-hidden"}})");
  auto built = w.build(in);
  auto fault = built.snapshot->find_credential(10)->fault;
  CHECK(fault == "kind stub takes a credential tagged `Stub`");
  CHECK(built.warnings[0].find("sk-hidden") == std::string::npos);
}

TEST_CASE("an instance is kept while its kind, settings and module stay") {
  AWorld w;
  auto in = an_input();
  auto first = w.build(in);
  in.revision = 2;
  in.providers[0].enabled = false;
  auto second = w.build(in, first.snapshot.get());
  CHECK(second.snapshot->find_provider("main")->provider ==
        first.snapshot->find_provider("main")->provider);
  CHECK(second.snapshot->find_credential(10)->opened ==
        first.snapshot->find_credential(10)->opened);
  CHECK_FALSE(second.snapshot->find_provider("main")->usable());
  in.providers[0].settings_json = R"({"base_url":"https://x"})";
  auto third = w.build(in, second.snapshot.get());
  CHECK(third.snapshot->find_provider("main")->provider !=
        first.snapshot->find_provider("main")->provider);
  CHECK(w.stub.created == 2);
}

TEST_CASE("health belongs to the credential, not to the snapshot") {
  AWorld w;
  auto in = an_input();
  auto first = w.build(in);
  first.snapshot->find_credential(10)->slot->cool_down(1'000, "rate_limit");
  in.settings.port = 1;
  auto second = w.build(in, first.snapshot.get());
  CHECK_FALSE(second.snapshot->find_credential(10)->slot->available(0, ""));
  in.providers[0].credentials[0].secret_json = Secret(R"({"Stub":{"api_key":"new"}})");
  in.providers[0].credentials[0].revision = 1;
  auto third = w.build(in, second.snapshot.get());
  CHECK(third.snapshot->find_credential(10)->slot->available(0, ""));  // a new secret starts anew
}

TEST_CASE("a disabled user's keys are found and not usable") {
  AWorld w;
  auto in = an_input();
  in.users[0].enabled = false;
  auto built = w.build(in);
  CHECK_FALSE(built.snapshot->find_key(digest_of("user-key"))->usable(0));
}

TEST_CASE(
    "a key ends with the earlier of its expiry and its user's, a former text with the grace") {
  AWorld w;
  auto in = an_input();
  in.users[0].bounds.expires_at_us = 5'000;
  in.users[0].keys[0].bounds.expires_at_us = 9'000;
  const Digest former = digest_of("before");
  in.users[0].keys[0].previous_digest = std::string(digest_view(former));
  in.users[0].keys[0].previous_until_us = 2'000;
  auto built = w.build(in);
  const auto* key = built.snapshot->find_key(digest_of("user-key"));
  CHECK(key->usable(4'999));
  CHECK_FALSE(key->usable(5'000));
  const auto* before = built.snapshot->find_key(former);
  REQUIRE(before != nullptr);
  CHECK(before->id == key->id);
  CHECK(before->usable(1'999));
  CHECK_FALSE(before->usable(2'000));
}

TEST_CASE("an old snapshot keeps its instance, and lets it go on main with its last exchange") {
  AWorld w;
  auto in = an_input();
  auto first = w.build(in);
  in.providers[0].settings_json = R"({"base_url":"https://x"})";
  auto second = w.build(in, first.snapshot.get());
  w.stub.reaper->drain();
  CHECK(w.stub.destroyed == 0);
  first.snapshot.reset();
  CHECK(w.stub.destroyed == 0);
  w.stub.reaper->drain();
  CHECK(w.stub.destroyed == 1);
}

TEST_CASE("duplicates are errors of the inputs") {
  AWorld w;
  auto in = an_input();
  in.providers.push_back(in.providers[0]);
  in.providers[1].credentials.clear();
  CHECK_FALSE(build_snapshot(in, w.registry, w.slots, nullptr, w.stub.clock).ok());
  in.providers[1].name = "other";
  CHECK(build_snapshot(in, w.registry, w.slots, nullptr, w.stub.clock).ok());
  in.providers[1].credentials = in.providers[0].credentials;
  CHECK_FALSE(build_snapshot(in, w.registry, w.slots, nullptr, w.stub.clock).ok());
}

TEST_CASE("a loop's handle is its own count and follows a refresh") {
  AWorld w;
  auto built = w.build(an_input());
  LoopSnapshot loop(built.snapshot);
  const auto& provider = *loop->find_provider("main");
  const auto& entry = *loop->find_credential(10);
  auto one = *loop.credential(provider, entry);
  CHECK(one.get() == entry.opened.get());
  CHECK(one.use_count() == 2);  // the loop's and this
  CHECK(*loop.credential(provider, entry) == one);
  REQUIRE(entry.slot->replace(Secret(R"({"Stub":{"api_key":"b"}})"), *provider.provider).ok());
  auto two = *loop.credential(provider, entry);
  CHECK(two != one);
  CHECK(two->version() == one->version() + 1);
}

TEST_CASE("an old snapshot's loop gets a refreshed secret opened by its own instance") {
  AWorld w;
  auto in = an_input();
  auto first = w.build(in);
  LoopSnapshot old_loop(first.snapshot);
  in.providers[0].settings_json = R"({"base_url":"https://x"})";
  auto second = w.build(in, first.snapshot.get());
  const auto& fresh = *second.snapshot->find_provider("main");
  REQUIRE(second.snapshot->find_credential(10)
              ->slot->replace(Secret(R"({"Stub":{"api_key":"b"}})"), *fresh.provider)
              .ok());
  const auto& old = *old_loop->find_provider("main");
  auto handle = old_loop.credential(old, *old_loop->find_credential(10));
  REQUIRE(handle.ok());
  CHECK(&(*handle)->provider() == old.provider.get());
}

TEST_CASE("publishing is done when every loop has the snapshot") {
  AWorld w;
  FakeLoop main, a, b;
  SnapshotSlot slot_a, slot_b;
  Publisher publisher(main);
  publisher.add_loop(a, slot_a);
  publisher.add_loop(b, slot_b);
  auto built = w.build(an_input());
  int done = 0;
  publisher.publish(built.snapshot, [&] { ++done; });
  a.run();
  main.run();
  CHECK(done == 0);
  CHECK(publisher.pending() == 1);
  CHECK(&**slot_a.current() == built.snapshot.get());
  CHECK(slot_b.current() == nullptr);
  b.run();
  CHECK(done == 0);
  main.run();
  CHECK(done == 1);
  CHECK(publisher.pending() == 0);
}

TEST_CASE("a loop that is gone counts as having it, and a late loop gets what is in force") {
  AWorld w;
  FakeLoop main, a;
  a.gone = true;
  SnapshotSlot slot_a, slot_b;
  Publisher publisher(main);
  publisher.add_loop(a, slot_a);
  int done = 0;
  auto built = w.build(an_input());
  publisher.publish(built.snapshot, [&] { ++done; });
  main.run();
  CHECK(done == 1);
  FakeLoop b;
  publisher.add_loop(b, slot_b);
  REQUIRE(slot_b.current() != nullptr);
  CHECK(slot_b.current()->operator->() == built.snapshot.get());
}

TEST_CASE("a reload that loses a provider keeps the generation in force") {
  modhost::test::TempFolder folder;
  folder.install(modhost::test::built("broken/counts_calls.so"), "m.so");
  ModuleRegistry registry;
  registry.set_directories({folder.path()});
  registry.load_all();
  REQUIRE_MESSAGE(registry.find_kind("broken-counts-calls") != nullptr,
                  registry.faults().at(0).message);
  BuildInputs in;
  ProviderConfig p;
  p.id = 1;
  p.name = "p";
  p.kind = "broken-counts-calls";
  in.providers.push_back(p);
  SlotTable slots;
  auto first = build_snapshot(in, registry, slots, nullptr);
  REQUIRE(first->snapshot->find_provider("p")->usable());

  // A sound new generation of it is taken.
  folder.install(modhost::test::built("broken/counts_calls.so"), "m.so");
  auto second = reload_modules(in, registry, slots, first->snapshot.get());
  REQUIRE(second.ok());
  CHECK(registry.find_kind("broken-counts-calls")->info().generation == 2);
  CHECK(second->snapshot->find_provider("p")->usable());
  CHECK(second->snapshot->find_provider("p")->provider !=
        first->snapshot->find_provider("p")->provider);

  // Bytes that are no module leave it in force.
  folder.write("m.so", std::string(1000, 'x'));
  auto third = reload_modules(in, registry, slots, second->snapshot.get());
  REQUIRE(third.ok());
  CHECK(registry.find_kind("broken-counts-calls")->info().generation == 2);
  CHECK(third->snapshot->find_provider("p")->provider ==
        second->snapshot->find_provider("p")->provider);
  CHECK(registry.faults().size() == 1);

  // So does its absence, while a provider needs it; without one it leaves.
  std::filesystem::remove(folder.file("m.so"));
  auto fourth = reload_modules(in, registry, slots, third->snapshot.get());
  REQUIRE(fourth.ok());
  CHECK(fourth->snapshot->find_provider("p")->provider ==
        third->snapshot->find_provider("p")->provider);
  CHECK(registry.faults().size() == 1);
  in.providers.clear();
  REQUIRE(reload_modules(in, registry, slots, fourth->snapshot.get()).ok());
  CHECK(registry.find_kind("broken-counts-calls") == nullptr);
}

TEST_CASE("another module that takes a kind and refuses its providers gives way") {
  modhost::test::TempFolder folder;
  ModuleRegistry registry;
  registry.set_directories({folder.path()});
  folder.install(modhost::test::built("examples/echo.so"), "echo.so");
  registry.load_all();
  auto echo = registry.find_kind("echo");
  REQUIRE(echo != nullptr);
  Stub stub;  // another id, the same kind
  stub.kind.name = modhost::test::str("echo");
  stub.create = [](gp_instance*, gp_error*) { return GP_ERR_INTERNAL; };
  std::filesystem::remove(folder.file("echo.so"));
  auto candidate = registry.scan();
  REQUIRE(candidate->add(*stub.module()).ok());
  registry.revert(*candidate, echo->id(), "because");
  CHECK(candidate->find_kind("echo") == echo);
  CHECK(candidate->find_module("dev.gproxy.test.stub") == nullptr);
  registry.commit(candidate);
}
