#include "lib/music/abc_voice.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace etude {
namespace {

constexpr std::int8_t kNoAccidental = 127;
constexpr int kMaxWholeNotes = 1024;             // of one note or rest
constexpr std::int64_t kFinestLength = 1 << 20;  // of a whole note
constexpr std::size_t kMaxBroken = 8;            // dots
constexpr int kMaxTuplet = 99;
constexpr int kMaxBarRests = 1000;  // in one
constexpr std::size_t kMaxChordNotes = 128;

std::string Text(Rational length) {
  if (!length.exact()) return "an endless fraction";
  return length.den() == 1 ? fmt::format("{}", length.num())
                           : fmt::format("{}/{}", length.num(), length.den());
}

bool IsPlausible(Rational length) {
  return length.exact() && length > 0 && length <= kMaxWholeNotes && length.den() <= kFinestLength;
}

// The default q of a tuplet of p (2.1, 4.13); 0: none is defined.
int DefaultTupletTime(int p, bool compound) {
  switch (p) {
    case 2:
    case 4:
    case 8:
      return 3;
    case 3:
    case 6:
      return 2;
    default:
      return p >= 5 ? (compound ? 3 : 2) : 0;
  }
}

struct TupletNumbers {
  int p = 0;
  int q = 0;  // 0: the default
  int r = 0;
};

TupletNumbers SplitTuplet(std::string_view text) {
  std::array<int, 3> numbers = {};
  text.remove_prefix(1);  // "("
  for (int& number : numbers) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    if (colon > 0) number = ParseAbcNumber(text.substr(0, colon)).value_or(kMaxTuplet + 1);
    text.remove_prefix(std::min(colon + 1, text.size()));
  }
  return {numbers[0], numbers[1], numbers[2]};
}

// "1,3", "[2-4" as bits; 0 for what no pass can be.
std::uint64_t PassesOf(std::string_view text) {
  std::uint64_t passes = 0;
  if (text.starts_with('[')) text.remove_prefix(1);
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view range = text.substr(0, comma);
    const std::size_t dash = range.find('-');
    const int first = ParseAbcNumber(range.substr(0, dash)).value_or(0);
    const int last =
        dash == std::string_view::npos ? first : ParseAbcNumber(range.substr(dash + 1)).value_or(0);
    if (first < 1 || last > kMaxAbcPasses) return 0;
    for (int pass = first; pass <= last; ++pass) passes |= std::uint64_t{1} << pass;
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return passes;
}

WrittenBar BarOf(std::string_view line) {
  WrittenBar bar;
  if (line.starts_with('.')) line.remove_prefix(1);
  const std::size_t before = std::min(line.find_first_not_of(':'), line.size());
  const std::size_t after = line.size() - (line.find_last_not_of(':') + 1);
  if (before == line.size()) {  // "::"
    bar.ends = 1;
    bar.starts = true;
  } else {
    bar.ends = static_cast<std::uint8_t>(std::min<std::size_t>(before, kMaxAbcPasses - 1));
    bar.starts = after > 0;
  }
  const std::string_view inside = line.substr(before);
  bar.section = bar.ends > 0 || bar.starts || inside.find("||") != std::string_view::npos ||
                (inside.starts_with('[') != inside.ends_with(']'));
  return bar;
}

}  // namespace

AbcVoice::AbcVoice(int index, std::string_view id, const Shared& shared)
    : index_(index), tune_(shared.tune), faults_(shared.faults), drums_(shared.drums) {
  written_.id = std::string(id);
  bar_accidentals_.fill(kNoAccidental);
}

WrittenElement& AbcVoice::Append(WrittenKind kind, std::size_t offset) {
  WrittenElement& element = written_.elements.emplace_back();
  element.kind = kind;
  element.offset = static_cast<std::uint32_t>(offset);
  return element;
}

Rational AbcVoice::LengthOf(std::string_view length, std::size_t offset) {
  if (length.empty()) return settings_.unit;
  const Rational whole = ParseAbcLength(length) * settings_.unit;
  if (IsPlausible(whole)) return whole;
  faults_.Add(AbcFault::kBadLength, offset,
              fmt::format("the length \"{}\" is none that music has", length));
  return settings_.unit;
}

void AbcVoice::ForgetAccidentals() { bar_accidentals_.fill(kNoAccidental); }

std::int8_t& AbcVoice::BarAccidental(const AbcNote& note) {
  const int octave = settings_.reach == AccidentalReach::kOctave
                         ? std::clamp(note.octave + kOctaves / 2, 0, kOctaves - 1)
                         : 0;
  const auto letter = static_cast<std::size_t>(note.letter - 'A');
  return bar_accidentals_[letter * kOctaves + static_cast<std::size_t>(octave)];
}

int AbcVoice::AccidentalOf(const AbcNote& note) {
  std::int8_t& in_bar = BarAccidental(note);
  if (note.accidental) {
    if (settings_.reach != AccidentalReach::kNote) {
      in_bar = static_cast<std::int8_t>(*note.accidental);
    }
    return *note.accidental;
  }
  if (in_bar != kNoAccidental) return in_bar;
  // Over a bar line a tie carries the accidental to its own note only.
  for (const Tie& tie : ties_) {
    if (tie.letter == note.letter && tie.octave == note.octave) return tie.accidental;
  }
  return settings_.signature[static_cast<std::size_t>(note.letter - 'A')];
}

std::optional<int> AbcVoice::PitchOf(const AbcNote& note, std::size_t offset) {
  const int accidental = AccidentalOf(note);
  named_.push_back({note.letter, note.octave, accidental});
  int pitch = note.NaturalPitch() + accidental;
  if (settings_.drums) {
    if (pitch >= 0 && pitch <= 127) pitch = drums_[static_cast<std::size_t>(pitch)];
  } else {
    pitch += settings_.transpose + settings_.midi_transpose;
  }
  if (pitch >= 0 && pitch <= 127) return pitch;
  faults_.Add(AbcFault::kOutOfRange, offset,
              fmt::format("a pitch of {}, where MIDI has 0 to 127", pitch));
  return std::nullopt;
}

// The factor of the tuplet that the next element is in.
Rational AbcVoice::TakeTupletFactor() {
  if (tuplet_left_ == 0) return 1;
  --tuplet_left_;
  return tuplet_factor_;
}

// Between notes of unequal lengths the standard leaves a broken rhythm undefined (4.4); there it
// changes nothing, as in abc2midi.
void AbcVoice::ApplyBroken(WrittenElement& first, WrittenElement& second) {
  const std::string_view marks = std::exchange(broken_, {});
  if (first.time != second.time) {
    faults_.Add(AbcFault::kBadBroken, broken_offset_,
                fmt::format("\"{}\" between lengths of {} and {}", marks, Text(first.time),
                            Text(second.time)));
    return;
  }
  const Rational shorter(1, std::int64_t{1} << marks.size());
  const Rational longer = Rational(2) - shorter;
  const bool first_longer = marks.front() == '>';
  Lengthen(first, first_longer ? longer : shorter);
  Lengthen(second, first_longer ? shorter : longer);
}

void AbcVoice::DropBroken(const char* before) {
  if (broken_.empty()) return;
  faults_.Add(AbcFault::kBadBroken, broken_offset_,
              fmt::format("\"{}\" before {}", std::exchange(broken_, {}), before));
}

void AbcVoice::Lengthen(WrittenElement& element, Rational factor) {
  const Rational before = element.time;
  element.time *= factor;
  if (!IsPlausible(element.time)) {
    faults_.Add(AbcFault::kBadLength, element.offset,
                fmt::format("a length of {} is none that music has", Text(element.time)));
    element.time = before;
    return;
  }
  for (std::size_t i = 0; i < element.count; ++i) {
    Rational& length = written_.notes[element.first + i].length;
    const Rational longer = length * factor;
    if (IsPlausible(longer)) length = longer;
  }
  bar_length_ += element.time - before;
}

void AbcVoice::AddTimed(WrittenKind kind, std::size_t first, Rational time, std::size_t offset) {
  if (!bar_begun_) {
    bar_begun_ = true;
    bar_offset_ = offset;
    if (bars_ == 0) {
      written_.program = settings_.program;
      written_.drums = settings_.drums;
    }
  }
  WrittenElement& element = Append(kind, offset);
  element.first = static_cast<std::uint32_t>(first);
  element.count = static_cast<std::uint32_t>(written_.notes.size() - first);
  element.time = time;
  bar_length_ += time;
  if (const Rational factor = TakeTupletFactor(); factor != Rational(1)) Lengthen(element, factor);
  if (!broken_.empty()) {
    ApplyBroken(written_.elements[static_cast<std::size_t>(last_timed_)], element);
  }
  last_timed_ = std::ssize(written_.elements) - 1;
  ties_.swap(chord_ties_);
  chord_ties_.clear();
}

void AbcVoice::AddNote(const AbcLexeme& lexeme, std::size_t offset) {
  if (in_grace_) return;
  if (!in_chord_) named_.clear();
  if (named_.size() == kMaxChordNotes) {
    faults_.Add(AbcFault::kTooLarge, offset,
                fmt::format("a chord of more than {} notes", kMaxChordNotes));
    return;
  }
  const AbcNote note = ParseAbcNote(lexeme.text);
  const Rational length = LengthOf(note.length, offset);
  const std::size_t first = written_.notes.size();
  if (in_chord_ && chord_time_ == Rational(0)) chord_time_ = length;
  if (const auto pitch = PitchOf(note, offset)) {
    written_.notes.push_back({length, *pitch, false});
  }
  if (!in_chord_) AddTimed(WrittenKind::kNotes, first, length, offset);
}

void AbcVoice::AddRest(std::string_view length, std::size_t offset) {
  if (in_grace_) return;
  if (in_chord_) {
    faults_.Add(AbcFault::kBadChord, offset, "a rest inside a chord");
    return;
  }
  AddTimed(WrittenKind::kRest, written_.notes.size(), LengthOf(length, offset), offset);
}

void AbcVoice::AddBarRest(std::string_view bars, std::size_t offset) {
  if (in_grace_ || in_chord_) return;
  const int count = bars.empty() ? 1 : ParseAbcNumber(bars).value_or(0);
  if (count < 1 || count > kMaxBarRests) {
    faults_.Add(AbcFault::kBadLength, offset,
                fmt::format("a rest of \"{}\" bars is none that music has", bars));
    return;
  }
  if (bars_ + count > kMaxScoreBars) {
    faults_.Add(AbcFault::kTooLarge, offset, fmt::format("more than {} bars", kMaxScoreBars));
    return;
  }
  const Rational bar = settings_.meter.free() ? Rational(1) : settings_.meter.bar();
  for (int i = 0; i < count; ++i) {
    if (i > 0) AddBar("|", offset);
    AddTimed(WrittenKind::kRest, written_.notes.size(), bar, offset);
  }
}

void AbcVoice::OpenChord(std::size_t offset) {
  if (in_grace_) return;
  if (in_chord_) {
    faults_.Add(AbcFault::kBadChord, offset, "a chord inside a chord");
    CloseChord("", offset);
  }
  in_chord_ = true;
  chord_offset_ = offset;
  chord_first_ = written_.notes.size();
  chord_time_ = 0;
  named_.clear();
}

void AbcVoice::CloseChord(std::string_view length, std::size_t offset) {
  if (in_grace_) return;
  if (!std::exchange(in_chord_, false)) {
    faults_.Add(AbcFault::kBadChord, offset, "a \"]\" that closes no chord");
    return;
  }
  if (chord_time_ == Rational(0)) {
    faults_.Add(AbcFault::kBadChord, chord_offset_, "a chord without notes");
    return;
  }
  AddTimed(WrittenKind::kNotes, chord_first_, chord_time_, chord_offset_);
  if (!length.empty()) Lengthen(written_.elements.back(), ParseAbcLength(length));
}

void AbcVoice::OpenGrace(std::size_t offset) {
  if (in_grace_) faults_.Add(AbcFault::kBadGrace, offset, "grace notes inside grace notes");
  in_grace_ = true;
}

void AbcVoice::CloseGrace(std::size_t offset) {
  if (!std::exchange(in_grace_, false)) {
    faults_.Add(AbcFault::kBadGrace, offset, "a \"}\" that closes no grace notes");
  }
}

void AbcVoice::AddTie(std::size_t offset) {
  if (in_grace_) return;
  if (in_chord_) {
    if (written_.notes.size() == chord_first_) {
      faults_.Add(AbcFault::kBadTie, offset, "a tie after no note");
      return;
    }
    written_.notes.back().tied = true;
    chord_ties_.push_back(named_.back());
    return;
  }
  const bool after_note =
      last_timed_ >= 0 &&
      written_.elements[static_cast<std::size_t>(last_timed_)].kind == WrittenKind::kNotes;
  if (!after_note) {
    faults_.Add(AbcFault::kBadTie, offset, "a tie after no note");
    return;
  }
  const WrittenElement& element = written_.elements[static_cast<std::size_t>(last_timed_)];
  for (std::size_t i = 0; i < element.count; ++i) written_.notes[element.first + i].tied = true;
  ties_ = named_;
}

void AbcVoice::AddBroken(std::string_view marks, std::size_t offset) {
  if (in_grace_) return;
  if (last_timed_ < 0 || in_chord_ || !broken_.empty() || marks.size() > kMaxBroken) {
    faults_.Add(AbcFault::kBadBroken, offset,
                fmt::format("\"{}\" is not between two notes", marks.substr(0, kMaxBroken)));
    return;
  }
  broken_ = marks;
  broken_offset_ = offset;
}

void AbcVoice::AddTuplet(std::string_view text, std::size_t offset) {
  if (in_grace_) return;
  TupletNumbers numbers = SplitTuplet(text);
  if (numbers.q == 0) numbers.q = DefaultTupletTime(numbers.p, settings_.meter.compound());
  if (numbers.r == 0) numbers.r = numbers.p;
  const bool possible = numbers.p >= 2 && numbers.q >= 1 && numbers.p <= kMaxTuplet &&
                        numbers.q <= kMaxTuplet && numbers.r <= kMaxTuplet;
  if (!possible || tuplet_left_ > 0) {
    faults_.Add(AbcFault::kBadTuplet, offset,
                possible ? "a tuplet inside a tuplet"
                         : fmt::format("\"{}\" is no tuplet that can be played", text));
    if (!possible) return;
  }
  tuplet_left_ = numbers.r;
  tuplet_factor_ = Rational(numbers.q, numbers.p);
  tuplet_offset_ = offset;
}

void AbcVoice::CloseGroups(std::size_t offset) {
  if (std::exchange(in_grace_, false)) {
    faults_.Add(AbcFault::kBadGrace, offset, "grace notes are not closed");
  }
  if (in_chord_) {
    faults_.Add(AbcFault::kBadChord, chord_offset_, "a chord is not closed");
    CloseChord("", offset);
  }
}

void AbcVoice::RecordBar(Rational length, bool edge, std::size_t offset) {
  const Rational expected = settings_.meter.bar();
  WrittenBarCheck check;
  check.offset = static_cast<std::uint32_t>(offset);
  check.bar.voice = index_;
  check.bar.number = ++bars_;
  check.bar.length = length;
  check.bar.expected = expected;
  if (settings_.meter.free()) {
    check.bar.verdict = BarVerdict::kUnmeasured;
  } else if (!length.exact() || length > expected) {
    check.bar.verdict = BarVerdict::kLong;
  } else if (length < expected) {
    check.bar.verdict = edge ? BarVerdict::kEdge : BarVerdict::kShort;
  }
  tune_.bars.push_back(check);
  if (check.bar.verdict != BarVerdict::kLong && check.bar.verdict != BarVerdict::kShort) return;
  const bool is_long = check.bar.verdict == BarVerdict::kLong;
  faults_.Add(is_long ? AbcFault::kBarLong : AbcFault::kBarShort, offset,
              fmt::format("bar {} of voice {} lasts {} of a whole note where the meter has {}",
                          bars_, index_ + 1, Text(length), Text(expected)));
}

// At a bar line or the tune's end: judges what lies before it.
void AbcVoice::CheckBar(bool edge) {
  MeasureLayer();
  if (bar_begun_) {
    const Rational length = odd_layer_.value_or(main_length_.value_or(bar_length_));
    RecordBar(length, edge || at_edge_, bar_offset_);
  }
  if (bar_begun_ || edge) at_edge_ = edge;
  bar_begun_ = false;
  bar_length_ = 0;
  main_length_.reset();
  odd_layer_.reset();
}

// All layers of a bar last as long as its first.
void AbcVoice::MeasureLayer() {
  if (main_length_ && bar_length_ != *main_length_) odd_layer_ = bar_length_;
}

void AbcVoice::AddBar(std::string_view line, std::size_t offset) {
  CloseGroups(offset);
  DropBroken("a bar line");
  const WrittenBar bar = BarOf(line);
  const bool is_first = bar_begun_ && bars_ == 0;
  if (is_first && bar_length_ < settings_.meter.bar()) written_.pickup = bar_length_;
  CheckBar(bar.section);
  Append(WrittenKind::kBar, offset).bar = bar;
  ForgetAccidentals();
  last_timed_ = -1;
}

void AbcVoice::AddEnding(std::string_view numbers, std::size_t offset) {
  CloseGroups(offset);
  const std::uint64_t passes = PassesOf(numbers);
  if (passes == 0) {
    faults_.Add(AbcFault::kBadRepeat, offset,
                fmt::format("\"{}\" names no pass through a repeat", numbers));
    return;
  }
  Append(WrittenKind::kEnding, offset).passes = passes;
}

void AbcVoice::AddOverlay(std::size_t offset) {
  CloseGroups(offset);
  DropBroken("\"&\"");
  MeasureLayer();
  if (!main_length_) main_length_ = bar_length_;
  bar_length_ = 0;
  Append(WrittenKind::kOverlay, offset);
  ForgetAccidentals();
  last_timed_ = -1;
}

void AbcVoice::AddMeter(const AbcMeter& meter, std::size_t offset) {
  if (bar_begun_) CheckBar(/*edge=*/true);
  settings_.meter = meter;
  Append(WrittenKind::kMeter, offset).first = static_cast<std::uint32_t>(written_.meters.size());
  written_.meters.push_back(meter);
}

void AbcVoice::AddTempo(std::int64_t us_per_quarter, std::size_t offset) {
  Append(WrittenKind::kTempo, offset).first = static_cast<std::uint32_t>(written_.tempos.size());
  written_.tempos.push_back(us_per_quarter);
}

void AbcVoice::AddKey(const AbcKey& key, std::size_t offset) {
  if (key.staff.transpose) settings_.transpose = *key.staff.transpose;
  if (!key.named) return;
  settings_.signature = key.signature;
  Append(WrittenKind::kKey, offset).first = static_cast<std::uint32_t>(written_.keys.size());
  written_.keys.push_back(key.key);
}

void AbcVoice::Finish(std::size_t offset) {
  CloseGroups(offset);
  DropBroken("the end");
  CheckBar(/*edge=*/true);
  if (tuplet_left_ > 0) {
    faults_.Add(AbcFault::kBadTuplet, tuplet_offset_, "a tuplet is not finished");
  }
}

}  // namespace etude
