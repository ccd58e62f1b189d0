// A folder of its own for a test, gone with it.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace gproxy::modhost::test {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "gproxy-modhost-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary | std::ios::trunc) << bytes;
    ::chmod(file(name).c_str(), 0644);
  }
  // As an installer does: beside the old file, then in its place.
  void install(const std::string& from, const std::string& name) const {
    auto fresh = file(name + ".new");
    std::filesystem::copy_file(from, fresh, std::filesystem::copy_options::overwrite_existing);
    ::chmod(fresh.c_str(), 0755);
    std::filesystem::rename(fresh, file(name));
  }

 private:
  std::string path_;
};

inline std::string built(const std::string& path) {
  return std::string(GPROXY_BINARY_DIR) + "/lib/gproxy/" + path;
}

// Copies of modules that are mapped right now.
inline size_t mapped_modules() {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  std::string line, last;
  while (std::getline(maps, line)) {
    if (line.find("gproxy-module") == std::string::npos) continue;
    std::string inode;
    size_t at = 0;
    for (int field = 0; field < 5; ++field) {
      auto end = line.find(' ', at);
      inode = line.substr(at, end - at);
      at = line.find_first_not_of(' ', end);
    }
    if (inode != last) ++count;
    last = inode;
  }
  return count;
}

}  // namespace gproxy::modhost::test
