// etude predict
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "client/command.h"
#include "client/fit_report.h"
#include "lib/base/status.h"
#include "lib/scaling/fit_predict.h"
#include "lib/scaling/quantity.h"

namespace etude {
namespace {

struct PredictFlags {
  std::string sweep;
  std::string n;
  std::string d;
  bool extrapolate = false;
};

absl::StatusOr<double> AmountOf(const char* flag, const std::string& text) {
  const std::optional<Quantity> quantity = ParseQuantity(text);
  if (quantity && quantity->unit.empty() && quantity->value > 0) return quantity->value;
  return WithHint(InvalidArgument(fmt::format("{} {}: give a count such as 400k", flag, text)),
                  "etude predict SWEEP --n 400k --d 900k");
}

absl::StatusOr<ExitCode> ShowHeldOut(Session& session, const PredictFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<SweepView> view = client->FindSweep(flags.sweep);
  if (!view.ok()) return OfSweep(view.status());
  ASSIGN_OR_RETURN(const std::vector<FrozenPrediction> predictions,
                   client->Predictions(view->summary.sweep.id.text()));
  session.Print(HeldOutReport(*view, predictions));
  return ExitCode::kOk;
}

Report PredictionReport(double n, double d) {
  Report report{"predictions",
                {{{"n", "N", Show::kCount}, n}, {{"d", "D", Show::kCount}, d}},
                Table{{{"family", "family"},
                       {"loss", "loss", Show::kLoss},
                       {"ci95_low", "95 % from", Show::kLoss},
                       {"ci95_high", "to", Show::kLoss},
                       {"half_width", "+-", Show::kShare},
                       {"extrapolates", "extrapolates"}},
                      {}},
                "no family has a law that can predict"};
  return report;
}

std::string OutsideText(const std::string& family, const FitRange& range,
                        const PredictFlags& flags) {
  return fmt::format(
      "etude: {}: N = {}, D = {} lies outside its fitted runs (N {} to {}, D {} to {})\n  try: "
      "etude "
      "predict {} --n {} --d {} --extrapolate",
      family, flags.n, flags.d, QuantityText(range.n_min), QuantityText(range.n_max),
      QuantityText(range.d_min), QuantityText(range.d_max), flags.sweep, flags.n, flags.d);
}

absl::StatusOr<ExitCode> PredictAt(Session& session, const PredictFlags& flags) {
  ASSIGN_OR_RETURN(const double n, AmountOf("--n", flags.n));
  ASSIGN_OR_RETURN(const double d, AmountOf("--d", flags.d));
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  FitRequest request;
  request.sweep = flags.sweep;
  const absl::StatusOr<std::vector<FamilyFit>> fits = client->FitSweep(request);
  if (!fits.ok()) return OfSweep(fits.status());
  Report report = PredictionReport(n, d);
  ExitCode code = ExitCode::kOk;
  for (const FamilyFit& fit : *fits) {
    const std::string family(FamilyName(*fit.family));
    const absl::StatusOr<Prediction> prediction = PredictLoss(fit.fit, n, d);
    if (prediction.status().code() == absl::StatusCode::kFailedPrecondition) {
      session.Say(family + ": " + MessageOf(prediction.status()));
      code = ExitCode::kNotIdentifiable;
      continue;
    }
    if (!prediction.ok()) return prediction.status();
    if (prediction->extrapolates && !flags.extrapolate) {
      session.Say(OutsideText(family, fit.fit.range, flags));
      code = ExitCode::kUsage;
      continue;
    }
    report.list->rows.push_back({family, prediction->loss, prediction->ci95.low,
                                 prediction->ci95.high, prediction->half_width,
                                 prediction->extrapolates});
  }
  session.Print(report);
  return code;
}

absl::StatusOr<ExitCode> RunPredict(Session& session, const PredictFlags& flags) {
  if (flags.n.empty() != flags.d.empty()) {
    return WithHint(InvalidArgument("--n and --d go together"),
                    fmt::format("etude predict {} --n 400k --d 900k", flags.sweep));
  }
  return flags.n.empty() ? ShowHeldOut(session, flags) : PredictAt(session, flags);
}

}  // namespace

void AddPredict(CommandTree& tree) {
  const auto flags = std::make_shared<PredictFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"predict",
       "Show a sweep's frozen predictions, or predict a loss.",
       {"etude predict demo", "etude predict demo --n 200k --d 1M"},
       "Without --n and --d: each held-out run, what was predicted and hashed before its\n"
       "first step, what it measured, and whether the prediction held. With them: the\n"
       "loss that each family's chinchilla law gives there."},
      [flags](Session& session) { return RunPredict(session, *flags); });
  command->add_option("sweep", flags->sweep, "its name, or the start of its id")
      ->required()
      ->type_name("SWEEP");
  command->add_option("--n", flags->n, "parameters (compute)")->type_name("N");
  command->add_option("--d", flags->d, "tokens trained on")->type_name("D");
  command->add_flag("--extrapolate", flags->extrapolate,
                    "predict outside the fitted range all the same");
}

}  // namespace etude
