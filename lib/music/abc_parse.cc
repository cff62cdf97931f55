#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "lib/music/abc_lexer.h"
#include "lib/music/abc_voice.h"
#include "lib/music/abc_written.h"

namespace etude {
namespace {

constexpr std::size_t kMaxShownText = 40;
constexpr std::int64_t kMaxLexemes = 3'000'000;  // what a large orchestral score has is far below

class AbcParser {
 public:
  AbcParser(std::string_view text, AbcFaults& faults) : text_(text), faults_(faults) {
    std::iota(drums_.begin(), drums_.end(), 0);
  }

  WrittenTune Parse() {
    AbcLexer lexer(text_);
    for (AbcLexeme lexeme; !ended_ && lexer.Next(lexeme); offset_ += lexeme.text.size()) {
      if (++lexemes_ > kMaxLexemes) EndAtLimit();
      Add(lexeme);
    }
    if (!tune_.has_key) faults_.Add(AbcFault::kNoKey, 0, "no K: field starts the music");
    for (AbcVoice& voice : voices_) {
      voice.Finish(offset_);
      tune_.voices.push_back(std::move(voice.written()));
    }
    return std::move(tune_);
  }

 private:
  void Add(const AbcLexeme& lexeme) {
    switch (lexeme.kind) {
      case AbcLexKind::kNote:
        return Current().AddNote(lexeme, offset_);
      case AbcLexKind::kBar:
        return Current().AddBar(lexeme.text, offset_);
      case AbcLexKind::kRest:
        return Current().AddRest(lexeme.text.substr(1), offset_);
      case AbcLexKind::kBarRest:
        return Current().AddBarRest(lexeme.text.substr(1), offset_);
      case AbcLexKind::kChordOpen:
        return Current().OpenChord(offset_);
      case AbcLexKind::kChordClose:
        return Current().CloseChord(lexeme.text.substr(1), offset_);
      case AbcLexKind::kGraceOpen:
        return Current().OpenGrace(offset_);
      case AbcLexKind::kGraceClose:
        return Current().CloseGrace(offset_);
      case AbcLexKind::kTuplet:
        return Current().AddTuplet(lexeme.text, offset_);
      case AbcLexKind::kTie:
        return Current().AddTie(offset_);
      case AbcLexKind::kBroken:
        return Current().AddBroken(lexeme.text, offset_);
      case AbcLexKind::kEnding:
        return Current().AddEnding(lexeme.text, offset_);
      case AbcLexKind::kOverlay:
        return Current().AddOverlay(offset_);
      case AbcLexKind::kField:
      case AbcLexKind::kInlineField:
        return AddField(SplitAbcField(lexeme.text));
      case AbcLexKind::kDirective:
        return AddDirective(lexeme.text.substr(2));
      case AbcLexKind::kUnknown:
        return AddUnknown(lexeme.text);
      case AbcLexKind::kLineEnd:
      case AbcLexKind::kComment:
      case AbcLexKind::kText:
      case AbcLexKind::kSpace:
      case AbcLexKind::kContinuation:
      case AbcLexKind::kSpacer:
      case AbcLexKind::kSlurOpen:
      case AbcLexKind::kSlurClose:
      case AbcLexKind::kQuoted:
      case AbcLexKind::kDecoration:
      case AbcLexKind::kMark:
      case AbcLexKind::kBreak:
        return;
    }
  }

  void AddUnknown(std::string_view text) {
    if (symbols_[static_cast<unsigned char>(text.front())]) return;
    tune_.lexes = false;
    faults_.Add(AbcFault::kUnknownText, offset_, fmt::format("\"{}\" means nothing here", text));
  }

  // The voice that music goes to; the first is made where no V: asked for one.
  AbcVoice& Current() {
    if (current_ == nullptr) current_ = voices_.empty() ? &VoiceOf("") : &voices_.front();
    return *current_;
  }

  AbcVoice& VoiceOf(std::string_view id) {
    if (const auto known = by_id_.find(id); known != by_id_.end()) return *known->second;
    if (voices_.size() == kMaxScoreVoices) {
      faults_.Add(AbcFault::kTooLarge, offset_,
                  fmt::format("more than {} voices", kMaxScoreVoices));
      return voices_.back();
    }
    const AbcVoice::Shared shared{tune_, faults_, drums_};
    AbcVoice& voice = voices_.emplace_back(static_cast<int>(voices_.size()), id, shared);
    by_id_.emplace(id, &voice);
    voice.settings() = defaults_;
    return voice;
  }

  // A field is about one voice where music has begun or V: in the body has named one, else about
  // all of them.
  bool InVoice() const { return tune_.has_key && current_ != nullptr; }

  template <typename Function>
  void ChangeAll(Function change) {
    change(defaults_);
    for (AbcVoice& voice : voices_) change(voice.settings());
  }

  // Directives follow V: in the header too.
  template <typename Function>
  void Change(Function change) {
    if (current_ != nullptr) {
      change(current_->settings());
    } else {
      ChangeAll(change);
    }
  }

  void AddField(const AbcField& field) {
    switch (field.letter) {
      case 'X':
        if (tune_.has_key) EndAtSecondTune();
        return;
      case 'T':
        if (tune_.header.title.empty()) tune_.header.title = std::string(field.value);
        return;
      case 'K':
        return AddKey(field.value);
      case 'M':
        return AddMeter(field.value);
      case 'L':
        return AddUnit(field.value);
      case 'Q':
        return AddTempo(field.value);
      case 'V':
        return AddVoice(field.value);
      case 'U':
        if (!field.value.empty()) symbols_[static_cast<unsigned char>(field.value.front())] = true;
        return;
      case 'I':
        return AddDirective(field.value);
      case 'P':
        if (!tune_.has_key && field.value.size() > 1) {
          faults_.Add(AbcFault::kPartsIgnored, offset_, "parts are played in the order written");
        }
        return;
      default:
        return;
    }
  }

  void EndAtSecondTune() {
    faults_.Add(AbcFault::kSecondTune, offset_, "a second tune begins; it is left out");
    ended_ = true;
  }

  void EndAtLimit() {
    faults_.Add(AbcFault::kTooLarge, offset_,
                fmt::format("more than {} lexemes; the rest is left out", kMaxLexemes));
    ended_ = true;
  }

  void AddBadField(char letter, std::string_view value, const char* example) {
    faults_.Add(AbcFault::kBadField, offset_,
                fmt::format("\"{}:{}\" cannot be read; a good one is {}:{}", letter,
                            value.substr(0, kMaxShownText), letter, example));
  }

  void AddKey(std::string_view value) {
    const AbcKey key = ParseAbcKey(value);
    if (!key.readable) AddBadField('K', value, "Gm");
    const bool ends_header = !std::exchange(tune_.has_key, true);
    if (ends_header) EndHeader(key);
    if (InVoice()) return current_->AddKey(key, offset_);
    ChangeAll([&](VoiceSettings& settings) {
      if (key.named) settings.signature = key.signature;
      settings.transpose += key.staff.transpose.value_or(0);
    });
    if (key.named) SetHeaderKey(key);
  }

  void SetHeaderKey(const AbcKey& key) {
    tune_.key = key.key;
    tune_.header.key = key.key ? KeyName(*key.key) : "none";
  }

  void EndHeader(const AbcKey& key) {
    current_ = nullptr;
    if (!has_unit_) {
      ChangeAll([&](VoiceSettings& settings) { settings.unit = settings.meter.default_unit(); });
    }
    tune_.header.unit = defaults_.unit;
    tune_.header.meter = tune_.meter.text();
    if (!key.named) tune_.header.key = "none";
    if (!tempo_.empty()) AddTempo(tempo_);
  }

  void AddMeter(std::string_view value) {
    const auto meter = ParseAbcMeter(value);
    if (!meter) return AddBadField('M', value, "6/8");
    if (InVoice()) return current_->AddMeter(*meter, offset_);
    ChangeAll([&](VoiceSettings& settings) { settings.meter = *meter; });
    tune_.meter = *meter;
    tune_.header.meter = meter->text();
  }

  void AddUnit(std::string_view value) {
    const auto unit = ParseAbcUnit(value);
    if (!unit) return AddBadField('L', value, "1/8");
    has_unit_ = true;
    if (InVoice()) {
      current_->settings().unit = *unit;
      return;
    }
    ChangeAll([&](VoiceSettings& settings) { settings.unit = *unit; });
    tune_.header.unit = *unit;
  }

  void AddTempo(std::string_view value) {
    if (!tune_.has_key) {
      tempo_ = value;  // a bare number counts the unit, which may come later
      return;
    }
    const AbcTempo tempo =
        ParseAbcTempo(value, InVoice() ? current_->settings().unit : defaults_.unit);
    if (!tempo.readable) AddBadField('Q', value, "1/4=120");
    if (!tempo.us_per_quarter) return;
    if (InVoice()) return current_->AddTempo(*tempo.us_per_quarter, offset_);
    tune_.header.us_per_quarter = tempo.us_per_quarter;
  }

  void AddVoice(std::string_view value) {
    const AbcVoiceField field = ParseAbcVoiceField(value);
    if (field.id.empty()) return AddBadField('V', value, "1");
    if (current_ != nullptr) current_->CloseGroups(offset_);
    AbcVoice& voice = VoiceOf(field.id);
    if (field.staff.name) voice.written().name = *field.staff.name;
    if (field.staff.transpose) voice.settings().transpose = *field.staff.transpose;
    current_ = &voice;
  }

  void AddDirective(std::string_view text) {
    AbcWords words(text);
    const std::string_view name = words.Next().value_or("");
    if (name == "MIDI" || name == "MIDI=") {
      AddMidi(words);
    } else if (name.starts_with("MIDI=")) {
      AbcWords rest(text.substr(text.find('=') + 1));
      AddMidi(rest);
    } else if (name == "propagate-accidentals") {
      const std::string_view reach = words.Next().value_or("");
      Change([&](VoiceSettings& settings) {
        settings.reach = reach == "not"      ? AccidentalReach::kNote
                         : reach == "octave" ? AccidentalReach::kOctave
                                             : AccidentalReach::kPitch;
      });
    }
  }

  void AddMidi(AbcWords& words) {
    const std::string_view name = words.Next().value_or("");
    const std::string_view first = words.Next().value_or("");
    const std::string_view second = words.Next().value_or("");
    const auto number = ParseAbcNumber(second.empty() ? first : second);
    if (!number) return;
    if (name == "program" && *number >= 0 && *number <= 127) {
      Change([&](VoiceSettings& settings) { settings.program = *number; });
    } else if (name == "channel") {
      Change([&](VoiceSettings& settings) { settings.drums = *number == kDrumChannel + 1; });
    } else if (name == "transpose" && *number >= -127 && *number <= 127) {
      Change([&](VoiceSettings& settings) { settings.midi_transpose = *number; });
    } else if (name == "drummap") {
      AddDrum(first, *number);
    }
  }

  // Maps a note as abc2midi does, which wants the accidental behind the letter: "d^" as well as
  // "^d".
  void AddDrum(std::string_view note, int pitch) {
    std::string written(note);
    std::stable_partition(written.begin(), written.end(),
                          [](char c) { return c == '^' || c == '_' || c == '='; });
    const std::vector<AbcLexeme> lexemes = LexAbc(written, AbcLexer::Start::kMusic);
    if (lexemes.size() != 1 || lexemes.front().kind != AbcLexKind::kNote) return;
    const AbcNote parsed = ParseAbcNote(lexemes.front().text);
    const int written_pitch = parsed.NaturalPitch() + parsed.accidental.value_or(0);
    const bool possible = written_pitch >= 0 && written_pitch <= 127 && pitch >= 0 && pitch <= 127;
    if (possible) drums_[static_cast<std::size_t>(written_pitch)] = pitch;
  }

  std::string_view text_;
  AbcFaults& faults_;
  WrittenTune tune_;
  std::deque<AbcVoice> voices_;
  std::map<std::string_view, AbcVoice*> by_id_;
  AbcVoice* current_ = nullptr;
  VoiceSettings defaults_;
  DrumMap drums_;
  std::array<bool, 256> symbols_ = {};  // letters that U: gave a meaning
  std::string_view tempo_;
  std::size_t offset_ = 0;  // of the lexeme at hand
  std::int64_t lexemes_ = 0;
  bool has_unit_ = false;
  bool ended_ = false;
};

}  // namespace

void AbcFaults::Add(AbcFault fault, std::size_t offset, std::string message) {
  ++count_;
  any_too_large_ = any_too_large_ || fault == AbcFault::kTooLarge;
  if (std::ssize(listed_) >= kMaxAbcFaults) return;
  listed_.push_back({fault, static_cast<std::uint32_t>(offset), std::move(message)});
}

WrittenTune ParseAbc(std::string_view text, AbcFaults& faults) {
  return AbcParser(text, faults).Parse();
}

}  // namespace etude
