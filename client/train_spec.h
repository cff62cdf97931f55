// The one-run sweep behind `etude train`.
#ifndef ETUDE_CLIENT_TRAIN_SPEC_H_
#define ETUDE_CLIENT_TRAIN_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>

#include "lib/scaling/model.h"

namespace etude {

struct TrainOptions {
  std::string corpus = {};  // directory or name
  Family family = Family::kTransformer;
  std::string shape = {};
  std::string tokens = {};  // as typed; empty: one epoch
  std::uint64_t seed = 1;
  std::optional<double> lr = std::nullopt;
  std::optional<double> dropout = std::nullopt;
  std::optional<int> batch = std::nullopt;
  std::optional<int> context = std::nullopt;
  bool repeat = false;
};

// Only what was asked for is written; the rest is the spec's defaults. The name is made from the
// content, so the same command finds its earlier run and another one never collides.
std::string TrainSpecToml(const TrainOptions& options);

}  // namespace etude

#endif  // ETUDE_CLIENT_TRAIN_SPEC_H_
