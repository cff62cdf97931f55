#include "lib/music/note_tokenizer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/base/status.h"
#include "lib/music/abc_lexer.h"
#include "lib/music/vocabulary_json.h"

namespace etude {
namespace {

constexpr int kDoc = 0;
constexpr int kUnknown = 1;

bool HasLength(AbcLexKind kind) {
  return kind == AbcLexKind::kNote || kind == AbcLexKind::kRest || kind == AbcLexKind::kBarRest ||
         kind == AbcLexKind::kChordClose;
}

// A lexeme as one token, or two where it carries a length.
template <typename Use>
void ForEachToken(std::string_view text, const Use& use) {
  AbcLexer lexer(text);
  for (AbcLexeme lexeme; lexer.Next(lexeme);) {
    const std::size_t split =
        HasLength(lexeme.kind) ? lexeme.text.find_first_of("0123456789/") : std::string_view::npos;
    use(lexeme.text.substr(0, split));
    if (split != std::string_view::npos) use(lexeme.text.substr(split));
  }
}

}  // namespace

NoteTokenizer::NoteTokenizer(std::vector<std::string> tokens)
    : Tokenizer(std::move(tokens), kDoc, kUnknown) {
  for (int id = kUnknown + 1; id < vocab(); ++id) {
    ids_[this->tokens()[id]] = static_cast<std::uint16_t>(id);
  }
}

absl::StatusOr<NoteTokenizer> NoteTokenizer::FromJson(const nlohmann::json& root,
                                                      const std::string& where) {
  ASSIGN_OR_RETURN(std::vector<std::string> tokens, TokensFromJson(root, where));
  if (tokens.size() < 2 || tokens[kDoc] != kDocText || tokens[kUnknown] != kUnknownText) {
    return DamagedVocabulary(where, "the first tokens are not <doc> and <unk>");
  }
  return NoteTokenizer(std::move(tokens));
}

std::string NoteTokenizer::ToJson() const {
  return VocabularyText(VocabularyToJson(scheme(), tokens()));
}

absl::StatusOr<TokenIds> NoteTokenizer::Encode(std::string_view text) const {
  TokenIds ids;
  ids.reserve(text.size() / 2);
  std::string key;  // reused: a map of strings finds no view
  ForEachToken(text, [&](std::string_view token) {
    key.assign(token);
    if (const auto found = ids_.find(key); found != ids_.end()) {
      ids.push_back(found->second);
    } else {
      Spell(token, ids);
    }
  });
  return ids;
}

void NoteTokenizer::Spell(std::string_view lexeme, TokenIds& ids) const {
  for (const char c : lexeme) {
    const auto found = ids_.find(std::string(1, c));
    ids.push_back(found == ids_.end() ? static_cast<std::uint16_t>(kUnknown) : found->second);
  }
}

std::string NoteTokenizer::Decode(std::span<const std::uint16_t> ids) const {
  std::string text;
  for (const int id : ids) {
    if (id >= vocab() || id == kDoc) continue;
    text += id == kUnknown ? "\xEF\xBF\xBD" : tokens()[id];
  }
  return text;
}

std::int64_t CountNoteTokens(std::string_view text) {
  std::int64_t count = 0;
  ForEachToken(text, [&](std::string_view) { ++count; });
  return count;
}

void NoteVocabularyBuilder::Add(std::string_view text, bool /*sample*/) {
  for (const char c : text) {
    if (c >= ' ' && c < '\x7F') characters_[static_cast<unsigned char>(c)] = true;
  }
  ForEachToken(text, [&](std::string_view token) {
    if (const auto found = counts_.find(token); found != counts_.end()) {
      ++found->second;
    } else if (token.size() <= kMaxLexemeBytes && counts_.size() < kMaxCounted) {
      counts_.emplace(token, 1);
    }
  });
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> NoteVocabularyBuilder::Finish() {
  using Counted = std::pair<std::string, std::int64_t>;
  std::vector<Counted> lexemes(counts_.begin(), counts_.end());
  std::ranges::stable_sort(lexemes, std::ranges::greater(), &Counted::second);
  std::set<std::string> chosen;  // in byte order
  for (std::size_t c = 0; c < characters_.size(); ++c) {
    if (characters_[c]) chosen.emplace(1, static_cast<char>(c));
  }
  for (const auto& [text, count] : lexemes) {
    if (chosen.size() == static_cast<std::size_t>(Tokenizer::kMaxVocab - 2)) break;
    if (text != Tokenizer::kDocText && text != Tokenizer::kUnknownText) chosen.insert(text);
  }
  std::vector<std::string> tokens = {std::string(Tokenizer::kDocText),
                                     std::string(Tokenizer::kUnknownText)};
  tokens.insert(tokens.end(), chosen.begin(), chosen.end());
  return std::make_unique<const NoteTokenizer>(std::move(tokens));
}

}  // namespace etude
