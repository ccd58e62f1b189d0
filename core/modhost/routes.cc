#include "modhost/routes.h"

#include <fmt/format.h>

namespace gproxy::modhost {

using translate::Operation;
using translate::Protocol;

std::string_view name(RouteMode mode) {
  switch (mode) {
    case RouteMode::unsupported:
      return "unsupported";
    case RouteMode::native:
      return "native";
    case RouteMode::translate:
      return "translate";
    case RouteMode::local:
      return "local";
  }
  return "unsupported";
}

namespace {

// Which operations a protocol has (core vocabulary; rows of protocol `none` are a provider's
// abilities).
bool goes_together(Protocol protocol, Operation operation) {
  switch (operation) {
    case Operation::generate:
    case Operation::stream_generate:
      return protocol == Protocol::claude || protocol == Protocol::openai_chat ||
             protocol == Protocol::openai_response || protocol == Protocol::gemini;
    case Operation::count_tokens:
    case Operation::model_list:
    case Operation::model_get:
      return protocol == Protocol::claude || protocol == Protocol::gemini ||
             protocol == Protocol::openai;
    case Operation::response_get:
    case Operation::response_delete:
    case Operation::response_cancel:
    case Operation::response_input_items:
    case Operation::response_compact:
    case Operation::memory_trace_summarize:
      return protocol == Protocol::openai;
    case Operation::oauth_start:
    case Operation::oauth_callback:
    case Operation::usage:
      return protocol == Protocol::none;
    case Operation::none:
      return false;
  }
  return false;
}

Operation other_stream(Operation operation) {
  return operation == Operation::generate ? Operation::stream_generate : Operation::generate;
}

std::string row_name(const Route& row) {
  return fmt::format("({}, {})", translate::name(row.protocol), translate::name(row.operation));
}

}  // namespace

Result<RouteTable> RouteTable::make(std::vector<Route> rows, Abilities can) {
  RouteTable table;
  table.rows_ = std::move(rows);
  Protocol targets[kProtocols][kOperations] = {};
  RouteMode modes[kProtocols][kOperations] = {};
  bool seen[kProtocols][kOperations] = {};
  for (const auto& row : table.rows_) {
    if (!goes_together(row.protocol, row.operation)) {
      return invalid_error(
          fmt::format("route {}: the protocol has no such operation", row_name(row)));
    }
    auto p = static_cast<size_t>(row.protocol), o = static_cast<size_t>(row.operation);
    if (seen[p][o]) return invalid_error(fmt::format("route {} occurs twice", row_name(row)));
    seen[p][o] = true;
    const bool counts = can.count && row.operation == Operation::count_tokens;
    if (row.mode == RouteMode::local && !can.local && !counts) {
      return invalid_error(
          fmt::format("route {} is local, but the module has no gproxy.local/1{}", row_name(row),
                      row.operation == Operation::count_tokens ? " and no gproxy.count/1" : ""));
    }
    if (row.protocol == Protocol::none && row.mode != RouteMode::native &&
        row.mode != RouteMode::unsupported) {
      return invalid_error(
          fmt::format("route {} can be native or unsupported only", row_name(row)));
    }
    modes[p][o] = row.mode;
    targets[p][o] = row.target;
  }

  auto served = [&](Protocol protocol, Operation operation) {
    auto mode = modes[static_cast<size_t>(protocol)][static_cast<size_t>(operation)];
    return mode == RouteMode::native || mode == RouteMode::local;
  };
  auto resolve_row = [&](Protocol protocol, Operation operation) -> Resolved {
    auto p = static_cast<size_t>(protocol), o = static_cast<size_t>(operation);
    auto mode = modes[p][o];
    if (mode == RouteMode::native || mode == RouteMode::local)
      return {mode, mode, protocol, operation};
    if (mode != RouteMode::translate) return {};
    auto target = targets[p][o];
    for (auto at :
         {operation, translate::is_generate(operation) ? other_stream(operation) : operation}) {
      if (served(target, at)) {
        return {mode, modes[static_cast<size_t>(target)][static_cast<size_t>(at)], target, at};
      }
    }
    return {};
  };

  for (const auto& row : table.rows_) {
    if (row.mode != RouteMode::translate) continue;
    if (row.target == row.protocol || !goes_together(row.target, row.operation) ||
        !resolve_row(row.protocol, row.operation).supported()) {
      return invalid_error(
          fmt::format("route {} translates to {}, which is neither native nor local there",
                      row_name(row), translate::name(row.target)));
    }
  }
  for (size_t p = 0; p < kProtocols; ++p) {
    for (size_t o = 0; o < kOperations; ++o) {
      auto protocol = static_cast<Protocol>(p);
      auto operation = static_cast<Operation>(o);
      auto& slot = table.resolved_[p][o];
      slot = resolve_row(protocol, operation);
      if (!slot.supported() && translate::is_generate(operation)) {
        slot = resolve_row(protocol, other_stream(operation));
      }
    }
  }
  return table;
}

Resolved RouteTable::resolve(Protocol protocol, Operation operation) const {
  auto p = static_cast<size_t>(protocol), o = static_cast<size_t>(operation);
  if (p >= kProtocols || o >= kOperations) return {};
  return resolved_[p][o];
}

}  // namespace gproxy::modhost
