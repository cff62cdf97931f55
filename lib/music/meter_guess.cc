#include "lib/music/meter_guess.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace etude {
namespace {

constexpr int kStepsPerQuarter = 12;
// Less music than this says nothing about its bars.
constexpr int kLeastQuarters = 12;
// 4/4 is what an unmarked file most often is; another meter must be this much better.
constexpr double kForFourFour = 0.05;

// General MIDI percussion: what marks the beats of a bar, and what fills them.
double DrumStrength(int instrument) {
  switch (instrument) {
    case 35:
    case 36:
      return 2;  // bass drums
    case 38:
    case 40:
    case 49:
    case 57:
      return 1;  // snares, crash cymbals
    default:
      return 0.25;
  }
}

double Strength(const Voice& voice, const Note& note, int ticks_per_quarter) {
  if (voice.drums) return DrumStrength(note.pitch);
  const double quarters = static_cast<double>(note.duration) / ticks_per_quarter;
  return (0.25 + std::min(quarters, 2.0)) * (note.pitch < 48 ? 2 : 1);
}

// Onset strength in each step, its mean taken out.
std::vector<double> OnsetStrength(const Score& score) {
  std::vector<double> strength;
  const std::int64_t quarter = score.ticks_per_quarter;
  constexpr std::int64_t kMaxSteps = std::int64_t{kMeterGuessQuarters} * kStepsPerQuarter;
  for (const Voice& voice : score.voices) {
    for (const Note& note : voice.notes) {
      const std::int64_t step = (note.onset * kStepsPerQuarter + quarter / 2) / quarter;
      if (step >= kMaxSteps) break;
      const auto place = static_cast<std::size_t>(step);
      if (place >= strength.size()) strength.resize(place + 1);
      strength[place] += Strength(voice, note, score.ticks_per_quarter);
    }
  }
  for (double& s : strength) s = std::sqrt(s);
  const double mean =
      std::accumulate(strength.begin(), strength.end(), 0.0) / static_cast<double>(strength.size());
  for (double& s : strength) s -= mean;
  return strength;
}

double Autocorrelation(const std::vector<double>& strength, int eighths) {
  const auto lag = static_cast<std::size_t>(eighths * kStepsPerQuarter / 2);
  if (lag >= strength.size()) return 0;
  double product = 0;
  double square = 0;
  for (std::size_t i = lag; i < strength.size(); ++i) {
    product += strength[i] * strength[i - lag];
    square += strength[i] * strength[i] + strength[i - lag] * strength[i - lag];
  }
  return square > 0 ? 2 * product / square : 0;
}

// One bar and two bars on.
double Repeats(const std::vector<double>& strength, int bar_eighths) {
  return (Autocorrelation(strength, bar_eighths) + Autocorrelation(strength, 2 * bar_eighths)) / 2;
}

}  // namespace

MeterGuess GuessMeter(const Score& score) {
  const std::vector<double> strength = OnsetStrength(score);
  if (std::ssize(strength) < std::ptrdiff_t{kLeastQuarters} * kStepsPerQuarter) return {};
  const double four = Repeats(strength, 8);
  const double three = Repeats(strength, 6);
  const double five = Repeats(strength, 10);
  const double best_other = std::max(three, five);
  const double confidence = std::min(1.0, std::abs(four - best_other) * 2);
  if (best_other <= four + kForFourFour) {
    const bool two = Autocorrelation(strength, 4) > Autocorrelation(strength, 8) + 2 * kForFourFour;
    return {.meter = {.at = 0, .beats = two ? 2 : 4, .unit = 4}, .confidence = confidence};
  }
  if (five > three) return {.meter = {.at = 0, .beats = 5, .unit = 4}, .confidence = confidence};
  // Six eighths fall in threes, three quarters in twos.
  const bool compound = Autocorrelation(strength, 3) > Autocorrelation(strength, 2);
  return {.meter = {.at = 0, .beats = compound ? 6 : 3, .unit = compound ? 8 : 4},
          .confidence = confidence};
}

}  // namespace etude
