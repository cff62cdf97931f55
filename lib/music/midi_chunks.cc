#include "lib/music/midi_chunks.h"

#include <algorithm>
#include <cstdint>

namespace etude {
namespace {

constexpr std::size_t kChunkHead = 8;        // name and length
constexpr std::size_t kHeaderPayload = 6;    // format, tracks, division
constexpr std::size_t kRiffHead = 12;        // "RIFF", length, "RMID"
constexpr std::size_t kMinTrackPayload = 4;  // 00 FF 2F 00
constexpr std::string_view kHeaderName = "MThd";
constexpr std::string_view kTrackName = "MTrk";

unsigned ByteAt(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

int Big16(std::string_view bytes, std::size_t at) {
  return static_cast<int>(ByteAt(bytes, at) << 8 | ByteAt(bytes, at + 1));
}

std::uint32_t Big32(std::string_view bytes, std::size_t at) {
  return ByteAt(bytes, at) << 24 | ByteAt(bytes, at + 1) << 16 | ByteAt(bytes, at + 2) << 8 |
         ByteAt(bytes, at + 3);
}

std::uint32_t Little32(std::string_view bytes, std::size_t at) {
  return ByteAt(bytes, at + 3) << 24 | ByteAt(bytes, at + 2) << 16 | ByteAt(bytes, at + 1) << 8 |
         ByteAt(bytes, at);
}

// At most one of the four letters is another.
bool IsNearly(std::string_view name, std::string_view wanted) {
  int equal = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) equal += name[i] == wanted[i] ? 1 : 0;
  return equal >= 3;
}

}  // namespace

MidiChunks::MidiChunks(std::string_view bytes, MidiFaults& faults)
    : bytes_(bytes), faults_(faults), end_(bytes.size()) {
  EnterRiff();
  ReadHeader();
}

// An RMID file keeps a MIDI file in its RIFF chunk "data".
void MidiChunks::EnterRiff() {
  if (!bytes_.starts_with("RIFF") || bytes_.size() < kRiffHead) return;
  for (std::size_t at = kRiffHead; at + kChunkHead <= bytes_.size();) {
    const std::size_t length = Little32(bytes_, at + 4);
    if (bytes_.substr(at, 4) == "data") {
      at_ = at + kChunkHead;
      end_ = std::min(bytes_.size(), at_ + length);
      return;
    }
    at += kChunkHead + length + length % 2;
  }
}

void MidiChunks::ReadHeader() {
  const std::size_t start = bytes_.substr(0, end_).find(kHeaderName, at_);
  if (start == std::string_view::npos) {
    const std::size_t track = FindTrack(at_);
    if (end_ - at_ < kHeaderName.size() && end_ > at_ &&
        kHeaderName.starts_with(bytes_.substr(at_))) {
      faults_.Add(MidiFault::kTruncated, static_cast<std::int64_t>(end_));
    } else {
      faults_.Add(track == end_ ? MidiFault::kNotMidi : MidiFault::kBadHeader,
                  static_cast<std::int64_t>(at_));
    }
    at_ = track;
    return;
  }
  if (start != at_) faults_.Add(MidiFault::kBadChunk, static_cast<std::int64_t>(at_));
  if (end_ - start < kChunkHead + kHeaderPayload) {
    faults_.Add(MidiFault::kTruncated, static_cast<std::int64_t>(end_));
    at_ = end_;
    return;
  }
  header_.format = Big16(bytes_, start + kChunkHead);
  header_.tracks = Big16(bytes_, start + kChunkHead + 2);
  ReadDivision(start + kChunkHead + 4);
  if (header_.format > 2) {
    faults_.Add(MidiFault::kBadHeader, static_cast<std::int64_t>(start + kChunkHead));
    header_.format = 1;
  }
  if (HasHeaderLength(start)) {
    at_ = EndOfChunk(start);
  } else {
    faults_.Add(MidiFault::kBadHeader, static_cast<std::int64_t>(start + 4));
    at_ = FindTrack(start + kChunkHead);
  }
}

bool MidiChunks::HasHeaderLength(std::size_t at) const {
  const std::size_t end = EndOfChunk(at);
  if (Big32(bytes_, at + 4) < kHeaderPayload || end > end_) return false;
  return end - at == kChunkHead + kHeaderPayload || IsChunkAt(end) || end == end_;
}

// Division: 15 bits of ticks a quarter; or minus the frames a second, then ticks a frame.
void MidiChunks::ReadDivision(std::size_t at) {
  const int raw = Big16(bytes_, at);
  bool good = raw != 0;
  if (raw < 0x8000) {
    if (good) header_.division = raw;
  } else if (good = (raw & 0xFF) != 0; good) {
    header_.frames_per_second = 256 - (raw >> 8);
    header_.division = raw & 0xFF;
    const int frames = header_.frames_per_second;
    good = frames == 24 || frames == 25 || frames == 29 || frames == 30;
  }
  if (!good) faults_.Add(MidiFault::kBadHeader, static_cast<std::int64_t>(at));
}

bool MidiChunks::IsChunkAt(std::size_t at) const {
  if (at > end_ || end_ - at < kChunkHead) return false;
  const std::string_view name = bytes_.substr(at, 4);
  return std::ranges::all_of(name, [](char c) { return c >= ' ' && c <= '~'; });
}

bool MidiChunks::IsTrackAt(std::size_t at) const {
  return IsChunkAt(at) && bytes_.substr(at, 4) == kTrackName;
}

std::size_t MidiChunks::FindTrack(std::size_t from) const {
  const std::size_t found = bytes_.substr(0, end_).find(kTrackName, from);
  return found == std::string_view::npos || !IsTrackAt(found) ? end_ : found;
}

// Where the chunk says that it ends, which may be far beyond the file.
std::size_t MidiChunks::EndOfChunk(std::size_t at) const {
  return at + kChunkHead + Big32(bytes_, at + 4);
}

// A length is believed when it leads to another chunk or to the end of the file. Else the next
// track, or the end, bounds this one.
MidiTrackExtent MidiChunks::ExtentOf(std::size_t at) {
  const std::size_t promised = EndOfChunk(at);
  MidiTrackExtent extent{.begin = at + kChunkHead, .end = promised, .promised = promised};
  if (promised == end_ || IsChunkAt(promised)) return extent;
  extent.end = FindTrack(extent.begin);
  extent.cut = promised > end_ && extent.end == end_;
  return extent;
}

std::optional<MidiTrackExtent> MidiChunks::NextTrack() {
  while (at_ < end_) {
    if (!IsChunkAt(at_)) {
      const bool begun =
          end_ - at_ < kChunkHead && bytes_.substr(at_, end_ - at_).substr(0, 4) ==
                                         kTrackName.substr(0, std::min<std::size_t>(4, end_ - at_));
      faults_.Add(begun ? MidiFault::kTruncated : MidiFault::kBadChunk,
                  static_cast<std::int64_t>(begun ? end_ : at_));
      at_ = FindTrack(at_);
      continue;
    }
    const std::size_t start = at_;
    const bool is_track = IsTrackAt(start);
    const bool misspelt = !is_track && IsNearly(bytes_.substr(start, 4), kTrackName) &&
                          end_ - start >= kChunkHead + kMinTrackPayload;
    if (is_track || misspelt) {
      if (misspelt) faults_.Add(MidiFault::kBadChunk, static_cast<std::int64_t>(start));
      const MidiTrackExtent extent = ExtentOf(start);
      at_ = extent.end;
      return extent;
    }
    at_ = EndOfChunk(start);
    if (at_ > end_) {
      at_ = FindTrack(start + 4);
      faults_.Add(at_ == end_ ? MidiFault::kTruncated : MidiFault::kBadChunk,
                  static_cast<std::int64_t>(at_ == end_ ? end_ : start));
    }
  }
  return std::nullopt;
}

void MidiChunks::EndTrack(const MidiTrackExtent& extent, std::size_t offset, bool has_end) {
  const bool runs_into_track = offset < extent.end && IsTrackAt(offset);
  if (has_end && (extent.is_guess() || runs_into_track)) at_ = offset;
  const bool wrong_length = extent.is_guess() ? offset != extent.promised : runs_into_track;
  if (wrong_length && (has_end || !extent.cut)) {
    faults_.Add(MidiFault::kBadChunk, static_cast<std::int64_t>(extent.begin - kChunkHead));
  }
}

}  // namespace etude
