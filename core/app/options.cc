#include "app/options.h"

#include <cstring>

#include "base/strings.h"

namespace gproxy::app {
namespace {

enum class Takes : uint8_t { nothing, value };

struct Option {
  std::string_view name;      // without the dashes
  std::string_view variable;  // empty = none
  Takes takes;
  std::string_view value_name;
  std::string_view help;
};

// One table for parsing and for --help.
constexpr Option kOptions[] = {
    {"dsn", "GPROXY_DSN", Takes::value, "URL",
     "database: sqlite:///absolute/path, sqlite://relative/path (default sqlite://gproxy.db?mode=rwc, in "
     "GPROXY_DATA_DIR when that is set)"},
    {"host", "GPROXY_HOST", Takes::value, "ADDRESS", "address to listen on (default 0.0.0.0)"},
    {"port", "GPROXY_PORT", Takes::value, "PORT", "port to listen on (default 8787; 0 = any free one)"},
    {"admin-key", "GPROXY_ADMIN_KEY", Takes::value, "KEY", "key of the admin API (default: made at the first start)"},
    {"proxy", "GPROXY_PROXY", Takes::value, "URL", "proxy for all upstream requests (http, https, socks5)"},
    {"event-redact-sensitive", "GPROXY_EVENT_REDACT_SENSITIVE", Takes::value, "BOOL",
     "keep bodies and secrets out of events (default true)"},
    {"modules-dir", "GPROXY_MODULES_DIR", Takes::value, "DIR",
     "one more folder of provider modules, ahead of the installed one; may be repeated (variable: separated by ':')"},
    {"config", "GPROXY_CONFIG", Takes::value, "FILE", "declarative configuration (JSON with comments)"},
    {"workers", "GPROXY_WORKERS", Takes::value, "N", "event loops (default: one per processor)"},
    {"master-key-file", "GPROXY_MASTER_KEY_FILE", Takes::value, "FILE",
     "key that seals secrets in the database (default: DATA_DIR/master.key, made at the first start)"},
    {"log-level", "GPROXY_LOG_LEVEL", Takes::value, "LEVEL", "trace, debug, info, warn, error or off (default info)"},
    {"log-format", "GPROXY_LOG_FORMAT", Takes::value, "FORMAT", "text or json (default text)"},
    {"no-print-admin-key", "", Takes::nothing, "", "do not print the admin key at start"},
    {"prune", "", Takes::nothing, "", "delete entries that the configuration file no longer declares"},
    {"json", "", Takes::nothing, "", "sub-commands: print JSON"},
    {"help", "", Takes::nothing, "", "this text"},
    {"version", "", Takes::nothing, "", "versions of gproxy, its libraries and its module ABI"},
};

const Option* find_option(std::string_view name) {
  for (const auto& o : kOptions) {
    if (o.name == name) return &o;
  }
  return nullptr;
}

Error usage_error(std::string message) {
  return Error{ErrorKind::invalid, "usage", std::move(message)};
}

// An unexpanded placeholder of a hosting platform means "not set".
std::optional<std::string> sanitise(std::string_view raw) {
  const std::string_view text = trim(raw);
  if (text.empty()) return std::nullopt;
  if (text.starts_with("${") && text.ends_with("}")) return std::nullopt;
  return std::string(text);
}

std::string upper_snake(std::string_view name) {
  std::string out = "GPROXY_";
  for (char c : name) out += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return out;
}

struct Raw {
  std::string text;
  Source source = Source::cli;
};

class Values {
 public:
  Values(const std::vector<std::pair<std::string, std::string>>& cli, const GetEnv& env) : cli_(cli), env_(env) {}

  // The command line wins over the environment before either is sanitised.
  std::optional<Raw> one(std::string_view name) const {
    for (auto it = cli_.rbegin(); it != cli_.rend(); ++it) {
      if (it->first == name) {
        if (auto v = sanitise(it->second)) return Raw{*v, Source::cli};
        return std::nullopt;
      }
    }
    const Option* option = find_option(name);
    if (option == nullptr || option->variable.empty()) return std::nullopt;
    if (auto raw = env_(option->variable)) {
      if (auto v = sanitise(*raw)) return Raw{*v, Source::env};
    }
    return std::nullopt;
  }
  bool flag(std::string_view name) const {
    for (const auto& [n, v] : cli_) {
      if (n == name) return true;
    }
    return false;
  }
  std::vector<std::string> many(std::string_view name) const {
    std::vector<std::string> out;
    for (const auto& [n, v] : cli_) {
      if (n == name) {
        if (auto s = sanitise(v)) out.push_back(*s);
      }
    }
    if (!out.empty()) return out;
    const Option* option = find_option(name);
    if (auto raw = env_(option->variable)) {
      for (auto part : split(*raw, ':')) {
        if (auto s = sanitise(part)) out.push_back(*s);
      }
    }
    return out;
  }

 private:
  const std::vector<std::pair<std::string, std::string>>& cli_;
  const GetEnv& env_;
};

std::string origin_name(const Raw& raw, std::string_view option) {
  return raw.source == Source::cli ? "--" + std::string(option) : upper_snake(option);
}

std::optional<bool> parse_bool(std::string_view text) {
  for (auto word : {"1", "true", "yes", "on"}) {
    if (iequals(text, word)) return true;
  }
  for (auto word : {"0", "false", "no", "off"}) {
    if (iequals(text, word)) return false;
  }
  return std::nullopt;
}

constexpr size_t kMaxValueFile = 64 * 1024;

struct Word {
  std::string_view text;
  Command command;
  bool operands = false;  // takes some; it checks them itself
};
constexpr Word kCommands[] = {
    {"serve", Command::serve},
    {"check", Command::check},
    {"module", Command::module_inspect, true},
    {"translate", Command::translate, true},
    {"health", Command::health},
    {"why", Command::why, true},
    {"rekey", Command::rekey, true},
    {"help", Command::help},
    {"version", Command::version},
};

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments, const GetEnv& env) {
  Options out;
  std::vector<std::pair<std::string, std::string>> given;
  bool command_seen = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "-h") { out.command = Command::help; return out; }
    if (argument == "-V") { out.command = Command::version; return out; }
    if (argument == "-t") { out.command = Command::check; command_seen = true; continue; }
    if (!argument.starts_with("--")) {
      if (command_seen) {
        out.arguments.push_back(argument);
        continue;
      }
      const Word* found = nullptr;
      std::vector<std::string_view> names;
      for (const auto& w : kCommands) {
        names.push_back(w.text);
        if (w.text == argument) found = &w;
      }
      if (found == nullptr) {
        const auto near = nearest(argument, names);
        return usage_error("unknown command '" + argument + "'" +
                           (near.empty() ? std::string() : ", did you mean '" + std::string(near) + "'?"));
      }
      out.command = found->command;
      command_seen = true;
      // `translate` has options of its own, with names that overlap: hand over everything.
      if (out.command == Command::translate) {
        out.arguments.assign(arguments.begin() + static_cast<long>(i) + 1, arguments.end());
        break;
      }
      continue;
    }
    std::string name = argument.substr(2);
    std::optional<std::string> value;
    if (const size_t eq = name.find('='); eq != std::string::npos) {
      value = name.substr(eq + 1);
      name.resize(eq);
    }
    const Option* option = find_option(name);
    if (option == nullptr) {
      std::vector<std::string_view> names;
      for (const auto& o : kOptions) names.push_back(o.name);
      const auto near = nearest(name, names);
      return usage_error("unknown option --" + name +
                         (near.empty() ? std::string() : ", did you mean --" + std::string(near) + "?"));
    }
    if (option->takes == Takes::nothing) {
      if (value) return usage_error("--" + name + " takes no value");
      if (name == "help") { out.command = Command::help; return out; }
      if (name == "version") { out.command = Command::version; return out; }
      given.emplace_back(name, "");
      continue;
    }
    if (!value) {
      if (i + 1 >= arguments.size()) return usage_error("--" + name + " needs a value");
      value = arguments[++i];
    }
    given.emplace_back(name, *value);
  }

  for (const auto& word : kCommands) {
    if (word.command == out.command && !word.operands && !out.arguments.empty())
      return usage_error("unexpected '" + out.arguments.front() + "' after " + std::string(word.text));
  }

  // A secret may stand in a file: NAME_FILE holds its path (container secrets).
  std::optional<Error> file_error;
  const GetEnv with_files = [&](std::string_view name) -> std::optional<std::string> {
    auto direct = env(name);
    if (name.ends_with("_FILE")) return direct;
    auto path = env(std::string(name) + "_FILE");
    if (!path || !sanitise(*path)) return direct;
    if (direct && sanitise(*direct)) {
      file_error = Error{ErrorKind::invalid, "usage", "both " + std::string(name) + " and " + std::string(name) + "_FILE are set"};
      return direct;
    }
    std::FILE* file = std::fopen(sanitise(*path)->c_str(), "rbe");
    if (file == nullptr) {
      file_error = Error{ErrorKind::invalid, "usage", std::string(name) + "_FILE: cannot read the file it names"};
      return std::nullopt;
    }
    char text[kMaxValueFile + 1];
    const size_t n = std::fread(text, 1, sizeof text, file);
    const bool failed = std::ferror(file) != 0;  // a folder opens, but does not read
    std::fclose(file);
    if (failed || n > kMaxValueFile) {
      file_error = Error{ErrorKind::invalid, "usage",
                         std::string(name) + "_FILE: " + (failed ? "cannot read the file it names" : "the file it names is longer than 64 KiB")};
      return std::nullopt;
    }
    return std::string(trim(std::string_view(text, n)));
  };
  const Values values(given, with_files);

  auto text = [&](std::string_view name, std::optional<Given<std::string>>& into) {
    if (auto raw = values.one(name)) into = Given<std::string>{raw->text, raw->source};
  };
  text("dsn", out.dsn);
  text("host", out.host);
  text("admin-key", out.admin_key);
  text("proxy", out.proxy);
  if (auto raw = values.one("port")) {
    const auto number = parse_uint(raw->text);
    if (!number || *number > 65535) {
      return usage_error("invalid " + origin_name(*raw, "port") + " value: " + raw->text);
    }
    out.port = Given<uint16_t>{static_cast<uint16_t>(*number), raw->source};
  }
  if (auto raw = values.one("event-redact-sensitive")) {
    const auto flag = parse_bool(raw->text);
    if (!flag) return usage_error("invalid " + origin_name(*raw, "event-redact-sensitive") + " value: " + raw->text);
    out.event_redact_sensitive = Given<bool>{*flag, raw->source};
  }
  if (auto raw = values.one("workers")) {
    const auto number = parse_uint(raw->text);
    if (!number || *number == 0 || *number > 512) {
      return usage_error("invalid " + origin_name(*raw, "workers") + " value: " + raw->text + " (1 to 512)");
    }
    out.workers = static_cast<unsigned>(*number);
  }
  if (auto raw = values.one("log-level")) {
    log::Level level = log::Level::info;
    if (!log::parse_level(raw->text, level)) {
      return usage_error("invalid " + origin_name(*raw, "log-level") + " value: " + raw->text);
    }
    out.log_level = level;
  }
  if (auto raw = values.one("log-format")) {
    if (iequals(raw->text, "json")) out.log_format = log::Format::json;
    else if (iequals(raw->text, "text")) out.log_format = log::Format::text;
    else return usage_error("invalid " + origin_name(*raw, "log-format") + " value: " + raw->text);
  }
  out.modules_dirs = values.many("modules-dir");
  if (auto raw = values.one("config")) out.config_file = raw->text;
  if (auto raw = values.one("master-key-file")) out.master_key_file = raw->text;
  if (auto raw = env("GPROXY_MASTER_KEY")) {
    if (auto v = sanitise(*raw)) out.master_key = *v;
  }
  if (auto raw = env("GPROXY_DATA_DIR")) {
    if (auto v = sanitise(*raw)) {
      out.data_dir = *v;
      while (out.data_dir.size() > 1 && out.data_dir.back() == '/') out.data_dir.pop_back();
    }
  }
  out.print_admin_key = !values.flag("no-print-admin-key");
  out.prune = values.flag("prune");
  out.json = values.flag("json");
  if (file_error) return *file_error;
  return out;
}

std::string help_text() {
  std::string out =
      "gproxy: a self-hosted gateway for large language models\n\n"
      "usage: gproxy [serve] [options]            serve (the default)\n"
      "       gproxy check [options]              check options, configuration and modules; serve "
      "nothing\n"
      "       gproxy module inspect FILE [--json] what a module file offers\n"
      "       gproxy translate --from P --to Q --kind K   translate standard input between "
      "protocols\n"
      "       gproxy why TRACE_ID [--json]        why a request went the way it went: asks a "
      "running gproxy, else the database\n"
      "       gproxy rekey [FILE]                 seal the database with another master key: FILE's, or "
      "a new one\n"
      "       gproxy health                       ask a running gproxy for its health (exit 0 or "
      "1)\n\n"
      "options (command line wins over environment, over the configuration file, over the "
      "database):\n";
  for (const auto& o : kOptions) {
    std::string left = "  --" + std::string(o.name);
    if (o.takes == Takes::value) left += " " + std::string(o.value_name);
    if (left.size() < 34) left.resize(34, ' ');
    else left += "\n" + std::string(34, ' ');
    out += left + std::string(o.help);
    if (!o.variable.empty()) out += " [" + std::string(o.variable) + "]";
    out += "\n";
  }
  out +=
      "\nother variables: GPROXY_DATA_DIR (folder of database, keys and journals), GPROXY_MASTER_KEY, and\n"
      "NAME_FILE for each variable above (its value is read from that file)\n";
  return out;
}

}  // namespace gproxy::app
