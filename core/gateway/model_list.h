// Model lists of several providers as one: reading pages, merging, sorting, paging
// (wire-formats 6.2; reference core 3.10, 3.11). Items keep what their vendor said; only the id
// gets its provider. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "translate/protocol.h"

namespace gproxy::gateway {

struct ListedModel {
  std::string id;    // provider/model, without models/
  std::string json;  // the item with that id
};

struct ModelPage {
  std::vector<ListedModel> models;
  std::string next_query;  // asks for the next page; empty on the last
};

// What to ask an upstream of `protocol` for, first.
std::string_view first_page_query(translate::Protocol protocol);

// One page of an upstream's list. Errors are kind server, 502, code "decode_response_failed".
Result<ModelPage> read_model_page(translate::Protocol protocol, std::string_view body,
                                  std::string_view provider);

// One provider's page in its own form, without the models that `keep` refuses; it gets their ids
// without "models/". What is no such page stays as it is.
std::string keep_models(std::string_view body,
                        const std::function<bool(std::string_view id)>& keep);

// The client's page of all models, sorted by id here. Errors: kind invalid with the parameter's
// name.
Result<std::string> write_model_page(translate::Protocol protocol, std::vector<ListedModel> models,
                                     std::string_view query, bool partial);

}  // namespace gproxy::gateway
