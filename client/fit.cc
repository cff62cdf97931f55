// etude fit
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "client/arguments.h"
#include "client/command.h"
#include "client/fit_report.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/scaling/fit_csv.h"

namespace etude {
namespace {

constexpr char kColumnsHint[] =
    "etude fit --csv runs.csv --columns n=params,d=tokens,loss=val_loss";

struct FitFlags {
  std::string sweep;
  std::string csv;
  std::string columns;
  std::string law = "chinchilla";
  std::string objective = "huber";
  std::string delta = "1e-3";
  std::vector<std::string> fixed;
  int bootstrap = 1000;
  std::uint64_t seed = 1;
  std::string convention = "compute";
  std::string split = "val";
  std::string where;
  bool allow_repeats = false;
};

// The value that a word of the command line names; `known` in the order of the help.
template <typename Value>
absl::StatusOr<Value> ChoiceOf(const std::string& what, const std::string& word,
                               std::optional<Value> (*from_name)(std::string_view),
                               const std::vector<std::string>& known) {
  const std::optional<Value> value = from_name(word);
  if (!value) return WithHint(InvalidArgument(UnknownWord(what, word, known)), "etude fit -h");
  return *value;
}

absl::StatusOr<Law> LawOf(const std::string& word) {
  constexpr std::string_view kLater[] = {"kaplan",  "repeated", "gadre",    "bnsl1",
                                         "farseer", "isoflop",  "envelope", "auto"};
  if (std::ranges::find(kLater, word) != std::end(kLater)) {
    return WithHint(InvalidArgument(fmt::format("law {} is not in this version; power-n, power-d "
                                                "and chinchilla are",
                                                word)),
                    "etude fit SWEEP --law chinchilla");
  }
  return ChoiceOf("law", word, LawFromName, {"power-n", "power-d", "chinchilla"});
}

absl::StatusOr<std::optional<double>> DeltaOf(const std::string& text) {
  if (text == "auto") return std::optional<double>();
  double delta = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), delta);
  if (error == std::errc() && end == text.data() + text.size()) return std::optional(delta);
  return WithHint(InvalidArgument(fmt::format("--delta {}: give a number above 0, or auto", text)),
                  "etude fit SWEEP --delta 1e-3");
}

absl::StatusOr<FitRequest> RequestOf(const FitFlags& flags) {
  FitRequest request;
  request.sweep = flags.sweep;
  FitOptions& options = request.options;
  ASSIGN_OR_RETURN(options.law, LawOf(flags.law));
  ASSIGN_OR_RETURN(options.objective, ChoiceOf("objective", flags.objective, ObjectiveFromName,
                                               {"huber", "lad", "l2", "l2-raw"}));
  ASSIGN_OR_RETURN(options.delta, DeltaOf(flags.delta));
  for (const std::string& text : flags.fixed) {
    ASSIGN_OR_RETURN(const FixedParameter fixed, ParseFixedParameter(text));
    options.fixed.push_back(fixed);
  }
  options.bootstrap = flags.bootstrap;
  options.seed = flags.seed;
  options.allow_repeats = flags.allow_repeats;
  ASSIGN_OR_RETURN(request.convention, ChoiceOf("convention", flags.convention, NConventionFromName,
                                                {"compute", "body", "all"}));
  ASSIGN_OR_RETURN(request.split,
                   ChoiceOf("split", flags.split, FitSplitFromName, {"val", "test"}));
  RETURN_IF_ERROR(ParseWhere(flags.where).status());
  request.where = flags.where;
  options.convention = std::string(NConventionName(request.convention));
  return request;
}

absl::StatusOr<std::vector<FamilyFit>> FitCsv(const FitFlags& flags, const FitRequest& request) {
  if (flags.columns.empty()) {
    return WithHint(InvalidArgument("--csv needs --columns, which says which column is which"),
                    kColumnsHint);
  }
  const absl::StatusOr<FitColumns> columns = ParseFitColumns(flags.columns);
  if (!columns.ok()) return WithHint(columns.status(), kColumnsHint);
  const absl::StatusOr<std::string> text = ReadFile(flags.csv, kMaxCsvBytes);
  if (!text.ok()) return OfLocalFile(text.status());
  ASSIGN_OR_RETURN(const Where where, ParseWhere(request.where));
  ASSIGN_OR_RETURN(const std::vector<FitRow> rows, ParseFitCsv(*text, *columns, flags.csv, where));
  ASSIGN_OR_RETURN(Fit fit, FitLaw(rows, request.options));
  std::string json = FitToJson(fit);
  return std::vector<FamilyFit>{{std::nullopt, std::move(fit), std::move(json)}};
}

absl::StatusOr<std::vector<FamilyFit>> FitOfSweep(Session& session, const FitRequest& request) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  absl::StatusOr<std::vector<FamilyFit>> fits = client->FitSweep(request);
  if (fits.status().code() == absl::StatusCode::kFailedPrecondition) {
    return WithHint(fits.status(), "etude sweep watch " + request.sweep);
  }
  return fits.ok() ? fits : OfSweep(fits.status());
}

// Names law, reasons and the cheapest repair of every fit that is refused.
ExitCode ReportVerdicts(Session& session, const std::vector<FamilyFit>& fits) {
  ExitCode code = ExitCode::kOk;
  for (const FamilyFit& fit : fits) {
    if (!fit.fit.refused()) continue;
    code = ExitCode::kNotIdentifiable;
    session.Say(fmt::format("etude: refused: {}{} is not identified: {}\n  repair: {}",
                            fit.family ? fmt::format("{}: ", FamilyName(*fit.family)) : "",
                            LawName(fit.fit.law), fmt::join(fit.fit.reasons, "; "),
                            fmt::join(fit.fit.repairs, "\n  repair: ")));
  }
  return code;
}

absl::StatusOr<ExitCode> RunFit(Session& session, const FitFlags& flags) {
  if (flags.sweep.empty() == flags.csv.empty()) {
    return WithHint(InvalidArgument("give a sweep, or --csv FILE"), "etude fit SWEEP");
  }
  if (flags.csv.empty() && !flags.columns.empty()) {
    return WithHint(InvalidArgument("--columns belongs to --csv"), kColumnsHint);
  }
  ASSIGN_OR_RETURN(const FitRequest request, RequestOf(flags));
  if (!flags.csv.empty() && request.split != FitSplit::kVal) {
    return WithHint(InvalidArgument("--split belongs to a sweep; --columns says which loss it is"),
                    kColumnsHint);
  }
  ASSIGN_OR_RETURN(const std::vector<FamilyFit> fits,
                   flags.csv.empty() ? FitOfSweep(session, request) : FitCsv(flags, request));
  if (session.format() == OutputFormat::kJson) {
    session.PrintText(FitsJson(fits, flags.sweep));
  } else {
    session.Print(FitReport(fits));
    for (const FamilyFit& fit : fits) {
      if (fit.fit.refused()) continue;  // told below
      for (const std::string& note : FitNotes(fit)) session.Say(note);
    }
  }
  return ReportVerdicts(session, fits);
}

}  // namespace

void AddFit(CommandTree& tree) {
  const auto flags = std::make_shared<FitFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"fit",
       "Fit a scaling law to a sweep's final losses, or to a CSV file.",
       {"etude fit demo", "etude fit --csv runs.csv --columns n=params,d=tokens,loss=val_loss"},
       "Laws: power-n L = E + A/N^alpha; power-d L = E + B/D^beta; chinchilla both. A sweep gets\n"
       "one fit a family, of its finished runs that are not held out; the coordinator computes "
       "and\n"
       "stores it. Exits 10 when an exponent is not identified, and says why and what would help.\n"
       "More columns of --csv: u=COL (unique tokens), group=COL (clusters), c=COL (FLOPs), "
       "run=COL."},
      [flags](Session& session) { return RunFit(session, *flags); });
  command->add_option("sweep", flags->sweep, "its name, or the start of its id")
      ->type_name("SWEEP");
  command->add_option("--csv", flags->csv, "fit these rows instead, without a coordinator")
      ->type_name("FILE");
  command->add_option("--columns", flags->columns, "which column of --csv is which")
      ->type_name("n=COL,d=COL,loss=COL");
  command->add_option("--law", flags->law, "power-n, power-d or chinchilla (default: chinchilla)")
      ->type_name("LAW");
  command->add_option("--objective", flags->objective, "huber, lad, l2 or l2-raw (default: huber)")
      ->type_name("NAME");
  command->add_option("--delta", flags->delta, "of huber: a number or auto (default: 1e-3)")
      ->type_name("D");
  command->add_option("--fix", flags->fixed, "hold a parameter, as in --fix E=0.9; repeatable")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  command->add_option("--bootstrap", flags->bootstrap, "resamples, 0: none (default: 1000)")
      ->type_name("N");
  command->add_option("--seed", flags->seed, "of the bootstrap (default: 1)")->type_name("S");
  command
      ->add_option("--convention", flags->convention,
                   "how N is counted: compute, body or all (default: compute)")
      ->type_name("NAME");
  command
      ->add_option("--split", flags->split,
                   "val, or test, which unseals the test losses (default: val)")
      ->type_name("NAME");
  command->add_option("--where", flags->where, "only rows that match, as \"seed=1 and tokens<1M\"")
      ->type_name("FILTER");
  command->add_flag("--allow-repeats", flags->allow_repeats,
                    "fit runs that repeat their data more than 4 times all the same");
}

}  // namespace etude
