#include "common/members.h"

namespace gproxy_common {

void MemberEdits::apply(const gp::Request& request, gp::BodyEdit& edit) {
  const gp::Arena& arena = request.arena();
  const gp::Json body = request.json();
  size_t kept_at = 0;  // where the first member that stays begins
  bool kept = false;
  size_t run_from = 0, run_to = 0;  // neighbours that go together, or their commas go twice
  bool running = false;
  auto end_run = [&] {
    if (running) edit.remove_run(run_from, run_to);
    running = false;
  };
  const gp_json_node root = body.node("");
  body.each(root, [&](const gp_json_member& member) {
    const std::string_view name = body.decode(member.key);
    Rule* rule = nullptr;
    for (Rule& candidate : rules_) {
      if (candidate.name == name) rule = &candidate;
    }
    if (rule != nullptr && rule->what == Rule::What::drop) {
      if (!running) run_from = member.key.at;
      run_to = member.value.at + member.value.len;
      running = true;
      return true;
    }
    end_run();
    if (!kept) kept_at = member.key.at;
    kept = true;
    if (rule == nullptr) return true;
    rule->met = true;
    const bool leave = rule->what == Rule::What::set_missing && member.value.type != GP_JSON_NULL;
    if (!leave && body.raw(member.value) != rule->json)
      edit.replace(member.value.at, member.value.len, rule->json);
    return true;
  });
  std::string_view added;
  for (const Rule& rule : rules_) {
    if (rule.met || rule.what == Rule::What::drop) continue;
    added = arena.concat(
        {added, added.empty() ? "" : ",", gp::json_quote(arena, rule.name), ":", rule.json});
  }
  // Before a member that stays: its neighbours' commas are right whatever goes. Where nothing
  // stays, the insertion must come before the removal that may begin at the same byte.
  if (!added.empty() && kept) edit.replace(kept_at, 0, arena.concat({added, ","}));
  if (!added.empty() && !kept) edit.replace(root.at + 1, 0, added);
  end_run();
}

}  // namespace gproxy_common
