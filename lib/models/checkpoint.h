// Checkpoints on disk: directories of safetensors and JSON that appear whole or not at all.
#ifndef ETUDE_LIB_MODELS_CHECKPOINT_H_
#define ETUDE_LIB_MODELS_CHECKPOINT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/models/safetensors.h"
#include "lib/models/trainer.h"
#include "lib/scaling/run.h"

namespace etude {

inline constexpr char kModelFile[] = "model.safetensors";
inline constexpr char kBestFile[] = "best.safetensors";  // weights of progress.best_step
inline constexpr char kOptimizerFile[] = "optimizer.safetensors";
inline constexpr char kConfigFile[] = "config.json";
inline constexpr char kValDocumentsFile[] = "val_documents.npy";

// What a resumed run goes on from, beside its arrays.
struct Progress {
  std::int64_t step = 0;  // updates done
  double train_seconds = 0;
  double eval_seconds = 0;
  std::int64_t best_step = 0;  // 0: no probe yet
  double best_val_loss = 0;
  bool mixed_numerics = false;
};

// config.json: what the weights are of, and what their bits depend on.
struct CheckpointConfig {
  RunConfig run;
  std::string numerics;  // NumericsOf
  std::string vocab_sha256;
  std::int64_t step = 0;
};
std::string EncodeCheckpointConfig(const CheckpointConfig& config);
// kDataLoss: not what EncodeCheckpointConfig writes.
absl::StatusOr<CheckpointConfig> DecodeCheckpointConfig(const std::string& json);

SafetensorsMetadata EncodeProgress(const Progress& progress);
// kDataLoss: a key is missing or is no number.
absl::StatusOr<Progress> DecodeProgress(const SafetensorsMetadata& metadata);

struct CheckpointFile {
  std::string name;
  std::string bytes;
};

// Writes checkpoints of one attempt under attempt_dir/checkpoints/: step-NNNNNNNN, of which the two
// newest stay, branch-NNNNNNNN, last/ and best/, which replace their predecessors in one rename.
// Not thread-safe.
class CheckpointWriter {
 public:
  explicit CheckpointWriter(std::string attempt_dir) : attempt_dir_(std::move(attempt_dir)) {}
  // Durable on return. Errors of the file system; the predecessor is then untouched.
  absl::StatusOr<WrittenCheckpoint> Write(CheckpointKind kind, std::int64_t step,
                                          const std::vector<CheckpointFile>& files);

 private:
  absl::Status RemoveOldResumePoints();

  std::string attempt_dir_;
};

// The bytes of a resume point; the arrays of `model` and `optimizer` point into them.
struct ResumePoint {
  std::string model_bytes;
  std::string optimizer_bytes;
  std::string best_bytes;  // empty: another checkpoint has the best weights, or there are none
  Safetensors model;
  Safetensors optimizer;
  Safetensors best;
  CheckpointConfig config;
  Progress progress;
};
// kNotFound: a file is missing. kDataLoss: a file is not what it should be.
absl::StatusOr<std::unique_ptr<ResumePoint>> ReadResumePoint(const std::string& dir);

// The weights of any checkpoint; the arrays of `model` point into the bytes.
struct SavedWeights {
  std::string bytes;
  Safetensors model;
  CheckpointConfig config;
};
// Errors as above.
absl::StatusOr<std::unique_ptr<SavedWeights>> ReadWeights(const std::string& dir);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_CHECKPOINT_H_
