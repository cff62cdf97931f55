#include "client/pull.h"

#include <fmt/format.h>

#include <set>

#include "client/display_text.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

// Smaller files are there before a line about them could be read.
constexpr std::int64_t kProgressFromBytes = std::int64_t{8} << 20;

}  // namespace

absl::Status CheckPulledFiles(std::span<const ArtifactFile> files) {
  std::set<std::string> names;
  for (const ArtifactFile& file : files) {
    if (!IsSafeFileName(file.name)) {
      return DataLoss(
          fmt::format("the coordinator names a file \"{}\", which could leave the "
                      "directory; nothing was written",
                      Printable(file.name)));
    }
    if (!names.insert(file.name).second) {
      return DataLoss("the coordinator names " + file.name + " twice; nothing was written");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Checkpoint> ChooseCheckpoint(const RunView& view, CheckpointKind kind) {
  const Checkpoint* chosen = nullptr;
  for (const Checkpoint& checkpoint : view.checkpoints) {
    if (checkpoint.kind != kind) continue;
    if (chosen == nullptr || checkpoint.step >= chosen->step) chosen = &checkpoint;
  }
  if (chosen != nullptr) return *chosen;
  const Run& run = view.progress.run;
  const std::string state(RunStateName(run.state));
  return WithHint(NotFound(fmt::format("run {} is {} and has no {} checkpoint", run.key.Short(),
                                       state, CheckpointKindName(kind))),
                  "etude run show " + run.key.Short());
}

absl::Status PullFiles(Session& session, CoordinatorClient& client,
                       std::span<const ArtifactFile> files, const std::string& dir) {
  RETURN_IF_ERROR(CheckPulledFiles(files));
  std::vector<ArtifactFile> missing;
  for (const ArtifactFile& file : files) {
    const std::string path = dir + "/" + file.name;
    if (!FileExists(path)) {
      missing.push_back(file);
      continue;
    }
    const absl::StatusOr<std::string> there = Sha256HexOfFile(path);
    if (!there.ok()) return OfLocalFile(there.status());
    if (*there != file.sha256) {
      return WithHint(AlreadyExists(path + " is there and holds something else"),
                      "choose another directory, or remove the file");
    }
  }
  RETURN_IF_ERROR(OfLocalFile(MakeDirectories(dir)));
  const auto progress = session.MakeProgress();
  for (const ArtifactFile& file : missing) {
    const std::string path = dir + "/" + file.name;
    const auto show = [&](std::int64_t got) {
      if (file.bytes < kProgressFromBytes) return true;
      progress->Update(fmt::format("pulling {}: {} of {}", path,
                                   BytesText(static_cast<double>(got)),
                                   BytesText(static_cast<double>(file.bytes))));
      return true;
    };
    RETURN_IF_ERROR(OfLocalFile(client.Download(file, path, show)));
  }
  return absl::OkStatus();
}

std::vector<ArtifactFile> LogsOf(const AttemptView& attempt) {
  std::vector<ArtifactFile> logs;
  for (const ArtifactFile& file : attempt.artifacts) {
    if (file.name.ends_with(".log")) logs.push_back(file);
  }
  return logs;
}

}  // namespace etude
