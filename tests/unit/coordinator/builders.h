// Small domain objects for the coordinator's tests.
#ifndef ETUDE_TESTS_UNIT_COORDINATOR_BUILDERS_H_
#define ETUDE_TESTS_UNIT_COORDINATOR_BUILDERS_H_

#include <string>
#include <vector>

#include "coordinator/scheduler.h"

namespace etude {

inline const CorpusId kTestCorpus(std::string(64, 'c'));

inline Corpus MakeCorpus(const std::string& name = "folk") {
  Corpus corpus;
  corpus.id = kTestCorpus;
  corpus.name = name;
  corpus.vocab = 37;
  corpus.train_tokens = 1000;
  return corpus;
}

inline RunConfig MakeConfig(std::int64_t steps, std::uint64_t seed = 1) {
  RunConfig config;
  config.model.layers = 1;
  config.model.width = 8;
  config.model.heads = 1;
  config.model.vocab = 37;
  config.corpus = kTestCorpus;
  config.steps = steps;
  config.seed = seed;
  config.unique_tokens = config.train_tokens = 1000;
  config.lr = 0.01;
  return config;
}

inline Sweep MakeSweep(const std::string& name) {
  Sweep sweep;
  sweep.id = SweepId(std::string(64 - name.size(), '0') + name);
  sweep.name = name;
  sweep.corpus = kTestCorpus;
  sweep.spec_toml = "name = \"" + name + "\"";
  sweep.resolved_json = "{}";
  return sweep;
}

inline Worker MakeWorker(const std::string& id, int slots = 1) {
  Worker worker;
  worker.id = WorkerId(id);
  worker.slots = slots;
  return worker;
}

inline JobId JobOf(const RunConfig& config) { return JobId(KeyOf(config).text() + ".0"); }

inline std::vector<LossPoint> TrainPoints(std::int64_t first, std::int64_t last) {
  std::vector<LossPoint> points;
  for (std::int64_t step = first; step <= last; ++step) {
    points.push_back({Series::kTrain, step, 1.0 / static_cast<double>(step)});
  }
  return points;
}

}  // namespace etude

#endif  // ETUDE_TESTS_UNIT_COORDINATOR_BUILDERS_H_
