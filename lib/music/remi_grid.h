// A score on REMI's grid, exactly as miditok 3.1 pre-processes one: resampled, clipped to the pitch
// range, binned velocities, durations and tempos, meters delayed to bar lines. Source: miditok
// 3.1.0, MusicTokenizer.preprocess_score; what looks odd here is what it does.
#ifndef ETUDE_LIB_MUSIC_REMI_GRID_H_
#define ETUDE_LIB_MUSIC_REMI_GRID_H_

#include <array>
#include <cstdint>
#include <vector>

#include "lib/music/score.h"

namespace etude {

inline constexpr int kRemiPositionsPerBeat = 8;
inline constexpr int kRemiDurations = 64;   // 8 a beat up to 4 beats, then 4 a beat up to 12
inline constexpr int kRemiVelocities = 32;  // the bins 3, 7, .. 127
inline constexpr int kRemiTempos = 32;      // 40 .. 250 quarters a minute
inline constexpr int kDrumProgram = -1;

struct PitchRange {
  int low = 0;
  int high = 127;  // inclusive
};
inline constexpr PitchRange kRemiPitches = {21, 109};
inline constexpr PitchRange kRemiDrumPitches = {27, 88};

// In the order of their ids.
inline constexpr std::array<MeterChange, 9> kRemiMeters = {{{0, 3, 8},
                                                            {0, 12, 8},
                                                            {0, 6, 8},
                                                            {0, 5, 4},
                                                            {0, 6, 4},
                                                            {0, 3, 4},
                                                            {0, 2, 4},
                                                            {0, 1, 4},
                                                            {0, 4, 4}}};

// Beats as kRemiDurations writes them: "1.4.8" is a beat and 4 eighths of one.
struct RemiDuration {
  int beat = 0;
  int position = 0;
  int resolution = 1;
  int Ticks(int ticks_per_beat) const {
    return (beat * resolution + position) * ticks_per_beat / resolution;
  }
};
const std::array<RemiDuration, kRemiDurations>& RemiDurations();
// Quarters a minute, to two decimals.
const std::array<double, kRemiTempos>& RemiTempos();
int RemiVelocity(int bin);

int TicksPerBeat(const MeterChange& meter, int ticks_per_quarter);
std::int64_t TicksPerBar(const MeterChange& meter, int ticks_per_quarter);

struct RemiNote {
  std::int64_t onset = 0;
  int pitch = 0;
  int velocity_bin = 0;
  int duration_bin = 0;
};

struct RemiTrack {
  int program = 0;  // or kDrumProgram
  std::vector<RemiNote> notes;
};

struct RemiTempo {
  std::int64_t at = 0;
  int bin = 0;
};

struct RemiScore {
  int ticks_per_quarter = kRemiPositionsPerBeat;  // twice that where a meter counts eighths
  std::vector<MeterChange> meters;                // the first at 0, all of kRemiMeters
  std::vector<RemiTempo> tempos;                  // the first at 0
  std::vector<RemiTrack> tracks;                  // none empty
};

struct RemiGridOptions {
  bool merge_programs = true;  // tracks of one program become one, as for one token stream
};

RemiScore ToRemiGrid(const Score& score, const RemiGridOptions& options);

// The score with whole first bar: an incomplete one is filled up with rest. Meters then count from
// 0, which is all that REMI and a piano roll know.
Score FillPickup(const Score& score);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_REMI_GRID_H_
