#include "lib/music/abc_reader.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "lib/music/abc_written.h"

namespace etude {
namespace {

// Offsets into text, which must not fall, as lines and columns.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {}

  std::pair<int, int> Of(std::size_t offset) {
    offset = std::min(offset, text_.size());
    for (; at_ < offset; ++at_) {
      const bool is_crlf = text_[at_] == '\r' && text_.substr(at_ + 1).starts_with('\n');
      if ((text_[at_] != '\n' && text_[at_] != '\r') || is_crlf) continue;
      ++line_;
      line_start_ = at_ + 1;
    }
    return {line_, static_cast<int>(offset - line_start_) + 1};
  }

 private:
  std::string_view text_;
  int line_ = 1;
  std::size_t line_start_ = 0;
  std::size_t at_ = 0;
};

void TakeBars(std::string_view text, std::vector<WrittenBarCheck>& checks, AbcReading& reading) {
  std::ranges::stable_sort(checks, {}, &WrittenBarCheck::offset);
  Places places(text);
  reading.bars.reserve(checks.size());
  for (WrittenBarCheck& check : checks) {
    std::tie(check.bar.line, check.bar.column) = places.Of(check.offset);
    reading.bars.push_back(check.bar);
  }
}

void TakeFaults(std::string_view text, AbcFaults& faults, AbcReading& reading) {
  std::ranges::stable_sort(faults.listed(), {}, &WrittenFault::offset);
  Places places(text);
  for (WrittenFault& fault : faults.listed()) {
    const auto [line, column] = places.Of(fault.offset);
    reading.warnings.push_back({fault.fault, line, column, std::move(fault.message)});
  }
  reading.warning_count = faults.count();
}

bool IsRight(const AbcBar& bar) {
  return bar.verdict != BarVerdict::kLong && bar.verdict != BarVerdict::kShort;
}

}  // namespace

std::string_view AbcFaultName(AbcFault fault) {
  switch (fault) {
    case AbcFault::kNoKey:
      return "no_key";
    case AbcFault::kNoMusic:
      return "no_music";
    case AbcFault::kTooLarge:
      return "too_large";
    case AbcFault::kTooFine:
      return "too_fine";
    case AbcFault::kUnknownText:
      return "unknown_text";
    case AbcFault::kBadField:
      return "bad_field";
    case AbcFault::kBadLength:
      return "bad_length";
    case AbcFault::kBadChord:
      return "bad_chord";
    case AbcFault::kBadGrace:
      return "bad_grace";
    case AbcFault::kBadTuplet:
      return "bad_tuplet";
    case AbcFault::kBadBroken:
      return "bad_broken";
    case AbcFault::kBadTie:
      return "bad_tie";
    case AbcFault::kBadRepeat:
      return "bad_repeat";
    case AbcFault::kOutOfRange:
      return "out_of_range";
    case AbcFault::kBarLong:
      return "bar_long";
    case AbcFault::kBarShort:
      return "bar_short";
    case AbcFault::kPartsIgnored:
      return "parts_ignored";
    case AbcFault::kSecondTune:
      return "second_tune";
  }
  return "";
}

AbcReading ReadAbc(std::string_view tune) {
  AbcReading reading;
  AbcFaults faults;
  if (tune.size() > kMaxAbcBytes) {
    faults.Add(AbcFault::kTooLarge, kMaxAbcBytes, "the tune is too large; the rest is left out");
    tune = tune.substr(0, kMaxAbcBytes);
  }
  WrittenTune written = ParseAbc(tune, faults);
  PlayAbc(written, faults, reading.score);
  Normalize(reading.score);
  const bool sounds = NoteCount(reading.score) > 0;
  if (written.has_key && !sounds) faults.Add(AbcFault::kNoMusic, tune.size(), "there is no note");
  TakeBars(tune, written.bars, reading);
  TakeFaults(tune, faults, reading);
  reading.header = std::move(written.header);
  reading.lexes = written.lexes && written.has_key;
  reading.bars_right = std::ranges::all_of(reading.bars, IsRight);
  reading.plays = sounds && !faults.any_too_large();
  return reading;
}

}  // namespace etude
