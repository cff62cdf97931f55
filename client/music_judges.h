// What other programs say of tunes in ABC: abcjs (npm) and abc2midi (Debian's abcmidi), where they
// are installed. They are run with fixed arguments, on files in a temporary directory.
#ifndef ETUDE_CLIENT_MUSIC_JUDGES_H_
#define ETUDE_CLIENT_MUSIC_JUDGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/environment.h"

namespace etude {

// abc2midi was seen to run on for ever on some texts.
inline constexpr absl::Duration kAbc2midiLimit = absl::Seconds(10);  // a tune
inline constexpr absl::Duration kAbcjsLimit = absl::Minutes(5);      // all tunes of a call

// Empty texts where there is nothing to complain of.
struct JudgedTune {
  std::string first_complaint;      // in the program's own words
  std::string first_bar_complaint;  // abc2midi: a bar's length. abcjs does not look at it
  std::int64_t complaints = 0;      // without those about bars
};

// Judges each tune: abc2midi -c; complaints are its lines with "Error", and whether it ended in
// time. One that was killed, or crashed, complains of that. kNotFound: not installed.
absl::StatusOr<std::vector<JudgedTune>> JudgeByAbc2midi(const std::vector<std::string>& tunes,
                                                        const Environment& environment);

// Judges by abcjs' parseOnly in Node; complaints are its warnings. kNotFound: no Node, or no abcjs
// in ETUDE_ABCJS, beside this checkout's `program_dir` (.deps/npm) or in Node's global folders.
absl::StatusOr<std::vector<JudgedTune>> JudgeByAbcjs(const std::vector<std::string>& tunes,
                                                     const Environment& environment,
                                                     const std::string& program_dir);

}  // namespace etude

#endif  // ETUDE_CLIENT_MUSIC_JUDGES_H_
