// How fast texts are counted, and what a vocabulary costs. Prints one JSON line per measurement,
// CPU time of this thread.
//   bench_tokenize [file of text…]
#include <time.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "tokenize/pack.h"
#include "tokenize/vocabulary.h"

using namespace gproxy::tokenize;

namespace {

constexpr size_t kBytes = size_t{4} << 20;

double cpu_s() {
  struct timespec t {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// Sentences of the kind that requests hold, drawn from a few words so that no piece is always the
// same.
std::string made_of(const std::vector<std::string>& words, std::string_view glue) {
  std::string out;
  uint32_t state = 1;
  while (out.size() < kBytes) {
    state = state * 1664525u + 1013904223u;
    out += words[(state >> 16) % words.size()];
    out += !glue.empty() && (state >> 8) % 13 == 0 ? std::string_view(".\n") : glue;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::pair<std::string, std::string>> texts = {
      {"english", made_of({"the", "request", "tokenizer", "understanding", "of", "Gateway", "don't",
                           "measured", "2024", "a", "words", "international", "is", "quickly",
                           "JSON", "characteristically"},
                          " ")},
      {"code", made_of({"for (size_t i = 0; i < n; ++i) {", "return value->field_;",
                        "const auto* x = find(key);", "std::vector<int> out(1024);", "}",
                        "  // comment: 0xDEADBEEF", "if (!ok) goto fail;"},
                       "\n  ")},
      {"chinese", made_of({"今天天气很好", "我们去公园散步", "人工智能", "的",
                           "语言模型可以理解文本", "请求", "因此"},
                          "，")},
      {"russian", made_of({"съешь", "мягких", "французских", "булок", "предложение", "и",
                           "достопримечательность"},
                          " ")},
      {"one_letter", std::string(kBytes, 'a')},
      {"spaces", std::string(kBytes, ' ')},
      {"one_cjk", made_of({"字"}, "")},
      {"endless_word", made_of({"a", "c", "g", "t"}, "")},
  };
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    texts.emplace_back(argv[i], std::string(std::istreambuf_iterator<char>(file), {}));
  }
  for (const auto encoding : built_in_encodings()) {
    const double from = cpu_s();
    auto source = read_pack(built_in_pack(encoding));
    if (!source.ok()) return 1;
    const auto vocabulary = Vocabulary::make(std::move(*source));
    if (!vocabulary.ok()) return 1;
    std::printf("{\"bench\":\"tokenize_load\",\"encoding\":\"%.*s\",\"ms\":%.1f,\"bytes\":%zu}\n",
                static_cast<int>(encoding.size()), encoding.data(), (cpu_s() - from) * 1e3,
                (*vocabulary)->bytes());
    for (const auto& [name, text] : texts) {
      const double begin = cpu_s();
      const auto tokens = (*vocabulary)->count(text);
      const double took = cpu_s() - begin;
      std::printf(
          "{\"bench\":\"tokenize\",\"encoding\":\"%.*s\",\"text\":\"%s\",\"bytes\":%zu,\"tokens\":%"
          "llu,\"mb_per_s\":%.1f}\n",
          static_cast<int>(encoding.size()), encoding.data(), name.c_str(), text.size(),
          static_cast<unsigned long long>(tokens), static_cast<double>(text.size()) / took / 1e6);
    }
  }
  return 0;
}
