// etude plot
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "client/arguments.h"
#include "client/command.h"
#include "client/plot_figures.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr char kAll[] = "all";

struct PlotFlags {
  std::string sweep;
  std::string kind;
  std::string out;
};

// What the coordinator knows of a sweep, as far as the kinds that were asked for need it.
struct Plotting {
  std::string sweep;  // its name
  std::vector<FamilyPlot> families;
  CurvesByRun probes;
};

struct PlotKind {
  const char* name;
  bool needs_probes;
  bool needs_fit;
  Figure (*draw)(const Plotting&);
};
constexpr PlotKind kKinds[] = {
    {"curves", true, false,
     [](const Plotting& of) { return CurvesFigure(of.sweep, of.families, of.probes); }},
    {"loss-n", false, false,
     [](const Plotting& of) { return LossBySizeFigure(of.sweep, of.families); }},
    {"loss-d", false, false,
     [](const Plotting& of) { return LossByTokensFigure(of.sweep, of.families); }},
    {"fit", false, true, [](const Plotting& of) { return FitFigure(of.sweep, of.families); }},
    {"residuals", false, true,
     [](const Plotting& of) { return ResidualsFigure(of.sweep, of.families); }},
};

// kInvalidArgument: no such kind; the message names the nearest.
absl::StatusOr<std::vector<PlotKind>> KindsOf(const std::string& word) {
  std::vector<PlotKind> kinds;
  std::vector<std::string> known;
  for (const PlotKind& kind : kKinds) {
    known.emplace_back(kind.name);
    if (word == kAll || word == kind.name) kinds.push_back(kind);
  }
  if (!kinds.empty()) return kinds;
  known.emplace_back(kAll);
  return WithHint(InvalidArgument(UnknownWord("plot", word, known)), "etude plot -h");
}

// A single plot is a file, whose directory need not exist yet. Writing renames over what is there,
// which would take the place of a device or pipe, /dev/stdout for one.
absl::Status CheckOut(const PlotFlags& flags) {
  if (flags.kind == kAll || flags.out.empty()) return absl::OkStatus();
  const fs::path out(flags.out);
  std::error_code ignored;  // what cannot be looked at fails when it is written
  const fs::file_status status = fs::status(out, ignored);
  const bool directory = fs::is_directory(status) || !out.has_filename();
  if (!directory && (!fs::exists(status) || fs::is_regular_file(status))) return absl::OkStatus();
  const fs::path instead = (directory ? out : fs::path()) / (flags.kind + ".svg");
  return WithHint(
      InvalidArgument(fmt::format("--out {} is {}; the {} plot is written to a regular file",
                                  flags.out, directory ? "a directory" : "a device or pipe",
                                  flags.kind)),
      fmt::format("etude plot {} {} --out {}", flags.sweep, flags.kind, instead.string()));
}

absl::Status CheckAnyFinished(const SweepView& view) {
  const bool any = std::ranges::any_of(
      view.runs, [](const RunProgress& progress) { return progress.run.result.has_value(); });
  if (any) return absl::OkStatus();
  const std::string& name = view.summary.sweep.name;
  return WithHint(
      FailedPrecondition(fmt::format(
          "none of the {} runs of sweep {} has finished: there is no final loss to draw",
          view.runs.size(), name)),
      "etude sweep watch " + name);
}

absl::Status ReadProbes(Session& session, CoordinatorClient& client, const SweepView& view,
                        Plotting& plotting) {
  const auto shown = session.MakeProgress();
  std::size_t done = 0;
  for (const RunProgress& progress : view.runs) {
    shown->Update(fmt::format("reading curve {} of {}", ++done, view.runs.size()));
    const RunKey& key = progress.run.key;
    ASSIGN_OR_RETURN(plotting.probes[key], client.Curve(key.text(), {Series::kValProbe}));
  }
  return absl::OkStatus();
}

absl::Status ReadFits(CoordinatorClient& client, const SweepView& view, Plotting& plotting) {
  const std::string id = view.summary.sweep.id.text();
  FitRequest request;
  request.sweep = id;
  ASSIGN_OR_RETURN(const std::vector<FamilyFit> fits, client.FitSweep(request));
  ASSIGN_OR_RETURN(const std::vector<FrozenPrediction> predictions, client.Predictions(id));
  for (FamilyPlot& plot : plotting.families) {
    const auto fit = std::ranges::find(fits, plot.family, &FamilyFit::family);
    if (fit != fits.end()) plot.fit = fit->fit;
    std::ranges::copy_if(
        predictions, std::back_inserter(plot.predictions),
        [&](const FrozenPrediction& prediction) { return prediction.family == plot.family; });
  }
  return absl::OkStatus();
}

absl::StatusOr<Plotting> ReadPlotting(Session& session, const std::string& sweep,
                                      const std::vector<PlotKind>& kinds) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<SweepView> view = client->FindSweep(sweep);
  if (!view.ok()) return OfSweep(view.status());
  RETURN_IF_ERROR(CheckAnyFinished(*view));
  Plotting plotting = {view->summary.sweep.name, FamiliesOf(view->runs), {}};
  if (std::ranges::any_of(kinds, &PlotKind::needs_probes)) {
    RETURN_IF_ERROR(ReadProbes(session, *client, *view, plotting));
  }
  if (std::ranges::any_of(kinds, &PlotKind::needs_fit)) {
    RETURN_IF_ERROR(ReadFits(*client, *view, plotting));
  }
  return plotting;
}

absl::Status WritePlot(const std::string& path, const Figure& figure) {
  const std::string folder = fs::path(path).parent_path();
  if (!folder.empty()) RETURN_IF_ERROR(MakeDirectories(folder));
  return WriteFileAtomically(path, RenderSvg(figure));
}

std::string PathOf(const PlotFlags& flags, const PlotKind& kind, const std::string& sweep) {
  const std::string file = std::string(kind.name) + ".svg";
  if (flags.kind == kAll) return (flags.out.empty() ? sweep + "-plots" : flags.out) + "/" + file;
  return flags.out.empty() ? file : flags.out;
}

absl::StatusOr<ExitCode> RunPlot(Session& session, const PlotFlags& flags) {
  ASSIGN_OR_RETURN(const std::vector<PlotKind> kinds, KindsOf(flags.kind));
  RETURN_IF_ERROR(CheckOut(flags));
  ASSIGN_OR_RETURN(const Plotting plotting, ReadPlotting(session, flags.sweep, kinds));
  Report report{"plots", {}, Table{{{"kind", "plot"}, {"path", "path"}}, {}}, "no plots"};
  for (const PlotKind& kind : kinds) {
    const std::string path = PathOf(flags, kind, plotting.sweep);
    RETURN_IF_ERROR(OfLocalFile(WritePlot(path, kind.draw(plotting))));
    report.list->rows.push_back({std::string(kind.name), path});
  }
  session.Print(report);
  return ExitCode::kOk;
}

}  // namespace

void AddPlot(CommandTree& tree) {
  const auto flags = std::make_shared<PlotFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"plot",
       "Draw a sweep's losses and laws as SVG.",
       {"etude plot first fit --out fit.svg", "etude plot first all --out first-plots"},
       "curves: validation probes while training. loss-n, loss-d: final loss against N and D.\n"
       "fit: the laws with their 95 % bands, formula and verdict. residuals: measured against\n"
       "predicted. all: each of them. Held-out runs are hollow. Earlier plots there are replaced."},
      [flags](Session& session) { return RunPlot(session, *flags); });
  command->add_option("sweep", flags->sweep, "a sweep's name or id")
      ->required()
      ->type_name("SWEEP");
  command->add_option("kind", flags->kind, "curves, loss-n, loss-d, fit, residuals or all")
      ->required()
      ->type_name("KIND");
  command
      ->add_option("--out", flags->out,
                   "the file, KIND.svg by default; for all a directory, SWEEP-plots by default")
      ->type_name("PATH");
}

}  // namespace etude
