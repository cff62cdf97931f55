#include "lib/music/piece.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/abc_reader.h"
#include "lib/music/melody_keys.h"
#include "lib/music/midi_reader.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

std::string Extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool IsMidi(const fs::path& path) {
  const std::string extension = Extension(path);
  return extension == ".mid" || extension == ".midi" || extension == ".kar";
}

Piece ReadMidiPiece(std::string_view bytes) {
  Piece piece;
  piece.score = ReadMidiAsWritten(bytes).score;
  if (NoteCount(piece.score) == 0) {
    piece.fault = TuneFault::kNoMusic;
    return piece;
  }
  piece.identity = TransposedIdentity(piece.score);
  piece.version_keys = MelodyKeys(piece.score);
  return piece;
}

Piece ReadTune(std::string_view raw, Families families) {
  CleanTune tune = CleanAbcTune(raw);
  Piece piece;
  piece.fault = tune.fault;
  if (tune.fault != TuneFault::kNone) return piece;
  piece.text = std::move(tune.text);
  piece.score = ReadAbc(piece.text).score;
  piece.identity = Sha256Hex(tune.body_key);
  piece.version_keys = std::move(tune.version_keys);
  if (families == Families::kOpening || NoteCount(piece.score) == 0) return piece;
  piece.identity = TransposedIdentity(piece.score);
  const std::vector<std::string> keys = MelodyKeys(piece.score);
  piece.version_keys.insert(piece.version_keys.end(), keys.begin(), keys.end());
  return piece;
}

}  // namespace

absl::StatusOr<std::vector<PieceFile>> ListPieceFiles(const std::string& src, bool with_midi) {
  std::error_code error;
  const fs::file_status status = fs::status(src, error);
  if (status.type() == fs::file_type::not_found) {
    return NotFound(fmt::format(
        "{}: no such file or directory; fetch tunes with: etude corpus fetch folk {}", src, src));
  }
  if (error) return FromErrno(error.value(), "stat " + src);
  if (status.type() == fs::file_type::regular) {
    return std::vector<PieceFile>{{fs::path(src).filename().string(), src, IsMidi(src)}};
  }
  std::vector<PieceFile> files;
  for (fs::recursive_directory_iterator at(src, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code unreadable;
    const bool is_midi = IsMidi(at->path());
    const bool is_wanted = Extension(at->path()) == ".abc" || (with_midi && is_midi);
    if (!at->is_regular_file(unreadable) || !is_wanted) continue;
    if (static_cast<std::int64_t>(files.size()) == kMaxSourceFiles) {
      return ResourceExhausted(fmt::format(
          "{}: more than {} files of music; build from a part of them", src, kMaxSourceFiles));
    }
    files.push_back(
        {at->path().lexically_relative(src).generic_string(), at->path().string(), is_midi});
  }
  if (error) return FromErrno(error.value(), "read directory " + src);
  std::ranges::sort(files, {}, &PieceFile::file);
  return files;
}

std::vector<std::string_view> SplitPieces(const PieceFile& file, std::string_view bytes) {
  if (file.is_midi) return {bytes};
  return SplitTunes(bytes);
}

Piece ReadPiece(const PieceFile& file, std::string_view raw, Families families) {
  return file.is_midi ? ReadMidiPiece(raw) : ReadTune(raw, families);
}

}  // namespace etude
