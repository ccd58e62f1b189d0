// One module file, opened: checked, copied into sealed memory, linked and its entry found. dlopen
// stands behind this file alone. Main thread only; owned by its Module, whose last holder closes
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

struct gp_entry;

namespace gproxy::modhost {

// Which file: what an administrator sees, and how a reload notices that nothing changed.
struct FileId {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t changed_ns = 0;  // the inode's change time: nobody can set it
  bool operator==(const FileId&) const = default;
};

// Nothing if there is no such file.
std::optional<FileId> file_id(const std::string& path);

class Library {
 public:
  // Refuses files that somebody else could have written: the owner must be root or our own user,
  // and nobody else may write it. Then links a sealed copy, so that overwriting the file in place
  // never touches running code. [main]
  static Result<std::unique_ptr<Library>> open(const std::string& path);
  ~Library();  // dlclose [main]
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  const gp_entry* entry() const { return entry_; }
  const std::string& path() const { return path_; }
  const FileId& file() const { return file_; }

 private:
  Library() = default;
  void* handle_ = nullptr;
  int memory_fd_ = -1;  // see library.cc for why it stays open
  const gp_entry* entry_ = nullptr;
  std::string path_;
  FileId file_;
};

}  // namespace gproxy::modhost
