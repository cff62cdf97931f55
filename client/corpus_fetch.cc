#include "client/corpus_fetch.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
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
constexpr char kCorpusFolder[] = "music21/corpus";  // within the wheel
constexpr char kSourceFile[] = "SOURCE.json";
constexpr std::int64_t kMaxWheelFileBytes = std::int64_t{8} << 20;  // the largest is below 1 MB
constexpr std::int64_t kMaxSourceJsonBytes = std::int64_t{8} << 20;
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

struct FetchedFile {
  std::string path;  // FOLDER/FILE
  std::string sha256;
  std::int64_t bytes = 0;
};

std::string RetryCommand(const std::string& source, const std::string& dir) {
  return fmt::format("etude corpus fetch {} {}", source, dir);
}

absl::StatusOr<const Collection*> FindCollection(const std::string& source,
                                                 const std::string& dir) {
  for (const Collection& collection : kCollections) {
    if (collection.source == source) return &collection;
  }
  const std::string hint = fmt::format("type: {}", RetryCommand("folk", dir));
  for (const std::string_view later : {"game-midi", "lakh-matched", "lakh-full"}) {
    if (source == later) {
      return Unimplemented(fmt::format("source '{}': not yet in this version; {}", source, hint));
    }
  }
  return InvalidArgument(
      fmt::format("source '{}': unknown; allowed: folk, folk-full; {}", source, hint));
}

// A directory that is removed with everything in it when it goes.
class ScratchDirectory {
 public:
  static absl::StatusOr<ScratchDirectory> Beside(const fs::path& path) {
    std::string name = path.string() + ".tmp.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) return FromErrno(errno, "create directory " + name);
    return ScratchDirectory(name);
  }
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit ScratchDirectory(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

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

std::string DigestOf(std::vector<FetchedFile>& files) {
  std::sort(files.begin(), files.end(),
            [](const FetchedFile& a, const FetchedFile& b) { return a.path < b.path; });
  Sha256 digest;
  for (const FetchedFile& file : files) digest.Update(file.sha256 + "  " + file.path + "\n");
  return digest.HexDigest();
}

std::string SourceJson(const Collection& collection, const std::vector<FetchedFile>& files) {
  nlohmann::ordered_json root;
  root["format_version"] = "1.0";
  root["source"] = std::string(collection.source);
  root["package"] = kPackage;
  root["wheel_sha256"] = kWheelSha256;
  root["digest"] = std::string(collection.digest);
  root["licence_notes"] =
      std::vector<std::string>(collection.licence_notes.begin(), collection.licence_notes.end());
  auto& list = root["files"] = nlohmann::ordered_json::array();
  for (const FetchedFile& file : files) {
    list.push_back({{"file", file.path}, {"sha256", file.sha256}, {"bytes", file.bytes}});
  }
  return root.dump(1) + "\n";
}

FetchReport MakeReport(const Collection& collection, const std::vector<FetchedFile>& files) {
  FetchReport report;
  for (const FetchedFile& file : files) {
    if (file.path.ends_with(".abc")) ++report.files;
    report.bytes += file.bytes;
  }
  report.licence_notes.assign(collection.licence_notes.begin(), collection.licence_notes.end());
  return report;
}

// The files of `collection` as they lie in `dir`, other files not counted.
absl::StatusOr<std::vector<FetchedFile>> FilesPresent(const Collection& collection,
                                                      const fs::path& dir) {
  std::vector<FetchedFile> files;
  for (const std::string folder : collection.folders) {
    std::error_code error;
    for (fs::directory_iterator at(dir / folder, error), end; !error && at != end;
         at.increment(error)) {
      const fs::path name = at->path().filename();
      if (!IsWanted(name)) continue;
      ASSIGN_OR_RETURN(const std::string bytes, ReadFile(at->path().string(), kMaxWheelFileBytes));
      files.push_back({.path = folder + "/" + name.string(),
                       .sha256 = Sha256Hex(bytes),
                       .bytes = static_cast<std::int64_t>(bytes.size())});
    }
  }
  return files;
}

// nullopt: there is nothing in `dir` yet.
absl::StatusOr<std::optional<FetchReport>> CheckPresent(const Collection& collection,
                                                        const fs::path& dir) {
  std::error_code error;
  if (!fs::exists(dir, error) || (fs::is_directory(dir, error) && fs::is_empty(dir, error))) {
    return std::optional<FetchReport>();
  }
  const std::string remove =
      fmt::format("choose another DIR, or remove it with: rm -r {}", dir.string());
  const auto bytes = ReadFile((dir / kSourceFile).string(), kMaxSourceJsonBytes);
  if (!bytes.ok()) {
    return AlreadyExists(
        fmt::format("{} is not empty and was not fetched; {}", dir.string(), remove));
  }
  const auto root = nlohmann::json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
  const bool is_same = root.is_object() && root.contains("source") &&
                       root["source"] == std::string(collection.source);
  if (!is_same) {
    return AlreadyExists(fmt::format("{} holds another source; {}", dir.string(), remove));
  }
  ASSIGN_OR_RETURN(std::vector<FetchedFile> files, FilesPresent(collection, dir));
  if (DigestOf(files) != collection.digest) {
    return DataLoss(
        fmt::format("{}: its files are not those of {} any more; remove them with: rm -r "
                    "{}, then type: {}",
                    dir.string(), collection.source, dir.string(),
                    RetryCommand(std::string(collection.source), dir.string())));
  }
  FetchReport report = MakeReport(collection, files);
  report.already_complete = true;
  return std::optional<FetchReport>(std::move(report));
}

absl::StatusOr<FetchReport> FetchInto(const Collection& collection, const fs::path& dir,
                                      const std::string& retry) {
  if (dir.has_parent_path()) RETURN_IF_ERROR(MakeDirectories(dir.parent_path().string()));
  ASSIGN_OR_RETURN(const ScratchDirectory scratch, ScratchDirectory::Beside(dir));
  ASSIGN_OR_RETURN(const fs::path wheel, DownloadWheel(scratch.path(), retry));
  RETURN_IF_ERROR(Unpack(wheel, scratch.path() / "wheel"));
  const fs::path result = scratch.path() / "result";
  std::vector<FetchedFile> files;
  for (const std::string folder : collection.folders) {
    RETURN_IF_ERROR(TakeFolder(scratch.path() / "wheel" / kCorpusFolder / folder, result / folder,
                               folder, files));
  }
  if (const std::string digest = DigestOf(files); digest != collection.digest) {
    return DataLoss(
        fmt::format("{}: the digest of its {} files is {}, {} was expected; nothing was "
                    "kept. Type: {}",
                    kWheel, files.size(), digest, collection.digest, retry));
  }
  RETURN_IF_ERROR(
      WriteFileAtomically((result / kSourceFile).string(), SourceJson(collection, files)));
  if (std::rename(result.c_str(), dir.c_str()) != 0) {
    return FromErrno(errno, fmt::format("rename {} to {}", result.string(), dir.string()));
  }
  RETURN_IF_ERROR(SyncDirectory(dir.has_parent_path() ? dir.parent_path().string() : "."));
  return MakeReport(collection, files);
}

std::string Joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

}  // namespace

absl::StatusOr<FetchReport> FetchCorpus(const std::string& source, const std::string& dir,
                                        const std::function<void(const std::string&)>& say) {
  ASSIGN_OR_RETURN(const Collection* collection, FindCollection(source, dir));
  if (dir.empty()) {
    return InvalidArgument("no directory given; type: " + RetryCommand(source, "DIR"));
  }
  fs::path path = fs::path(dir).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  ASSIGN_OR_RETURN(const std::optional<FetchReport> present, CheckPresent(*collection, path));
  if (present) {
    say(fmt::format("{}: {} is already complete ({} ABC files); nothing to fetch", dir, source,
                    present->files));
    return *present;
  }
  say(fmt::format("fetching {} (about 20 MB) with: {}", kPackage, Joined(DownloadCommand("TEMP"))));
  for (const char* note : collection->licence_notes) say(fmt::format("licence: {}", note));
  ASSIGN_OR_RETURN(FetchReport report, FetchInto(*collection, path, RetryCommand(source, dir)));
  say(fmt::format("{}: {} ABC files, {} bytes, digest verified", dir, report.files, report.bytes));
  return report;
}

}  // namespace etude
