// Wire <-> domain. The way in checks everything, so that inner code never checks again; the way out
// cannot fail.
#ifndef ETUDE_PROTO_CONVERT_H_
#define ETUDE_PROTO_CONVERT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "etude/v1/blob.pb.h"
#include "etude/v1/client.pb.h"
#include "etude/v1/types.pb.h"
#include "etude/v1/worker.pb.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/forecast.h"
#include "lib/scaling/job.h"
#include "lib/scaling/loss_point.h"
#include "lib/scaling/run.h"
#include "lib/scaling/sweep.h"
#include "lib/scaling/worker.h"

namespace etude {

// A coordinator of version N serves workers and clients of N and N - 1.
inline constexpr int kProtocolVersion = 2;
inline constexpr int kOldestProtocolVersion = 2;

inline constexpr int kMaxPointsPerReport = 4096;
inline constexpr std::int64_t kBlobChunkBytes = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxBlobBytes = std::int64_t{1} << 34;
inline constexpr std::int64_t kMaxAcquireWaitMs = 20000;
inline constexpr int kMaxFilesPerArtifact = 64;
inline constexpr std::int64_t kMaxLogTextBytes = 64 << 10;
inline constexpr int kMaxTextBytes = 4096;  // reasons, numerics, descriptions

// Outward.
v1::RunState ToWire(RunState state);
v1::JobState ToWire(JobState state);
v1::SweepState ToWire(SweepState state);
v1::WorkerState ToWire(WorkerState state);
v1::JobOutcome ToWire(JobOutcome outcome);
v1::CheckpointKind ToWire(CheckpointKind kind);
v1::ArtifactFile ToWire(const ArtifactFile& file);
v1::Corpus ToWire(const Corpus& corpus);
v1::RunResult ToWire(const RunResult& result);
v1::Run ToWire(const Run& run);
v1::Attempt ToWire(const Attempt& attempt);
v1::Job ToWire(const Job& job);
v1::Checkpoint ToWire(const Checkpoint& checkpoint);
v1::Sweep ToWire(const Sweep& sweep);
v1::SweepFit ToWire(const SweepFit& fit);
v1::FrozenPrediction ToWire(const FrozenPrediction& prediction);
v1::Worker ToWire(const Worker& worker);
v1::Points ToWire(const std::vector<LossPoint>& points);

// Inward: kInvalidArgument names the field.
absl::StatusOr<RunState> FromWire(v1::RunState state);
absl::StatusOr<JobState> FromWire(v1::JobState state);
absl::StatusOr<SweepState> FromWire(v1::SweepState state);
absl::StatusOr<WorkerState> FromWire(v1::WorkerState state);
absl::StatusOr<JobOutcome> FromWire(v1::JobOutcome outcome);
absl::StatusOr<CheckpointKind> FromWire(v1::CheckpointKind kind);
absl::StatusOr<ArtifactFile> FromWire(const v1::ArtifactFile& file);
absl::StatusOr<Corpus> FromWire(const v1::Corpus& corpus);
absl::StatusOr<RunResult> FromWire(const v1::RunResult& result);
absl::StatusOr<Run> FromWire(const v1::Run& run);
absl::StatusOr<Attempt> FromWire(const v1::Attempt& attempt);
absl::StatusOr<Job> FromWire(const v1::Job& job);
absl::StatusOr<Checkpoint> FromWire(const v1::Checkpoint& checkpoint);
absl::StatusOr<Sweep> FromWire(const v1::Sweep& sweep);
// kDataLoss: the bytes do not match the hash.
absl::StatusOr<FrozenPrediction> FromWire(const v1::FrozenPrediction& prediction);
absl::StatusOr<Worker> FromWire(const v1::Worker& worker);
// The three columns must have one length, at most `limit`; steps at least 0; values may be NaN or
// infinite.
absl::StatusOr<std::vector<LossPoint>> FromWire(const v1::Points& points, int limit);
// At most kMaxFilesPerArtifact.
absl::StatusOr<std::vector<ArtifactFile>> FilesFromWire(
    const google::protobuf::RepeatedPtrField<v1::ArtifactFile>& files);
// The text of an id or name as it comes in: 1 to `limit` characters of [A-Za-z0-9._-].
absl::StatusOr<std::string> NameFromWire(const std::string& text, const char* field,
                                         std::size_t limit = 128);

}  // namespace etude

#endif  // ETUDE_PROTO_CONVERT_H_
