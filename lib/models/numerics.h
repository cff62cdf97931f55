// LibTorch's process-wide settings, and the words for what they do to a run's bits.
#ifndef ETUDE_LIB_MODELS_NUMERICS_H_
#define ETUDE_LIB_MODELS_NUMERICS_H_

#include <c10/core/Device.h>

#include "absl/status/statusor.h"
#include "lib/models/trainer.h"

namespace etude {

// The device that `device` means here. kFailedPrecondition: cuda was asked for and no device
// answers.
absl::StatusOr<c10::Device> ResolveDevice(Device device);

// `threads` threads, denormals flushed, deterministic algorithms, no TF32. Call on the training
// thread before any tensor is made; calling again changes the number of threads.
void PrepareLibTorch(int threads);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_NUMERICS_H_
