// What a fit says about a run it has not seen, whether that held, and how two fits differ. Pure.
#ifndef ETUDE_LIB_SCALING_FIT_PREDICT_H_
#define ETUDE_LIB_SCALING_FIT_PREDICT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/fit.h"

namespace etude {

struct Prediction {
  double loss = 0;            // nats/token
  Interval ci95;              // of one new run: parameters and run-to-run noise, Student's t
  double half_width = 0;      // of ci95, relative to loss
  bool extrapolates = false;  // N or D more than 1 % outside the fitted range
  // What a judgement of the prediction needs of the fit.
  double lowest_loss = 0;  // of its runs
  double seed_sigma = 0;   // of ln L between seeds; 0: no replicates
  friend bool operator==(const Prediction&, const Prediction&) = default;
};
// kFailedPrecondition: the fit is refused; its reasons. kInvalidArgument: n or d not finite and
// above 0, or for power-n (power-d) a D (an N) other than the one that was fitted.
absl::StatusOr<Prediction> PredictLoss(const Fit& fit, double n, double d);

// DESIGN.md section 8. A study asks for 0.025 instead.
struct HeldOutRule {
  double max_half_width = 0.05;
  double min_tolerance = 0.02;  // relative; 2 sigma_seed where that is more
  double seed_sigmas = 2;
};
struct HeldOutVerdict {
  bool inside = false;          // of the predictive interval
  bool accurate = false;        // |relative error| within tolerance
  bool too_wide = false;        // an interval so wide is no pass
  bool beats_best_run = false;  // nearer than "the same loss as the best run of the fit"
  double relative_error = 0;    // (predicted - measured) / measured
  double tolerance = 0;
  std::vector<std::string> reasons;  // why it did not pass; empty when it did
  bool passed() const { return inside && accurate && !too_wide && beats_best_run; }
};
// `prediction` was made before `measured` (nats/token, above 0) was known.
HeldOutVerdict JudgeHeldOut(const Prediction& prediction, double measured,
                            const HeldOutRule& rule = {});

// An exponent of one fit minus that of another, Welch's t on independent runs.
struct ExponentDifference {
  double difference = 0;
  double se = 0;
  double freedom = 0;  // Welch and Satterthwaite
  Interval ci95;
  double p = 1;           // two-sided, of no difference
  bool distinct = false;  // ci95 excludes 0
};
// kInvalidArgument: not an exponent, or the fits differ in law, objective, delta or convention.
// kFailedPrecondition: the exponent is not identified, or fixed, in one of them.
absl::StatusOr<ExponentDifference> CompareExponents(const Fit& first, const Fit& second,
                                                    Parameter exponent);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_PREDICT_H_
