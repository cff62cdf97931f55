// Fits a scaling law to final losses, and says what the rows can and cannot tell. DESIGN.md section
// 8 is the promise; the recipe:
//   - inputs centred in their logarithms; a 64 x 64 grid in the exponents, (0.02, 1.2)^2, with
//     non-negative least squares for E, A, B; the best 20 cells that are local minima polished by
//     damped Newton steps between reweighted least squares and the exact Hessian;
//   - objective: the SUM of Huber(delta) on ln L residuals (Hoffmann et al. 2022, section 3.3),
//     least absolute deviations and least squares beside it;
//   - intervals: profile of the objective with Student's t and, by cluster, the fractional-weight
//     bootstrap (Xu et al. 2020), in which no N or D level is ever lost;
//   - a verdict on each parameter, reasons and the cheapest repair.
// Equal rows and seed give a bit-identical fit, in whatever order the rows come. Pure functions.
#ifndef ETUDE_LIB_SCALING_FIT_H_
#define ETUDE_LIB_SCALING_FIT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/scaling/law.h"

namespace etude {

inline constexpr std::size_t kMaxFitRows = 10000;
inline constexpr int kMaxBootstrap = 100000;
inline constexpr double kMaxFitCondition = 300;  // scaled; an identified parameter is below it
inline constexpr double kIdentifiedRelativeSe = 0.35;
inline constexpr double kWeakRelativeSe = 1.0;
inline constexpr double kMaxEpochs = 4;           // D/U that a law without repetition can take
inline constexpr int kMinBootstrapClusters = 10;  // below either, the reported interval is the
inline constexpr int kMinBootstrapFreedom = 15;   // profile, with the bootstrap beside it
inline constexpr std::size_t kMaxRivals = 5;      // further ones are not listed
inline constexpr double kSameLevel = 0.01;        // D within 1 % are one level, as in design.h

// One run. All rows of a fit share corpus, tokenizer, loss unit, N convention and evaluation set:
// the caller sees to it.
struct FitRow {
  double n = 0;         // parameters, by FitOptions::convention
  double d = 0;         // tokens trained on
  double u = 0;         // unique tokens; 0: unknown
  double loss = 0;      // nats/token, final
  double flops = 0;     // of training; 0: unknown, then 6 N D. Only prices repairs
  std::string group;    // what correlates: trunk, or shape and seed; empty: a cluster of its own
  std::string run_key;  // 64 hex digits, or "FILE:LINE" of a CSV row; names the row in messages
  std::uint64_t seed = 0;
};

// huber, lad and l2 judge ln L; l2-raw judges L. l2 is half the sum of squares, huber is that
// within delta and delta (|r| - delta/2) beyond it.
enum class Objective { kHuber, kLad, kL2, kL2Raw };
std::string_view ObjectiveName(Objective objective);  // "huber", "lad", "l2", "l2-raw"
std::optional<Objective> ObjectiveFromName(std::string_view name);

struct FixedParameter {
  Parameter parameter = Parameter::kE;
  double value = 0;
};
// "alpha=0.34". kInvalidArgument: unknown name, or a value out of the parameter's range.
absl::StatusOr<FixedParameter> ParseFixedParameter(std::string_view text);

struct FitOptions {
  Law law = Law::kChinchilla;
  Objective objective = Objective::kHuber;
  std::optional<double> delta = 1e-3;  // nullopt: 1.345 times the residuals' scale
  std::vector<FixedParameter> fixed;
  int bootstrap = 1000;  // resamples; 0: none
  std::uint64_t seed = 1;
  std::string convention = "compute";  // how N was counted, for the record
  std::string software = "etude 0.1.0";
  bool allow_repeats = false;  // fit rows with D/U above kMaxEpochs all the same
};

// What the rows say about a parameter (DESIGN.md section 8). kFixed: it was given.
enum class Identification { kIdentified, kWeak, kNotIdentified, kFixed };
std::string_view IdentificationName(Identification status);  // "identified", "not identified", ...
std::optional<Identification> IdentificationFromName(std::string_view name);

struct Interval {
  double low = 0;
  double high = 0;  // infinity: no upper end
  bool Contains(double value) const { return low <= value && value <= high; }
  friend bool operator==(const Interval&, const Interval&) = default;
};

struct Estimate {
  double value = 0;  // NaN when nothing could be fitted
  double se = 0;     // of the reported interval's method; infinity when the rows do not bound it
  Interval ci95;     // the reported one
  Interval profile95;
  std::optional<Interval> bootstrap95;
  Identification status = Identification::kNotIdentified;
};

struct ParameterEstimate {
  Parameter parameter = Parameter::kE;
  Estimate estimate;
};

// The same rows under another objective.
struct BesideFit {
  Objective objective = Objective::kLad;
  double value = 0;
  LawParameters parameters = {};
};

// Another minimum whose objective is within 1 % of the best.
struct RivalMinimum {
  double value = 0;
  LawParameters parameters = {};
};

// Why the optimum may be believed, or not.
struct Certificate {
  bool converged = false;  // scaled_gradient below 1e-8
  // Largest cosine between a Jacobian column and the vector of the objective's pulls; for lad, how
  // far the optimality condition is from holding. 0 at an optimum.
  double scaled_gradient = 0;
  bool hessian_positive_definite = false;
  int parameters = 0;  // free ones
  int rank = 0;
  double condition = 0;  // of the Jacobian with unit columns; infinity below full rank
  // Distance of the nearest parameter to its bound, relative to E's, A's, B's own size or in the
  // exponent; 0: on it.
  double bound_distance = 0;
  std::vector<RivalMinimum> rivals;
};

// Seed-to-seed noise of ln L, from rows that share N, D and U.
struct SeedNoise {
  int cells = 0;       // with two rows or more
  int freedom = 0;     // degrees of freedom
  double sigma = 0;    // of ln L, pooled
  double slope_n = 0;  // d ln sigma / d ln N; 0 unless the replicates show one
  double slope_d = 0;
  double centre_ln_n = 0;  // where sigma(N, D) / sigma is 1
  double centre_ln_d = 0;
};

// Do the residuals exceed what seeds explain? F test of the least-squares fit.
struct LackOfFit {
  double f = 0;
  int freedom = 0;  // cells - free parameters
  int noise_freedom = 0;
  double p = 1;
};

// What PredictLoss needs: covariance of the free parameters at these centres, (E, A', B', alpha,
// beta) as in EvaluateLaw.
struct FitCovariance {
  double centre_ln_n = 0;
  double centre_ln_d = 0;
  std::array<std::array<double, kParameterCount>, kParameterCount> matrix = {};
};

struct FitRange {
  double n_min = 0;
  double n_max = 0;
  double d_min = 0;
  double d_max = 0;
};

struct FitProvenance {
  std::vector<std::string> run_keys;  // of the rows used, in canonical order
  std::string convention;
  std::string software;
  std::uint64_t seed = 0;
  int bootstrap = 0;
};

struct Fit {
  Law law = Law::kChinchilla;
  Objective objective = Objective::kHuber;
  std::optional<double> delta;  // huber's
  double objective_value = 0;
  LawParameters parameters = {};          // A and B at N = D = 1; NaN when nothing could be fitted
  std::vector<ParameterEstimate> params;  // those of the law, in its order
  std::optional<Estimate> a_opt;          // chinchilla: beta / (alpha + beta), of N_opt ~ C^a_opt
  int n_points = 0;
  int clusters = 0;
  int freedom = 0;                  // n_points - free parameters
  double residual_sigma = 0;        // of ln L (of L for l2-raw), if residuals are normal
  bool bootstrap_reported = false;  // ci95 is the bootstrap's, else the profile's
  SeedNoise noise;
  std::optional<LackOfFit> lack_of_fit;
  std::vector<BesideFit> beside;
  Certificate certificate;
  FitCovariance covariance;
  FitRange range;
  double lowest_loss = 0;                                   // of the rows used
  Identification verdict = Identification::kNotIdentified;  // of the worst exponent
  std::vector<std::string> reasons;  // why it is no better, in words; empty when identified
  std::vector<std::string> repairs;  // cheapest first
  std::vector<std::string> warnings;
  FitProvenance provenance;

  // An exponent of the law is not identified: exit code 10.
  bool refused() const { return verdict == Identification::kNotIdentified; }
  // nullptr for a parameter that the law does not have.
  const Estimate* Find(Parameter parameter) const;
};

// power-n is fitted on the D with the most sizes, power-d on the N with the most D (the largest of
// equals); a warning says how many rows that leaves out. What cannot be identified is no error but
// a refused() fit with its reasons.
// kInvalidArgument: no rows or more than kMaxFitRows; n, d or loss not finite and above 0; the same
// run twice; options out of range or not of this law. The message names the row.
absl::StatusOr<Fit> FitLaw(std::span<const FitRow> rows, const FitOptions& options);

// JSON with format_version "1.0"; numbers that are not finite are null.
std::string FitToJson(const Fit& fit);
// The fit that FitToJson wrote; writing it again gives the same bytes. kInvalidArgument: not such a
// JSON, or one of another major format version.
absl::StatusOr<Fit> FitFromJson(std::string_view json);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_H_
