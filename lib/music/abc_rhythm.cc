#include "lib/music/abc_rhythm.h"

#include <algorithm>
#include <bit>

namespace etude {
namespace {

// One note can last n of a power-of-two unit without a tie: dots make 3 and 7 of 1.
bool IsOneValue(std::int64_t units) {
  const std::int64_t odd = units >> std::countr_zero(static_cast<std::uint64_t>(units));
  return odd == 1 || odd == 3 || odd == 7;
}

std::int64_t LongestValueIn(std::int64_t units) {
  const auto power = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(units)));
  if (power >= 4 && units >= power / 4 * 7) return power / 4 * 7;
  if (power >= 2 && units >= power / 2 * 3) return power / 2 * 3;
  return power;
}

// What to write first of `units` that start at `position`: all of it, up to the beat, or the most
// that one value holds.
std::int64_t FirstValue(std::int64_t position, std::int64_t units, std::int64_t beat) {
  if (IsOneValue(units)) return units;
  const std::int64_t to_beat = beat - position % beat;
  if (to_beat < beat && to_beat < units && IsOneValue(to_beat)) return to_beat;
  return LongestValueIn(units);
}

// "(3:2:9": some readers take one digit.
constexpr std::size_t kMaxTripletValues = 9;

class BarSplit {
 public:
  BarSplit(std::span<const BarEvent> events, std::int64_t quarter, std::vector<NoteValue>& values)
      : events_(events), quarter_(quarter), values_(values) {}

  void Run() {
    const std::int64_t length = events_.back().end;
    std::int64_t done = 0;
    if (quarter_ % 3 == 0) {
      for (const BarEvent& event : events_) {
        if (event.end % 3 == 0 || event.end < done || event.end >= length) continue;
        const Span cell = TripletAround(event.end, length);
        Write({done, cell.begin}, 3);
        WriteTriplet(cell);
        done = cell.end;
      }
    }
    Write({done, length}, quarter_ % 3 == 0 ? 3 : 1);
  }

 private:
  struct Span {
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };

  // The event that sounds at `time` (the later one at a border).
  std::size_t EventAt(std::int64_t time) const {
    const auto after = std::ranges::upper_bound(events_, time, {}, &BarEvent::start);
    return static_cast<std::size_t>(after - events_.begin()) - 1;
  }

  // True when all borders inside `cell` that need a triplet cut it in thirds.
  bool CutsInThirds(const Span& cell) const {
    const std::int64_t third = (cell.end - cell.begin) / 3;
    for (std::size_t i = EventAt(cell.begin); i < events_.size(); ++i) {
      const std::int64_t border = events_[i].end;
      if (border >= cell.end) break;
      if (border % 3 != 0 && (border - cell.begin) % third != 0) return false;
    }
    return true;
  }

  // Whether the halves of `cell` are better written apart.
  bool Halves(const Span& cell, std::int64_t length) const {
    const std::int64_t half = (cell.end - cell.begin) / 2;
    if (half % 3 != 0 || half == 0) return false;
    const std::int64_t middle = cell.begin + half;
    if (cell.end > length) return true;
    const BarEvent& over = events_[EventAt(middle)];
    if (over.start == middle) return true;
    if (CutsInThirds(cell)) return false;
    return over.start % 3 == 0 || over.end % 3 == 0;
  }

  Span TripletAround(std::int64_t border, std::int64_t length) const {
    const std::int64_t half_note = 2 * quarter_;
    Span cell{border / half_note * half_note, border / half_note * half_note + half_note};
    while (Halves(cell, length)) {
      const std::int64_t middle = (cell.begin + cell.end) / 2;
      (border < middle ? cell.end : cell.begin) = middle;
    }
    return cell;
  }

  bool NeedsTriplet(const Span& cell) const {
    for (std::size_t i = EventAt(cell.begin); i < events_.size(); ++i) {
      if (events_[i].end >= cell.end) break;
      if (events_[i].end % 3 != 0) return true;
    }
    return false;
  }

  void WriteTriplet(const Span& cell) {
    const std::size_t first = values_.size();
    const std::size_t first_event = next_;
    Write(cell, 1);
    const std::int64_t half = (cell.end - cell.begin) / 2;
    if (values_.size() - first > kMaxTripletValues && half % 3 == 0) {
      values_.resize(first);
      next_ = first_event;
      for (const Span& part :
           {Span{cell.begin, cell.begin + half}, {cell.begin + half, cell.end}}) {
        NeedsTriplet(part) ? WriteTriplet(part) : Write(part, 3);
      }
      return;
    }
    for (std::size_t i = first; i < values_.size(); ++i) values_[i].triplet = true;
    values_[first].triplet_values = static_cast<int>(values_.size() - first);
  }

  // In units of `unit` steps, of which every border in `span` is a multiple.
  void Write(const Span& span, std::int64_t unit) {
    std::int64_t at = span.begin;
    while (at < span.end) {
      while (events_[next_].end <= at) ++next_;
      const BarEvent& event = events_[next_];
      const std::int64_t end = std::min(event.end, span.end);
      while (at < end) {
        // A bar that is no multiple of the unit (the limit of bars was reached) ends as it does.
        const std::int64_t units = (end - at) / unit;
        const std::int64_t steps =
            units == 0 ? end - at : FirstValue(at / unit, units, quarter_ / unit) * unit;
        at += steps;
        const bool sounds_on = at < event.end || event.goes_on;
        values_.push_back({.start = at - steps,
                           .steps = steps,
                           .chord = event.chord,
                           .tied = event.chord >= 0 && sounds_on});
      }
    }
  }

  std::span<const BarEvent> events_;
  std::int64_t quarter_;
  std::vector<NoteValue>& values_;
  std::size_t next_ = 0;  // event
};

}  // namespace

void SplitIntoValues(std::span<const BarEvent> events, std::int64_t steps_per_quarter,
                     std::vector<NoteValue>& values) {
  if (!events.empty()) BarSplit(events, steps_per_quarter, values).Run();
}

}  // namespace etude
