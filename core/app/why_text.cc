#include "app/why_text.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace gproxy::app {
namespace {

std::string duration(int64_t us) {
  if (us >= 120'000'000) return fmt::format("{} min", us / 60'000'000);
  if (us >= 1'000'000) return fmt::format("{:.1f} s", static_cast<double>(us) / 1e6);
  return fmt::format("{:.1f} ms", static_cast<double>(us) / 1e3);
}

// "c1 (#3)", "#3", "none".
std::string credential(const json::Value& value) {
  if (!value.is_object()) return "no credential";
  const auto id = value["id"].int_or(0);
  const auto name = value["name"].str();
  return name.empty() ? fmt::format("#{}", id) : fmt::format("{} (#{})", name, id);
}

void add(std::string& line, std::string_view before, std::string_view text) {
  if (!text.empty()) line.append(before).append(text);
}

std::string attempt(const json::Value& one) {
  std::string line = fmt::format("  {}. {}, {}", one["no"].int_or(0), one["provider"].str(),
                                 credential(one["credential"]));
  add(line, ", ", one["model"].str());
  if (const auto tier = one["tier"].int_or(0); tier > 0) line += fmt::format(", tier {}", tier);
  line += fmt::format(": {}", one["outcome"].str());
  if (const auto status = one["status"].int_or(0); status > 0) line += fmt::format(" {}", status);
  add(line, " ", one["failure"].str());
  add(line, " ", one["error_code"].str());
  line += " after " + duration(one["duration_us"].int_or(0));
  if (const auto verdict = one["verdict"].str(); !verdict.empty()) {
    line += "\n     ";
    line += verdict;
    add(line, ": ", one["reason"].str());
    if (const auto rest = one["rest_ms"].int_or(0); rest > 0)
      line += fmt::format(", {} rests {}", one["scope"].str(), duration(rest * 1000));
    add(line, "; then ", one["then"].str());
    if (const auto backoff = one["backoff_ms"].int_or(0); backoff > 0)
      line += fmt::format(" after {}", duration(backoff * 1000));
  }
  return line + "\n";
}

std::string skip(const json::Value& one) {
  std::string line = fmt::format("  {}, {}: {}", one["provider"].str(),
                                 credential(one["credential"]), one["why"].str());
  add(line, ", ", one["reason"].str());
  if (const auto scope = one["scope"].str(); scope == "model" || scope == "operation")
    line += fmt::format(" (this {})", scope);
  add(line, ", until ", one["until"].str());
  return line + "\n";
}

std::string route(const json::Value& one) {
  std::string out = fmt::format("route {}", one["name"].str());
  if (one["asked"].str() != one["name"].str()) add(out, ", asked as ", one["asked"].str());
  if (const auto tier = one["tier"].int_or(0); tier > 0) out += fmt::format(", tier {}", tier);
  if (const auto target = one["target"].int_or(0); target > 0)
    out += fmt::format(", target {} of {}", target, one["targets"].int_or(0));
  out += '\n';
  for (const auto& passed : one["passed_over"].items()) {
    out += fmt::format("  passed over: {}", passed["provider"].str());
    add(out, "/", passed["model"].str());
    if (const auto tier = passed["tier"].int_or(0); tier > 0) out += fmt::format(", tier {}", tier);
    out += fmt::format(": {}\n", passed["why"].str());
  }
  return out;
}

std::string pool(const json::Value& one) {
  std::string line =
      fmt::format("pool of {}: {}", one["credentials"].int_or(0), one["strategy"].str());
  if (const auto skipped = one["skipped"].int_or(0); skipped > 0)
    line += fmt::format(", {} not usable", skipped);
  add(line, ", conversation ", one["affinity"].str());
  if (const auto pinned = one["pinned_credential_id"].int_or(0); pinned > 0)
    line += fmt::format(", only #{} can serve this", pinned);
  return line + "\n";
}

std::string phases(const json::Value& all) {
  struct Phase {
    std::string_view key, name;
  };
  static constexpr std::array<Phase, 10> kPhases = {{{"receive_us", "receiving"},
                                                     {"queue_us", "in the queue"},
                                                     {"prepare_us", "preparing"},
                                                     {"refresh_us", "refreshing"},
                                                     {"failed_us", "failed attempts"},
                                                     {"backoff_us", "backing off"},
                                                     {"connect_us", "connecting"},
                                                     {"first_byte_us", "first byte"},
                                                     {"stream_us", "answer"},
                                                     {"total_us", "total"}}};
  std::string out = "time\n";
  for (const auto& phase : kPhases) {
    const auto us = all[phase.key].int_or(-1);
    // What took no time did not happen, but for the connection: it was there already.
    if (us < 0 || (us == 0 && phase.key != "connect_us")) continue;
    out += fmt::format("  {:<16}{:>12}\n", phase.name, duration(us));
  }
  return out;
}

}  // namespace

std::string why_text(const json::Value& d) {
  std::string out = fmt::format("request {}", d["trace_id"].str());
  add(out, ", the client's ", d["request_id"].str());
  out += fmt::format("\n{}: {}", d["at"].str(), d["outcome"].str());
  if (const auto status = d["status"].int_or(0); status > 0) out += fmt::format(" {}", status);
  add(out, " ", d["error_code"].str());
  out += '\n';
  if (const auto user = d["user_id"].int_or(-1); user >= 0)
    out += fmt::format("user {}, key {}\n", user, d["user_key_id"].int_or(-1));
  std::string asked(d["protocol"].str());
  add(asked, " ", d["operation"].str());
  if (d["stream"].as_bool()) asked += ", streamed";
  add(asked, ": ", d["way"].str());
  if (d["way"].str() == "translated") add(asked, " to ", d["target_protocol"].str());
  if (!d["provider"].str().empty()) {
    add(asked, ", ", d["provider"].str());
    if (d["credential"].is_object()) asked += ", " + credential(d["credential"]);
    add(asked, ", ", d["model"].str());
  }
  out += asked + "\n";
  if (d["route"].is_object()) out += route(d["route"]);
  if (d["pool"].is_object()) out += pool(d["pool"]);
  if (!d["skipped"].empty()) out += "not used\n";
  for (const auto& one : d["skipped"].items()) out += skip(one);
  if (!d["attempts"].empty()) out += "attempts\n";
  for (const auto& one : d["attempts"].items()) out += attempt(one);
  for (const auto& one : d["waits"].items()) {
    out += fmt::format("waited {} for {}: {}\n", duration(one["duration_us"].int_or(0)),
                       one["provider"].str(), one["ended"].str());
  }
  return out + phases(d["phases"]);
}

}  // namespace gproxy::app
