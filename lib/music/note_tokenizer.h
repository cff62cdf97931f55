// ABC text as lexemes: a note without its length, a length, a rest, a bar, a bracket, a field line,
// a line end. A lexeme that training did not show (a rare key, say) is spelled, a token a
// character. Nothing is lost: the texts of the tokens, put one after another, are the text.
#ifndef ETUDE_LIB_MUSIC_NOTE_TOKENIZER_H_
#define ETUDE_LIB_MUSIC_NOTE_TOKENIZER_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/tokenizer.h"

namespace etude {

class NoteTokenizer : public Tokenizer {
 public:
  // <doc> = 0, <unk> = 1, then lexemes and characters in byte order; `tokens` holds all of these.
  explicit NoteTokenizer(std::vector<std::string> tokens);

  // kDataLoss: ids with gaps or repeats, or no <doc> and <unk> in front.
  static absl::StatusOr<NoteTokenizer> FromJson(const nlohmann::json& root,
                                                const std::string& where);

  std::string scheme() const override { return "note"; }
  MusicForm form() const override { return MusicForm::kText; }
  std::string ToJson() const override;
  absl::StatusOr<TokenIds> Encode(std::string_view text) const override;
  std::string Decode(std::span<const std::uint16_t> ids) const override;

 private:
  void Spell(std::string_view lexeme, TokenIds& ids) const;

  std::unordered_map<std::string, std::uint16_t> ids_;
};

// Tokens of a text whose lexemes are all in the vocabulary.
std::int64_t CountNoteTokens(std::string_view text);

// Counts lexemes; where there are more than a vocabulary holds, the most frequent stay. Every
// printable ASCII character of the texts stays in any case.
class NoteVocabularyBuilder : public VocabularyBuilder {
 public:
  // A longer lexeme (a line of words, say) is always spelled.
  static constexpr std::size_t kMaxLexemeBytes = 64;
  // Different lexemes counted; what first appears beyond them is spelled.
  static constexpr std::size_t kMaxCounted = std::size_t{1} << 20;

  void Add(std::string_view text, bool sample) override;
  absl::StatusOr<std::unique_ptr<const Tokenizer>> Finish() override;

 private:
  std::map<std::string, std::int64_t, std::less<>> counts_;
  std::array<bool, 128> characters_{};
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_NOTE_TOKENIZER_H_
