#include "lib/music/piano_roll_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "lib/base/status.h"
#include "lib/music/remi_grid.h"
#include "lib/music/vocabulary_json.h"

namespace etude {
namespace {

constexpr int kPitches = 128;
constexpr int kDoc = 0;
constexpr int kOn = 1;
constexpr int kHeld = kOn + kPitches;
constexpr int kDrum = kHeld + kPitches;
constexpr int kStep = kDrum + kPitches;  // Step_1

std::vector<std::string> RollTokens(int steps) {
  std::vector<std::string> tokens = {std::string(Tokenizer::kDocText)};
  for (const char* type : {"On", "Held", "Drum"}) {
    for (int pitch = 0; pitch < kPitches; ++pitch) {
      tokens.push_back(fmt::format("{}_{}", type, pitch));
    }
  }
  for (int step = 1; step <= steps * kMaxRollFrameQuarters; ++step) {
    tokens.push_back(fmt::format("Step_{}", step));
  }
  return tokens;
}

std::int64_t Quantised(std::int64_t ticks, int steps, int ticks_per_quarter) {
  return (2 * ticks * steps + ticks_per_quarter) / (2 * std::int64_t{ticks_per_quarter});
}

// What is struck at one step: the end of each pitch, and drums.
struct Onsets {
  std::map<int, std::int64_t> ends;  // by pitch; of two notes the longer
  std::set<int> drums;
};

std::map<std::int64_t, Onsets> OnsetsByStep(const Score& score, int steps) {
  std::map<std::int64_t, Onsets> onsets;
  for (const Voice& voice : score.voices) {
    for (const Note& note : voice.notes) {
      const std::int64_t at = Quantised(note.onset, steps, score.ticks_per_quarter);
      const std::int64_t end =
          Quantised(note.onset + note.duration, steps, score.ticks_per_quarter);
      if (voice.drums) {
        onsets[at].drums.insert(note.pitch);
      } else {
        std::int64_t& longest = onsets[at].ends[note.pitch];
        longest = std::max({longest, end, at + 1});
      }
    }
  }
  return onsets;
}

class RollWriter {
 public:
  explicit RollWriter(int steps) : longest_(std::int64_t{steps} * kMaxRollFrameQuarters) {}

  // False: more than Tokenizer::kMaxPieceTokens.
  bool Write(const std::map<std::int64_t, Onsets>& onsets) {
    for (const auto& [at, struck] : onsets) {
      if (!PlayUntil(at)) return false;
      Strike(struck);
    }
    while (!sounding_.empty()) {
      if (!PlayUntil(NextEnd())) return false;
    }
    if (in_frame_) EndFrame(1);  // drums alone at the end
    return std::ssize(ids_) <= Tokenizer::kMaxPieceTokens;
  }
  TokenIds& ids() { return ids_; }

 private:
  void Add(int id) { ids_.push_back(static_cast<std::uint16_t>(id)); }

  std::int64_t NextEnd() const {
    return std::ranges::min_element(sounding_, {}, [](const auto& note) { return note.second; })
        ->second;
  }

  void EndFrame(std::int64_t steps) {
    Add(kStep + static_cast<int>(steps) - 1);
    now_ += steps;
    in_frame_ = false;
    std::erase_if(sounding_, [&](const auto& note) { return note.second <= now_; });
  }

  // Frames from now to `time`.
  bool PlayUntil(std::int64_t time) {
    while (now_ < time) {
      if (std::ssize(ids_) > Tokenizer::kMaxPieceTokens) return false;
      if (!in_frame_) {
        for (const auto& [pitch, end] : sounding_) Add(kHeld + pitch);
      }
      std::int64_t steps = std::min(time - now_, longest_);
      if (!sounding_.empty()) steps = std::min(steps, NextEnd() - now_);
      EndFrame(steps);
    }
    return true;
  }

  void Strike(const Onsets& struck) {
    for (const auto& [pitch, end] : struck.ends) sounding_[pitch] = end;
    for (const auto& [pitch, end] : sounding_) {
      Add((struck.ends.contains(pitch) ? kOn : kHeld) + pitch);
    }
    for (const int pitch : struck.drums) Add(kDrum + pitch);
    in_frame_ = true;
  }

  std::int64_t longest_;
  std::int64_t now_ = 0;
  bool in_frame_ = false;                 // the pitches of this frame are written
  std::map<int, std::int64_t> sounding_;  // pitch to end
  TokenIds ids_;
};

class RollReader {
 public:
  explicit RollReader(int steps) : vocab_(kStep + steps * kMaxRollFrameQuarters) {
    score_.ticks_per_quarter = steps;
    score_.voices.resize(2);
    score_.voices[1].drums = true;
    onsets_.fill(kSilent);
  }

  Score Read(std::span<const std::uint16_t> ids) {
    for (const int id : ids) {
      if (id >= kStep && id < vocab_) {
        EndFrame(id - kStep + 1);
      } else if (id >= kDrum && id < kStep) {
        score_.voices[1].notes.push_back({.onset = now_, .duration = 1, .pitch = id - kDrum});
      } else if (id >= kHeld && id < kDrum) {
        held_.insert(id - kHeld);
      } else if (id >= kOn && id < kHeld) {
        struck_.insert(id - kOn);
      }
    }
    for (int pitch = 0; pitch < kPitches; ++pitch) EndNote(pitch);
    std::erase_if(score_.voices, [](const Voice& voice) { return voice.notes.empty(); });
    Normalize(score_);
    return std::move(score_);
  }

 private:
  static constexpr std::int64_t kSilent = -1;

  void EndNote(int pitch) {
    std::int64_t& onset = onsets_[pitch];
    if (onset != kSilent && onset < now_) {
      score_.voices[0].notes.push_back({.onset = onset, .duration = now_ - onset, .pitch = pitch});
    }
    onset = kSilent;
  }

  void EndFrame(int steps) {
    for (int pitch = 0; pitch < kPitches; ++pitch) {
      if (struck_.contains(pitch) || !held_.contains(pitch)) EndNote(pitch);
    }
    for (const int pitch : struck_) onsets_[pitch] = now_;
    struck_.clear();
    held_.clear();
    now_ += steps;
  }

  int vocab_;
  Score score_;
  std::int64_t now_ = 0;
  std::set<int> struck_;
  std::set<int> held_;
  std::array<std::int64_t, kPitches> onsets_{};  // of the sounding notes
};

}  // namespace

PianoRollTokenizer::PianoRollTokenizer(int steps)
    : Tokenizer(RollTokens(steps), kDoc, std::nullopt), steps_(steps) {}

absl::StatusOr<PianoRollTokenizer> PianoRollTokenizer::FromJson(const nlohmann::json& root,
                                                                const TokenizerName& name,
                                                                const std::string& where) {
  ASSIGN_OR_RETURN(const std::vector<std::string> tokens, TokensFromJson(root, where));
  if (tokens == RollTokens(name.steps)) return PianoRollTokenizer(name.steps);
  return DamagedVocabulary(where, "not the tokens of a piano roll as this version writes it");
}

std::string PianoRollTokenizer::scheme() const { return fmt::format("pianoroll:{}", steps_); }

std::string PianoRollTokenizer::ToJson() const {
  return VocabularyText(VocabularyToJson(scheme(), tokens()));
}

absl::StatusOr<TokenIds> PianoRollTokenizer::EncodeScore(const Score& score) const {
  RollWriter writer(steps_);
  if (!writer.Write(OnsetsByStep(FillPickup(score), steps_))) {
    return ResourceExhausted(
        fmt::format("more than {} tokens in one piece; leave it out", kMaxPieceTokens));
  }
  return std::move(writer.ids());
}

Score PianoRollTokenizer::DecodeScore(std::span<const std::uint16_t> ids) const {
  return RollReader(steps_).Read(ids);
}

}  // namespace etude
