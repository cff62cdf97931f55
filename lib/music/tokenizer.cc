#include "lib/music/tokenizer.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "lib/music/bpe_tokenizer.h"
#include "lib/music/char_tokenizer.h"
#include "lib/music/note_tokenizer.h"
#include "lib/music/piano_roll_tokenizer.h"
#include "lib/music/remi_tokenizer.h"
#include "lib/music/vocabulary_json.h"

namespace etude {
namespace {

using Kind = TokenizerName::Kind;

// Takes the text before the first ':' off `rest`.
std::string_view TakeWord(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(':'), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

std::optional<int> WholeNumber(std::string_view text, int low, int high) {
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end || value < low || value > high) return std::nullopt;
  return value;
}

std::optional<TokenizerName> ParseBpe(std::string_view rest) {
  const auto size = WholeNumber(TakeWord(rest), kMinBpeSize, Tokenizer::kMaxVocab);
  if (!size) return std::nullopt;
  TokenizerName name{.kind = Kind::kBpe, .bpe_size = *size};
  if (rest == "note") name.bpe_base = Kind::kNote;
  if (!rest.empty() && rest != "note" && rest != "char") return std::nullopt;
  return name;
}

std::optional<TokenizerName> ParseName(std::string_view text) {
  if (text == "char") return TokenizerName{.kind = Kind::kChar};
  if (text == "note") return TokenizerName{.kind = Kind::kNote};
  if (text == "remi") return TokenizerName{.kind = Kind::kRemi};
  if (text == "pianoroll") {
    return TokenizerName{.kind = Kind::kPianoRoll, .steps = kDefaultRollSteps};
  }
  std::string_view rest = text;
  const std::string_view first = TakeWord(rest);
  if (first == "bpe") return ParseBpe(rest);
  const auto steps = WholeNumber(rest, 1, kMaxRollSteps);
  if (first != "pianoroll" || !steps) return std::nullopt;
  return TokenizerName{.kind = Kind::kPianoRoll, .steps = *steps};
}

// Of the schemes whose vocabulary is fixed beforehand.
template <typename FixedTokenizer>
class FixedVocabulary : public VocabularyBuilder {
 public:
  explicit FixedVocabulary(FixedTokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}
  void Add(std::string_view, bool) override {}
  absl::StatusOr<std::unique_ptr<const Tokenizer>> Finish() override {
    return std::make_unique<const FixedTokenizer>(std::move(tokenizer_));
  }

 private:
  FixedTokenizer tokenizer_;
};

template <typename SomeTokenizer>
absl::StatusOr<std::unique_ptr<const Tokenizer>> Boxed(absl::StatusOr<SomeTokenizer> tokenizer) {
  RETURN_IF_ERROR(tokenizer.status());
  return std::make_unique<const SomeTokenizer>(*std::move(tokenizer));
}

}  // namespace

absl::StatusOr<TokenIds> Tokenizer::Encode(std::string_view) const {
  return InvalidArgument(scheme() + " tokens are made from a score, not from text");
}

std::string Tokenizer::Decode(std::span<const std::uint16_t> ids) const {
  std::string text;
  for (const int id : ids) {
    if (id >= vocab()) continue;
    if (!text.empty()) text += ' ';
    text += tokens()[id];
  }
  return text;
}

absl::StatusOr<TokenIds> Tokenizer::EncodeScore(const Score&) const {
  return InvalidArgument(scheme() +
                         " tokens are made from the text of an ABC tune; write MIDI as " +
                         "ABC first: etude corpus convert SRC ABC_DIR");
}

Score Tokenizer::DecodeScore(std::span<const std::uint16_t>) const { return {}; }

std::string TokenizerName::text() const {
  switch (kind) {
    case Kind::kChar:
      return "char";
    case Kind::kNote:
      return "note";
    case Kind::kRemi:
      return "remi";
    case Kind::kPianoRoll:
      return fmt::format("pianoroll:{}", steps);
    case Kind::kBpe:
      return fmt::format("bpe:{}:{}", bpe_size, bpe_base == Kind::kNote ? "note" : "char");
  }
  ENSURE(false);
}

absl::StatusOr<TokenizerName> ParseTokenizerName(std::string_view text) {
  if (const auto name = ParseName(text)) return *name;
  return InvalidArgument(fmt::format(
      "tokenizer '{}': unknown; allowed: char, note, remi, pianoroll, pianoroll:STEPS (of a "
      "quarter, 1 to {}), bpe:SIZE, bpe:SIZE:note (SIZE {} to {}), as in --tokenizer bpe:512",
      text, kMaxRollSteps, kMinBpeSize, Tokenizer::kMaxVocab));
}

std::unique_ptr<VocabularyBuilder> NewVocabularyBuilder(const TokenizerName& name) {
  switch (name.kind) {
    case Kind::kChar:
      return std::make_unique<CharVocabularyBuilder>();
    case Kind::kNote:
      return std::make_unique<NoteVocabularyBuilder>();
    case Kind::kRemi:
      return std::make_unique<FixedVocabulary<RemiTokenizer>>(RemiTokenizer());
    case Kind::kPianoRoll:
      return std::make_unique<FixedVocabulary<PianoRollTokenizer>>(PianoRollTokenizer(name.steps));
    case Kind::kBpe:
      return std::make_unique<BpeVocabularyBuilder>(name);
  }
  ENSURE(false);
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> TokenizerFromJson(std::string_view text,
                                                                   const std::string& where) {
  const auto root = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) return DamagedVocabulary(where, "not a vocabulary: no JSON object");
  const auto scheme = root.find("scheme");
  if (scheme == root.end()) return Boxed(CharTokenizer::FromJson(text, where));
  const auto name = scheme->is_string() ? ParseName(scheme->get<std::string>()) : std::nullopt;
  if (!name) return DamagedVocabulary(where, "scheme is not one that this version knows");
  switch (name->kind) {
    case Kind::kChar:
      return Boxed(CharTokenizer::FromJson(text, where));
    case Kind::kNote:
      return Boxed(NoteTokenizer::FromJson(root, where));
    case Kind::kRemi:
      return Boxed(RemiTokenizer::FromJson(root, where));
    case Kind::kPianoRoll:
      return Boxed(PianoRollTokenizer::FromJson(root, *name, where));
    case Kind::kBpe:
      return Boxed(BpeTokenizer::FromJson(root, *name, where));
  }
  ENSURE(false);
}

}  // namespace etude
