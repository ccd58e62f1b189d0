#include "modhost/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"

namespace gproxy::modhost {

ModuleRegistry::ModuleRegistry()
    : current_(std::make_shared<Candidate>()), reaper_(std::make_shared<Reaper>()) {}

ModuleRegistry::~ModuleRegistry() {
  current_.reset();
  reaper_->close();
}

void ModuleRegistry::set_directories(std::vector<std::string> directories) {
  directories_ = std::move(directories);
}

namespace {

// The *.so of a folder by name, so that "the first file keeps the kind" means something.
std::vector<std::string> module_files(const std::string& directory,
                                      std::vector<LoadFault>& faults) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() == ".so") files.push_back(at->path().string());
  }
  if (error) faults.push_back({directory, "the folder cannot be read: " + error.message()});
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<void> Candidate::add(std::shared_ptr<const Module> module) {
  const auto& info = module->info();
  if (auto taken = modules_.find(info.id); taken != modules_.end()) {
    return Error{ErrorKind::conflict,
                 "module_refused",
                 fmt::format("{}: has the id {}, which {} has already", info.path, info.id,
                             taken->second->info().path),
                 {}};
  }
  for (const auto& kind : info.kinds) {
    if (auto other = find_kind(kind.name)) {
      return Error{ErrorKind::conflict,
                   "module_refused",
                   fmt::format("{}: offers the kind {}, which {} offers already", info.path,
                               kind.name, other->info().path),
                   {}};
    }
  }
  for (const auto& kind : info.kinds) kinds_.emplace(kind.name, module);
  modules_.emplace(info.id, std::move(module));
  return ok();
}

void Candidate::remove(const std::string& id) {
  auto at = modules_.find(id);
  if (at == modules_.end()) return;
  for (const auto& kind : at->second->info().kinds) kinds_.erase(kind.name);
  modules_.erase(at);
}

std::shared_ptr<const Module> Candidate::find_kind(std::string_view kind) const {
  auto at = kinds_.find(kind);
  return at == kinds_.end() ? nullptr : at->second;
}

std::shared_ptr<const Module> Candidate::find_module(std::string_view id) const {
  auto at = modules_.find(id);
  return at == modules_.end() ? nullptr : at->second;
}

std::shared_ptr<Candidate> ModuleRegistry::scan() {
  auto next = std::make_shared<Candidate>();
  std::map<std::string, std::shared_ptr<const Module>, std::less<>> by_path;
  for (const auto& [id, module] : current_->modules_) {
    by_path.emplace(module->info().path, module);
    if (module->file() == FileId{})
      (void)next->add(module);  // static twins have no file to look at
  }
  auto take = [&](std::shared_ptr<const Module> module) {
    auto path = module->info().path;
    if (auto added = next->add(std::move(module)); !added.ok())
      next->faults_.push_back({path, added.error().message});
  };
  for (const auto& directory : directories_) {
    for (const auto& path : module_files(directory, next->faults_)) {
      auto known = by_path.find(path);
      auto stat = known == by_path.end() ? std::nullopt : file_id(path);
      if (stat && *stat == known->second->file()) {
        take(known->second);
        continue;
      }
      auto generation = generations_[path] + 1;
      auto loaded = Module::load(path, generation, reaper_);
      if (loaded.ok()) {
        generations_[path] = generation;
        take(std::move(*loaded));
        continue;
      }
      next->faults_.push_back({path, loaded.error().message});
      if (known != by_path.end()) take(known->second);  // the old generation goes on
    }
  }
  return next;
}

void ModuleRegistry::revert(Candidate& candidate, const std::string& id, const std::string& why) {
  auto old = find_module(id);
  auto changed = candidate.find_module(id);
  if (changed == old) return;
  candidate.faults_.push_back({old != nullptr ? old->info().path : changed->info().path, why});
  candidate.remove(id);
  if (old == nullptr) return;
  // Whatever took its kinds meanwhile gives way: after this each of them is the old module's again.
  for (const auto& kind : old->info().kinds) {
    if (auto other = candidate.find_kind(kind.name)) candidate.remove(std::string(other->id()));
  }
  (void)candidate.add(std::move(old));
}

void ModuleRegistry::commit(const std::shared_ptr<Candidate>& candidate) {
  for (const auto& [id, module] : candidate->modules_) {
    auto before = current_->find_module(id);
    if (before == module) continue;
    log::info(before ? "module reloaded" : "module loaded",
              {{"module", id},
               {"version", module->info().version},
               {"generation", module->info().generation},
               {"path", module->info().path}});
  }
  for (const auto& [id, module] : current_->modules_) {
    if (!candidate->find_module(id))
      log::info("module left", {{"module", id}, {"path", module->info().path}});
  }
  for (const auto& fault : candidate->faults_)
    log::warn("module not loaded", {{"path", fault.path}, {"error", fault.message}});
  current_ = candidate;
}

void ModuleRegistry::load_all() {
  commit(scan());
}

Result<void> ModuleRegistry::add(std::shared_ptr<const Module> module) {
  return current_->add(std::move(module));
}

std::vector<std::shared_ptr<const Module>> ModuleRegistry::modules() const {
  std::vector<std::shared_ptr<const Module>> out;
  for (const auto& [id, module] : current_->modules_) out.push_back(module);
  return out;
}

std::vector<std::string> ModuleRegistry::kinds() const {
  std::vector<std::string> out;
  for (const auto& [kind, module] : current_->kinds_) out.push_back(kind);
  return out;
}

}  // namespace gproxy::modhost
