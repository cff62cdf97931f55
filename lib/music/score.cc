#include "lib/music/score.h"

#include <algorithm>
#include <cstddef>

namespace etude {
namespace {

template <typename Change>
void KeepLastAtEachTime(std::vector<Change>& changes) {
  std::ranges::stable_sort(changes, {}, &Change::at);
  std::vector<Change> kept;
  for (const Change& change : changes) {
    if (!kept.empty() && kept.back().at == change.at) kept.pop_back();
    kept.push_back(change);
  }
  changes = std::move(kept);
}

std::int64_t LastNoteEnd(const Score& score) {
  std::int64_t end = 0;
  for (const Voice& voice : score.voices) {
    for (const Note& note : voice.notes) end = std::max(end, note.onset + note.duration);
  }
  return end;
}

std::int64_t BarTicks(const Score& score, const MeterChange& meter) {
  return std::max<std::int64_t>(1, 4LL * score.ticks_per_quarter * meter.beats / meter.unit);
}

}  // namespace

std::vector<std::int64_t> BarLines(const Score& score) {
  const std::int64_t end = std::max(LastNoteEnd(score), score.pickup);
  std::vector<std::int64_t> lines = {0};
  if (score.pickup > 0) lines.push_back(score.pickup);
  MeterChange meter;
  std::size_t next = 0;
  while (lines.back() < end && lines.size() < kMaxScoreBars) {
    for (; next < score.meters.size() && score.meters[next].at <= lines.back(); ++next) {
      meter = score.meters[next];
    }
    std::int64_t line = lines.back() + BarTicks(score, meter);
    if (next < score.meters.size()) line = std::min(line, score.meters[next].at);
    lines.push_back(line);
  }
  if (lines.back() < end) lines.push_back(end);
  return lines;
}

std::int64_t NoteCount(const Score& score) {
  std::int64_t notes = 0;
  for (const Voice& voice : score.voices) notes += std::ssize(voice.notes);
  return notes;
}

void Normalize(Score& score) {
  for (Voice& voice : score.voices) {
    if (!std::ranges::is_sorted(voice.notes)) std::ranges::sort(voice.notes);
  }
  KeepLastAtEachTime(score.meters);
  KeepLastAtEachTime(score.tempos);
  KeepLastAtEachTime(score.keys);
  score.end = std::max(score.end, LastNoteEnd(score));
}

}  // namespace etude
