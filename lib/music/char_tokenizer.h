// One token a character, and vocab.json.
#ifndef ETUDE_LIB_MUSIC_CHAR_TOKENIZER_H_
#define ETUDE_LIB_MUSIC_CHAR_TOKENIZER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

// A character is a Unicode code point; a byte that is not UTF-8 is never in a vocabulary. Immutable
// once made.
class CharTokenizer {
 public:
  static constexpr std::string_view kDocText = "<doc>";      // written before every document
  static constexpr std::string_view kUnknownText = "<unk>";  // a character not seen in training
  static constexpr int kMaxVocab = 65536;                    // ids are uint16

  // <doc> = 0, <unk> = 1, then the characters of `texts` (the training split) in byte order.
  // kInvalidArgument: more than kMaxVocab.
  static absl::StatusOr<CharTokenizer> FromTexts(std::span<const std::string> texts);

  // Reads vocab.json: ours ("tokens" and "char_to_id"), or the course study's ("char_to_id" alone,
  // no <doc>). `where` names the bytes in errors. kDataLoss: not JSON, ids with gaps or repeats,
  // the two lists at odds.
  static absl::StatusOr<CharTokenizer> FromJson(std::string_view json, const std::string& where);
  std::string ToJson() const;

  int vocab() const { return static_cast<int>(tokens_.size()); }
  // Text of each id; "<doc>" and "<unk>" are whole tokens.
  const std::vector<std::string>& tokens() const { return tokens_; }
  std::optional<int> doc_token() const { return doc_; }
  std::optional<int> unknown_token() const { return unknown_; }

  // Characters outside the vocabulary become <unk>; kInvalidArgument naming the character if there
  // is no <unk>.
  absl::StatusOr<std::vector<std::uint16_t>> Encode(std::string_view text) const;
  // <doc> and ids outside the vocabulary give nothing, <unk> gives U+FFFD.
  std::string Decode(std::span<const std::uint16_t> ids) const;

 private:
  explicit CharTokenizer(std::vector<std::string> tokens);

  std::vector<std::string> tokens_;
  std::map<std::string, int, std::less<>> ids_;
  std::optional<int> doc_;
  std::optional<int> unknown_;
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CHAR_TOKENIZER_H_
