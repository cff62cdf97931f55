// Music to token ids and back, by one of several schemes. vocab.json carries the scheme, so what a
// model generates can always be decoded.
#ifndef ETUDE_LIB_MUSIC_TOKENIZER_H_
#define ETUDE_LIB_MUSIC_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/score.h"

namespace etude {

// What a scheme is a way to write: the text of a cleaned ABC tune, or a score.
enum class MusicForm { kText, kScore };

using TokenIds = std::vector<std::uint16_t>;

// Immutable once made; may be used from several threads.
class Tokenizer {
 public:
  static constexpr std::string_view kDocText = "<doc>";      // written before every document
  static constexpr std::string_view kUnknownText = "<unk>";  // what training did not show
  static constexpr int kMaxVocab = 65536;                    // ids are uint16
  // One piece is at most this many tokens; real ones are below 200,000.
  static constexpr std::int64_t kMaxPieceTokens = std::int64_t{1} << 24;

  virtual ~Tokenizer() = default;

  // As --tokenizer takes it: "char", "note", "remi", "pianoroll:24", "bpe:512:char".
  virtual std::string scheme() const = 0;
  virtual MusicForm form() const = 0;
  // The bytes of vocab.json; TokenizerFromJson reads them.
  virtual std::string ToJson() const = 0;

  int vocab() const { return static_cast<int>(tokens_.size()); }
  // Text of each id; special ones are whole tokens.
  const std::vector<std::string>& tokens() const { return tokens_; }
  std::optional<int> doc_token() const { return doc_; }
  std::optional<int> unknown_token() const { return unknown_; }

  // Schemes over text. What is outside the vocabulary becomes <unk>; kInvalidArgument naming it if
  // there is no <unk>, and for a scheme over scores.
  virtual absl::StatusOr<TokenIds> Encode(std::string_view text) const;
  // Document tokens and ids outside the vocabulary give nothing, <unk> gives U+FFFD. A scheme over
  // scores gives the texts of its tokens with blanks between.
  virtual std::string Decode(std::span<const std::uint16_t> ids) const;

  // Schemes over scores; kInvalidArgument for the others. kResourceExhausted: more than
  // kMaxPieceTokens.
  virtual absl::StatusOr<TokenIds> EncodeScore(const Score& score) const;
  // Any ids are accepted: those that make no sense where they stand are passed over. Empty for a
  // scheme over text.
  virtual Score DecodeScore(std::span<const std::uint16_t> ids) const;

 protected:
  // `doc` and `unknown` are ids of `tokens`.
  Tokenizer(std::vector<std::string> tokens, std::optional<int> doc, std::optional<int> unknown)
      : tokens_(std::move(tokens)), doc_(doc), unknown_(unknown) {}
  Tokenizer(const Tokenizer&) = default;
  Tokenizer(Tokenizer&&) = default;
  Tokenizer& operator=(const Tokenizer&) = default;
  Tokenizer& operator=(Tokenizer&&) = default;

 private:
  std::vector<std::string> tokens_;
  std::optional<int> doc_;
  std::optional<int> unknown_;
};

// A scheme by name, before there is a vocabulary.
struct TokenizerName {
  enum class Kind { kChar, kNote, kRemi, kPianoRoll, kBpe };
  Kind kind = Kind::kChar;
  int steps = 0;                // of a quarter; piano roll alone
  int bpe_size = 0;             // tokens of the whole vocabulary; BPE alone
  Kind bpe_base = Kind::kChar;  // kChar or kNote

  MusicForm form() const {
    return kind == Kind::kRemi || kind == Kind::kPianoRoll ? MusicForm::kScore : MusicForm::kText;
  }
  std::string text() const;  // canonical: "bpe:512" is "bpe:512:char"
  friend bool operator==(const TokenizerName&, const TokenizerName&) = default;
};

// char | note | remi | pianoroll[:STEPS] | bpe:SIZE[:char|note]. kInvalidArgument names what is
// allowed.
absl::StatusOr<TokenizerName> ParseTokenizerName(std::string_view text);

// Learns a vocabulary from the training split, one document at a time and in a fixed order; equal
// documents give equal vocabularies. Memory is bounded whatever is added.
class VocabularyBuilder {
 public:
  virtual ~VocabularyBuilder() = default;
  // A document's text; schemes over scores need none. Merges are learned from `sample` documents
  // only, so a bounded part of a large split, chosen by chance, is enough.
  virtual void Add(std::string_view text, bool sample) = 0;
  // Call once, last. kInvalidArgument: more different symbols than ids, or a BPE size below the
  // base vocabulary.
  virtual absl::StatusOr<std::unique_ptr<const Tokenizer>> Finish() = 0;
};
std::unique_ptr<VocabularyBuilder> NewVocabularyBuilder(const TokenizerName& name);

// Reads vocab.json of any scheme; without "scheme" it is of characters. `where` names the bytes in
// errors. kDataLoss: not JSON, an unknown scheme, ids with gaps or repeats.
absl::StatusOr<std::unique_ptr<const Tokenizer>> TokenizerFromJson(std::string_view json,
                                                                   const std::string& where);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_TOKENIZER_H_
