#include "tests/unit/music/midi_fixture.h"

namespace etude::midi {
namespace {

const std::string kTwo = OneNote() + On(0, 64) + Off(96, 64);

std::string Cut(std::string bytes, std::size_t from_end) {
  bytes.resize(bytes.size() - from_end);
  return bytes;
}

std::string LongerHeader() { return Chunk("MThd", Bytes({0, 0, 0, 1, 0, 96, 7, 7})) + Track(kTwo); }

// MTrk with a length of the test's choosing.
std::string TrackOfLength(std::uint32_t length, const std::string& events) {
  return "MTrk" + Big(length, 4) + events + End();
}

std::string Rmid(const std::string& midi) {
  const auto little = [](std::size_t n) {
    return Bytes({static_cast<int>(n & 0xFF), static_cast<int>(n >> 8), 0, 0});
  };
  const std::string list = "LIST" + little(4) + "INFO";
  return "RIFF" + little(midi.size() + 24) + "RMID" + list + "data" + little(midi.size()) + midi;
}

void AddHeaders(std::vector<Damaged>& files) {
  const std::string track = Track(kTwo);
  files.push_back({"empty", "", {"not_midi", "no_notes"}, 0});
  files.push_back({"text", "this is no music", {"not_midi", "no_notes"}, 0});
  files.push_back({"part of a header", "MThd\0\0", {"truncated", "no_notes"}, 0});
  files.push_back({"no header", track, {"bad_header"}, 2});
  files.push_back({"long header", LongerHeader(), {}, 2});
  files.push_back(
      {"short header", "MThd" + Big(4, 4) + Bytes({0, 0, 0, 1, 0, 96}) + track, {"bad_header"}, 2});
  files.push_back({"header of 4 GB",
                   "MThd" + Big(0xFFFFFFFF, 4) + Bytes({0, 0, 0, 1, 0, 96}) + track,
                   {"bad_header"},
                   2});
  files.push_back({"format 9", Header(9, 1, 96) + track, {"bad_header"}, 2});
  files.push_back({"division 0", Header(0, 1, 0) + track, {"bad_header"}, 2});
  files.push_back({"no ticks in a frame", Header(0, 1, 0xE800) + track, {"bad_header"}, 2});
  files.push_back({"40 frames", Header(0, 1, 0xD890) + track, {"bad_header"}, 2});
  files.push_back(
      {"MacBinary", std::string(128, '\0') + Header(0, 1, 96) + track, {"bad_chunk"}, 2});
  files.push_back({"RMID", Rmid(Header(0, 1, 96) + track), {}, 2});
  files.push_back(
      {"RMID cut", Cut(Rmid(Header(0, 1, 96) + track), 8), {"truncated", "unended_notes"}, 2});
}

void AddChunks(std::vector<Damaged>& files) {
  const std::string header = Header(1, 1, 96);
  const std::string track = Track(kTwo);
  const auto length = static_cast<std::uint32_t>((kTwo + End()).size());
  files.push_back({"strange chunk", header + Chunk("XFIH", "abcdef") + track, {}, 2});
  files.push_back({"strange chunk behind", header + track + Chunk("XFKM", "abcdef"), {}, 2});
  files.push_back({"strange chunk of 4 GB",
                   header + "XFIH" + Big(0xFFFFFFF0, 4) + "abc" + track,
                   {"bad_chunk"},
                   2});
  files.push_back({"misspelt track", header + Chunk("MTrl", kTwo + End()), {"bad_chunk"}, 2});
  files.push_back({"bytes between", Header(1, 2, 96) + track + "\1\2\3" + track, {"bad_chunk"}, 4});
  files.push_back({"bytes behind", header + track + std::string(20, '\0'), {"bad_chunk"}, 2});
  files.push_back({"length 0", header + TrackOfLength(0, kTwo), {"bad_chunk"}, 2});
  files.push_back({"length one short", header + TrackOfLength(length - 1, kTwo), {"bad_chunk"}, 2});
  files.push_back({"length too long, a track follows",
                   Header(1, 2, 96) + TrackOfLength(length + 3, kTwo) + track,
                   {"bad_chunk"},
                   4});
  files.push_back({"length over the next track",
                   Header(1, 2, 96) +
                       TrackOfLength(length + static_cast<std::uint32_t>(track.size()), kTwo) +
                       track,
                   {"bad_chunk"},
                   4});
  files.push_back(
      {"length beyond the file", header + TrackOfLength(0x7FFFFFFF, kTwo), {"bad_chunk"}, 2});
  files.push_back({"fewer tracks", Header(1, 5, 96) + track, {"missing_tracks"}, 2});
  files.push_back({"more tracks", Header(1, 1, 96) + track + track, {"extra_tracks"}, 4});
  files.push_back({"part of a chunk's name",
                   Header(1, 2, 96) + track + "MTr",
                   {"truncated", "missing_tracks"},
                   2});
}

void AddTracks(std::vector<Damaged>& files) {
  const auto file = [](const std::string& events) {
    return Header(0, 1, 96) + Chunk("MTrk", events);
  };
  files.push_back({"no End of Track", file(kTwo), {"missing_end"}, 2});
  files.push_back({"events behind the end",
                   file(OneNote() + End() + On(0, 64) + Off(96, 64)),
                   {"after_end"},
                   2});
  files.push_back(
      {"zeros behind the end", file(OneNote() + End() + std::string(9, '\0')), {"after_end"}, 1});
  files.push_back({"no events", file(End()), {"no_notes"}, 0});
  files.push_back({"nothing", file(""), {"missing_end", "no_notes"}, 0});
  files.push_back({"cut in a note", Cut(OneTrackFile(kTwo + On(0, 67)), 5), {"truncated"}, 2});
  files.push_back({"cut in a delta", Cut(OneTrackFile(kTwo + On(70000, 67)), 9), {"truncated"}, 2});
  files.push_back({"cut in a text",
                   Cut(OneTrackFile(kTwo + Meta(0, 1, "a long text that never ends")), 9),
                   {"truncated"},
                   2});
}

void AddEvents(std::vector<Damaged>& files) {
  const auto around = [](const std::string& bad) {
    return OneTrackFile(OneNote() + bad + On(0, 64) + Off(96, 64) + On(0, 65) + Off(96, 65));
  };
  for (int status = 0xF1; status <= 0xFE; ++status) {
    if (status == 0xF7) continue;
    const std::string number = std::to_string(status);
    files.push_back({"status " + number, around(Bytes({0, status})), {"bad_event"}, 3});
    files.push_back({"status " + number + " 0", around(Bytes({0, status, 0})), {"bad_event"}, 3});
  }
  files.push_back({"a flipped pitch", around(Bytes({0, 0xB0, 0xC0, 0x40})), {"bad_event"}, 3});
  files.push_back({"a delta of five bytes",
                   around(Bytes({0x81, 0x82, 0x83, 0x84, 0x05, 0xB0, 7, 7})),
                   {"bad_event"},
                   3});
  files.push_back({"a text longer than the track",
                   around(Bytes({0, 0xFF, 1, 0x8F, 0x7F}) + "ab"),
                   {"bad_event"},
                   3});
  files.push_back({"data without a status",
                   OneTrackFile(Running(0, 60, 80) + Running(96, 60, 0) + kTwo + kTwo),
                   {"bad_event"},
                   4});
  files.push_back({"running status behind SysEx",
                   OneTrackFile(On(0, 60) + SysEx(0, "\x7E\xF7") + Running(96, 60, 0)),
                   {"late_running_status"},
                   1});
  files.push_back({"meter 0/4",
                   OneTrackFile(Meta(0, 0x58, Bytes({0, 2, 24, 8})) + OneNote()),
                   {"bad_meta"},
                   1});
  files.push_back({"meter 4/128",
                   OneTrackFile(Meta(0, 0x58, Bytes({4, 7, 24, 8})) + OneNote()),
                   {"bad_meta"},
                   1});
  files.push_back(
      {"meter of a byte", OneTrackFile(Meta(0, 0x58, "\4") + OneNote()), {"bad_meta"}, 1});
  files.push_back({"tempo 0", OneTrackFile(Tempo(0, 0) + OneNote()), {"bad_meta"}, 1});
  files.push_back(
      {"nine sharps", OneTrackFile(Meta(0, 0x59, Bytes({9, 0})) + OneNote()), {"bad_meta"}, 1});
  files.push_back(
      {"an off too many", OneTrackFile(OneNote() + Off(0, 60)), {"stray_note_offs"}, 1});
  files.push_back(
      {"no off", OneTrackFile(On(0, 60) + On(96, 62) + Off(96, 62)), {"unended_notes"}, 2});
}

}  // namespace

std::vector<Damaged> DamagedFiles() {
  std::vector<Damaged> files;
  AddHeaders(files);
  AddChunks(files);
  AddTracks(files);
  AddEvents(files);
  return files;
}

}  // namespace etude::midi
