// STATE/attempts/JOB/NUMBER: one attempt's files on this worker's disk.
//   points.log        what training produced (points_log.h)
//   checkpoints/      as named in points.log
//   trainer.log       for people
//   acknowledged      the offset of points.log up to which the coordinator has everything
//   finished          the coordinator knows how the attempt ended; only its checkpoints still count
#ifndef ETUDE_WORKER_ATTEMPT_DIR_H_
#define ETUDE_WORKER_ATTEMPT_DIR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/scaling/ids.h"
#include "worker/points_log.h"

namespace etude {

// Finished attempts whose checkpoints are kept for a next attempt; beyond it the oldest go.
inline constexpr std::size_t kMaxKeptAttempts = 32;

struct AttemptDir {
  std::string state_dir;
  JobId job;
  int number = 0;

  std::string JobPath() const { return state_dir + "/attempts/" + job.text(); }
  std::string Path() const { return JobPath() + "/" + std::to_string(number); }
  std::string Path(const std::string& name) const { return Path() + "/" + name; }
};

// Makes it, empty. kInvalidArgument: the job's id is no file name. kResourceExhausted: disk full.
absl::Status CreateAttemptDir(const AttemptDir& dir);

// Gives `dir` the checkpoint after `step` that attempt `from` left here, and the best weights so
// far, and writes both into its log. Links files, so it costs no space. kNotFound: they are gone.
absl::Status InheritCheckpoint(const AttemptDir& dir, int from, std::int64_t step);

// Writes into the log of `dir` that it has this checkpoint, whose files are there already.
absl::Status NoteCheckpoint(const AttemptDir& dir, const CheckpointRecord& record);

// checkpoints/step-NNNNNNNN, where the trainer would have written a resume checkpoint.
std::string ResumeDirName(std::int64_t step);

// 0 if there is none, or none that makes sense: sending again is harmless.
std::int64_t ReadAcknowledged(const AttemptDir& dir);
absl::Status WriteAcknowledged(const AttemptDir& dir, std::int64_t offset);

absl::Status MarkFinished(const AttemptDir& dir);
absl::Status RemoveAttemptDir(const AttemptDir& dir);
// All finished attempts of the job but `dir`: another slot may still train one that is over, until
// it hears so.
void RemoveOtherAttempts(const AttemptDir& dir);
// Removes the oldest finished attempts beyond kMaxKeptAttempts.
void RemoveOldAttempts(const std::string& state_dir);

// What an earlier process of this worker left without an end.
std::vector<AttemptDir> UnfinishedAttempts(const std::string& state_dir);

}  // namespace etude

#endif  // ETUDE_WORKER_ATTEMPT_DIR_H_
