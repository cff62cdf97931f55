// A loss point: one value of one series at one step of one attempt.
#ifndef ETUDE_LIB_SCALING_LOSS_POINT_H_
#define ETUDE_LIB_SCALING_LOSS_POINT_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace etude {

// Stored numbers: append only.
enum class Series : std::uint8_t {
  kTrain = 1,      // nats/token of the batch of this step, dropout as configured
  kValProbe = 2,   // fixed subset of the validation split
  kVal = 3,        // whole validation split; at the last step
  kTrainEval = 4,  // fixed training windows, dropout off
  kLearningRate = 5,
  kGradNorm = 6,         // global, before clipping
  kTokensPerSecond = 7,  // timing: exempt from bit-identity
  kTest = 8,             // whole test split; sealed
};
// "train", "val_probe", "val", "train_eval", "lr", "grad_norm", "tokens_per_s", "test"
std::string_view SeriesName(Series series);
std::optional<Series> SeriesFromName(std::string_view name);
std::optional<Series> SeriesFromNumber(int number);

struct LossPoint {
  Series series = Series::kTrain;
  std::int64_t step = 0;  // updates done, so the first training loss is at step 1
  double value = 0;
  friend bool operator==(const LossPoint&, const LossPoint&) = default;
};

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_LOSS_POINT_H_
