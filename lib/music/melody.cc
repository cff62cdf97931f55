#include "lib/music/melody.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace etude {
namespace {

constexpr int kRatioStepsPerOctave = 6;
constexpr int kMaxRatioSteps = 60;  // a thousandfold

int RatioStep(std::int64_t before, std::int64_t after) {
  const double octaves = std::log2(static_cast<double>(after) / static_cast<double>(before));
  const auto steps = static_cast<int>(std::lround(octaves * kRatioStepsPerOctave));
  return std::clamp(steps, -kMaxRatioSteps, kMaxRatioSteps);
}

}  // namespace

std::vector<Note> Melody(const Score& score) {
  std::vector<Note> notes;
  for (const Voice& voice : score.voices) {
    if (!voice.drums) notes.insert(notes.end(), voice.notes.begin(), voice.notes.end());
  }
  std::ranges::sort(notes, [](const Note& a, const Note& b) {
    if (a.onset != b.onset) return a.onset < b.onset;
    return a.pitch != b.pitch ? a.pitch > b.pitch : a.duration > b.duration;
  });
  const auto same = [](const Note& a, const Note& b) { return a.onset == b.onset; };
  notes.erase(std::unique(notes.begin(), notes.end(), same), notes.end());
  return notes;
}

std::vector<MelodyStep> MelodyShape(const std::vector<Note>& melody) {
  std::vector<MelodyStep> shape;
  for (std::size_t i = 2; i < melody.size(); ++i) {
    const int interval = melody[i].pitch - melody[i - 1].pitch + 128;  // 1..255
    const int ratio = RatioStep(melody[i - 1].onset - melody[i - 2].onset,
                                melody[i].onset - melody[i - 1].onset) +
                      kMaxRatioSteps;  // 0..120
    shape.push_back(static_cast<MelodyStep>((interval << 8) | ratio));
  }
  return shape;
}

}  // namespace etude
