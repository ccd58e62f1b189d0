#include <doctest/doctest.h>

#include <array>
#include <string>

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

using namespace gproxy;

namespace {
struct Captured {
  std::string text;
  explicit Captured(log::Level level, log::Format format) {
    log::configure(level, format);
    log::set_sink(
        [](std::string_view line, void* self) { static_cast<Captured*>(self)->text += line; },
        this);
  }
  ~Captured() {
    log::set_sink(nullptr, nullptr);
    log::configure(log::Level::info, log::Format::text);
  }
};
}  // namespace

TEST_CASE("a JSON log line is one JSON object with its fields") {
  Captured captured(log::Level::info, log::Format::json);
  log::info("upstream refused",
            {{"provider", "a\"b"}, {"status", 429}, {"share", 0.5}, {"retry", true}});
  REQUIRE(captured.text.back() == '\n');
  Arena arena;
  auto line = json::parse(captured.text, arena);
  REQUIRE(line.ok());
  CHECK((*line)["message"].str() == "upstream refused");
  CHECK((*line)["level"].str() == "info");
  CHECK((*line)["provider"].str() == "a\"b");
  CHECK((*line)["status"].as_int() == 429);
  CHECK((*line)["share"].as_double() == 0.5);
  CHECK((*line)["retry"].as_bool());
}

TEST_CASE("nobody's input forges a text log line") {
  Captured captured(log::Level::info, log::Format::text);
  log::warn("a\nb", {{"path", "x\n2026 ERROR forged"}, {"plain", "word"}, {"empty", ""}});
  CHECK(captured.text.find('\n') == captured.text.size() - 1);
  CHECK(captured.text.find("path=\"x\\n2026 ERROR forged\"") != std::string::npos);
  CHECK(captured.text.find("plain=word") != std::string::npos);
  CHECK(captured.text.find("empty=\"\"") != std::string::npos);
}

TEST_CASE("levels below the configured one are silent") {
  Captured captured(log::Level::warn, log::Format::text);
  log::info("quiet");
  log::debug("quiet");
  CHECK(captured.text.empty());
  log::error("loud");
  CHECK_FALSE(captured.text.empty());
  log::Level level{};
  CHECK(log::parse_level("DEBUG", level));
  CHECK(level == log::Level::debug);
  CHECK_FALSE(log::parse_level("loud", level));
}

TEST_CASE("headers that carry credentials are known by name") {
  for (const char* name : {"Authorization", "x-api-key", "X-Goog-Api-Key", "Set-Cookie",
                           "proxy-authorization", "x-amz-security-token", "key", "api-key"}) {
    CAPTURE(name);
    CHECK(log::is_secret_name(name));
  }
  CHECK_FALSE(log::is_secret_name("content-type"));
  CHECK_FALSE(log::is_secret_name("x-request-id"));
}

TEST_CASE("series of several loops are summed in one exposition") {
  Metrics a, b;
  a.counter("gproxy_requests_total", "Requests", {{"status", "200"}}).add(2);
  b.counter("gproxy_requests_total", "Requests", {{"status", "200"}}).add();
  b.counter("gproxy_requests_total", "Requests", {{"status", "a\"b\\\n"}}).add();
  a.gauge("gproxy_open", "Open").set(1.5);
  static constexpr std::array<double, 2> kBounds = {0.1, 1};
  a.histogram("gproxy_seconds", "Time", kBounds).observe(0.1);
  b.histogram("gproxy_seconds", "Time", kBounds).observe(5);
  const std::array<const Metrics*, 2> parts = {&a, &b};
  CHECK(Metrics::render(parts) ==
        "# HELP gproxy_open Open\n# TYPE gproxy_open gauge\ngproxy_open 1.5\n"
        "# HELP gproxy_requests_total Requests\n# TYPE gproxy_requests_total counter\n"
        "gproxy_requests_total{status=\"200\"} 3\n"
        "gproxy_requests_total{status=\"a\\\"b\\\\\\n\"} 1\n"
        "# HELP gproxy_seconds Time\n# TYPE gproxy_seconds histogram\n"
        "gproxy_seconds_bucket{le=\"0.1\"} 1\ngproxy_seconds_bucket{le=\"1\"} 1\n"
        "gproxy_seconds_bucket{le=\"+Inf\"} 2\ngproxy_seconds_sum 5.1\ngproxy_seconds_count 2\n");
}

TEST_CASE("a family over its bound counts into other") {
  Metrics metrics;
  for (int i = 0; i < 5000; ++i)
    metrics.counter("gproxy_x", "x", {{"id", std::to_string(i)}}).add();
  const std::array<const Metrics*, 1> parts = {&metrics};
  const std::string text = Metrics::render(parts);
  CHECK(text.find("gproxy_x{id=\"other\"} 4000\n") != std::string::npos);
  CHECK(text.size() < 64 * 1024);
}

TEST_CASE("the same labels give the same series for ever") {
  Metrics metrics;
  Counter& first = metrics.counter("gproxy_x", "x", {{"a", "1"}});
  for (int i = 0; i < 500; ++i) metrics.counter("gproxy_x", "x", {{"a", std::to_string(i)}});
  CHECK(&metrics.counter("gproxy_x", "x", {{"a", "1"}}) == &first);
}
