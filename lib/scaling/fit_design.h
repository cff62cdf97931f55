// What the design of a fit's rows can identify, and the cheapest rows that would help. Only for the
// sources and tests of this room.
#ifndef ETUDE_LIB_SCALING_FIT_DESIGN_H_
#define ETUDE_LIB_SCALING_FIT_DESIGN_H_

#include <span>
#include <string>
#include <vector>

#include "lib/scaling/fit.h"
#include "lib/scaling/fit_problem.h"

namespace etude {

// Structural faults of the rows, whatever their losses are.
struct DesignFault {
  std::vector<Parameter> exponents;  // that cannot be identified for it
  std::string reason;
};
// `free`: of FitProblem; a fixed parameter lowers what the rows must carry.
std::vector<DesignFault> FindDesignFaults(Law law, std::span<const FitRow> rows,
                                          const FitProblem& problem);

// What a repair must reach.
struct RepairGoal {
  Law law = Law::kChinchilla;
  LawParameters theta = {};  // at the problem's centres; where the answer is expected
  double spread = 0;         // covariance = spread (J'J)^-1; infinity: any full rank will do
};
// The cheapest one to three runs, of sizes and token counts near those at hand, with which the
// exponents would be identified: "add N = 801.7k at D = 21M and 7M (1.4e+14 FLOP)". Where three do
// not suffice, the 3 x 3 grid that would, or how many more seeds.
std::string CheapestRepair(const RepairGoal& goal, std::span<const FitRow> rows,
                           const FitProblem& problem);

// The grid of three levels along each axis of the law, from the smallest size and from few enough
// tokens not to repeat.
std::string GridRepair(Law law, std::span<const FitRow> rows);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_DESIGN_H_
