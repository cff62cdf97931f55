// Do measured losses fall with size and with data? The plainest check on a study, and no fit is
// needed for it.
#ifndef ETUDE_LIB_SCALING_LOSS_FALLS_H_
#define ETUDE_LIB_SCALING_LOSS_FALLS_H_

#include <span>
#include <string>
#include <vector>

#include "lib/scaling/fit.h"

namespace etude {

// Two neighbours whose loss, the mean over seeds, did not fall.
struct LossRise {
  bool along_n = false;  // N grows and D is held; else D grows and N is held
  double held = 0;
  double from = 0;
  double to = 0;
  double loss_from = 0;  // nats/token
  double loss_to = 0;
  std::string Text() const;  // "at D = 300k from N = 7.4k to 27.1k: 1.9 to 2.0 nats/token"
};

struct LossFalls {
  int pairs = 0;  // neighbours along N at each D, and along D at each N
  std::vector<LossRise> rises;
  bool hold() const { return pairs > 0 && rises.empty(); }
};

// `rows` of one family.
LossFalls CheckLossFalls(std::span<const FitRow> rows);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_LOSS_FALLS_H_
