#include "client/corpus_fetch.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "client/folk_fetch.h"
#include "client/game_midi_fetch.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr char kGameMidi[] = "game-midi";

absl::Status CheckSource(const FetchRequest& request, const LakhOptions& options) {
  const bool is_lakh = FindLakhArchive(request.source) != nullptr;
  if (!is_lakh && !IsFolkSource(request.source) && request.source != kGameMidi) {
    return InvalidArgument(
        fmt::format("source '{}': unknown; allowed: folk, folk-full, game-midi, lakh-matched, "
                    "lakh-full; type: etude corpus fetch folk {}",
                    request.source, request.dir.string()));
  }
  if (!is_lakh && (!options.url.empty() || !options.from.empty())) {
    return InvalidArgument(fmt::format(
        "--url and --from belong to lakh-matched and lakh-full; type: {}", request.RetryCommand()));
  }
  return absl::OkStatus();
}

absl::StatusOr<FetchReport> Fetch(const FetchRequest& request, const LakhOptions& options) {
  if (request.source == kGameMidi) return FetchGameMidi(request);
  if (const LakhArchive* archive = FindLakhArchive(request.source)) {
    return FetchLakh(*archive, options, request);
  }
  return FetchFolk(request);
}

}  // namespace

absl::StatusOr<FetchReport> FetchCorpus(const std::string& source, const std::string& dir,
                                        const LakhOptions& options,
                                        const std::function<void(const std::string&)>& say) {
  std::filesystem::path path = std::filesystem::path(dir).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const FetchRequest request{.source = source, .dir = path, .say = say};
  RETURN_IF_ERROR(CheckSource(request, options));
  if (dir.empty()) {
    return InvalidArgument(
        fmt::format("no directory given; type: etude corpus fetch {} DIR", source));
  }
  ASSIGN_OR_RETURN(const std::optional<FetchReport> present,
                   CheckFetched(request, IsFolkSource(source) ? FolkDigest(source) : ""));
  if (present) {
    say(fmt::format("{}: {} is already complete ({} files of music); nothing to fetch", dir, source,
                    present->files));
    return *present;
  }
  ASSIGN_OR_RETURN(FetchReport report, Fetch(request, options));
  say(fmt::format("{}: {} files of music, {} bytes", dir, report.files, report.bytes));
  return report;
}

}  // namespace etude
