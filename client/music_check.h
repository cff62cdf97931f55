// `etude music check`: what is right and wrong with each tune of ABC files.
#ifndef ETUDE_CLIENT_MUSIC_CHECK_H_
#define ETUDE_CLIENT_MUSIC_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "client/environment.h"
#include "client/output.h"
#include "lib/music/music_metrics.h"

namespace etude {

// One level of validity. `reason` is empty where it holds, else "LINE:COLUMN: what is wrong" of its
// first fault, counted in the file.
struct CheckedLevel {
  bool holds = false;
  std::string reason;
};

struct CheckedTune {
  std::string file;
  std::int64_t tune = 1;  // of the file, from 1
  std::string title;
  std::string text;
  CheckedLevel lexes;  // V0: a key, and a meaning for every character of the music
  CheckedLevel bars;   // V3: bars last as their meter says
  CheckedLevel plays;  // V4: there are notes to play
  // nullopt: not asked, or not installed.
  std::optional<CheckedLevel> abcjs;          // V1: abcjs warns of nothing
  std::optional<CheckedLevel> abc2midi;       // V2: abc2midi names no error
  std::optional<CheckedLevel> abc2midi_bars;  // V3 by abc2midi, to which no bar may be short
  MusicMetrics metrics;
  std::int64_t notes = 0;
  std::int64_t bar_count = 0;
  std::int64_t faults = 0;
};

// The tunes of the file's text; text without an X: line is one tune.
std::vector<CheckedTune> CheckTunes(const std::string& file, std::string_view text);

// Asks abcjs and abc2midi, where they are installed. An error says which of them failed.
absl::Status AskJudges(std::vector<CheckedTune>& tunes, const Environment& environment,
                       const std::string& program_dir);

// One row a tune, and how many hold each level.
Report CheckReport(const std::vector<CheckedTune>& tunes);

}  // namespace etude

#endif  // ETUDE_CLIENT_MUSIC_CHECK_H_
