// Fits, predictions and comparisons as what a command prints: pure functions.
#ifndef ETUDE_CLIENT_FIT_REPORT_H_
#define ETUDE_CLIENT_FIT_REPORT_H_

#include <string>
#include <vector>

#include "client/coordinator_client.h"
#include "client/output.h"
#include "lib/scaling/fit.h"
#include "lib/scaling/loss_falls.h"

namespace etude {

// One row a parameter of each fit.
Report FitReport(const std::vector<FamilyFit>& fits);
// One fit: its own JSON, with sweep and family put before it where there are such. Several:
// {"format_version","sweep","fits":[...]}, each with its family.
std::string FitsJson(const std::vector<FamilyFit>& fits, const std::string& sweep);
// What the table cannot hold, a line each: law, verdict, objective, warnings; of a refused fit the
// reasons and repairs.
std::vector<std::string> FitNotes(const FamilyFit& fit);

// Each held-out run of a sweep with its frozen prediction, its measured loss once it has ended, and
// the verdict: "passed", "failed", "waiting", "not predicted", "not measured".
Report HeldOutReport(const SweepView& view, const std::vector<FrozenPrediction>& predictions);

// What families' fits say of each other, and whether losses fall.
struct FamilyComparison {
  Family family = Family::kTransformer;
  Fit fit;
  LossFalls falls;
};
// One row an exponent and pair of families; beside it whether losses fall, and what does not.
Report CompareReport(const std::string& sweep, const std::vector<FamilyComparison>& families);
// In words, a line each: every family's exponents, each difference that is one, each loss that did
// not fall.
std::vector<std::string> CompareNotes(const std::vector<FamilyComparison>& families);
// Why the study does not show scaling: losses that do not fall, exponents whose interval includes
// 0. Empty: it does.
std::vector<std::string> ScalingDoubts(const std::vector<FamilyComparison>& families);

}  // namespace etude

#endif  // ETUDE_CLIENT_FIT_REPORT_H_
