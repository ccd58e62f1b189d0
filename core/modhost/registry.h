// All loaded modules: which file gives which kind. Main thread only; owned by the server. Snapshots
// hold the Providers they use, so a module that left the registry lives on until its last exchange
// ends.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "modhost/module.h"

namespace gproxy::modhost {

// A file that gave no module, or a kind that two modules claim.
struct LoadFault {
  std::string path;
  std::string message;
};

// A set of modules that is not in force yet: what a scan of the folders gave. Main thread.
class Candidate {
 public:
  // Refuses a second module with one id or one kind.
  Result<void> add(std::shared_ptr<const Module> module);
  std::shared_ptr<const Module> find_kind(std::string_view kind) const;
  std::shared_ptr<const Module> find_module(std::string_view id) const;
  const std::vector<LoadFault>& faults() const { return faults_; }

 private:
  friend class ModuleRegistry;
  void remove(const std::string& id);
  std::map<std::string, std::shared_ptr<const Module>, std::less<>> modules_;  // by id
  std::map<std::string, std::shared_ptr<const Module>, std::less<>> kinds_;
  std::vector<LoadFault> faults_;
};

// What `gproxy module inspect` and the administrator's module list show.
struct Inspection {
  ModuleInfo info;
  struct KindTable {
    std::string kind;
    std::vector<Route> routes;  // of an instance with empty settings
    std::string note;           // why there are none
  };
  std::vector<KindTable> tables;
};
Inspection inspect(const std::shared_ptr<const Module>& module);  // [main]
std::string inspection_json(const Inspection& inspection);
std::string inspection_text(const Inspection& inspection);

class ModuleRegistry {
 public:
  ModuleRegistry();
  ~ModuleRegistry();
  ModuleRegistry(const ModuleRegistry&) = delete;
  ModuleRegistry& operator=(const ModuleRegistry&) = delete;

  // Absolute folders, searched in order for *.so. The first file with an id or a kind keeps it;
  // later ones are refused, with both paths in the fault.
  void set_directories(std::vector<std::string> directories);
  const std::vector<std::string>& directories() const { return directories_; }

  // Builds the set of modules as the folders are now, without touching the current one. Unchanged
  // files keep their generation; a changed file becomes a new one; one that fails to load keeps its
  // old generation and adds a fault. Nothing is in force before commit(): the caller first builds
  // its providers on the candidate.
  std::shared_ptr<Candidate> scan();
  // Puts the module in force back into the candidate, in place of its changed one, of its absence,
  // or of another module that has its kinds now; `why` becomes a fault. After this the candidate's
  // modules of its kinds are the ones in force.
  void revert(Candidate& candidate, const std::string& id, const std::string& why);
  void commit(const std::shared_ptr<Candidate>& candidate);
  // scan() and commit() at once, for the start and for tools.
  void load_all();
  // Adds a static twin. [tests]
  Result<void> add(std::shared_ptr<const Module> module);

  // The module of a kind, or null. Kinds are unique over all modules.
  std::shared_ptr<const Module> find_kind(std::string_view kind) const {
    return current_->find_kind(kind);
  }
  std::shared_ptr<const Module> find_module(std::string_view id) const {
    return current_->find_module(id);
  }
  std::vector<std::shared_ptr<const Module>> modules() const;  // by id
  std::vector<std::string> kinds() const;                      // sorted
  const std::vector<LoadFault>& faults() const { return current_->faults(); }
  const std::shared_ptr<Reaper>& reaper() const { return reaper_; }

 private:
  std::vector<std::string> directories_;
  std::shared_ptr<Candidate> current_;
  std::map<std::string, uint64_t> generations_;  // by path
  std::shared_ptr<Reaper> reaper_;
};

}  // namespace gproxy::modhost
