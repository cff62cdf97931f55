// The losses that simulated workers report: a law that is known, and noise that is the same each
// time.
#ifndef ETUDE_TESTS_BENCH_LOSS_LAW_H_
#define ETUDE_TESTS_BENCH_LOSS_LAW_H_

#include <cstdint>
#include <string>

#include "etude/v1/types.pb.h"

namespace etude {

// A trainer reports so many series at each step: train, lr, grad_norm and tokens_per_s.
inline constexpr int kSeriesPerStep = 4;

// The noiseless loss after so many steps, E + A/N^alpha + B/D^beta nats per token.
double LawLoss(std::int64_t step);

// Steps `first` to `last` of a run: the training loss is LawLoss times a noise of 1 % that `seed`
// and the step alone decide, so that a batch may be made again.
v1::Points MakePoints(std::uint64_t seed, std::int64_t first, std::int64_t last);

// A seed out of a run's key.
std::uint64_t SeedOf(const std::string& run);

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_LOSS_LAW_H_
