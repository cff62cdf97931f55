#include "lib/music/char_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "lib/music/vocabulary_json.h"

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

// Texts by id; every id from 0 to size - 1 exactly once.
absl::StatusOr<std::vector<std::string>> TokensById(const json& char_to_id,
                                                    const std::string& where) {
  if (!char_to_id.is_object() || char_to_id.empty() ||
      char_to_id.size() > static_cast<std::size_t>(Tokenizer::kMaxVocab)) {
    return DamagedVocabulary(where, "char_to_id is not an object of 1 to 65536 characters");
  }
  std::vector<std::string> tokens(char_to_id.size());
  std::vector<bool> seen(char_to_id.size());
  for (const auto& [text, id] : char_to_id.items()) {
    if (text.empty()) return DamagedVocabulary(where, "char_to_id has an empty character");
    if (!id.is_number_integer()) {
      return DamagedVocabulary(where, fmt::format("the id of '{}' is not a whole number", text));
    }
    const auto value = id.get<std::int64_t>();
    if (value < 0 || value >= static_cast<std::int64_t>(tokens.size()) || seen[value]) {
      return DamagedVocabulary(where, fmt::format("ids are not 0..{}, each once: '{}' has {}",
                                                  tokens.size() - 1, text, value));
    }
    seen[value] = true;
    tokens[value] = text;
  }
  return tokens;
}

std::optional<int> Find(const std::vector<std::string>& tokens, std::string_view text) {
  const auto found = std::find(tokens.begin(), tokens.end(), text);
  if (found == tokens.end()) return std::nullopt;
  return static_cast<int>(found - tokens.begin());
}

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

}  // namespace

CharTokenizer::CharTokenizer(std::vector<std::string> tokens)
    : Tokenizer(tokens, Find(tokens, kDocText), Find(tokens, kUnknownText)) {
  ascii_ids_.fill(-1);
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::string& text = tokens[id];
    if (text.size() == 1 && IsAscii(text[0])) ascii_ids_[text[0]] = static_cast<int>(id);
    ids_[text] = static_cast<int>(id);
  }
}

absl::StatusOr<CharTokenizer> CharTokenizer::FromTexts(std::span<const std::string> texts) {
  CharVocabularyBuilder builder;
  for (const std::string& text : texts) builder.Add(text, /*sample=*/false);
  return builder.FinishChars();
}

void CharVocabularyBuilder::Add(std::string_view text, bool /*sample*/) {
  while (!text.empty()) {
    if (IsAscii(text[0])) {
      ascii_[text[0]] = true;
      text.remove_prefix(1);
      continue;
    }
    const std::string_view character = TakeCharacter(text);
    const bool is_full = others_.size() == static_cast<std::size_t>(Tokenizer::kMaxVocab);
    if (!character.empty() && !is_full && !others_.contains(character)) others_.emplace(character);
  }
}

absl::StatusOr<CharTokenizer> CharVocabularyBuilder::FinishChars() const {
  std::vector<std::string> tokens = {std::string(Tokenizer::kDocText),
                                     std::string(Tokenizer::kUnknownText)};
  for (std::size_t c = 0; c < ascii_.size(); ++c) {
    if (ascii_[c]) tokens.emplace_back(1, static_cast<char>(c));
  }
  tokens.insert(tokens.end(), others_.begin(), others_.end());
  if (tokens.size() > static_cast<std::size_t>(Tokenizer::kMaxVocab)) {
    return InvalidArgument(fmt::format("{} different characters; a vocabulary holds {}",
                                       tokens.size() - 2, Tokenizer::kMaxVocab - 2));
  }
  return CharTokenizer(std::move(tokens));
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> CharVocabularyBuilder::Finish() {
  ASSIGN_OR_RETURN(CharTokenizer tokenizer, FinishChars());
  return std::make_unique<const CharTokenizer>(std::move(tokenizer));
}

absl::StatusOr<CharTokenizer> CharTokenizer::FromJson(std::string_view text,
                                                      const std::string& where) {
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object() || !root.contains("char_to_id")) {
    return DamagedVocabulary(where, "not a vocabulary: no JSON object with the key char_to_id");
  }
  ASSIGN_OR_RETURN(std::vector<std::string> tokens, TokensById(root["char_to_id"], where));
  if (root.contains("tokens")) {
    const json& list = root["tokens"];
    bool equal = list.is_array() && list.size() == tokens.size();
    for (std::size_t id = 0; equal && id < tokens.size(); ++id) {
      equal = list[id].is_string() && list[id].get_ref<const std::string&>() == tokens[id];
    }
    if (!equal) return DamagedVocabulary(where, "tokens and char_to_id are at odds");
  }
  return CharTokenizer(std::move(tokens));
}

std::string CharTokenizer::ToJson() const {
  nlohmann::ordered_json root = VocabularyToJson(scheme(), tokens());
  nlohmann::ordered_json& ids = root["char_to_id"] = nlohmann::ordered_json::object();
  for (std::size_t id = 0; id < tokens().size(); ++id) ids[tokens()[id]] = id;
  return VocabularyText(root);
}

absl::StatusOr<int> CharTokenizer::IdOf(std::string_view character) const {
  if (const auto found = ids_.find(character); found != ids_.end()) return found->second;
  if (unknown_token()) return *unknown_token();
  return InvalidArgument(fmt::format(
      "the character '{}' is not in this corpus's vocabulary, which has no <unk>; leave it out",
      character));
}

absl::StatusOr<TokenIds> CharTokenizer::Encode(std::string_view text) const {
  TokenIds ids;
  ids.reserve(text.size());
  while (!text.empty()) {
    if (const char c = text[0]; IsAscii(c) && ascii_ids_[c] >= 0) {
      ids.push_back(static_cast<std::uint16_t>(ascii_ids_[c]));
      text.remove_prefix(1);
      continue;
    }
    ASSIGN_OR_RETURN(const int id, IdOf(TakeCharacter(text)));
    ids.push_back(static_cast<std::uint16_t>(id));
  }
  return ids;
}

std::string CharTokenizer::Decode(std::span<const std::uint16_t> ids) const {
  std::string text;
  text.reserve(ids.size());
  for (const int id : ids) {
    if (id >= vocab() || id == doc_token()) continue;
    text += id == unknown_token() ? "\xEF\xBF\xBD" : tokens()[id];
  }
  return text;
}

}  // namespace etude
