// REMI (Huang & Yang 2020, arXiv 2002.00212): Bar, TimeSig, Position, Tempo, and per note Program,
// Pitch or PitchDrum, Velocity, Duration. The ids are those of miditok 3.1's REMI.
#ifndef ETUDE_LIB_MUSIC_REMI_TOKENIZER_H_
#define ETUDE_LIB_MUSIC_REMI_TOKENIZER_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/remi_grid.h"
#include "lib/music/tokenizer.h"

namespace etude {

// miditok's TokenizerConfig(use_programs=programs, use_tempos=tempos), all else default: 518 tokens
// with both, 357 with neither.
struct RemiOptions {
  bool programs = true;
  bool tempos = true;
};

// Here BOS_None begins a document, and PAD, EOS and MASK never occur. Without programs all voices
// are written one after another, as miditok's list of sequences.
class RemiTokenizer : public Tokenizer {
 public:
  explicit RemiTokenizer(const RemiOptions& options = {});

  // kDataLoss: the tokens are not those of this version.
  static absl::StatusOr<RemiTokenizer> FromJson(const nlohmann::json& root,
                                                const std::string& where);

  std::string scheme() const override { return "remi"; }
  MusicForm form() const override { return MusicForm::kScore; }
  std::string ToJson() const override;
  absl::StatusOr<TokenIds> EncodeScore(const Score& score) const override;
  Score DecodeScore(std::span<const std::uint16_t> ids) const override;

 private:
  RemiOptions options_;
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_REMI_TOKENIZER_H_
