#include "lib/music/corpus_tunes.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>

#include "lib/base/status.h"
#include "lib/music/abc_reader.h"
#include "lib/music/corpus_load.h"
#include "lib/music/tokenizer.h"

namespace etude {
namespace {

constexpr char kNone[] = "none";

Score DecodeTune(const Tokenizer& tokenizer, std::span<const std::uint16_t> ids) {
  if (tokenizer.form() == MusicForm::kScore) return tokenizer.DecodeScore(ids);
  return ReadAbc(tokenizer.Decode(ids)).score;
}

}  // namespace

void AddTune(const Score& score, TuneCounts& counts) {
  ++counts.tunes;
  const std::int64_t notes = NoteCount(score);
  if (notes == 0) {
    ++counts.without_notes;
    return;
  }
  ++counts.keys[score.keys.empty() ? kNone : KeyName(score.keys.front().key)];
  const bool measured = !score.meters.empty();
  ++counts.meters[measured ? std::to_string(score.meters.front().beats) + "/" +
                                 std::to_string(score.meters.front().unit)
                           : kNone];
  counts.notes.push_back(notes);
  counts.bars.push_back(std::ssize(BarLines(score)) - 1);
}

absl::StatusOr<TuneCounts> CountTunes(const std::string& dir) {
  ASSIGN_OR_RETURN(const std::unique_ptr<const Tokenizer> tokenizer, ReadVocabulary(dir));
  TuneCounts counts;
  if (!tokenizer->doc_token()) return counts;
  const auto doc = static_cast<std::uint16_t>(*tokenizer->doc_token());
  for (const Split split : kSplits) {
    ASSIGN_OR_RETURN(const std::vector<std::uint16_t> tokens, ReadCorpusTokens(dir, split));
    auto begin = std::ranges::find(tokens, doc);
    while (begin != tokens.end()) {
      const auto end = std::find(begin + 1, tokens.end(), doc);
      AddTune(DecodeTune(*tokenizer, std::span(begin, end)), counts);
      begin = end;
    }
  }
  return counts;
}

}  // namespace etude
