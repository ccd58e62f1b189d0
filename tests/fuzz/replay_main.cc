// Runs every file of the corpus folders named on the command line through the target, whole and cut
// short, so that the finds of past fuzzing stay fixed in every build.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz.h"

int main(int argc, char** argv) {
  size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      if (entry.is_regular_file()) paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      std::ifstream in(path, std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(in)),
                              std::istreambuf_iterator<char>());
      const size_t step = std::max<size_t>(1, bytes.size() / 64);
      for (size_t n = 0; n < bytes.size(); n += step) {
        const std::vector<uint8_t> prefix(bytes.begin(), bytes.begin() + static_cast<long>(n));
        one(prefix.data(), prefix.size());
      }
      const std::vector<uint8_t> whole(bytes.begin(), bytes.end());
      one(whole.data(), whole.size());
      ++files;
    }
  }
  std::printf("%zu files replayed\n", files);
  return files > 0 ? 0 : 1;
}
