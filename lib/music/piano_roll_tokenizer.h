// A piano roll as frames of sounding pitches: each pitch is struck (On_60) or goes on (Held_60), so
// a held note and a re-struck one differ; drums are struck only (Drum_36); Step_n ends the frame
// and says for how many grid steps it lasts. A frame without pitches is silence. Instruments,
// velocities, meters and tempos are not written, and a pitch sounds once at a time.
#ifndef ETUDE_LIB_MUSIC_PIANO_ROLL_TOKENIZER_H_
#define ETUDE_LIB_MUSIC_PIANO_ROLL_TOKENIZER_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "lib/music/tokenizer.h"

namespace etude {

// Of a quarter: thirty-seconds and triplets. As a frame lasts as long as nothing changes, a finer
// grid makes no more tokens.
inline constexpr int kDefaultRollSteps = 24;
inline constexpr int kMaxRollSteps = 96;
// The longest frame in quarters; a longer one is written again with its notes held.
inline constexpr int kMaxRollFrameQuarters = 8;

class PianoRollTokenizer : public Tokenizer {
 public:
  // `steps` of a quarter, 1..kMaxRollSteps.
  explicit PianoRollTokenizer(int steps = kDefaultRollSteps);

  // kDataLoss: the tokens are not those of this version.
  static absl::StatusOr<PianoRollTokenizer> FromJson(const nlohmann::json& root,
                                                     const TokenizerName& name,
                                                     const std::string& where);

  std::string scheme() const override;
  MusicForm form() const override { return MusicForm::kScore; }
  std::string ToJson() const override;
  absl::StatusOr<TokenIds> EncodeScore(const Score& score) const override;
  // In ticks of one step; a voice for pitches and one for drums, as far as they have notes.
  Score DecodeScore(std::span<const std::uint16_t> ids) const override;

 private:
  int steps_;
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_PIANO_ROLL_TOKENIZER_H_
