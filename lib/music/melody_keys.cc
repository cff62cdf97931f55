#include "lib/music/melody_keys.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string_view>

#include "lib/base/hash.h"
#include "lib/music/canonical_score.h"

namespace etude {
namespace {

constexpr std::size_t kLeastIntervals = 4;  // different ones, of a phrase that tells something
constexpr std::size_t kKeyDigits = 24;      // 96 bits of a digest

// The highest note of each onset; notes are sorted by onset.
std::vector<int> TopLine(const Voice& voice) {
  std::vector<int> pitches;
  const std::vector<Note>& notes = voice.notes;
  for (std::size_t i = 0; i < notes.size(); ++i) {
    const bool is_new = i == 0 || notes[i].onset != notes[i - 1].onset;
    if (is_new) {
      pitches.push_back(notes[i].pitch);
    } else {
      pitches.back() = std::max(pitches.back(), notes[i].pitch);
    }
  }
  return pitches;
}

std::string Intervals(const Score& score) {
  std::vector<int> melody;
  for (const Voice& voice : score.voices) {
    if (voice.drums) continue;
    std::vector<int> line = TopLine(voice);
    if (line.size() > melody.size()) melody = std::move(line);
  }
  std::string intervals;
  for (std::size_t i = 1; i < melody.size(); ++i) {
    intervals.push_back(static_cast<char>(melody[i] - melody[i - 1]));
  }
  return intervals;
}

// FNV-1a and a final mix (MurmurHash3): enough to choose phrases by.
std::uint64_t Mixed(std::string_view bytes) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
  return hash ^ (hash >> 33);
}

std::string KeyOf(std::string_view kind, std::string_view bytes) {
  return std::string(kind) + Sha256Hex(bytes).substr(0, kKeyDigits);
}

}  // namespace

std::vector<std::string> MelodyKeys(const Score& score) {
  const std::string intervals = Intervals(score);
  std::vector<std::string> keys;
  std::set<std::pair<std::uint64_t, std::string_view>> lowest;
  for (std::size_t at = 0; at + kMelodyPhrase <= intervals.size(); ++at) {
    const std::string_view phrase = std::string_view(intervals).substr(at, kMelodyPhrase);
    if (std::set<char>(phrase.begin(), phrase.end()).size() < kLeastIntervals) continue;
    if (keys.empty()) keys.push_back(KeyOf("opening ", phrase));
    lowest.emplace(Mixed(phrase), phrase);
    if (lowest.size() > kMelodyPhrases) lowest.erase(std::prev(lowest.end()));
  }
  for (const auto& [hash, phrase] : lowest) keys.push_back(KeyOf("phrase ", phrase));
  return keys;
}

std::string TransposedIdentity(const Score& score) {
  const std::vector<CanonicalNote> notes = CanonicalNotes(score);
  int lowest = 127;
  for (const CanonicalNote& note : notes) {
    if (!note.drums) lowest = std::min(lowest, note.pitch);
  }
  const std::int64_t start = notes.empty() ? 0 : notes.front().onset;
  std::string bytes;
  const auto add = [&](std::int64_t number) {
    bytes += std::to_string(number);
    bytes += ' ';
  };
  for (const CanonicalNote& note : notes) {
    add(note.drums ? -note.pitch - 1 : note.pitch - lowest);
    add(note.onset - start);
    add(note.duration);
  }
  return Sha256Hex(bytes);
}

}  // namespace etude
