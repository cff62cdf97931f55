// etude compare
#include <fmt/format.h>

#include <memory>

#include "client/command.h"
#include "client/fit_report.h"
#include "lib/base/status.h"
#include "lib/scaling/fit_runs.h"

namespace etude {
namespace {

struct CompareFlags {
  std::string sweep;
  bool strict = false;
};

absl::StatusOr<std::vector<FitRow>> RowsOf(const SweepView& view, Family family) {
  std::vector<Run> runs;
  for (const RunProgress& progress : view.runs) {
    if (!progress.held_out && progress.run.config.model.family == family) {
      runs.push_back(progress.run);
    }
  }
  return FitRowsOf(runs, RunSelection());
}

absl::StatusOr<ExitCode> RunCompare(Session& session, const CompareFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<SweepView> view = client->FindSweep(flags.sweep);
  if (!view.ok()) return OfSweep(view.status());
  FitRequest request;
  request.sweep = view->summary.sweep.id.text();
  absl::StatusOr<std::vector<FamilyFit>> fits = client->FitSweep(request);
  if (fits.status().code() == absl::StatusCode::kFailedPrecondition) {
    return WithHint(fits.status(), "etude sweep watch " + flags.sweep);
  }
  RETURN_IF_ERROR(fits.status());
  std::vector<FamilyComparison> families;
  for (FamilyFit& fit : *fits) {
    ASSIGN_OR_RETURN(const std::vector<FitRow> rows, RowsOf(*view, *fit.family));
    families.push_back({*fit.family, std::move(fit.fit), CheckLossFalls(rows)});
  }
  session.Print(CompareReport(view->summary.sweep.name, families));
  for (const std::string& note : CompareNotes(families)) session.Say(note);
  const std::vector<std::string> doubts = ScalingDoubts(families);
  for (const std::string& doubt : doubts) session.Say("doubt: " + doubt);
  if (doubts.empty() || !flags.strict) return ExitCode::kOk;
  session.Say(fmt::format(
      "etude: refused: this sweep does not show scaling in every family\n  try: etude fit {}",
      flags.sweep));
  return ExitCode::kNotIdentifiable;
}

}  // namespace

void AddCompare(CommandTree& tree) {
  const auto flags = std::make_shared<CompareFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"compare",
       "Compare a sweep's families: exponents, and whether losses fall.",
       {"etude compare demo", "etude compare demo --strict -o json"},
       "A difference of exponents is claimed only when its 95 % interval excludes 0. With "
       "--strict\n"
       "exits 10 unless seed-mean losses fall between all neighbours in N and in D, and every\n"
       "exponent's interval is above 0."},
      [flags](Session& session) { return RunCompare(session, *flags); });
  command->add_option("sweep", flags->sweep, "its name, or the start of its id")
      ->required()
      ->type_name("SWEEP");
  command->add_flag("--strict", flags->strict, "exit 10 unless the sweep shows scaling");
}

}  // namespace etude
