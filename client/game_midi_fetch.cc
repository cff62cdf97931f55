#include "client/game_midi_fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>
#include <utility>

#include "client/external_command.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/wad.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kMaxDownloadTime = absl::Minutes(30);
constexpr absl::Duration kMaxUnpackTime = absl::Minutes(5);
constexpr std::int64_t kMaxMidiFileBytes = std::int64_t{8} << 20;  // the largest is below 200 kB
constexpr std::int64_t kMaxWadBytes = std::int64_t{256} << 20;
constexpr int kProgramMissing = 127;            // the exit status of env
constexpr std::string_view kDocFolder = "doc";  // older copies of pianobooster's files

struct Package {
  const char* name;
  const char* licence_note;
};
constexpr Package kPackages[] = {
    {"freedoom", "freedoom: contributors to the Freedoom project, 3-clause BSD"},
    {"openttd-openmsx", "openttd-openmsx: the OpenMSX authors, GPL 2"},
    {"pianobooster", "pianobooster: Booster Music Books, L. J. Barman, CC-BY"},
    {"planetblupi-music-midi",
     "planetblupi-music-midi: M. Schroeter and the Blupi authors, GPL 3 or later"},
};

std::vector<std::string> DownloadCommand() {
  std::vector<std::string> command = {"apt-get", "download", "--quiet"};
  for (const Package& package : kPackages) command.emplace_back(package.name);
  return command;
}

absl::StatusOr<ExternalResult> Run(std::vector<std::string> arguments, absl::Duration limit) {
  absl::StatusOr<ExternalResult> result =
      RunExternal({.arguments = std::move(arguments), .limit = limit});
  if (absl::IsNotFound(result.status()) || (result.ok() && result->status == kProgramMissing)) {
    return NotFound(
        "apt-get, dpkg-deb or python3 is not on this machine; game-midi comes from Debian's or "
        "Ubuntu's packages, so type this on such a machine");
  }
  return result;
}

absl::Status Download(const fs::path& to, const FetchRequest& request) {
  RETURN_IF_ERROR(MakeDirectories(to.string()));
  std::vector<std::string> command = {"env", "-C", to.string()};  // apt-get writes where it stands
  for (const std::string& word : DownloadCommand()) command.push_back(word);
  ASSIGN_OR_RETURN(const ExternalResult exit, Run(std::move(command), kMaxDownloadTime));
  if (exit.status == 0) return absl::OkStatus();
  return Unavailable(fmt::format("apt-get: {}; type: sudo apt-get update, then: {}",
                                 LastLineOf(exit.err), request.RetryCommand()));
}

// All plain files below `root` in the order of their paths; links are not followed.
absl::StatusOr<std::vector<fs::path>> FilesBelow(const fs::path& root) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().filename() == kDocFolder) at.disable_recursion_pending();
    if (at->symlink_status().type() == fs::file_type::regular) files.push_back(at->path());
  }
  if (error) return FromErrno(error.value(), "read directory " + root.string());
  std::sort(files.begin(), files.end());
  return files;
}

bool HasExtension(const fs::path& path, std::string_view extension) {
  std::string own = path.extension().string();
  for (char& c : own) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return own == extension;
}

// Takes the music out of packages into a tree.
class MusicTaker {
 public:
  explicit MusicTaker(fs::path result) : result_(std::move(result)) {}

  // Everything in the unpacked `root`: MIDI files, those in WAD archives and in zip archives.
  absl::Status TakePackage(const std::string& package, const fs::path& root) {
    const std::size_t before = files_.size();
    RETURN_IF_ERROR(MakeDirectories((result_ / package).string()));
    ASSIGN_OR_RETURN(const std::vector<fs::path> found, FilesBelow(root));
    for (const fs::path& path : found) {
      if (HasExtension(path, ".mid")) RETURN_IF_ERROR(TakeFile(package, path, ""));
      if (HasExtension(path, ".wad")) RETURN_IF_ERROR(TakeWad(package, path));
      if (HasExtension(path, ".zip")) RETURN_IF_ERROR(TakeZip(package, path));
    }
    if (files_.size() > before) return absl::OkStatus();
    return DataLoss(fmt::format("the package {} has no music in it", package));
  }
  std::vector<FetchedFile>& files() { return files_; }
  int duplicates() const { return duplicates_; }

 private:
  absl::Status TakeFile(const std::string& package, const fs::path& path,
                        const std::string& prefix) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path.string(), kMaxMidiFileBytes));
    return Take(package, prefix + path.stem().string(), bytes);
  }
  absl::Status TakeWad(const std::string& package, const fs::path& path) {
    ASSIGN_OR_RETURN(const std::string wad, ReadFile(path.string(), kMaxWadBytes));
    ASSIGN_OR_RETURN(const std::vector<WadLump> lumps,
                     MidiLumpsOfWad(wad, path.filename().string()));
    for (const WadLump& lump : lumps) {
      RETURN_IF_ERROR(Take(package, path.stem().string() + "-" + lump.name, lump.bytes));
    }
    return absl::OkStatus();
  }
  absl::Status TakeZip(const std::string& package, const fs::path& path) {
    const fs::path unpacked = path.string() + ".unpacked";
    ASSIGN_OR_RETURN(
        const ExternalResult exit,
        Run({"python3", "-m", "zipfile", "-e", path.string(), unpacked.string()}, kMaxUnpackTime));
    if (exit.status != 0) {
      return DataLoss(fmt::format("unpack {}: {}", path.string(), LastLineOf(exit.err)));
    }
    ASSIGN_OR_RETURN(const std::vector<fs::path> found, FilesBelow(unpacked));
    for (const fs::path& file : found) {
      const std::string folder = file.parent_path().filename().string();
      if (HasExtension(file, ".mid")) RETURN_IF_ERROR(TakeFile(package, file, folder + "-"));
    }
    return absl::OkStatus();
  }
  absl::Status Take(const std::string& package, std::string_view stem, std::string_view bytes) {
    const std::string sha256 = Sha256Hex(bytes);
    if (!known_.insert(sha256).second) {
      ++duplicates_;
      return absl::OkStatus();
    }
    const std::string path = FreePath(package, stem);
    RETURN_IF_ERROR(WriteFileAtomically((result_ / path).string(), bytes));
    files_.push_back(
        {.path = path, .sha256 = sha256, .bytes = static_cast<std::int64_t>(bytes.size())});
    return absl::OkStatus();
  }
  std::string FreePath(const std::string& package, std::string_view stem) {
    std::string safe(stem.substr(0, 100));
    for (char& c : safe) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.') c = '_';
    }
    std::string path = fmt::format("{}/{}.mid", package, safe);
    for (int n = 2; !paths_.insert(path).second; ++n) {
      path = fmt::format("{}/{}-{}.mid", package, safe, n);
    }
    return path;
  }

  fs::path result_;
  std::vector<FetchedFile> files_;
  std::set<std::string> known_;  // digests
  std::set<std::string> paths_;
  int duplicates_ = 0;
};

// The one archive of `package` that apt-get left.
absl::StatusOr<fs::path> FindArchive(const fs::path& folder, const std::string& package) {
  ASSIGN_OR_RETURN(const std::vector<fs::path> files, FilesBelow(folder));
  for (const fs::path& file : files) {
    if (file.filename().string().starts_with(package + "_")) return file;
  }
  return DataLoss(fmt::format("apt-get left no archive of {}", package));
}

absl::Status TakeArchive(const fs::path& archive, const fs::path& scratch,
                         const std::string& package, MusicTaker& taker, FetchedTree& tree) {
  const fs::path root = scratch / package;
  ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile(archive.string()));
  ASSIGN_OR_RETURN(const ExternalResult exit,
                   Run({"dpkg-deb", "-x", archive.string(), root.string()}, kMaxUnpackTime));
  if (exit.status != 0) {
    return DataLoss(fmt::format("unpack {}: {}", archive.string(), LastLineOf(exit.err)));
  }
  tree.origin.emplace_back("package " + package, archive.filename().string() + " " + sha256);
  return taker.TakePackage(package, root);
}

}  // namespace

absl::StatusOr<FetchReport> FetchGameMidi(const FetchRequest& request) {
  std::string command;
  for (const std::string& word : DownloadCommand()) command += word + " ";
  request.say(fmt::format("fetching Debian packages (about 17 MB) with: {}", command));
  request.say("they are unpacked beside DIR with dpkg-deb -x, and not installed");
  FetchedTree tree;
  for (const Package& package : kPackages) {
    tree.licence_notes.emplace_back(package.licence_note);
    request.say(fmt::format("licence: {}", package.licence_note));
  }
  ASSIGN_OR_RETURN(const ScratchDirectory scratch, ScratchDirectory::Beside(request.dir));
  const fs::path archives = scratch.path() / "archives";
  const fs::path result = scratch.path() / "result";
  RETURN_IF_ERROR(Download(archives, request));
  MusicTaker taker(result);
  for (const Package& package : kPackages) {
    ASSIGN_OR_RETURN(const fs::path archive, FindArchive(archives, package.name));
    RETURN_IF_ERROR(TakeArchive(archive, scratch.path(), package.name, taker, tree));
  }
  tree.files = std::move(taker.files());
  request.say(fmt::format("{} MIDI files, and {} with the bytes of another", tree.files.size(),
                          taker.duplicates()));
  return PublishFetched(request, std::move(tree), result);
}

}  // namespace etude
