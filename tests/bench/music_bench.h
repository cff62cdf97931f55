// How fast MIDI becomes ABC here, beside midi2abc on the same files. No coordinator takes part.
#ifndef ETUDE_TESTS_BENCH_MUSIC_BENCH_H_
#define ETUDE_TESTS_BENCH_MUSIC_BENCH_H_

#include <string>

#include "absl/status/statusor.h"

namespace etude {

struct MusicBenchOptions {
  std::string files;   // a directory of MIDI files; empty: files of its own, six voices in 32 bars
  double seconds = 2;  // at least, of each timed phase
};

// One core's medians over whole passes: parse_ms (ReadMidi), convert_ms (ConvertMidi, its round
// trip measured too), files_per_s, notes_per_s, mib_per_s of MIDI; midi2abc_ms with the start of
// its process, and times_midi2abc, unless it is not installed.
struct MusicBenchReport {
  std::string text;  // a line a number
  std::string json;  // format_version "1.0"
};
absl::StatusOr<MusicBenchReport> RunMusicBench(const MusicBenchOptions& options);

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_MUSIC_BENCH_H_
