#include "lib/music/key_guess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace etude {
namespace {

using PitchClasses = std::array<double, 12>;

constexpr PitchClasses kMajorProfile = {6.35, 2.23, 3.48, 2.33, 4.38, 4.09,
                                        2.52, 5.19, 2.39, 3.66, 2.29, 2.88};
constexpr PitchClasses kMinorProfile = {6.33, 2.68, 3.52, 5.38, 2.60, 3.53,
                                        2.54, 4.75, 3.98, 2.69, 3.34, 3.17};

// Keys this close in correlation are told apart by their accidentals.
constexpr double kAboutAsWell = 0.1;

// A note counts for at most this many quarters, or a drone would drown the melody.
constexpr int kLongestQuarters = 4;

PitchClasses SoundingTimes(const Score& score) {
  PitchClasses times{};
  const std::int64_t longest = std::int64_t{kLongestQuarters} * score.ticks_per_quarter;
  for (const Voice& voice : score.voices) {
    if (voice.drums) continue;
    for (const Note& note : voice.notes) {
      times[static_cast<std::size_t>(note.pitch % 12)] +=
          static_cast<double>(std::min(note.duration, longest));
    }
  }
  return times;
}

double Correlation(const PitchClasses& times, const PitchClasses& profile, int tonic) {
  const double mean_time = std::accumulate(times.begin(), times.end(), 0.0) / 12;
  const double mean_weight = std::accumulate(profile.begin(), profile.end(), 0.0) / 12;
  double product = 0;
  double time_square = 0;
  double weight_square = 0;
  for (int degree = 0; degree < 12; ++degree) {
    const double time = times[static_cast<std::size_t>((tonic + degree) % 12)] - mean_time;
    const double weight = profile[static_cast<std::size_t>(degree)] - mean_weight;
    product += time * weight;
    time_square += time * time;
    weight_square += weight * weight;
  }
  return time_square > 0 ? product / std::sqrt(time_square * weight_square) : 0;
}

// The share of the time that the signature writes without an accidental.
double DiatonicShare(const PitchClasses& times, int fifths) {
  double inside = 0;
  for (int place = fifths - 1; place <= fifths + 5; ++place) {
    inside += times[static_cast<std::size_t>(((place * 7) % 12 + 12) % 12)];
  }
  return inside / std::accumulate(times.begin(), times.end(), 0.0);
}

struct Candidate {
  Key key;
  double correlation = 0;
  double diatonic = 0;
};

// Twelve signatures from five flats to six sharps, each as major and minor.
std::vector<Candidate> Candidates(const PitchClasses& times) {
  std::vector<Candidate> candidates;
  for (int fifths = -5; fifths <= 6; ++fifths) {
    for (const Mode mode : {Mode::kMajor, Mode::kMinor}) {
      const Key key{.fifths = fifths, .mode = mode};
      const auto& profile = mode == Mode::kMajor ? kMajorProfile : kMinorProfile;
      candidates.push_back({.key = key,
                            .correlation = Correlation(times, profile, TonicPitchClass(key)),
                            .diatonic = DiatonicShare(times, fifths)});
    }
  }
  return candidates;
}

}  // namespace

KeyGuess GuessKey(const Score& score) {
  const PitchClasses times = SoundingTimes(score);
  if (std::ranges::all_of(times, [](double time) { return time == 0; })) return {};
  const std::vector<Candidate> candidates = Candidates(times);
  const double highest = std::ranges::max(candidates, {}, &Candidate::correlation).correlation;
  const auto merit = [&](const Candidate& candidate) {
    return candidate.correlation >= highest - kAboutAsWell
               ? candidate.correlation + candidate.diatonic
               : -1;
  };
  const Candidate best = std::ranges::max(candidates, {}, merit);
  double rival = -1;
  for (const Candidate& candidate : candidates) {
    if (candidate.key.fifths != best.key.fifths) rival = std::max(rival, candidate.correlation);
  }
  const double margin = std::max(0.0, best.correlation - rival) + 1e-3;
  return {.key = best.key, .confidence = margin / (margin + 0.1)};
}

}  // namespace etude
