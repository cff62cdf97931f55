// One token a character.
#ifndef ETUDE_LIB_MUSIC_CHAR_TOKENIZER_H_
#define ETUDE_LIB_MUSIC_CHAR_TOKENIZER_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/tokenizer.h"

namespace etude {

// A character is a Unicode code point; a byte that is not UTF-8 is never in a vocabulary. Immutable
// once made.
class CharTokenizer : public Tokenizer {
 public:
  // <doc> = 0, <unk> = 1, then the characters of `texts` (the training split) in byte order.
  // kInvalidArgument: more than kMaxVocab.
  static absl::StatusOr<CharTokenizer> FromTexts(std::span<const std::string> texts);

  // Reads vocab.json: ours ("tokens" and "char_to_id"), or the course study's ("char_to_id" alone,
  // no <doc>). `where` names the bytes in errors. kDataLoss: not JSON, ids with gaps or repeats,
  // the two lists at odds.
  static absl::StatusOr<CharTokenizer> FromJson(std::string_view json, const std::string& where);

  std::string scheme() const override { return "char"; }
  MusicForm form() const override { return MusicForm::kText; }
  std::string ToJson() const override;
  absl::StatusOr<TokenIds> Encode(std::string_view text) const override;
  std::string Decode(std::span<const std::uint16_t> ids) const override;

 private:
  friend class CharVocabularyBuilder;
  explicit CharTokenizer(std::vector<std::string> tokens);
  absl::StatusOr<int> IdOf(std::string_view character) const;

  std::map<std::string, int, std::less<>> ids_;
  std::array<int, 128> ascii_ids_{};  // -1: not in the vocabulary
};

// Collects the characters of texts.
class CharVocabularyBuilder : public VocabularyBuilder {
 public:
  void Add(std::string_view text, bool sample) override;
  absl::StatusOr<std::unique_ptr<const Tokenizer>> Finish() override;
  absl::StatusOr<CharTokenizer> FinishChars() const;  // the same by value

 private:
  std::array<bool, 128> ascii_{};
  std::set<std::string, std::less<>> others_;  // at most kMaxVocab
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CHAR_TOKENIZER_H_
