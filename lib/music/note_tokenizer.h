// ABC text as lexemes: a note without its length, a length, a rest, a bar, a bracket, a field line,
// a line end. Nothing is lost: the texts of the tokens, put one after another, are the text.
#ifndef ETUDE_LIB_MUSIC_NOTE_TOKENIZER_H_
#define ETUDE_LIB_MUSIC_NOTE_TOKENIZER_H_

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
  // <doc> = 0, <unk> = 1, then the lexemes; `tokens` holds all of these.
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
  std::unordered_map<std::string, std::uint16_t> ids_;
};

// Counts lexemes; where there are more than a vocabulary holds, the most frequent stay.
class NoteVocabularyBuilder : public VocabularyBuilder {
 public:
  // A longer lexeme (a line of words, say) is never in the vocabulary.
  static constexpr std::size_t kMaxLexemeBytes = 64;
  // Different lexemes counted; what first appears beyond them is <unk>.
  static constexpr std::size_t kMaxCounted = std::size_t{1} << 20;

  void Add(std::string_view text, bool sample) override;
  absl::StatusOr<std::unique_ptr<const Tokenizer>> Finish() override;

 private:
  std::map<std::string, std::int64_t, std::less<>> counts_;
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_NOTE_TOKENIZER_H_
