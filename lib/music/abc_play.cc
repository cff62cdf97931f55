// From an ABC tune as written to its notes in playing order.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "lib/music/abc_written.h"

namespace etude {
namespace {

constexpr std::int64_t kQuartersOfWhole = 4;
constexpr std::size_t kMaxOpenTies = 256;  // that wait at once; later ones bind nothing

// The least number of ticks to a whole note that holds every length exactly.
class Grid {
 public:
  void Hold(Rational length) {
    if (length.den() == last_) return;
    last_ = length.den();
    if (whole_ % last_ == 0) return;
    const std::int64_t whole = whole_ / std::gcd(whole_, last_) * last_;
    if (whole > kQuartersOfWhole * kMaxTicksPerQuarter) {
      exact_ = false;
    } else {
      whole_ = whole;
    }
  }

  bool exact() const { return exact_; }
  int ticks_per_quarter() const {
    return exact_ ? static_cast<int>(whole_ / kQuartersOfWhole) : kMaxTicksPerQuarter;
  }

 private:
  std::int64_t whole_ = kQuartersOfWhole;
  std::int64_t last_ = 1;
  bool exact_ = true;
};

Grid GridOf(const WrittenTune& tune) {
  Grid grid;
  if (!tune.meter.free()) grid.Hold({1, tune.meter.unit});
  for (const WrittenVoice& voice : tune.voices) {
    for (const AbcMeter& meter : voice.meters) grid.Hold({1, meter.unit});
    for (const WrittenNote& note : voice.notes) grid.Hold(note.length);
    for (const WrittenElement& element : voice.elements) grid.Hold(element.time);
  }
  return grid;
}

// What a whole tune may still spend.
struct Budget {
  std::int64_t notes = kMaxScoreNotes;
  std::int64_t steps = kMaxAbcSteps;
};

struct Context {
  AbcFaults& faults;
  Score& score;
  Budget& budget;
};

// Plays one voice: follows repeats, binds ties, and for the voice that leads tells the score its
// meters, keys and bar lines.
class VoicePlayer {
 public:
  VoicePlayer(const WrittenTune& tune, const WrittenVoice& voice, bool leads, Context context)
      : written_(voice),
        elements_(voice.elements),
        leads_(leads),
        score_(context.score),
        faults_(context.faults),
        budget_(context.budget),
        meter_(tune.meter) {}

  void Play() {
    if (leads_) StartScore();
    while (at_ < elements_.size()) {
      const WrittenElement& element = elements_[at_];
      budget_.steps -= 1 + element.count;
      if (budget_.steps < 0) return Stop("repeats unfold to too many steps");
      if (now_ > kMaxScoreTicks) return Stop("the music lasts too long");
      ++at_;
      if (element.kind == WrittenKind::kNotes && !PlayNotes(element)) {
        return Stop("repeats unfold to too many notes");
      }
      Follow(element);
    }
    score_.end = std::max(score_.end, now_);
    now_ = kMaxScoreTicks;
    still_open_.clear();
    DropTies();
  }

  Voice TakeVoice() { return std::move(voice_); }

 private:
  struct OpenTie {
    std::int64_t end = 0;
    std::size_t note = 0;  // in voice_.notes
    std::uint32_t offset = 0;
  };

  // At a limit.
  void Stop(const char* why) {
    const std::size_t offset = at_ < elements_.size() ? elements_[at_].offset : 0;
    faults_.Add(AbcFault::kTooLarge, offset, fmt::format("{}; the rest is left out", why));
    score_.end = std::max(score_.end, now_);
  }

  std::int64_t Ticks(Rational length) const {
    const std::int64_t whole = kQuartersOfWhole * score_.ticks_per_quarter;
    if (whole % length.den() == 0) return length.num() * (whole / length.den());
    return std::max<std::int64_t>(1, std::llround(length.value() * static_cast<double>(whole)));
  }

  void StartScore() {
    if (written_.pickup > 0) score_.pickup = Ticks(written_.pickup);
    next_line_ = score_.pickup;
    if (next_line_ == 0 && !meter_.free()) next_line_ = Ticks(meter_.bar());
  }

  void Follow(const WrittenElement& element) {
    switch (element.kind) {
      case WrittenKind::kNotes:
      case WrittenKind::kRest:
        now_ += Ticks(element.time);
        return;
      case WrittenKind::kBar:
        EndBar();
        return FollowBar(element.bar);
      case WrittenKind::kEnding:
        return FollowEnding(element);
      case WrittenKind::kOverlay:
        if (!layer_end_) layer_end_ = now_;
        now_ = bar_start_;
        return;
      case WrittenKind::kMeter:
        return ChangeMeter(written_.meters[element.first]);
      case WrittenKind::kTempo:
        score_.tempos.push_back({now_, written_.tempos[element.first]});
        return;
      case WrittenKind::kKey:
        if (leads_ && written_.keys[element.first]) {
          score_.keys.push_back({now_, *written_.keys[element.first]});
        }
        return;
    }
  }

  bool PlayNotes(const WrittenElement& element) {
    still_open_.clear();
    for (std::size_t i = element.first; i < element.first + element.count; ++i) {
      const WrittenNote& written = written_.notes[i];
      const std::int64_t length = Ticks(written.length);
      const std::size_t note = Bound(written.pitch);
      if (note < voice_.notes.size()) {
        voice_.notes[note].duration += length;
      } else {
        if (--budget_.notes < 0) return false;
        Note& added = voice_.notes.emplace_back();
        added.onset = now_;
        added.duration = length;
        added.pitch = written.pitch;
      }
      if (written.tied) still_open_.push_back({now_ + length, note, element.offset});
    }
    DropTies();
    return true;
  }

  // The note that a tie continues with one of this pitch; the number of notes if there is none.
  std::size_t Bound(int pitch) {
    for (OpenTie& tie : open_) {
      if (tie.end != now_ || voice_.notes[tie.note].pitch != pitch) continue;
      const std::size_t note = tie.note;
      tie = open_.back();
      open_.pop_back();
      return note;
    }
    return voice_.notes.size();
  }

  // Of the ties from before, those that end later stay open.
  void DropTies() {
    for (const OpenTie& tie : open_) {
      if (tie.end > now_ && still_open_.size() < kMaxOpenTies) {
        still_open_.push_back(tie);
      } else if (tie.offset > last_bad_tie_) {
        last_bad_tie_ = tie.offset;
        faults_.Add(AbcFault::kBadTie, tie.offset, "a tie to no note of the same pitch");
      }
    }
    open_.swap(still_open_);
  }

  void EndBar() {
    if (layer_end_) now_ = *layer_end_;
    layer_end_.reset();
    if (leads_ && now_ > bar_start_) AlignBar();
    bar_start_ = now_;
  }

  // Keeps the score's meter grid on the text's bar lines. A short bar and the next may be two parts
  // of one, so only the line after a short bar says whether the grid is lost.
  void AlignBar() {
    if (meter_.free()) {
      next_line_ = now_;
      return;
    }
    const std::int64_t bar = Ticks(meter_.bar());
    if (now_ < next_line_) {
      if (!short_line_) short_line_ = now_;
      return;
    }
    if (now_ > next_line_) {
      const std::int64_t line = short_line_.value_or(now_);
      Repeat(line);
      if (line != now_ && now_ - line != bar) Repeat(now_);
    }
    short_line_.reset();
    next_line_ = now_ + bar;
  }

  // States the meter again, which starts a bar there.
  void Repeat(std::int64_t at) { score_.meters.push_back({at, meter_.beats, meter_.unit}); }

  void ChangeMeter(const AbcMeter& meter) {
    meter_ = meter;
    if (!leads_) return;
    if (now_ > bar_start_) bar_start_ = now_;
    short_line_.reset();
    next_line_ = now_;
    if (meter.free()) return;
    next_line_ += Ticks(meter.bar());
    Repeat(now_);
  }

  void FollowBar(const WrittenBar& bar) {
    if (bar.ends > 0) {
      if (EndingAt(at_)) passes_ |= elements_[at_].passes;
      const int times = std::max(bar.ends + 1, 63 - std::countl_zero(passes_ | 1));
      if (pass_ < times) {
        ++pass_;
        at_ = start_;
        return;
      }
      return StartSection(bar.starts);
    }
    if (bar.starts) return StartSection(/*marked=*/true);
    const bool last_ending = in_ending_ && pass_ > 1;
    if (bar.section && (last_ending || !marked_)) StartSection(/*marked=*/false);
  }

  void StartSection(bool marked) {
    start_ = at_;
    pass_ = 1;
    passes_ = 0;
    marked_ = marked;
    in_ending_ = false;
  }

  static bool Has(std::uint64_t passes, int pass) { return ((passes >> pass) & 1) != 0; }

  void FollowEnding(const WrittenElement& ending) {
    passes_ |= ending.passes;
    in_ending_ = true;
    if (!Has(ending.passes, pass_)) SkipEnding();
  }

  // Goes to where the ending of this pass begins, or behind the section where it has none. The
  // first pass plays what is there.
  void SkipEnding() {
    for (std::size_t i = at_; i < elements_.size(); ++i) {
      --budget_.steps;
      const WrittenElement& element = elements_[i];
      if (element.kind == WrittenKind::kEnding) {
        passes_ |= element.passes;
        if (Has(element.passes, pass_)) return GoTo(i + 1);
      }
      const bool ends_section = element.kind == WrittenKind::kBar &&
                                (element.bar.ends > 0 || element.bar.starts) && !EndingAt(i + 1);
      if (!ends_section) continue;
      if (pass_ == 1) return;
      GoTo(i + 1);
      return StartSection(element.bar.starts);
    }
    if (pass_ > 1) at_ = elements_.size();
  }

  void GoTo(std::size_t element) {
    at_ = element;
    bar_start_ = now_;
  }

  bool EndingAt(std::size_t element) const {
    return element < elements_.size() && elements_[element].kind == WrittenKind::kEnding;
  }

  const WrittenVoice& written_;
  const std::vector<WrittenElement>& elements_;
  const bool leads_;
  Score& score_;
  AbcFaults& faults_;
  Budget& budget_;
  AbcMeter meter_;
  Voice voice_;

  std::size_t at_ = 0;
  std::int64_t now_ = 0;
  std::int64_t bar_start_ = 0;
  std::optional<std::int64_t> layer_end_;  // of the bar's first layer, while another is played

  std::size_t start_ = 0;     // of the section that ":|" repeats
  int pass_ = 1;              // through it
  std::uint64_t passes_ = 0;  // that its endings name
  bool marked_ = false;       // it began with "|:"
  bool in_ending_ = false;

  std::vector<OpenTie> open_;
  std::vector<OpenTie> still_open_;
  std::uint32_t last_bad_tie_ = 0;

  std::int64_t next_line_ = 0;              // where the meter puts the next bar line
  std::optional<std::int64_t> short_line_;  // a bar line before it
};

bool Sounds(const WrittenVoice& voice) { return !voice.notes.empty(); }

}  // namespace

void PlayAbc(const WrittenTune& tune, AbcFaults& faults, Score& score) {
  const Grid grid = GridOf(tune);
  if (!grid.exact()) {
    faults.Add(AbcFault::kTooFine, 0, "the lengths have no common grid; they are rounded");
  }
  score.ticks_per_quarter = grid.ticks_per_quarter();
  if (tune.key) score.keys.push_back({0, *tune.key});
  if (!tune.meter.free()) score.meters.push_back({0, tune.meter.beats, tune.meter.unit});
  if (tune.header.us_per_quarter) score.tempos.push_back({0, *tune.header.us_per_quarter});
  Budget budget;
  bool leads = true;
  for (const WrittenVoice& written : tune.voices) {
    if (!Sounds(written)) continue;
    VoicePlayer player(tune, written, std::exchange(leads, false), {faults, score, budget});
    player.Play();
    Voice voice = player.TakeVoice();
    voice.name = written.name.empty() ? written.id : written.name;
    voice.program = written.program;
    voice.drums = written.drums;
    score.voices.push_back(std::move(voice));
  }
}

}  // namespace etude
