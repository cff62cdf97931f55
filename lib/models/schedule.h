// Learning rate of a step, as a fraction of the peak.
#ifndef ETUDE_LIB_MODELS_SCHEDULE_H_
#define ETUDE_LIB_MODELS_SCHEDULE_H_

#include <cstdint>

#include "lib/scaling/run.h"

namespace etude {

// The factor for update `step` (1-based) of `steps`. Warm-up is linear: step s of w gets s / w.
// After it
//   constant: 1
//   cosine:   final + (1 - final) (1 + cos(pi t)) / 2, t from 0 at the end of warm-up to 1 at the
//   last step
//             (Loshchilov and Hutter 2017, SGDR)
//   wsd:      1, then over the last cooldown * steps steps final + (1 - final) (1 - sqrt(t))
//             (Haegele et al. 2024, "Scaling laws and compute-optimal training beyond fixed
//             training durations")
// Both end at final_fraction exactly. While warm-up and cool-down overlap the smaller factor holds.
double ScheduleFactor(const ScheduleConfig& schedule, std::int64_t step, std::int64_t steps);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_SCHEDULE_H_
