// Reading tokenizer.json, and the library that keeps what was read.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/json.h"
#include "tokenize/library.h"
#include "tokenize/pack.h"
#include "tokenize/tokenizer_json.h"

namespace gproxy::tokenize {
namespace {

constexpr std::string_view kByteLevel =
    R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false})";
constexpr std::string_view kGpt2 =
    R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})";

// GPT-2's name of a byte.
std::string letter_of(int byte) {
  int code = byte;
  if (!((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174))) {
    code = 256;
    for (int b = 0; b < byte; ++b)
      code += (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? 0 : 1;
  }
  std::string out;
  if (code < 0x80) return {static_cast<char>(code)};
  out += static_cast<char>(0xc0 | code >> 6);
  out += static_cast<char>(0x80 | (code & 0x3f));
  return out;
}

// All bytes by their number, and "ab" as 256.
std::string tokenizer(std::string_view pre, std::string_view more = "",
                      std::string_view model = "") {
  std::string vocab;
  for (int b = 0; b < 256; ++b) {
    json::write_string(letter_of(b), vocab);
    vocab += ":" + std::to_string(b) + ",";
  }
  return R"({"version":"1.0","pre_tokenizer":)" + std::string(pre) + std::string(more) +
         R"(,"model":{"type":"BPE",)" + std::string(model) + R"("vocab":{)" + vocab +
         R"("ab":256},"merges":["a b"]}})";
}

std::string split(std::string_view regex) {
  std::string quoted;
  json::write_string(regex, quoted);
  return R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)" + quoted +
         R"(},"behavior":"Isolated","invert":false},)" + std::string(kByteLevel) + "]}";
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/gproxy-tokenize-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  void write(const std::string& name, std::string_view text) const {
    const auto target = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(target.parent_path());
    std::ofstream(target, std::ios::binary) << text;
  }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("byte-level BPE with a known pattern is read exactly") {
  const auto read = read_tokenizer_json(tokenizer(kGpt2));
  REQUIRE(read.ok());
  REQUIRE(read->vocabulary != nullptr);
  CHECK(read->exact_for("é"));
  CHECK(read->vocabulary->count("ab ab é") ==
        6);  // ab, " ", ab … : " ab" has no merge with the blank
}

TEST_CASE("patterns of known tokenizers are recognised, with line ends spelled either way") {
  const std::string cl100k =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  CHECK(read_tokenizer_json(tokenizer(split(cl100k)))->vocabulary != nullptr);
  std::string literal = cl100k;
  for (size_t at; (at = literal.find("\\r\\n")) != std::string::npos;)
    literal.replace(at, 4, "\r\n");
  CHECK(read_tokenizer_json(tokenizer(split(literal)))->vocabulary != nullptr);
}

TEST_CASE("what is not exactly understood is told apart, for an estimate") {
  for (const auto& other : {
           tokenizer(split("\\w+")),
           tokenizer(R"({"type":"Metaspace"})"),
           tokenizer(R"({"type":"ByteLevel","add_prefix_space":true,"use_regex":true})"),
           tokenizer(kGpt2, R"(,"normalizer":{"type":"Lowercase"})"),
           tokenizer(kGpt2, "", R"("byte_fallback":true,)"),
           std::string(R"({"model":{"type":"Unigram","vocab":[["a",-1.5]]}})"),
           std::string(R"({"model":{"type":"WordPiece","vocab":{"a":0}}})"),
       }) {
    const auto read = read_tokenizer_json(other);
    REQUIRE(read.ok());
    CHECK(read->vocabulary == nullptr);
    CHECK_FALSE(read->exact_for("a"));
  }
}

TEST_CASE("with NFC only texts that it cannot change are exact") {
  const auto read = read_tokenizer_json(tokenizer(kGpt2, R"(,"normalizer":{"type":"NFC"})"));
  REQUIRE(read.ok());
  REQUIRE(read->vocabulary != nullptr);
  CHECK(read->exact_for("ab é"));
  CHECK_FALSE(read->exact_for("e\u0301"));
}

TEST_CASE("what is no tokenizer is refused") {
  for (const auto& bad :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"),
        tokenizer(kGpt2, "", R"("merges":["a"],)") /* the last of two counts */}) {
    const auto read = read_tokenizer_json(bad);
    if (read.ok()) {
      CHECK(read->vocabulary != nullptr);
    } else {
      CHECK(read.error().code == "invalid_tokenizer");
    }
  }
  std::string hole = tokenizer(kGpt2);
  hole.replace(hole.find(R"("a":97,)"), 7, "");
  CHECK_FALSE(read_tokenizer_json(hole).ok());
  std::string huge = tokenizer(kGpt2);
  huge.replace(huge.find(R"("ab":256)"), 8, R"("ab":99999999)");
  CHECK_FALSE(read_tokenizer_json(huge).ok());
}

TEST_CASE("the library loads an encoding once and keeps it") {
  Library library;
  CHECK(library.find(Origin::encoding, "cl100k_base", 0) == nullptr);
  const auto first = library.load(Origin::encoding, "cl100k_base", 0);
  REQUIRE(first.ok());
  CHECK((*first)->vocabulary->size() == 100'256);
  CHECK(library.find(Origin::encoding, "cl100k_base", INT64_MAX) == *first);
  CHECK(*library.load(Origin::encoding, "cl100k_base", 0) == *first);
  CHECK(library.bytes() < (size_t{12} << 20));
  CHECK(library.load(Origin::encoding, "none", 0).error().code == "unknown_encoding");
}

TEST_CASE("the library's memory is bounded: the least recently used goes") {
  Library library(size_t{1} << 10);
  const auto first = library.load(Origin::encoding, "cl100k_base", 1);
  REQUIRE(library.load(Origin::encoding, "llama3", 2).ok());
  CHECK(library.find(Origin::encoding, "cl100k_base", 3) == nullptr);
  CHECK(library.find(Origin::encoding, "llama3", 3) != nullptr);
  CHECK((*first)->vocabulary->count("still there") == 2);  // whoever counts keeps it
}

TEST_CASE("a file of the operator is read from its folder, and again when it has changed") {
  const Folder folder;
  Library library;
  library.set_data_dir(folder.path());
  CHECK(library.load(Origin::file, "my/t.json", 0).error().code == "tokenizer_missing");
  folder.write("tokenizers/my/t.json", tokenizer(kGpt2));
  // Not tried again at once.
  CHECK(library.load(Origin::file, "my/t.json", 1).error().code == "tokenizer_missing");
  const int64_t later = Library::kFailureMs + 1;
  const auto read = library.load(Origin::file, "my/t.json", later);
  REQUIRE(read.ok());
  CHECK(library.find(Origin::file, "my/t.json", later) == *read);
  const int64_t stale = later + Library::kFreshMs + 1;
  CHECK(library.find(Origin::file, "my/t.json", stale) == nullptr);
  CHECK(*library.load(Origin::file, "my/t.json", stale) == *read);  // looked at, unchanged
  folder.write("tokenizers/my/t.json", tokenizer(kGpt2) + " ");
  const auto again = library.load(Origin::file, "my/t.json", stale + Library::kFreshMs + 1);
  REQUIRE(again.ok());
  CHECK(*again != *read);
}

TEST_CASE("what was fetched is kept on disk if it is a tokenizer") {
  const Folder folder;
  Library library;
  library.set_data_dir(folder.path());
  const std::string_view url = "https://h/../x/tokenizer.json";
  CHECK(library.load(Origin::url, url, 0).error().code == "tokenizer_missing");
  CHECK(library.keep(url, "<html>").error().code == "invalid_tokenizer");
  REQUIRE(library.keep(url, tokenizer(kGpt2)).ok());
  CHECK(library.load(Origin::url, url, 0).ok());
  Library later;
  later.set_data_dir(folder.path());
  CHECK(later.load(Origin::url, url, 0).ok());
  CHECK(later.load(Origin::url, "https://h/other", 0).error().code == "tokenizer_missing");
}

}  // namespace gproxy::tokenize
