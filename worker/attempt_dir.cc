#include "worker/attempt_dir.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "worker/trainer_protocol.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr char kAcknowledgedFile[] = "acknowledged";
constexpr char kFinishedFile[] = "finished";

std::optional<std::int64_t> NumberIn(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

std::vector<fs::path> DirectoriesIn(const fs::path& parent) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(parent, error), end; !error && it != end; it.increment(error)) {
    if (it->is_directory(error)) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<AttemptDir> AllAttempts(const std::string& state_dir) {
  std::vector<AttemptDir> found;
  for (const fs::path& job : DirectoriesIn(state_dir + "/attempts")) {
    for (const fs::path& attempt : DirectoriesIn(job)) {
      const auto number = NumberIn(attempt.filename().string());
      if (!number || *number < 1 || *number > INT32_MAX) continue;
      found.push_back({state_dir, JobId(job.filename().string()), static_cast<int>(*number)});
    }
  }
  return found;
}

absl::Status LinkFiles(const CheckpointRecord& record, const AttemptDir& from,
                       const AttemptDir& to) {
  RETURN_IF_ERROR(MakeDirectories(to.Path(record.dir)));
  for (const ArtifactFile& file : record.files) {
    const std::string source = from.Path(record.dir) + "/" + file.name;
    std::error_code error;
    fs::create_hard_link(source, to.Path(record.dir) + "/" + file.name, error);
    if (error) return FromErrno(error.value(), "link " + source);
  }
  return SyncDirectory(to.Path(record.dir));
}

struct Inherited {
  std::optional<CheckpointRecord> resume;
  std::optional<CheckpointRecord> best;
};

// A best checkpoint made after `step` was replaced by or will be made again; it does not count.
absl::StatusOr<Inherited> FindCheckpoints(const AttemptDir& dir, std::int64_t step) {
  Inherited found;
  PointsLogReader reader(dir.Path(kPointsLogFile));
  for (;;) {
    absl::StatusOr<std::optional<LogRecord>> next = reader.Next();
    if (!next.ok() || !*next) break;
    const auto* checkpoint = std::get_if<CheckpointRecord>(&**next);
    if (checkpoint == nullptr) continue;
    if (checkpoint->kind == CheckpointKind::kResume && checkpoint->step == step) {
      found.resume = *checkpoint;
    }
    if (checkpoint->kind == CheckpointKind::kBest) found.best = *checkpoint;
  }
  if (!found.resume || !FileExists(dir.Path(found.resume->dir))) {
    return NotFound("no checkpoint of step " + std::to_string(step) + " in " + dir.Path());
  }
  if (found.best && found.best->step > step) found.best.reset();
  return found;
}

}  // namespace

absl::Status CreateAttemptDir(const AttemptDir& dir) {
  if (!IsSafeFileName(dir.job.text()) || dir.number < 1) {
    return InvalidArgument("job id '" + dir.job.text() + "' is no file name");
  }
  RETURN_IF_ERROR(RemoveAttemptDir(dir));
  return MakeDirectories(dir.Path());
}

absl::Status InheritCheckpoint(const AttemptDir& dir, int from, std::int64_t step) {
  const AttemptDir source{dir.state_dir, dir.job, from};
  ASSIGN_OR_RETURN(const Inherited found, FindCheckpoints(source, step));
  if (found.best) {
    RETURN_IF_ERROR(LinkFiles(*found.best, source, dir));
    RETURN_IF_ERROR(NoteCheckpoint(dir, *found.best));
  }
  RETURN_IF_ERROR(LinkFiles(*found.resume, source, dir));
  return NoteCheckpoint(dir, *found.resume);
}

absl::Status NoteCheckpoint(const AttemptDir& dir, const CheckpointRecord& record) {
  ASSIGN_OR_RETURN(PointsLogWriter log,
                   PointsLogWriter::Open(dir.Path(kPointsLogFile), SystemClock()));
  return log.Append(record);
}

std::string ResumeDirName(std::int64_t step) { return fmt::format("checkpoints/step-{:08}", step); }

std::int64_t ReadAcknowledged(const AttemptDir& dir) {
  const absl::StatusOr<std::string> text = ReadFile(dir.Path(kAcknowledgedFile), 64);
  if (!text.ok()) return 0;
  return NumberIn(std::string_view(*text).substr(0, text->find('\n'))).value_or(0);
}

absl::Status WriteAcknowledged(const AttemptDir& dir, std::int64_t offset) {
  return WriteFileAtomically(dir.Path(kAcknowledgedFile), std::to_string(offset) + "\n");
}

absl::Status MarkFinished(const AttemptDir& dir) {
  return WriteFileAtomically(dir.Path(kFinishedFile), "");
}

absl::Status RemoveAttemptDir(const AttemptDir& dir) {
  std::error_code error;
  fs::remove_all(dir.Path(), error);
  if (error) return FromErrno(error.value(), "remove " + dir.Path());
  fs::remove(dir.JobPath(), error);  // stays if another attempt is in it
  return absl::OkStatus();
}

void RemoveOtherAttempts(const AttemptDir& dir) {
  for (const AttemptDir& other : AllAttempts(dir.state_dir)) {
    if (other.job != dir.job || other.number == dir.number) continue;
    if (FileExists(other.Path(kFinishedFile))) RemoveAttemptDir(other).IgnoreError();
  }
}

void RemoveOldAttempts(const std::string& state_dir) {
  std::vector<std::pair<fs::file_time_type, AttemptDir>> finished;
  for (const AttemptDir& dir : AllAttempts(state_dir)) {
    std::error_code error;
    const auto time = fs::last_write_time(dir.Path(kFinishedFile), error);
    if (!error) finished.emplace_back(time, dir);
  }
  std::sort(finished.begin(), finished.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i + kMaxKeptAttempts < finished.size(); ++i) {
    RemoveAttemptDir(finished[i].second).IgnoreError();
  }
}

std::vector<AttemptDir> UnfinishedAttempts(const std::string& state_dir) {
  std::vector<AttemptDir> found = AllAttempts(state_dir);
  std::erase_if(found, [](const AttemptDir& dir) { return FileExists(dir.Path(kFinishedFile)); });
  return found;
}

}  // namespace etude
