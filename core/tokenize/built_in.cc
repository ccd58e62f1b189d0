// The packs as bytes of the program: they stay on disk until the first count touches them.
#include <array>

#include "tokenize/pack.h"

#define GP_EMBED(symbol, file)                                                \
  asm(".pushsection .rodata\n"                                                \
      ".global gproxy_pack_" #symbol "\n.hidden gproxy_pack_" #symbol         \
      "\n"                                                                    \
      ".balign 16\ngproxy_pack_" #symbol                                      \
      ":\n"                                                                   \
      ".incbin \"" GPROXY_TOKENIZERS_DIR "/" file                             \
      "\"\n"                                                                  \
      ".global gproxy_pack_end_" #symbol "\n.hidden gproxy_pack_end_" #symbol \
      "\n"                                                                    \
      "gproxy_pack_end_" #symbol ":\n.byte 0\n.popsection\n");                \
  extern "C" const char gproxy_pack_##symbol[];                               \
  extern "C" const char gproxy_pack_end_##symbol[]

GP_EMBED(o200k, "o200k_base.pack");
GP_EMBED(cl100k, "cl100k_base.pack");
GP_EMBED(deepseek, "deepseek_v3.pack");
GP_EMBED(llama3, "llama3.pack");

namespace gproxy::tokenize {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"o200k_base", "cl100k_base", "deepseek_v3",
                                                    "llama3"};

std::string_view between(const char* from, const char* to) {
  return {from, static_cast<size_t>(to - from)};
}

}  // namespace

std::span<const std::string_view> built_in_encodings() {
  return kNames;
}

std::string_view built_in_pack(std::string_view encoding) {
  if (encoding == kNames[0]) return between(gproxy_pack_o200k, gproxy_pack_end_o200k);
  if (encoding == kNames[1]) return between(gproxy_pack_cl100k, gproxy_pack_end_cl100k);
  if (encoding == kNames[2]) return between(gproxy_pack_deepseek, gproxy_pack_end_deepseek);
  if (encoding == kNames[3]) return between(gproxy_pack_llama3, gproxy_pack_end_llama3);
  return {};
}

}  // namespace gproxy::tokenize
