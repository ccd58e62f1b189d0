// SPDX-License-Identifier: MIT
//
// gproxy-module-conform FILE [--answers]: loads a module as a host does, makes one instance of each
// kind that takes no settings, asks every LOCAL route, and prints what the module is and each
// breach of the contract. With --answers it prints the answers too, so that two modules can be
// compared. Exit code 0 without a breach.
#include <dlfcn.h>

#include <cstdio>
#include <string>

#include "testing/fake_host.h"

namespace {

using namespace gp::testing;

std::string body_for(int32_t protocol, int32_t operation) {
  if (operation == GP_OP_MODEL_LIST || operation == GP_OP_MODEL_GET) return "";
  switch (protocol) {
    case GP_PROTOCOL_GEMINI:
      return R"({"contents":[{"role":"user","parts":[{"text":"one \"two\""},{"text":"three\n"}]}]})";
    case GP_PROTOCOL_OPENAI_RESPONSE:
    case GP_PROTOCOL_OPENAI:
      return R"({"input":[{"role":"user","content":[{"type":"input_text","text":"one \u00e9 three"}]}]})";
    default:
      return R"({"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"first"},)"
             R"({"role":"assistant","content":"x"},{"role":"user","content":"one two three"}]})";
  }
}

void ask(Instance& instance, const gp_route& row, bool print) {
  if (row.operation == GP_OP_COUNT_TOKENS && instance.has_count()) {
    const CountPlanned plan = instance.count_plan({.protocol = row.protocol,
                                                   .operation = row.operation,
                                                   .model = "m",
                                                   .body = body_for(row.protocol, row.operation)});
    if (print)
      std::printf("(%d, %d): counted with %d %s\n", row.protocol, row.operation, plan.source,
                  plan.name.c_str());
    return;
  }
  for (const char* query : {"", "alt=sse"}) {
    const Answer answer =
        instance.respond({.protocol = row.protocol,
                          .operation = row.operation,
                          .model = row.operation == GP_OP_MODEL_GET ? "echo" : "m",
                          .body = body_for(row.protocol, row.operation),
                          .query = query});
    if (!print) continue;
    std::printf("(%d, %d) %s: %d %s\n%s\n", row.protocol, row.operation, query, answer.status,
                header(answer.headers, "content-type").c_str(), answer.body.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: gproxy-module-conform FILE [--answers]\n");
    return 64;
  }
  const bool print = argc > 2 && std::string(argv[2]) == "--answers";
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  using EntryFunction = const gp_entry* (*)();
  const auto entry = reinterpret_cast<EntryFunction>(dlsym(library, GP_ENTRY_SYMBOL));
  if (entry == nullptr) {
    std::fprintf(stderr, "%s: no symbol %s\n", argv[1], GP_ENTRY_SYMBOL);
    return 1;
  }
  bool sound = false;
  {
    FakeHost host;
    Module module(host, entry());
    if (!module.ok()) std::printf("refused: %s\n", module.refusal().c_str());
    for (const KindSeen& kind : module.kinds()) {
      if (!print) std::printf("kind %s (%s)\n", kind.name.c_str(), kind.title.c_str());
      std::string message;
      const auto instance = module.create(kind.name, "{}", &message);
      if (instance == nullptr) {
        std::printf("kind %s needs settings: %s\n", kind.name.c_str(), message.c_str());
        continue;
      }
      for (const gp_route& row : instance->routes()) {
        if (row.mode == GP_ROUTE_LOCAL) ask(*instance, row, print);
      }
    }
    for (const std::string& breach : host.breaches()) std::printf("breach: %s\n", breach.c_str());
    sound = module.ok() && host.breaches().empty();
  }
  dlclose(library);
  return sound ? 0 : 1;
}
