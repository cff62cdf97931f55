#include "lib/music/abc_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "lib/music/abc_layers.h"
#include "lib/music/abc_rhythm.h"
#include "lib/music/quantize.h"
#include "lib/music/spelling.h"

namespace etude {
namespace {

constexpr int kMidiChannels = 16;

void AppendNumber(std::string& text, std::int64_t number) {
  std::array<char, 24> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  text.append(digits.data(), result.ptr);
}

// A length in units of L:, "" for one, "/" for a half.
void AppendLength(std::string& text, std::int64_t numerator, std::int64_t denominator) {
  const std::int64_t divisor = std::gcd(numerator, denominator);
  numerator /= divisor;
  denominator /= divisor;
  if (numerator != 1) AppendNumber(text, numerator);
  if (denominator == 1) return;
  text.push_back('/');
  if (numerator != 1 || denominator != 2) AppendNumber(text, denominator);
}

struct BarHead {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t beat = 4;     // steps that are written without a blank between
  std::string changes = "";  // "[M:3/4][K:G]", of every voice
  std::string tempo = "";    // "[Q:1/4=90]", of the first
  const Key* key = nullptr;
};

std::string MeterText(const MeterChange& meter) {
  return std::to_string(meter.beats) + "/" + std::to_string(meter.unit);
}

// Quarters a minute over [begin, end): as many as last as long as what is written there.
std::int64_t MeanTempo(const std::vector<TempoChange>& tempos, std::size_t& next,
                       std::int64_t begin, std::int64_t end) {
  while (next + 1 < tempos.size() && tempos[next + 1].at <= begin) ++next;
  double us_steps = 0;
  for (std::size_t i = next; i < tempos.size() && tempos[i].at < end; ++i) {
    const std::int64_t until = i + 1 < tempos.size() ? std::min(tempos[i + 1].at, end) : end;
    const std::int64_t from = i == next ? begin : tempos[i].at;
    us_steps += static_cast<double>(tempos[i].us_per_quarter) * static_cast<double>(until - from);
  }
  const double us_per_quarter = us_steps / static_cast<double>(end - begin);
  return std::clamp<std::int64_t>(std::llround(6e7 / us_per_quarter), 1, 9999);
}

// Dotted quarters in 6/8, 9/8, 12/8; else quarters.
std::int64_t BeatSteps(const MeterChange& meter, std::int64_t quarter) {
  const bool compound = meter.unit >= 8 && meter.beats % 3 == 0;
  return compound ? std::max<std::int64_t>(1, 12 * quarter / meter.unit) : quarter;
}

// What changes at each bar line. The first bar's meter, key and tempo are the header's.
struct Bars {
  std::vector<BarHead> heads;
  MeterChange meter;
  Key key;
  std::int64_t tempo = 0;  // quarters a minute; 0: not said
};

template <typename Change>
const Change* InForce(const std::vector<Change>& changes, std::size_t& next, std::int64_t at) {
  while (next < changes.size() && changes[next].at <= at) ++next;
  return next == 0 ? nullptr : &changes[next - 1];
}

Bars BarsOf(const Score& score) {
  static constexpr Key kNoKey;
  const std::vector<std::int64_t> lines = BarLines(score);
  Bars bars;
  MeterChange meter;
  const Key* key = &kNoKey;
  std::int64_t tempo = 0;
  std::size_t next_meter = 0;
  std::size_t next_key = 0;
  std::size_t next_tempo = 0;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    BarHead head{.start = lines[i], .end = lines[i + 1]};
    if (const MeterChange* now = InForce(score.meters, next_meter, head.start); now != nullptr) {
      const bool new_meter = now->beats != meter.beats || now->unit != meter.unit;
      if (i > 0 && new_meter) head.changes.append("[M:").append(MeterText(*now)).append("]");
      meter = *now;
    }
    if (const KeyChange* now = InForce(score.keys, next_key, head.start); now != nullptr) {
      if (i > 0 && now->key != *key)
        head.changes.append("[K:").append(KeyName(now->key)).append("]");
      key = &now->key;
    }
    if (!score.tempos.empty() && score.tempos.front().at < head.end) {
      const std::int64_t mean = MeanTempo(score.tempos, next_tempo, head.start, head.end);
      if (i > 0 && mean != tempo) head.tempo = "[Q:1/4=" + std::to_string(mean) + "]";
      tempo = mean;
    }
    head.key = key;
    head.beat = BeatSteps(meter, score.ticks_per_quarter);
    if (i == 0) {
      bars.meter = meter;
      bars.key = *key;
      bars.tempo = tempo;
    }
    bars.heads.push_back(std::move(head));
  }
  return bars;
}

// Written pitches with the accidentals that a bar has had so far. Readers differ in whether an
// accidental lasts for its own octave or for all, and whether one lasts over the bar line with a
// tie; it is written unless all would sound it.
class Accidentals {
 public:
  void StartBar(const Key& key) {
    if (!spelled_for_ || *spelled_for_ != key) {
      spelled_for_ = key;
      spelling_ = SpellPitches(key);
      for (char letter = 'A'; letter <= 'G'; ++letter) {
        signature_[IndexOf(letter)] = static_cast<std::int8_t>(SignatureAccidental(key, letter));
      }
    }
    in_all_octaves_ = signature_;
    in_octave_.fill(signature_);
    marked_before_ = std::exchange(marked_, {});
    lowest_ = false;
  }

  const SpelledPitch& Spell(int pitch) const { return spelling_[static_cast<std::size_t>(pitch)]; }

  // `over_bar`: tied to the same note before the bar line.
  void Append(std::string& text, const SpelledPitch& spelled, bool over_bar) {
    const std::size_t letter = IndexOf(spelled.letter);
    std::int8_t& here = in_octave_[OctaveIndex(spelled.octave)][letter];
    std::int8_t& everywhere = in_all_octaves_[letter];
    // In a bar with a note below C,,,, (16 Hz) abc2midi knows no accidental but the note's own.
    lowest_ = lowest_ || spelled.octave < 0;
    if (here != spelled.accidental || everywhere != spelled.accidental || lowest_ ||
        (over_bar && marked_before_[letter])) {
      static constexpr std::array<std::string_view, 5> kMarks = {"__", "_", "=", "^", "^^"};
      text.append(*(kMarks.begin() + 2 + spelled.accidental));
      here = everywhere = static_cast<std::int8_t>(spelled.accidental);
      marked_[letter] = true;
    }
    const bool low = spelled.octave < 5;
    text.push_back(low ? spelled.letter : static_cast<char>(spelled.letter - 'A' + 'a'));
    const int marks = low ? 4 - spelled.octave : spelled.octave - 5;
    text.append(static_cast<std::size_t>(marks), low ? ',' : '\'');
  }

 private:
  using OfLetters = std::array<std::int8_t, 7>;
  static std::size_t IndexOf(char letter) { return static_cast<std::size_t>(letter - 'A'); }
  static std::size_t OctaveIndex(std::ptrdiff_t octave) {
    return static_cast<std::size_t>(octave + 1);
  }

  std::optional<Key> spelled_for_;
  std::array<SpelledPitch, 128> spelling_;
  OfLetters signature_{};
  OfLetters in_all_octaves_{};
  std::array<OfLetters, 12> in_octave_{};
  std::array<bool, 7> marked_{};
  std::array<bool, 7> marked_before_{};
  bool lowest_ = false;  // the bar has had a note of the lowest octave
};

// One line of music: a layer of a voice, from bar to bar.
class LayerWriter {
 public:
  LayerWriter(const Bars& bars, std::int64_t quarter, std::int64_t unit, std::string& text)
      : bars_(bars), quarter_(quarter), unit_(unit), text_(text) {}

  void Write(const Layer& layer, bool with_tempo) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < bars_.heads.size(); ++i) {
      const BarHead& head = bars_.heads[i];
      text_.append(head.changes);
      if (with_tempo) text_.append(head.tempo);
      if (!head.changes.empty() || (with_tempo && !head.tempo.empty())) text_.push_back(' ');
      FindEvents(layer, head, next);
      values_.clear();
      SplitIntoValues(events_, quarter_, values_);
      accidentals_.StartBar(*head.key);
      for (const NoteValue& value : values_) Append(layer, head, value);
      const bool line_ends = (i + 1) % kBarsPerLine == 0 || i + 1 == bars_.heads.size();
      text_.append(line_ends ? " |\n" : " | ");
    }
  }

 private:
  // The chords from `next` on that sound in the bar, and the rests between.
  void FindEvents(const Layer& layer, const BarHead& bar, std::size_t& next) {
    events_.clear();
    std::int64_t at = bar.start;
    while (next < layer.chords.size() && layer.chords[next].onset < bar.end) {
      const Chord& chord = layer.chords[next];
      if (chord.onset > at) AddEvent(bar, at, chord.onset, -1, false);
      const std::int64_t end = std::min(chord.end, bar.end);
      const bool goes_on = chord.end > bar.end;
      AddEvent(bar, std::max(chord.onset, bar.start), end, static_cast<std::ptrdiff_t>(next),
               goes_on);
      at = end;
      if (goes_on) break;
      ++next;
    }
    if (at < bar.end) AddEvent(bar, at, bar.end, -1, false);
  }

  void AddEvent(const BarHead& bar, std::int64_t start, std::int64_t end, std::ptrdiff_t chord,
                bool goes_on) {
    events_.push_back({start - bar.start, end - bar.start, chord, goes_on});
  }

  void Append(const Layer& layer, const BarHead& bar, const NoteValue& value) {
    if (value.start > 0 && value.start % bar.beat == 0) text_.push_back(' ');
    if (value.triplet_values > 0) AppendTriplet(value.triplet_values);
    if (value.chord < 0) {
      text_.push_back('z');
    } else {
      const Chord& chord = layer.chords[static_cast<std::size_t>(value.chord)];
      // A tied note stays as it is spelled, though the key may have changed.
      if (chord.onset == bar.start + value.start) SpellChord(layer.PitchesOf(chord));
      AppendChord(chord.onset < bar.start && value.start == 0);
    }
    AppendSteps(value.steps, value.triplet);
    if (value.tied) text_.push_back('-');
  }

  // Lengths are few, and each is written often.
  void AppendSteps(std::int64_t steps, bool triplet) {
    const int written = triplet ? 3 : 2;  // halves
    if (steps >= kRememberedSteps) {
      return AppendLength(text_, steps * unit_ * written, 8 * quarter_);
    }
    std::string& length = lengths_[static_cast<std::size_t>(2 * steps + (triplet ? 1 : 0))];
    if (length.empty()) {
      AppendLength(length, steps * unit_ * written, 8 * quarter_);
      length.push_back(' ');  // known, though it may be no text
    }
    text_.append(length, 0, length.size() - 1);
  }

  void AppendTriplet(int values) {
    text_.append("(3");
    if (values == 3) return;
    text_.append(":2:");
    AppendNumber(text_, values);
  }

  void SpellChord(std::span<const int> pitches) {
    chord_.clear();
    for (const int pitch : pitches) chord_.push_back(accidentals_.Spell(pitch));
  }

  void AppendChord(bool over_bar) {
    if (chord_.size() > 1) text_.push_back('[');
    for (const SpelledPitch& pitch : chord_) accidentals_.Append(text_, pitch, over_bar);
    if (chord_.size() > 1) text_.push_back(']');
  }

  static constexpr std::int64_t kRememberedSteps = 256;

  const Bars& bars_;
  std::int64_t quarter_;  // steps
  std::int64_t unit_;     // of L:1/unit
  std::string& text_;
  Accidentals accidentals_;
  std::vector<SpelledPitch> chord_;  // that sounds
  std::vector<BarEvent> events_;
  std::vector<NoteValue> values_;
  std::array<std::string, 2 * kRememberedSteps> lengths_;
};

// A voice as it is written: one line of music or more.
struct Part {
  int program = 0;
  bool drums = false;
  int median_pitch = 60;
  std::vector<Layer> layers;
};

// Where there are more voices than ABC can take, those that sound alike become one; if there are
// still too many, the rest share the last places.
std::vector<Voice> MergeVoices(const std::vector<Voice>& voices) {
  std::map<std::pair<bool, int>, std::vector<Note>> alike;
  for (const Voice& voice : voices) {
    auto& notes = alike[{voice.drums, voice.drums ? 0 : voice.program}];
    notes.insert(notes.end(), voice.notes.begin(), voice.notes.end());
  }
  std::vector<Voice> merged;
  for (auto& [sound, notes] : alike) {
    if (!sound.first && merged.size() + 1 >= kMaxAbcVoices) {
      auto& last = merged.back().notes;
      last.insert(last.end(), notes.begin(), notes.end());
    } else {
      merged.push_back({.name = {}, .program = sound.second, .drums = sound.first, .notes = notes});
    }
  }
  for (Voice& voice : merged) std::ranges::sort(voice.notes);
  return merged;
}

int MedianPitch(const Voice& voice) {
  std::array<std::size_t, 128> counts{};
  for (const Note& note : voice.notes) ++counts[static_cast<std::size_t>(note.pitch)];
  std::size_t below = 0;
  for (std::size_t pitch = 0; pitch < counts.size(); ++pitch) {
    below += counts[pitch];
    if (2 * below >= voice.notes.size()) return static_cast<int>(pitch);
  }
  return 60;
}

std::size_t LayerCount(const std::vector<Part>& parts, std::size_t most) {
  std::size_t layers = 0;
  for (const Part& part : parts) layers += std::min(part.layers.size(), most);
  return layers;
}

std::vector<Part> PartsOf(std::vector<Voice> voices) {
  std::erase_if(voices, [](const Voice& voice) { return voice.notes.empty(); });
  if (voices.size() > kMaxAbcVoices) voices = MergeVoices(voices);
  std::vector<Part> parts;
  for (const Voice& voice : voices) {
    parts.push_back({.program = voice.program,
                     .drums = voice.drums,
                     .median_pitch = MedianPitch(voice),
                     .layers = SplitLayers(voice.notes, kMaxVoiceLayers)});
  }
  std::size_t most = kMaxVoiceLayers;
  while (most > 1 && LayerCount(parts, most) > kMaxAbcVoices) --most;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].layers.size() > most) parts[i].layers = SplitLayers(voices[i].notes, most);
  }
  return parts;
}

// The denominator of L: that makes the lengths shortest to write.
int UnitOf(const std::vector<Part>& parts, std::int64_t quarter) {
  constexpr std::int64_t kLongest = 512;  // longer ones are too few to matter
  std::array<std::int64_t, kLongest> counts{};
  for (const Part& part : parts) {
    for (const Layer& layer : part.layers) {
      for (const Chord& chord : layer.chords) {
        ++counts[static_cast<std::size_t>(std::min(chord.end - chord.onset, kLongest - 1))];
      }
    }
  }
  int best = 8;
  std::int64_t least = -1;
  std::string text;
  for (const int unit : {8, 16, 4, 32}) {
    std::int64_t chars = 0;
    for (std::int64_t steps = 1; steps < kLongest; ++steps) {
      const std::int64_t count = counts[static_cast<std::size_t>(steps)];
      if (count == 0) continue;
      text.clear();
      const int written = quarter % 3 == 0 && steps % 3 != 0 ? 3 : 2;  // halves, as in triplets
      AppendLength(text, steps * unit * written, 8 * quarter);
      chars += count * static_cast<std::int64_t>(text.size());
    }
    if (least >= 0 && chars >= least) continue;
    least = chars;
    best = unit;
  }
  return best;
}

std::string HeaderText(const Bars& bars, int unit, const std::string& title) {
  std::string text = "X:1\n";
  if (!title.empty()) text.append("T:").append(title).append("\n");
  text.append("M:").append(MeterText(bars.meter)).append("\nL:1/");
  AppendNumber(text, unit);
  if (bars.tempo > 0) {
    text.append("\nQ:1/4=");
    AppendNumber(text, bars.tempo);
  }
  return text.append("\nK:").append(KeyName(bars.key)).append("\n");
}

// MIDI channels for a player, counted from 1: one a program, 10 for percussion alone; none are
// named where there are enough for every line to get its own by itself.
class Channels {
 public:
  explicit Channels(bool named) : named_(named) {}

  int Of(const Part& part) {
    if (part.drums) return kDrumChannel + 1;
    if (!named_) return 0;
    const auto [place, first] = of_program_.try_emplace(part.program, next_);
    if (first) next_ = next_ % kMidiChannels + 1;
    if (next_ == kDrumChannel + 1) ++next_;
    return place->second;
  }

 private:
  bool named_;
  int next_ = 1;
  std::map<int, int> of_program_;
};

void AppendVoiceHead(std::string& text, const Part& part, int number, int channel) {
  text.append("V:");
  AppendNumber(text, number);
  if (part.drums) {
    text.append(" clef=perc");
  } else if (part.median_pitch < 57) {
    text.append(" clef=bass");
  }
  if (channel > 0) {
    text.append("\n%%MIDI channel ");
    AppendNumber(text, channel);
  }
  if (!part.drums) {
    text.append("\n%%MIDI program ");
    AppendNumber(text, part.program);
  }
  text.push_back('\n');
}

}  // namespace

absl::StatusOr<std::string> WriteAbc(const Score& score, const AbcWriteOptions& options) {
  if (!IsGrid(score.ticks_per_quarter)) {
    return InvalidArgument("the score is not on a grid of note values: quantise it first");
  }
  const Bars bars = BarsOf(score);
  if (bars.heads.size() >= kMaxScoreBars) {
    return InvalidArgument("the score has more than " + std::to_string(kMaxScoreBars) + " bars");
  }
  const std::vector<Part> parts = PartsOf(score.voices);
  const int unit = UnitOf(parts, score.ticks_per_quarter);
  std::string text = HeaderText(bars, unit, options.title);
  Channels channels(LayerCount(parts, kMaxVoiceLayers) >= kMidiChannels);
  LayerWriter writer(bars, score.ticks_per_quarter, unit, text);
  int number = 0;
  for (const Part& part : parts) {
    for (const Layer& layer : part.layers) {
      AppendVoiceHead(text, part, ++number, channels.Of(part));
      writer.Write(layer, number == 1);
    }
  }
  if (options.layout == AbcLayout::kVoices) return text;
  return *Interleave(text);
}

}  // namespace etude
