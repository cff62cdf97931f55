// How fast kinds of workers train shapes, as measured, and what that says of those not measured.
#ifndef ETUDE_LIB_SCALING_TRAINING_RATE_H_
#define ETUDE_LIB_SCALING_TRAINING_RATE_H_

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/scaling/model.h"
#include "lib/scaling/run.h"
#include "lib/scaling/worker.h"

namespace etude {

// What decides how fast workers train: device, processor, threads. Not the worker itself, since
// each turn of a fleet's worker is a new one.
std::string WorkerKind(const Worker& worker);

// What decides how fast a run trains: its model, batch, threads and kernels. Runs that share a
// trunk have one pace.
struct Pace {
  std::string text;
  Family family = Family::kTransformer;
  double assumed_tokens_per_s = 0;  // by the planner, of one thread
};
Pace PaceOf(const RunConfig& config);

struct TrainingRate {
  std::string worker_kind;
  Pace pace;
  double tokens_per_s = 0;
  int runs = 0;  // that it is the mean of; 0: of the first points of one that trains
};
inline constexpr std::size_t kMaxTrainingRates = 16'384;
// A rate is the mean of so many runs; each later one counts for one of them.
inline constexpr int kMaxRunsOfARate = 4;

// Not thread-safe.
class TrainingRates {
 public:
  // What the measured rate becomes with this measurement: of a run that has ended, or of the first
  // points of one. nullopt: it tells nothing new. Does not change anything, see Set.
  std::optional<TrainingRate> With(const std::string& worker_kind, const Pace& pace,
                                   double tokens_per_s, bool ended) const;
  void Set(TrainingRate rate);

  bool empty() const { return rates_.empty(); }
  bool Has(const std::string& worker_kind, const Pace& pace) const {
    return rates_.contains(std::pair<std::string_view, std::string_view>(worker_kind, pace.text));
  }
  // As measured. Else as the planner assumes, corrected by how far those of the same family are
  // from what it assumed of them, then any; of this kind of worker, then of all kinds.
  double SecondsPerToken(const std::string& worker_kind, const Pace& pace) const;

 private:
  // Of measured rates over assumed ones.
  struct Ratios {
    double log_sum = 0;
    int count = 0;
  };
  using Key = std::pair<std::string, std::string>;
  struct Less {  // looks up without making texts
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      const int kinds = std::string_view(a.first).compare(b.first);
      return kinds != 0 ? kinds < 0 : std::string_view(a.second) < std::string_view(b.second);
    }
  };
  template <typename Value>
  using ByKindAndScope = std::map<Key, Value, Less>;

  void Count(const TrainingRate& rate, int sign);
  std::optional<double> Ratio(std::string_view worker_kind, std::string_view scope) const;

  ByKindAndScope<TrainingRate> rates_;  // by worker kind and pace
  ByKindAndScope<Ratios> ratios_;       // by worker kind, or all, and pace, family, or all
};

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_TRAINING_RATE_H_
