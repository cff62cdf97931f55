#include "tests/support/small_sweep.h"

#include <gtest/gtest.h>

#include <sstream>

namespace etude {

std::string SpecOf(const SmallSweep& sweep) {
  std::ostringstream spec;
  spec << "name = \"" << sweep.name << "\"\ncorpus = \"tunes\"\n"
       << "[train]\ncontext = 32\nbatch = 8\nrepeat = true\ndropout = " << std::showpoint
       << sweep.dropout << "\n[transformer]\nlr = 3e-3\n[lstm]\nlr = 1e-2\n"
       << "[[grid]]\ntransformer = [\"2x32x2\"]\ntokens = [\"" << sweep.tokens
       << "\"]\nseeds = [7]\n"
       << "[[grid]]\nlstm = [\"1x48\"]\ntokens = [\"" << sweep.tokens << "\"]\nseeds = [7]\n"
       << "[eval]\ncurve = { points = 6, tokens = \"4k\" }\n";
  return spec.str();
}

std::map<std::string, std::string> FingerprintsOf(Cluster& cluster, const std::string& sweep) {
  std::map<std::string, std::string> fingerprints;
  for (const std::string& run : cluster.RunsOf(sweep)) {
    fingerprints[cluster.FamilyOf(run)] = cluster.FingerprintOf(run);
  }
  return fingerprints;
}

std::map<std::string, std::string> Undisturbed(const SmallSweep& sweep) {
  Cluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("one");
  cluster.PushCorpus();
  const CommandResult done = cluster.Submit(SpecOf(sweep), /*wait=*/true);
  EXPECT_EQ(done.status, 0) << done.err;
  return FingerprintsOf(cluster, sweep.name);
}

}  // namespace etude
