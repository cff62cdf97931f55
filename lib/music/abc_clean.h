// ABC text (abcnotation.com, standard 2.1) from strangers to the text a model learns: one tune at a
// time, only what is music. Pure functions; any bytes are accepted.
#ifndef ETUDE_LIB_MUSIC_ABC_CLEAN_H_
#define ETUDE_LIB_MUSIC_ABC_CLEAN_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace etude {

// Longer tunes are dropped: real ones stay below 20 kB.
inline constexpr std::size_t kMaxTuneChars = 1 << 18;

enum class TuneFault {
  kNone,
  kNoKey,    // no K: field, so nothing says where the music starts
  kNoMusic,  // no note
  kTooLong,  // more than kMaxTuneChars, before or after cleaning
};

// A tune as the corpus keeps it: "M:6/8\nL:1/8\nK:Gm\n", then the music, every line ended by "\n",
// printable ASCII only. Kept: meter, unit and key (also where they change), voice changes
// (renumbered from 1), notes, rests, chords, grace notes, bars and repeats, slurs and ties, the
// one-letter ornaments of the standard. Dropped: all other fields (titles, names, notes, words,
// tempo, parts), comments, quoted text (in these collections fingerings and annotations; chord
// names go with them), !named! ornaments, typographic marks, surplus blanks.
struct CleanTune {
  TuneFault fault = TuneFault::kNone;  // the rest is empty unless kNone
  std::string text;
  // Equal for tunes that differ only in titles, unit and meter fields, blanks, slurs and the look
  // of bar lines.
  std::string body_key;
  // Tunes that share any of these are versions of one tune: its titles, its opening melody in scale
  // steps.
  std::vector<std::string> version_keys;
};

// The tunes of an ABC file: each from its X: line to before the next; text before the first is left
// out. The views point into `text`.
std::vector<std::string_view> SplitTunes(std::string_view text);

CleanTune CleanAbcTune(std::string_view tune);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_CLEAN_H_
