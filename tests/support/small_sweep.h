// The sweep that the system tests disturb, and what it is when nobody does.
#ifndef ETUDE_TESTS_SUPPORT_SMALL_SWEEP_H_
#define ETUDE_TESTS_SUPPORT_SMALL_SWEEP_H_

#include <map>
#include <string>

#include "tests/support/cluster.h"

namespace etude {

struct SmallSweep {
  std::string name;
  std::string tokens = "400k";  // of each run; at 400k some five seconds each
  double dropout = 0;
};

// One run of each family on the corpus "tunes".
std::string SpecOf(const SmallSweep& sweep);
// Of each run, by its family.
std::map<std::string, std::string> FingerprintsOf(Cluster& cluster, const std::string& sweep);
// The same of a sweep that one worker trained to its end on a cluster of its own.
std::map<std::string, std::string> Undisturbed(const SmallSweep& sweep);

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_SMALL_SWEEP_H_
