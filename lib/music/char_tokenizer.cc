#include "lib/music/char_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/base/status.h"

namespace etude {
namespace {

using nlohmann::json;

bool InRange(char c, int low, int high) {
  const int byte = static_cast<unsigned char>(c);
  return low <= byte && byte <= high;
}

// Bytes of the first character of a non-empty text; 0 where the text is not UTF-8 (RFC 3629,
// section 4).
std::size_t FirstCharacterBytes(std::string_view text) {
  const int lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xC2   ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  const int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (!InRange(text[1], low, high)) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (!InRange(text[i], 0x80, 0xBF)) return 0;
  }
  return length;
}

// Takes the first character off a non-empty text; a byte that is not UTF-8 is taken alone and given
// as "".
std::string_view TakeCharacter(std::string_view& text) {
  const std::size_t length = FirstCharacterBytes(text);
  const std::string_view character = text.substr(0, length);
  text.remove_prefix(std::max<std::size_t>(length, 1));
  return character;
}

absl::Status Damaged(const std::string& where, const std::string& what) {
  return DataLoss(fmt::format(
      "{}: {}; take vocab.json from the place the token files came from, or make the corpus again "
      "with: etude corpus build SRC DST",
      where, what));
}

// Texts by id; every id from 0 to size - 1 exactly once.
absl::StatusOr<std::vector<std::string>> TokensById(const json& char_to_id,
                                                    const std::string& where) {
  if (!char_to_id.is_object() || char_to_id.empty() ||
      char_to_id.size() > static_cast<std::size_t>(CharTokenizer::kMaxVocab)) {
    return Damaged(where, "char_to_id is not an object of 1 to 65536 characters");
  }
  std::vector<std::string> tokens(char_to_id.size());
  std::vector<bool> seen(char_to_id.size());
  for (const auto& [text, id] : char_to_id.items()) {
    if (text.empty()) return Damaged(where, "char_to_id has an empty character");
    if (!id.is_number_integer()) {
      return Damaged(where, fmt::format("the id of '{}' is not a whole number", text));
    }
    const auto value = id.get<std::int64_t>();
    if (value < 0 || value >= static_cast<std::int64_t>(tokens.size()) || seen[value]) {
      return Damaged(where, fmt::format("ids are not 0..{}, each once: '{}' has {}",
                                        tokens.size() - 1, text, value));
    }
    seen[value] = true;
    tokens[value] = text;
  }
  return tokens;
}

}  // namespace

CharTokenizer::CharTokenizer(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  for (std::size_t id = 0; id < tokens_.size(); ++id) ids_[tokens_[id]] = static_cast<int>(id);
  if (const auto found = ids_.find(kDocText); found != ids_.end()) doc_ = found->second;
  if (const auto found = ids_.find(kUnknownText); found != ids_.end()) unknown_ = found->second;
}

absl::StatusOr<CharTokenizer> CharTokenizer::FromTexts(std::span<const std::string> texts) {
  std::set<std::string, std::less<>> characters;
  for (std::string_view rest : texts) {
    while (!rest.empty()) {
      const std::string_view character = TakeCharacter(rest);
      if (!character.empty() && !characters.contains(character)) characters.emplace(character);
    }
  }
  if (characters.size() + 2 > static_cast<std::size_t>(kMaxVocab)) {
    return InvalidArgument(fmt::format("{} different characters; a vocabulary holds {}",
                                       characters.size(), kMaxVocab - 2));
  }
  std::vector<std::string> tokens = {std::string(kDocText), std::string(kUnknownText)};
  tokens.insert(tokens.end(), characters.begin(), characters.end());
  return CharTokenizer(std::move(tokens));
}

absl::StatusOr<CharTokenizer> CharTokenizer::FromJson(std::string_view text,
                                                      const std::string& where) {
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object() || !root.contains("char_to_id")) {
    return Damaged(where, "not a vocabulary: no JSON object with the key char_to_id");
  }
  ASSIGN_OR_RETURN(std::vector<std::string> tokens, TokensById(root["char_to_id"], where));
  if (root.contains("tokens")) {
    const json& list = root["tokens"];
    bool equal = list.is_array() && list.size() == tokens.size();
    for (std::size_t id = 0; equal && id < tokens.size(); ++id) {
      equal = list[id].is_string() && list[id].get_ref<const std::string&>() == tokens[id];
    }
    if (!equal) return Damaged(where, "tokens and char_to_id are at odds");
  }
  return CharTokenizer(std::move(tokens));
}

std::string CharTokenizer::ToJson() const {
  nlohmann::ordered_json root;
  root["format_version"] = "1.0";
  root["tokenizer"] = "char";
  root["tokens"] = tokens_;
  nlohmann::ordered_json& ids = root["char_to_id"] = nlohmann::ordered_json::object();
  for (std::size_t id = 0; id < tokens_.size(); ++id) ids[tokens_[id]] = id;
  return root.dump(1) + "\n";
}

absl::StatusOr<std::vector<std::uint16_t>> CharTokenizer::Encode(std::string_view text) const {
  std::vector<std::uint16_t> ids;
  ids.reserve(text.size());
  while (!text.empty()) {
    const std::string_view character = TakeCharacter(text);
    if (const auto found = ids_.find(character); found != ids_.end()) {
      ids.push_back(static_cast<std::uint16_t>(found->second));
    } else if (unknown_) {
      ids.push_back(static_cast<std::uint16_t>(*unknown_));
    } else {
      return InvalidArgument(fmt::format(
          "the character '{}' is not in this corpus's vocabulary, which has no <unk>; leave it out",
          character));
    }
  }
  return ids;
}

std::string CharTokenizer::Decode(std::span<const std::uint16_t> ids) const {
  std::string text;
  text.reserve(ids.size());
  for (const int id : ids) {
    if (id >= vocab() || id == doc_) continue;
    text += id == unknown_ ? "\xEF\xBF\xBD" : tokens_[id];
  }
  return text;
}

}  // namespace etude
