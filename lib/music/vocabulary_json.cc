#include "lib/music/vocabulary_json.h"

#include <fmt/format.h>

#include <set>

#include "lib/base/status.h"
#include "lib/music/tokenizer.h"

namespace etude {

using nlohmann::json;
using nlohmann::ordered_json;

ordered_json VocabularyToJson(const std::string& scheme, const std::vector<std::string>& tokens) {
  ordered_json root;
  root["format_version"] = "1.0";
  root["scheme"] = scheme;
  root["tokens"] = tokens;
  return root;
}

std::string VocabularyText(const ordered_json& root) {
  return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

absl::Status DamagedVocabulary(const std::string& where, std::string_view what) {
  return DataLoss(fmt::format(
      "{}: {}; take vocab.json from the place the token files came from, or make the corpus again "
      "with: etude corpus build SRC DST",
      where, what));
}

absl::StatusOr<std::vector<std::string>> TokensFromJson(const json& root,
                                                        const std::string& where) {
  const auto list = root.find("tokens");
  if (list == root.end() || !list->is_array() || list->empty() ||
      list->size() > static_cast<std::size_t>(Tokenizer::kMaxVocab)) {
    return DamagedVocabulary(where, "tokens is not a list of 1 to 65536 texts");
  }
  std::vector<std::string> tokens;
  std::set<std::string_view> seen;
  tokens.reserve(list->size());
  for (const json& token : *list) {
    if (!token.is_string() || token.get_ref<const std::string&>().empty()) {
      return DamagedVocabulary(where, fmt::format("token {} is not a text", tokens.size()));
    }
    if (!seen.insert(token.get_ref<const std::string&>()).second) {
      return DamagedVocabulary(
          where, fmt::format("'{}' has two ids", token.get_ref<const std::string&>()));
    }
    tokens.push_back(token.get<std::string>());
  }
  return tokens;
}

}  // namespace etude
