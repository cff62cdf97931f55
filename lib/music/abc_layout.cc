#include "lib/music/abc_layout.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace etude {
namespace {

constexpr std::string_view kBarEnd = " |";

struct VoiceText {
  std::string_view name;   // of "V:name clef=bass"
  std::string_view lines;  // the V: line and its %% lines
  std::vector<std::string_view> bars;
};

struct TuneText {
  std::string_view header;
  std::vector<VoiceText> voices;
};

// Takes the first line off `text`, its newline included.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end == text.npos ? text.size() : end + 1);
  text.remove_prefix(line.size());
  return line;
}

std::optional<std::string_view> TakeHeader(std::string_view& text) {
  std::size_t size = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = TakeLine(rest);
    size += line.size();
    if (!line.starts_with("K:")) continue;
    const std::string_view header = text.substr(0, size);
    text.remove_prefix(size);
    return header;
  }
  return std::nullopt;
}

// "V:2 clef=bass\n" gives "2".
std::string_view NameIn(std::string_view line) {
  line.remove_prefix(2);
  return line.substr(0, line.find_first_of(" \n"));
}

// Takes "BAR |" and the blank or newline behind it; false: there is none.
bool TakeBar(std::string_view& line, std::string_view& bar) {
  const std::size_t end = line.find(kBarEnd);
  if (end == line.npos) return false;
  bar = line.substr(0, end);
  line.remove_prefix(std::min(line.size(), end + kBarEnd.size() + 1));
  return true;
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// The bar's voice, and the bar without its "[V:name] ".
VoiceText* VoiceOf(std::string_view& bar, std::vector<VoiceText>& voices) {
  for (VoiceText& voice : voices) {
    std::string_view rest = bar;
    if (TakePrefix(rest, "[V:") && TakePrefix(rest, voice.name) && TakePrefix(rest, "] ")) {
      bar = rest;
      return &voice;
    }
  }
  return nullptr;
}

// A line's bars: all of the newest voice, or each of the voice it names.
bool ReadBars(std::string_view line, std::vector<VoiceText>& voices) {
  std::string_view bar;
  const bool named = line.starts_with("[V:");
  while (!line.empty()) {
    if (!TakeBar(line, bar)) return false;
    VoiceText* voice = named ? VoiceOf(bar, voices) : &voices.back();
    if (voice == nullptr) return false;
    voice->bars.push_back(bar);
  }
  return true;
}

std::optional<TuneText> ReadTune(std::string_view text) {
  const std::optional<std::string_view> header = TakeHeader(text);
  if (!header) return std::nullopt;
  TuneText tune{.header = *header, .voices = {}};
  while (!text.empty()) {
    const char* begin = text.data();
    const std::string_view line = TakeLine(text);
    if (line.starts_with("V:")) {
      tune.voices.push_back({.name = NameIn(line), .lines = line, .bars = {}});
    } else if (tune.voices.empty()) {
      return std::nullopt;
    } else if (std::string_view& lines = tune.voices.back().lines; line.starts_with("%%")) {
      lines = {lines.data(), static_cast<std::size_t>(begin - lines.data()) + line.size()};
    } else if (!ReadBars(line, tune.voices)) {
      return std::nullopt;
    }
  }
  return tune;
}

}  // namespace

std::optional<AbcLayout> AbcLayoutFromName(std::string_view name) {
  if (name == "voices") return AbcLayout::kVoices;
  if (name == "bars") return AbcLayout::kBars;
  return std::nullopt;
}

std::optional<std::string> Interleave(std::string_view voices) {
  const std::optional<TuneText> tune = ReadTune(voices);
  if (!tune) return std::nullopt;
  std::string text(tune->header);
  std::size_t bars = 0;
  for (const VoiceText& voice : tune->voices) {
    text.append(voice.lines);
    bars = std::max(bars, voice.bars.size());
  }
  text.reserve(voices.size() + bars * tune->voices.size() * 8);
  for (std::size_t bar = 0; bar < bars; ++bar) {
    const char* before = "";
    for (const VoiceText& voice : tune->voices) {
      if (bar >= voice.bars.size()) continue;
      text.append(before).append("[V:").append(voice.name).append("] ");
      text.append(voice.bars[bar]).append(kBarEnd);
      before = " ";
    }
    text.push_back('\n');
  }
  return text;
}

std::optional<std::string> Deinterleave(std::string_view bars) {
  const std::optional<TuneText> tune = ReadTune(bars);
  if (!tune) return std::nullopt;
  std::string text(tune->header);
  text.reserve(bars.size());
  for (const VoiceText& voice : tune->voices) {
    text.append(voice.lines);
    for (std::size_t i = 0; i < voice.bars.size(); ++i) {
      text.append(voice.bars[i]).append(kBarEnd);
      const bool line_ends = (i + 1) % kBarsPerLine == 0 || i + 1 == voice.bars.size();
      text.push_back(line_ends ? '\n' : ' ');
    }
  }
  return text;
}

}  // namespace etude
