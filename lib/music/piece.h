// Pieces of music out of the files of a source tree, one at a time: ABC tunes and MIDI files.
#ifndef ETUDE_LIB_MUSIC_PIECE_H_
#define ETUDE_LIB_MUSIC_PIECE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/abc_clean.h"
#include "lib/music/score.h"

namespace etude {

// A source file above this is refused; real ABC collections are below 3 MB a file.
inline constexpr std::int64_t kMaxSourceFileBytes = std::int64_t{256} << 20;
inline constexpr std::int64_t kMaxSourceFiles = 1'000'000;

struct PieceFile {
  std::string file;  // relative to the source
  std::string path;
  bool is_midi = false;
};

// The .abc and, `with_midi`, .mid, .midi and .kar files of a directory, by relative path, or the
// one file that `src` is; links to directories are not followed. kNotFound: no src.
// kResourceExhausted: more than kMaxSourceFiles.
absl::StatusOr<std::vector<PieceFile>> ListPieceFiles(const std::string& src, bool with_midi);

struct Piece {
  TuneFault fault = TuneFault::kNone;  // the rest is empty unless kNone
  std::string text;                    // the cleaned tune; empty for MIDI
  // Of the cleaned tune, or of the MIDI file: then chords are in the order of the file.
  Score score;
  std::string identity;  // pieces of one identity are copies
  std::vector<std::string> version_keys;
};

// The raw pieces of a file's bytes: its tunes, or all of a MIDI file. Views into `bytes`.
std::vector<std::string_view> SplitPieces(const PieceFile& file, std::string_view bytes);

// By what pieces are versions of one tune. Equal text, whatever its titles and layout, is a copy
// under either.
enum class Families {
  kOpening,  // of ABC: titles, or the opening in steps of the scale; of MIDI as kMelody
  kMelody,   // also phrases of the whole melody; a piece that another only transposes is a copy
};

Piece ReadPiece(const PieceFile& file, std::string_view raw, Families families);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_PIECE_H_
